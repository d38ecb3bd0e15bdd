//! The departments' files: encodings, Excel cells, headers, error files that can be corrected and sent again. By
//! `lint`, which reads and writes them as `submit` does.

use calamine::{Data, Reader, Xlsx, open_workbook};
use encoding_rs::GB18030;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Map, Value};

use crate::support::{
    CreditctlFolder, CreditctlOutput, RecordCorpus, TODAY, cells, corpus, csv, run, text,
};

fn lint(file: &str, provider: &str, more: &[&str]) -> CreditctlOutput {
    let mut arguments = vec![
        "lint",
        file,
        "--item",
        "xzcf",
        "--provider",
        provider,
        TODAY,
    ];
    arguments.extend(more);
    run(&arguments, b"")
}

/// One good record, then one whose decision has no day.
fn two(corpus: &RecordCorpus) -> Vec<Map<String, Value>> {
    let mut second = corpus.good[1].clone();
    second.insert("CF_JDRQ".to_owned(), Value::String("2026-02-30".to_owned()));
    vec![corpus.good[0].clone(), second]
}

fn borrowed(records: &[Map<String, Value>]) -> Vec<&Map<String, Value>> {
    records.iter().collect()
}

#[test]
fn csv_is_read_in_either_encoding_and_the_error_file_has_the_inputs() {
    let corpus = corpus();
    let records = two(&corpus);
    let plain = csv(&corpus.item, true, &borrowed(&records));
    let marked = format!("\u{FEFF}{plain}");
    let (gb, _, _) = GB18030.encode(&plain);
    for (bytes, said_gb) in [
        (plain.as_bytes(), false),
        (marked.as_bytes(), false),
        (&gb, true),
    ] {
        let folder = CreditctlFolder::new();
        let file = folder.write("处罚.csv", bytes);
        let said = lint(&file, &corpus.provider, &["--json"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert_eq!(said.err.contains("GB18030"), said_gb, "{}", said.err);
        assert_eq!(said.rows()[1]["findings"][0]["code"], "DATE_INVALID");
        assert_eq!(folder.names(), ["处罚.csv", "处罚.errors.csv"]);
        let errors = std::fs::read(folder.path("处罚.errors.csv")).unwrap();
        assert_eq!(
            errors.starts_with(b"\xEF\xBB\xBF"),
            bytes.starts_with(b"\xEF\xBB\xBF")
        );
        let errors = if said_gb {
            GB18030.decode(&errors).0.into_owned()
        } else {
            String::from_utf8(errors).unwrap()
        };
        let lines: Vec<&str> = errors.trim_start_matches('\u{FEFF}').lines().collect();
        assert_eq!(
            lines.len(),
            2,
            "the header and the one row that failed: {lines:?}"
        );
        assert!(
            lines[0].starts_with("行号,字段,代码,说明,建议,记录主键,"),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].starts_with("3,CF_JDRQ,DATE_INVALID,"),
            "{}",
            lines[1]
        );
        assert!(lines[1].contains("2026-02-30"), "{}", lines[1]);
    }
}

#[test]
fn an_error_file_is_corrected_in_place_and_read_again() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let records = two(&corpus);
    let file = folder.write("a.csv", csv(&corpus.item, false, &borrowed(&records)));
    assert_eq!(lint(&file, &corpus.provider, &["--lang=en"]).code, 1);
    let errors = text(&folder.path("a.errors.csv"));
    let faulty = std::fs::read_to_string(&errors).unwrap();
    assert!(
        faulty.starts_with("Row,Field,Code,Text,Suggestion,Record key,"),
        "{faulty}"
    );
    let good = corpus.good[1]["CF_JDRQ"].as_str().unwrap();
    std::fs::write(&errors, faulty.replace("2026-02-30", good)).unwrap();
    let said = lint(&errors, &corpus.provider, &["--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    // Corrected the wrong way, it gives an error file of its own, and no column twice.
    std::fs::write(&errors, faulty.replace("2026-02-30", "2026-13-01")).unwrap();
    assert_eq!(lint(&errors, &corpus.provider, &[]).code, 1);
    let second = std::fs::read_to_string(folder.path("a.errors-2.csv")).unwrap();
    assert_eq!(second.matches("行号").count(), 1, "{second}");
    assert!(!second.contains("Suggestion"), "{second}");
}

#[test]
fn an_error_file_is_never_written_over_another() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let records = two(&corpus);
    let file = folder.write("a.csv", csv(&corpus.item, false, &borrowed(&records)));
    lint(&file, &corpus.provider, &[]);
    // The same run again has the same content and needs no second file.
    lint(&file, &corpus.provider, &[]);
    assert_eq!(folder.names(), ["a.csv", "a.errors.csv"]);
    folder.write("a.errors.csv", "somebody is at work on this");
    let said = lint(&file, &corpus.provider, &["--json"]);
    let named = said.summary()["error_file"].as_str().unwrap().to_owned();
    assert!(named.ends_with("a.errors-2.csv"), "{named}");
    let kept = std::fs::read_to_string(folder.path("a.errors.csv")).unwrap();
    assert_eq!(kept, "somebody is at work on this");
    // One that was asked for is written where it was asked for.
    let chosen = text(&folder.path("chosen.csv"));
    lint(&file, &corpus.provider, &["--errors", &chosen]);
    lint(&file, &corpus.provider, &["--errors", &chosen]);
    assert!(folder.names().contains(&"chosen.csv".to_owned()));
    assert!(!folder.names().iter().any(|name| name.ends_with(".part")));
}

#[test]
fn columns_that_do_not_fit_are_refused_with_the_nearest_name() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let good = csv(&corpus.item, false, &[&corpus.good[0]]);
    let unknown = folder.write("unknown.csv", good.replacen("CF_WSH", "CF_WHS", 1));
    let said = lint(&unknown, &corpus.provider, &["--lang=en"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("\"CF_WHS\"") && said.err.contains("meant \"CF_WSH\"?"),
        "{}",
        said.err
    );
    let doubled = folder.write("doubled.csv", good.replacen("CF_SY,", "CF_WSH,", 1));
    let said = lint(&doubled, &corpus.provider, &[]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("同一个字段（CF_WSH）"), "{}", said.err);
    let mut lines: Vec<&str> = good.lines().collect();
    let value = format!("{},what is this", lines[1]);
    let head = format!("{},", lines[0]);
    lines[0] = &head;
    lines[1] = &value;
    let nameless = folder.write("nameless.csv", lines.join("\r\n"));
    let said = lint(&nameless, &corpus.provider, &["--lang=en"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("has no name"), "{}", said.err);
}

#[test]
fn files_that_are_none_are_named() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let utf16 = folder.write("utf16.csv", b"\xFF\xFEC\0F\0");
    let said = lint(&utf16, &corpus.provider, &[]);
    assert!(said.code == 2 && said.err.contains("UTF-16"), "{said:?}");
    let mut damaged = csv(&corpus.item, true, &[&corpus.good[0]]).into_bytes();
    let at = damaged.len() - 10;
    damaged[at] = 0xFF;
    let damaged = folder.write("damaged.csv", damaged);
    let said = lint(&damaged, &corpus.provider, &[]);
    assert!(said.code == 2 && said.err.contains("第2行"), "{said:?}");
    for (name, word) in [
        ("old.xls", ".xlsx"),
        ("gone.csv", "gone.csv"),
        ("broken.xlsx", "broken"),
    ] {
        if name != "gone.csv" {
            folder.write(name, "no workbook");
        }
        let path = text(&folder.path(name));
        let said = lint(&path, &corpus.provider, &[]);
        assert!(said.code == 2 && said.err.contains(word), "{said:?}");
    }
    let empty = folder.write("empty.csv", "\r\n\r\n");
    assert_eq!(lint(&empty, &corpus.provider, &[]).code, 2);
    let header = folder.write("header.csv", csv(&corpus.item, false, &[]));
    assert_eq!(lint(&header, &corpus.provider, &[]).code, 2);
}

/// A workbook as the catalogue's templates have it: names, codes, records; dates as dates, numbers as numbers.
fn workbook(
    corpus: &RecordCorpus,
    folder: &CreditctlFolder,
    records: &[Map<String, Value>],
) -> String {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.set_name("填报").unwrap();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    for (column, field) in (0_u16..).zip(&corpus.item.fields) {
        sheet.write_string(0, column, &field.name).unwrap();
        sheet.write_string(1, column, &field.code).unwrap();
    }
    for (row, record) in (2_u32..).zip(records) {
        let cells = cells(&corpus.item, record);
        for ((column, field), cell) in (0_u16..).zip(&corpus.item.fields).zip(&cells) {
            let date = (field.kind == credit_record::item::FieldKind::Date)
                .then(|| ExcelDateTime::parse_from_str(cell).ok())
                .flatten();
            let number = (field.kind == credit_record::item::FieldKind::Decimal)
                .then(|| cell.parse::<f64>().ok())
                .flatten();
            if let Some(date) = date {
                sheet
                    .write_datetime_with_format(row, column, date, &day)
                    .unwrap();
            } else if let Some(number) = number {
                sheet.write_number(row, column, number).unwrap();
            } else if !cell.is_empty() {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
    }
    book.add_worksheet().set_name("说明").unwrap();
    let path = folder.path("处罚.xlsx");
    book.save(&path).unwrap();
    text(&path)
}

#[test]
fn a_workbook_gives_the_verdicts_of_its_records() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let records: Vec<_> = corpus.good.iter().take(30).cloned().collect();
    let file = workbook(&corpus, &folder, &records);
    let said = lint(&file, &corpus.provider, &["--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = said.rows();
    assert_eq!(rows.len(), 30);
    assert_eq!(rows[0]["row"], 3, "counted as the spreadsheet counts");
    assert_eq!(lint(&file, &corpus.provider, &["--sheet", "没有"]).code, 2);
}

#[test]
fn a_number_that_a_spreadsheet_damaged_is_not_repaired() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let cells = cells(&corpus.item, &corpus.good[0]);
    for ((column, field), cell) in (0_u16..).zip(&corpus.item.fields).zip(&cells) {
        sheet.write_string(0, column, &field.code).unwrap();
        if field.code == "CF_XDR_SHXYM" {
            // 18 digits, as a spreadsheet keeps them.
            sheet
                .write_number(1, column, 430_102_199_003_071_234.0)
                .unwrap();
        } else if !cell.is_empty() {
            sheet.write_string(1, column, cell).unwrap();
        }
    }
    let path = folder.path("damaged.xlsx");
    book.save(&path).unwrap();
    let said = lint(&text(&path), &corpus.provider, &["--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let rows = said.rows();
    let found = rows[0]["findings"].as_array().unwrap();
    let damage = found.iter().find(|f| f["code"] == "EXCEL_DAMAGE");
    assert_eq!(damage.unwrap()["field"], "CF_XDR_SHXYM", "{found:?}");
    let mut errors: Xlsx<_> = open_workbook(folder.path("damaged.errors.xlsx")).unwrap();
    let range = errors.worksheet_range_at(0).unwrap().unwrap();
    let row: Vec<String> = range
        .rows()
        .nth(1)
        .unwrap()
        .iter()
        .map(Data::to_string)
        .collect();
    assert_eq!(row[0], "2");
    assert!(row[1].starts_with("CF_XDR_SHXYM"), "{row:?}");
    assert!(row.contains(&"4.30102199003071E+17".to_owned()), "{row:?}");
}

#[test]
fn the_error_file_of_a_workbook_is_a_workbook_that_can_be_sent_again() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let file = workbook(&corpus, &folder, &two(&corpus));
    let said = lint(&file, &corpus.provider, &["--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let errors = text(&folder.path("处罚.errors.xlsx"));
    let mut book: Xlsx<_> = open_workbook(&errors).unwrap();
    let range = book.worksheet_range("填报").unwrap();
    assert_eq!(range.height(), 3, "names, codes, one row");
    let again = lint(&errors, &corpus.provider, &["--json"]);
    assert_eq!(again.code, 1);
    let rows = again.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["findings"], said.rows()[1]["findings"]);
}

#[test]
fn the_error_file_of_lines_can_be_corrected_and_sent_again() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let mut lines: Vec<String> = two(&corpus)
        .iter()
        .map(|record| serde_json::to_string(record).unwrap())
        .collect();
    let cut = lines[0][..lines[0].len() - 1].to_owned();
    lines.push(cut);
    let file = folder.write("a.jsonl", lines.join("\n"));
    assert_eq!(lint(&file, &corpus.provider, &[]).code, 1);
    let errors = text(&folder.path("a.errors.jsonl"));
    let faulty = std::fs::read_to_string(&errors).unwrap();
    let objects: Vec<Value> = faulty
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(
        (&objects[0]["行号"], &objects[1]["行号"]),
        (&"2".into(), &"3".into())
    );
    assert_eq!(objects[1]["代码"], "FORM_NOT_JSON");
    assert_eq!(objects[1]["原文"], lines[2]);
    let good = corpus.good[1]["CF_JDRQ"].as_str().unwrap();
    let mut mended = objects.clone();
    mended[0]["CF_JDRQ"] = good.into();
    mended[1]["原文"] = format!("{}}}", lines[2]).into();
    let mended: Vec<String> = mended.iter().map(Value::to_string).collect();
    std::fs::write(&errors, mended.join("\n")).unwrap();
    let said = lint(&errors, &corpus.provider, &["--json"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn rows_with_the_same_key_are_named() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let records = [&corpus.good[0], &corpus.good[1], &corpus.good[0]];
    let file = folder.write("a.csv", csv(&corpus.item, false, &records));
    let said = lint(&file, &corpus.provider, &[]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("第4行与第2行"), "{}", said.err);
    // Cells with line ends count as one row, blank rows as rows: as a spreadsheet shows them.
    let mut broken = corpus.good[1].clone();
    broken.insert("CF_SY".to_owned(), "一\n二\n三".into());
    broken.insert("CF_JDRQ".to_owned(), "x".into());
    let mut content = csv(&corpus.item, false, &[&corpus.good[0], &broken]);
    content += "\r\n";
    let third = csv(&corpus.item, false, &[&broken]);
    content += &third[third.find('\n').unwrap() + 1..];
    let file = folder.write("b.csv", content);
    let said = lint(&file, &corpus.provider, &["--json"]);
    let rows: Vec<u64> = said
        .rows()
        .iter()
        .map(|r| r["row"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, [2, 3, 5]);
}
