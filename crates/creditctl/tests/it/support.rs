//! Runs the program and reads its lines; files to report. Used by the other test files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use credit_record::item::ItemVersion;
use credit_record::standard_items;
use serde_json::{Map, Value};
use testkit::eventually;
use testkit::records::{GeneratedRecord, Generator};

use crate::fake_platform::{TOKEN, today};

/// The day that all runs compare with, so that nothing here grows old.
pub const TODAY: &str = "--today=2026-07-01";

/// What a run printed.
#[derive(Debug)]
pub struct CreditctlOutput {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl CreditctlOutput {
    /// Each line of the output as JSON.
    pub fn objects(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The lines about rows.
    pub fn rows(&self) -> Vec<Value> {
        let mut objects = self.objects();
        objects.retain(|object| object["type"] == "row");
        objects
    }

    /// The last line.
    pub fn summary(&self) -> Value {
        let summary = self.objects().pop().unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(summary["type"], "summary", "{self:?}");
        assert_eq!(summary["exit"], self.code);
        summary
    }
}

pub fn creditctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creditctl"));
    command
        .env_remove("CREDIT_ENDPOINT")
        .env_remove("CREDIT_FEEDBACK_ENDPOINT")
        .env_remove("CREDIT_PROVIDER")
        .env("CREDIT_TOKEN", TOKEN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(arguments: &[&str], input: &[u8]) -> CreditctlOutput {
    let mut command = creditctl();
    command.args(arguments);
    finish(command, input)
}

/// Beside a platform within the same process: waits on another thread.
pub async fn run_on_thread(arguments: &[&str]) -> CreditctlOutput {
    let mut command = creditctl();
    command.args(arguments);
    tokio::task::spawn_blocking(|| finish(command, b""))
        .await
        .unwrap()
}

/// Runs what does not end by itself, and kills it once its output is enough.
pub async fn run_until(
    folder: &CreditctlFolder,
    arguments: &[&str],
    enough: impl Fn(&str) -> bool,
) -> CreditctlOutput {
    let (out, err) = (folder.path("out"), folder.path("err"));
    let mut command = creditctl();
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let seen = eventually("enough output", Duration::from_secs(30), async || {
        let said = std::fs::read_to_string(&out).map_err(|error| error.to_string())?;
        if enough(&said) {
            return Ok(());
        }
        let ended = child.try_wait().map_err(|error| error.to_string())?;
        let complaints = std::fs::read_to_string(&err).unwrap_or_default();
        Err(format!("{said}{complaints}ended: {ended:?}"))
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    seen.unwrap();
    CreditctlOutput {
        code: -1,
        out: std::fs::read_to_string(out).unwrap(),
        err: std::fs::read_to_string(err).unwrap(),
    }
}

pub fn finish(mut command: Command, input: &[u8]) -> CreditctlOutput {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Beside the reading, or both sides could wait for each other with full pipes.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that reads nothing closes the pipe early, which is its right.
    let _ = writer.join().unwrap();
    CreditctlOutput {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder that goes with the test.
#[derive(Debug)]
pub struct CreditctlFolder(PathBuf);

impl CreditctlFolder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("creditctl-it-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        text(&path)
    }

    /// Names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for CreditctlFolder {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The version of an item that is in force.
pub fn item(code: &str) -> ItemVersion {
    let items = standard_items().unwrap().into_iter();
    items
        .filter(|item| item.code == code)
        .max_by_key(|item| item.version)
        .unwrap()
}

/// Records of one provider and one item: good ones first, then some with a planted error that a table can hold.
#[derive(Debug)]
pub struct RecordCorpus {
    pub provider: String,
    pub item: ItemVersion,
    pub good: Vec<Map<String, Value>>,
    pub bad: Vec<Map<String, Value>>,
}

/// Penalties of the provider that has most of them.
pub fn corpus() -> RecordCorpus {
    let generator = Generator::new(21, today());
    let provider = generator.providers()[0].code.clone();
    let item = item("xzcf");
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let own =
        |record: &GeneratedRecord| record.provider_code == provider && record.item_code == "xzcf";
    for record in generator.records(3_000).filter(own) {
        let content: Result<Map<String, Value>, _> = serde_json::from_slice(&record.content);
        let Ok(content) = content else { continue };
        let texts = content.iter().all(|(key, value)| {
            item.field(key).is_some() && (value.is_string() || value.is_number())
        });
        match record.planted {
            _ if !texts => {}
            None => good.push(content),
            Some(_) => bad.push(content),
        }
    }
    RecordCorpus {
        provider,
        item,
        good,
        bad,
    }
}

/// Cells of a record by the item's fields.
pub fn cells(item: &ItemVersion, record: &Map<String, Value>) -> Vec<String> {
    let cell = |code: &str| match record.get(code) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    item.fields.iter().map(|field| cell(&field.code)).collect()
}

/// A CSV file of records; the header by code or by name.
pub fn csv(item: &ItemVersion, by_name: bool, records: &[&Map<String, Value>]) -> String {
    let head = item.fields.iter();
    let head: Vec<&str> = head
        .map(|field| if by_name { &*field.name } else { &*field.code })
        .collect();
    let mut text = credit_record::export::csv_line(head);
    for record in records {
        let cells = cells(item, record);
        text += &credit_record::export::csv_line(cells.iter().map(String::as_str));
    }
    text
}
