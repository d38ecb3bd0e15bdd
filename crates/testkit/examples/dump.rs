//! scratch
use std::io::Write;
fn main() {
    let today = time::Date::from_calendar_date(2026, time::Month::July, 1).unwrap();
    let g = testkit::records::Generator::new(7, today);
    let mut clean = std::fs::File::create("/tmp/corpus.clean").unwrap();
    let mut bad = std::fs::File::create("/tmp/corpus.bad").unwrap();
    let (mut c, mut b) = (0, 0);
    let mut i = 0;
    while (c < 20000 || b < 20000) && i < 2_000_000 {
        let r = g.record(i);
        i += 1;
        if r.item_code != "xzcf" {
            continue;
        }
        let (f, n) = if r.planted.is_some() {
            (&mut bad, &mut b)
        } else {
            (&mut clean, &mut c)
        };
        if *n >= 20000 {
            continue;
        }
        *n += 1;
        f.write_all(&(r.content.len() as u32).to_le_bytes())
            .unwrap();
        f.write_all(&(r.provider_code.len() as u32).to_le_bytes())
            .unwrap();
        f.write_all(r.provider_code.as_bytes()).unwrap();
        f.write_all(&r.content).unwrap();
    }
    println!("{c} {b} {i}");
}
