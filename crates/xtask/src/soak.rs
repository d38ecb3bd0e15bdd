//! `cargo xtask soak`: the long forms of tests, one after the other, each round from another seed, until the time is over.
//!
//! The suite runs each of them in a smaller form (`testkit::choose_extent`); here they have their full size.

use crate::command::{cargo_command, kill_process_tree, run_step};
use crate::private_servers::PrivateServers;
use crate::requirements::TestRequirements;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the tests begin their line of figures with (`testkit::print_figures`).
const FIGURES: &str = "figures: ";

/// Cases of each property; the suite tries 256 of most. A property may pass over four times as many that do not concern it.
const CASES: u32 = 5_000;

/// A form that has not ended so long after the time is over hangs.
const GRACE_PERIOD: Duration = Duration::from_secs(20 * 60);

/// A test, or all tests of some packages, in its long form.
#[derive(Debug, Clone, Copy)]
struct LongForm {
    name: &'static str,
    /// Arguments of `cargo test` that choose the test's binary.
    binary: &'static [&'static str],
    /// The test; without one all of the binary.
    test: Option<&'static str>,
    /// What it took on two processors, debug build; decides whether there is time for it.
    seconds: u64,
}

const LONG_FORMS: [LongForm; 8] = [
    LongForm {
        name: "kills",
        binary: &["-p", "journeys", "--test", "faults"],
        test: Some("kills::r11_rounds_of_kill_9_under_load_lose_nothing_and_double_nothing"),
        seconds: 90,
    },
    LongForm {
        name: "hostile",
        binary: &["-p", "journeys", "--test", "hostile"],
        test: Some("thousands_of_hostile_requests_are_refused_and_leave_nothing_behind"),
        seconds: 40,
    },
    LongForm {
        name: "crash",
        binary: &["-p", "journeys", "--test", "it"],
        test: Some("crash::r11_kill_9_in_the_middle_of_thousands_of_records_and_the_books_balance"),
        seconds: 20,
    },
    LongForm {
        name: "identifiers",
        binary: &["-p", "journeys", "--test", "identifiers"],
        test: Some("python_stdnum_disagrees_only_for_the_reasons_listed"),
        seconds: 5,
    },
    LongForm {
        name: "texts",
        binary: &["-p", "testkit", "--lib"],
        test: Some(
            "records::tests::texts::of_thousands_of_records_no_text_is_taken_for_a_persons_number",
        ),
        seconds: 15,
    },
    LongForm {
        name: "order",
        binary: &["-p", "disclosure", "--test", "it"],
        test: Some("order::any_permutation_and_repetition_of_deliveries_gives_the_same_tables"),
        seconds: 120,
    },
    LongForm {
        name: "properties",
        binary: &[
            "-p",
            "credit-record",
            "-p",
            "legal-clock",
            "-p",
            "vault",
            "--tests",
        ],
        test: None,
        seconds: 180,
    },
    LongForm {
        name: "decisions",
        binary: &[
            "-p",
            "ingest",
            "-p",
            "validation",
            "-p",
            "catalog",
            "-p",
            "objection",
            "-p",
            "provincial-sync",
            "-p",
            "web",
            "--lib",
        ],
        test: None,
        seconds: 60,
    },
];

#[derive(Debug, Args)]
pub(crate) struct SoakTask {
    /// How long, minutes. None begins that would not end in time by what it took before.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// One round from this seed, such as one that has failed. Without it round after round, each from another.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these of the long forms (tests/README.md); an unknown name prints all.
    names: Vec<String>,
}

impl SoakTask {
    pub(crate) fn run(self, root: &Path) -> Result<bool> {
        let mut forms = chosen_forms(&self.names)?;
        TestRequirements::ensure_possible()?;
        let fetched = TestRequirements::fetch(root)?;
        for form in &forms {
            let mut build = cargo_command(root);
            build
                .args(["test", "--quiet", "--no-run"])
                .args(form.binary);
            if !run_step(&mut build)? {
                return Ok(false);
            }
        }
        let logs = root.join(".servers/soak");
        std::fs::create_dir_all(&logs).with_context(|| format!("creating {}", logs.display()))?;
        let servers = PrivateServers::start_unless_set(&fetched.binaries)?;
        let end = Instant::now() + Duration::from_secs(60 * self.minutes);
        let mut seed = self.seed.map_or_else(seed_of_now, Ok)?;
        let (mut runs, mut failures) = (0, 0);
        loop {
            let before = runs;
            for form in &mut forms {
                if self.seed.is_none() && Instant::now() + Duration::from_secs(form.seconds) > end {
                    continue;
                }
                let mut test = form.command(root, seed);
                servers.set_environment(&mut test, &fetched);
                let log = logs.join(format!("{}-{seed}.log", form.name));
                let start = Instant::now();
                let passed = run_to_end(test, &log, end + GRACE_PERIOD)?;
                form.seconds = start.elapsed().as_secs();
                runs += 1;
                failures += u32::from(!passed);
                println!("{}", report(form, seed, passed, &log)?);
                if passed {
                    std::fs::remove_file(&log).context("removing the log of a run that passed")?;
                }
            }
            if self.seed.is_some() || runs == before {
                break;
            }
            seed += 1;
        }
        println!("{runs} runs, {failures} failed");
        if runs == 0 {
            bail!("{} minutes are too short for any of them", self.minutes);
        }
        Ok(failures == 0)
    }
}

/// The forms of these names, or all.
fn chosen_forms(names: &[String]) -> Result<Vec<LongForm>> {
    let known = LONG_FORMS.map(|form| form.name);
    if let Some(strange) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no `{strange}`; there are {}", known.join(", "));
    }
    let is_wanted =
        |form: &LongForm| names.is_empty() || names.iter().any(|name| name == form.name);
    Ok(LONG_FORMS.into_iter().filter(is_wanted).collect())
}

fn seed_of_now() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(since.context("the clock is before 1970")?.as_secs())
}

impl LongForm {
    fn command(&self, root: &Path, seed: u64) -> Command {
        let mut test = cargo_command(root);
        test.args(["test", "--quiet"]).args(self.binary).arg("--");
        if let Some(name) = self.test {
            test.args(["--exact", name, "--nocapture"]);
        }
        test.env("CREDIT_SOAK", "1")
            .env("CREDIT_TEST_SEED", seed.to_string())
            .env("PROPTEST_RNG_SEED", seed.to_string())
            .env("PROPTEST_CASES", CASES.to_string())
            .env("PROPTEST_MAX_GLOBAL_REJECTS", (4 * CASES).to_string());
        test
    }
}

/// Runs a test with its output in a file; whether it passed. One that does not end is killed.
fn run_to_end(mut test: Command, log: &PathBuf, end: Instant) -> Result<bool> {
    let output = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let errors = output.try_clone().context("sharing a log")?;
    let child = test
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn();
    let mut child = child.context("starting cargo test")?;
    loop {
        if let Some(status) = child.try_wait().context("waiting for a test")? {
            return Ok(status.success());
        }
        if Instant::now() > end {
            kill_process_tree(&mut child)?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The line of one run, and of a failure how to see and to repeat it.
fn report(form: &LongForm, seed: u64, passed: bool, log: &Path) -> Result<String> {
    let text = std::fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let said = if form.test.is_some() {
        text.lines()
            .find_map(|line| line.strip_prefix(FIGURES))
            .map(str::to_owned)
    } else {
        let results = text
            .lines()
            .filter_map(|line| line.strip_prefix("test result: ok. "));
        let passed = results.filter_map(|line| line.split_once(' ')?.0.parse::<u64>().ok());
        let passed: u64 = passed.sum();
        (passed > 0).then(|| format!("{passed} tests, {CASES} cases a property"))
    };
    let LongForm { name, seconds, .. } = form;
    let line = format!("{name:<12} seed {seed:<12} {seconds:>4} s  ");
    Ok(match (passed, said) {
        (true, Some(said)) => line + &said,
        // A name that is no test's any more passes, and tests nothing.
        (true, None) => bail!("{name} has printed no figures: {}", log.display()),
        (false, _) => format!(
            "{line}FAILED: {}\n{}\n  again: cargo xtask soak {name} --seed {seed}",
            log.display(),
            text.lines()
                .skip(text.lines().count().saturating_sub(20))
                .collect::<Vec<_>>()
                .join("\n")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_and_an_unknown_one_is_named() {
        assert_eq!(chosen_forms(&[]).unwrap().len(), LONG_FORMS.len());
        assert_eq!(
            chosen_forms(&["texts".to_owned()]).unwrap()[0].name,
            "texts"
        );
        let error = chosen_forms(&["text".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("`text`") && error.contains("properties, decisions"),
            "{error}"
        );
    }

    #[test]
    fn a_run_is_one_line_and_a_failure_says_how_to_repeat_it() {
        let place = local_servers::LockedFolder::temporary().unwrap();
        let log = place.path().join("log");
        let form = LONG_FORMS[0];
        std::fs::write(&log, "seed 7\nfigures: 50 kills\nok\n").unwrap();
        let line = report(&form, 7, true, &log).unwrap();
        assert!(line.ends_with("50 kills") && !line.contains('\n'), "{line}");
        let failed = report(&form, 7, false, &log).unwrap();
        assert!(
            failed.ends_with("cargo xtask soak kills --seed 7"),
            "{failed}"
        );
        std::fs::write(&log, "0 tests\n").unwrap();
        assert!(report(&form, 7, true, &log).is_err());
        std::fs::write(
            &log,
            "test result: ok. 3 passed; 0\ntest result: ok. 4 passed;\n",
        )
        .unwrap();
        let line = report(&LONG_FORMS[6], 7, true, &log).unwrap();
        assert!(line.contains(" 7 tests"), "{line}");
    }

    #[test]
    fn what_hangs_is_ended() {
        let place = local_servers::LockedFolder::temporary().unwrap();
        let log = place.path().join("log");
        let mut command = Command::new("sleep");
        command.arg("600");
        assert!(!run_to_end(command, &log, Instant::now()).unwrap());
    }
}
