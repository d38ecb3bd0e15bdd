//! Reads the same codes with our parsers and with those that others would take, in one run, and prints
//! nanoseconds per code. Called by `cargo xtask bench identifiers`, which names a Python with python-stdnum
//! by the variable `PYTHON`. The last line is one JSON object; the exit code is 1 when ours is not the fastest.
//!
//! What each checks is not the same, and is printed with the figures: ours checks the most and names where a
//! fault is; the others answer yes or no.

mod corpus;

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use china_identification_card::ChineseIdCard;
use corpus::CorpusRandom;
use credit_record::{CitizenNumber, CreditCode};
use serde_json::{Map, Value, json};
use time::Date;
use time::macros::date;

/// The day that our parser compares births with.
const TODAY: Date = date!(2026 - 11 - 23);
/// Passes over the codes; the median counts. Odd.
const ROUNDS: usize = 31;
/// Passes in Python, a hundred times slower.
const PYTHON_ROUNDS: usize = 5;

/// The question of a caller that has a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IdentifierQuestion {
    Citizen,
    CreditCode,
}

struct BenchmarkCandidate {
    name: &'static str,
    checks: &'static str,
    question: IdentifierQuestion,
    /// How many of the codes are valid; `None` for Python.
    run: Option<fn(&[String]) -> usize>,
}

const CONTESTANTS: [BenchmarkCandidate; 6] = [
    BenchmarkCandidate {
        name: "credit-record",
        checks: "form, date, not after today, check; fault with its place, suggestion",
        question: IdentifierQuestion::Citizen,
        run: Some(|codes| {
            count(codes, |code| {
                CitizenNumber::parse(code, black_box(TODAY)).is_ok()
            })
        }),
    },
    BenchmarkCandidate {
        name: "id-card 0.1.4",
        checks: "form, county in a table, date, check",
        question: IdentifierQuestion::Citizen,
        run: Some(|codes| count(codes, id_card::validate)),
    },
    BenchmarkCandidate {
        name: "china_identification_card 10.3.0",
        checks: "form, check; no date",
        question: IdentifierQuestion::Citizen,
        run: Some(|codes| count(codes, |code| ChineseIdCard::is_valid_id_number(code))),
    },
    BenchmarkCandidate {
        name: "python-stdnum 2.2 (cn.ric)",
        checks: "cleans; form, check, date, county in force at birth",
        question: IdentifierQuestion::Citizen,
        run: None,
    },
    BenchmarkCandidate {
        name: "credit-record",
        checks: "form, pair, both checks, fillers, persons; fault with its place, suggestion",
        question: IdentifierQuestion::CreditCode,
        run: Some(|codes| count(codes, |code| CreditCode::parse(code).is_ok())),
    },
    BenchmarkCandidate {
        name: "python-stdnum 2.2 (cn.uscc)",
        checks: "cleans; form, outer check",
        question: IdentifierQuestion::CreditCode,
        run: None,
    },
];

#[inline(always)]
fn count(codes: &[String], valid: impl Fn(&str) -> bool) -> usize {
    codes
        .iter()
        .filter(|code| valid(black_box(code.as_str())))
        .count()
}

struct BenchmarkRow {
    corpus: &'static str,
    contestant: &'static BenchmarkCandidate,
    nanos: f64,
    valid: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let mut numbers = std::env::args().skip(1).map(|word| {
        word.parse::<u64>()
            .with_context(|| format!("{word}: number of codes, then the seed"))
    });
    let count = numbers.next().transpose()?.unwrap_or(20_000) as usize;
    let seed = numbers.next().transpose()?.unwrap_or(7);
    ensure!(count >= 100, "at least 100 codes");
    let python = std::env::var_os("PYTHON").context(
        "PYTHON is not set to a Python with python-stdnum: run `cargo xtask bench identifiers`",
    )?;

    let mut random = CorpusRandom::new(seed);
    let citizens = corpus::citizen_corpus(&mut random, count);
    let credit_codes = corpus::credit_code_corpus(&mut random, count);
    let mixed = corpus::mixed_codes(&mut random, &citizens, &credit_codes);
    let plan: [(&'static str, IdentifierQuestion, &[String]); 4] = [
        ("citizen numbers", IdentifierQuestion::Citizen, &citizens.codes),
        ("credit codes", IdentifierQuestion::CreditCode, &credit_codes.codes),
        ("mixed, read as citizen numbers", IdentifierQuestion::Citizen, &mixed),
        ("mixed, read as credit codes", IdentifierQuestion::CreditCode, &mixed),
    ];
    let mut rows = Vec::new();
    for (corpus, question, codes) in plan {
        rows.extend(measure(corpus, question, codes, &python)?);
    }
    // A benchmark of wrong answers is worth nothing.
    for (corpus, expected) in [
        ("citizen numbers", citizens.valid),
        ("credit codes", credit_codes.valid),
    ] {
        for row in rows.iter().filter(|row| row.corpus == corpus) {
            // china_identification_card does not check dates, python-stdnum not at the inner check; a few
            // damaged codes pass with them, and none may be refused that is valid.
            let exact = row.contestant.name == "credit-record";
            ensure!(
                if exact {
                    row.valid == expected
                } else {
                    row.valid >= expected
                },
                "{corpus}: {} finds {} valid codes, {expected} were made",
                row.contestant.name,
                row.valid
            );
        }
    }
    let fastest = print(&rows);
    println!("{}", summary(&rows, count, seed, fastest));
    Ok(fastest)
}

/// All contestants by turns, so that a busy moment of the machine falls upon all of them.
fn measure(
    corpus: &'static str,
    question: IdentifierQuestion,
    codes: &[String],
    python: &std::ffi::OsStr,
) -> Result<Vec<BenchmarkRow>> {
    let contestants: Vec<&'static BenchmarkCandidate> = CONTESTANTS
        .iter()
        .filter(|c| c.question == question)
        .collect();
    let mut times = vec![Vec::with_capacity(ROUNDS); contestants.len()];
    let mut found = vec![0; contestants.len()];
    for round in 0..=ROUNDS {
        for (i, contestant) in contestants.iter().enumerate() {
            let Some(read) = contestant.run else { continue };
            let start = Instant::now();
            found[i] = read(codes);
            let nanos = start.elapsed().as_nanos() as f64 / codes.len() as f64;
            // The first pass fills caches and builds lazy tables.
            if round > 0 {
                times[i].push(nanos);
            }
        }
    }
    let mut rows = Vec::new();
    for (i, contestant) in contestants.into_iter().enumerate() {
        let (nanos, valid) = match contestant.run {
            Some(_) => (median(&mut times[i]), found[i]),
            None => in_python(question, codes, python)?,
        };
        rows.push(BenchmarkRow {
            corpus,
            contestant,
            nanos,
            valid,
        });
    }
    Ok(rows)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Times the calls inside Python: neither its start nor the pipe counts.
fn in_python(
    question: IdentifierQuestion,
    codes: &[String],
    python: &std::ffi::OsStr,
) -> Result<(f64, usize)> {
    let module = match question {
        IdentifierQuestion::Citizen => "ric",
        IdentifierQuestion::CreditCode => "uscc",
    };
    // It raises KeyError for a county that is in none of its tables, instead of saying no.
    let program = format!(
        "import sys, time\n\
         from stdnum.cn.{module} import is_valid\n\
         def asked(code):\n    \
             try:\n        \
                 return is_valid(code)\n    \
             except KeyError:\n        \
                 return False\n\
         codes = sys.stdin.read().split()\n\
         for _ in range(1 + {PYTHON_ROUNDS}):\n    \
             start = time.perf_counter_ns()\n    \
             valid = sum(1 for code in codes if asked(code))\n    \
             print(time.perf_counter_ns() - start, valid)\n"
    );
    let mut child = Command::new(python)
        .args(["-c", &program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", python.display()))?;
    let mut input = child.stdin.take().context("the pipe to Python")?;
    input.write_all(codes.join("\n").as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "Python ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    let mut times = Vec::new();
    let mut valid = 0;
    for line in text.lines().skip(1) {
        let (nanos, found) = line.split_once(' ').context("two numbers from Python")?;
        times.push(nanos.parse::<f64>()? / codes.len() as f64);
        valid = found.parse()?;
    }
    Ok((median(&mut times), valid))
}

/// Prints the table; true when ours is the fastest everywhere.
fn print(rows: &[BenchmarkRow]) -> bool {
    let mut fastest = true;
    let mut corpus = "";
    for row in rows {
        if row.corpus != corpus {
            corpus = row.corpus;
            println!("\n{corpus}");
            println!(
                "  {:<34} {:>10} {:>9} {:>7}  checks",
                "", "ns/code", "ratio", "valid"
            );
        }
        let ratio = row.nanos / ours(rows, corpus);
        fastest &= ratio >= 1.0;
        println!(
            "  {:<34} {:>10.1} {:>8.1}x {:>7}  {}",
            row.contestant.name, row.nanos, ratio, row.valid, row.contestant.checks
        );
    }
    println!();
    fastest
}

fn ours(rows: &[BenchmarkRow], corpus: &str) -> f64 {
    let row = rows
        .iter()
        .find(|r| r.corpus == corpus && r.contestant.name == "credit-record");
    row.map_or(f64::NAN, |row| row.nanos)
}

fn summary(rows: &[BenchmarkRow], count: usize, seed: u64, fastest: bool) -> Value {
    let mut nanos = Map::new();
    for row in rows {
        let of_corpus = nanos
            .entry(row.corpus)
            .or_insert_with(|| Value::Object(Map::new()));
        let figure = (row.nanos * 10.0).round() / 10.0;
        of_corpus[row.contestant.name] = json!(figure);
    }
    json!({
        "name": "identifiers",
        "records": count,
        "seed": seed,
        "ours_per_s": (1e9 / ours(rows, "citizen numbers")).round(),
        "fastest": fastest,
        "ns_per_code": nanos,
    })
}
