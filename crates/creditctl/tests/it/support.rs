//! Runs the program and reads its lines. Used by the other test files.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The day that all runs compare with, so that nothing here grows old.
pub const TODAY: &str = "--today=2026-07-01";

/// What a run printed.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Each line of the output as JSON.
    pub fn objects(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub fn creditctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creditctl"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(arguments: &[&str], input: &[u8]) -> Said {
    let mut child = creditctl().args(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside the reading, or both sides could wait for each other with full pipes.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that reads nothing closes the pipe early, which is its right.
    let _ = writer.join().unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
