//! The progress bar: shown on a terminal only. Calls the library, because a test has no
//! terminal to give to a program.

use std::io;
use std::sync::{Arc, Mutex};

use creditctl::{CommandContext, run};
use indicatif::{ProgressDrawTarget, TermLike};
use time::macros::datetime;

use crate::fake_platform::{FakePlatform, TOKEN};
use crate::support::{CreditctlFolder, corpus, csv};

/// A terminal that records what was written.
#[derive(Debug, Clone, Default)]
struct Screen(Arc<Mutex<String>>);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        100
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.write_line(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `submit` with a terminal; the exit code, the output, what the terminal saw.
fn submit(file: &str, endpoint: &str, more: &[&str]) -> (u8, String, String) {
    let screen = Screen::default();
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let draw = || ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut command_context = CommandContext {
        interactive: false,
        input: &mut io::empty(),
        output: &mut output,
        errors: &mut errors,
        now: datetime!(2026-07-01 09:00 +8),
        environment: &|name| (name == "CREDIT_TOKEN").then(|| TOKEN.to_owned()),
        terminal: Some(&draw),
    };
    let arguments = [
        "creditctl",
        "submit",
        file,
        "--item=xzcf",
        "--endpoint",
        endpoint,
    ];
    let arguments = arguments.iter().chain(more).map(|a| (*a).into());
    let exit = run(arguments, &mut command_context);
    let seen = screen.0.lock().unwrap().clone();
    (exit.code(), String::from_utf8(output).unwrap(), seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_shows_how_far_it_is_and_how_long_it_takes() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    let folder = CreditctlFolder::new();
    let records: Vec<_> = corpus.good.iter().take(30).collect();
    let file = folder.write("a.csv", csv(&corpus.item, false, &records));
    let endpoint = fake.address.clone();
    let runs = tokio::task::spawn_blocking(move || {
        let plain = submit(&file, &endpoint, &[]);
        let json = submit(&file, &endpoint, &["--json"]);
        (plain, json)
    });
    let ((code, out, seen), (_, json, unseen)) = runs.await.unwrap();
    assert_eq!(code, 0, "{out}");
    for part in ["报送", "校验", "/30", "/s", "剩余"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    assert!(!out.contains("剩余"), "{out}");
    assert_eq!(unseen, "", "scripts get no bar");
    assert_eq!(json.lines().count(), 31);
}
