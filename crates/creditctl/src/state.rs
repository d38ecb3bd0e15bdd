//! What a run stores next to its input so that it can go on after it was killed: `FILE.credit-state.json`, one JSON
//! value a line. It names rows, receipts and the stream's resume token, and nothing of the records' content. Called by
//! `submit`; removed when nothing is left to do.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use proto::credit::ingest::v1::{Outcome, Receipt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::CommandFailure;
use crate::language::{Language, say};
use crate::shapes::RefusalShape;

/// First line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRun {
    /// Form of this file.
    pub format: String,
    /// What the submission ids begin with.
    pub batch: String,
    /// Digest of what is sent, see [`crate::checked_file::CheckedFile::content_digest`].
    pub content: String,
    /// Where it is sent to.
    pub endpoint: String,
    /// As whom.
    pub provider: String,
}

impl UploadRun {
    /// A run of this version of the tool.
    pub fn new(batch: &str, content: &str, endpoint: &str, provider: &str) -> Self {
        Self {
            format: "creditctl-state/1".to_owned(),
            batch: batch.to_owned(),
            content: content.to_owned(),
            endpoint: endpoint.to_owned(),
            provider: provider.to_owned(),
        }
    }
}

/// The platform's answer to a row on receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowAnswer {
    /// Committed.
    Receipt(KeptReceipt),
    /// Refused for good.
    Refused(Box<RefusalShape>),
}

/// What is kept of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReceipt {
    /// The version.
    pub record: Uuid,
    /// Number in the ledger.
    pub ledger: u64,
    /// Revision of the record.
    pub revision: u64,
    /// The platform had this content already.
    pub unchanged: bool,
}

impl KeptReceipt {
    /// Of a receipt; `None` when its record id is none.
    pub fn from_receipt(receipt: &Receipt) -> Option<Self> {
        Some(Self {
            record: Uuid::parse_str(&receipt.record_id).ok()?,
            ledger: receipt.ledger_number,
            revision: receipt.revision,
            unchanged: receipt.outcome() == Outcome::Unchanged,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateEntry {
    Receipt(u64, KeptReceipt),
    Refused(u64, RefusalShape),
    Token(String),
}

/// The open state file and what was read from it.
#[derive(Debug)]
pub struct UploadState {
    path: PathBuf,
    file: BufWriter<File>,
    language: Language,
    /// Answers by row.
    pub answers: HashMap<u64, RowAnswer>,
    /// Last resume token.
    pub token: Option<Vec<u8>>,
}

/// Where the state of an input stands.
pub fn state_path(input: &Path) -> PathBuf {
    let mut name = input.as_os_str().to_owned();
    name.push(".credit-state.json");
    PathBuf::from(name)
}

impl UploadState {
    /// Opens the state of an input. What another run left there is dropped: its receipts can be had again from
    /// the platform by sending the same again.
    ///
    /// # Errors
    /// Cannot be written, or another process works on the input.
    pub fn open(input: &Path, run: &UploadRun, language: Language) -> Result<Self, CommandFailure> {
        let path = state_path(input);
        let failed =
            |error: &dyn std::fmt::Display| CommandFailure::cannot_write(language, &path, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let shown = input.display();
                return Err(CommandFailure::cannot_run(say!(
                    language,
                    "另一个 creditctl 正在报送文件 {shown}",
                    "another creditctl is at work on {shown}"
                )));
            }
            // A file system without locks: nothing is lost by two runs, for all ids are the same.
            Err(TryLockError::Error(_)) => {}
        }
        let (answers, token, good) = read_state(&file, run).map_err(|error| failed(&error))?;
        // A line that a kill has truncated is removed.
        file.set_len(good)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|error| failed(&error))?;
        let mut state = Self {
            file: BufWriter::new(file),
            language,
            answers,
            token,
            path,
        };
        if good == 0 {
            state.write_line(run)?;
            state.flush()?;
        }
        Ok(state)
    }

    /// Keeps an answer, with the token that came with it.
    ///
    /// # Errors
    /// Cannot be written.
    pub fn record_answer(
        &mut self,
        row: u64,
        answer: RowAnswer,
        token: &[u8],
    ) -> Result<(), CommandFailure> {
        match &answer {
            RowAnswer::Receipt(kept) => self.write_line(&StateEntry::Receipt(row, *kept))?,
            RowAnswer::Refused(refused) => {
                self.write_line(&StateEntry::Refused(row, (**refused).clone()))?
            }
        }
        self.answers.insert(row, answer);
        if !token.is_empty() {
            self.token = Some(token.to_vec());
        }
        Ok(())
    }

    /// Hands everything to the operating system, with the last token. The disk is not waited for: what a power
    /// failure loses is sent again, under the same ids.
    ///
    /// # Errors
    /// Cannot be written.
    pub fn flush(&mut self) -> Result<(), CommandFailure> {
        if let Some(token) = &self.token {
            let entry = StateEntry::Token(hex::encode(token));
            self.write_line(&entry)?;
        }
        let done = self.file.flush();
        done.map_err(|error| CommandFailure::cannot_write(self.language, &self.path, &error))
    }

    /// Nothing is left to do.
    ///
    /// # Errors
    /// Cannot be removed.
    pub fn remove(self) -> Result<(), CommandFailure> {
        let Self {
            path,
            file,
            language,
            ..
        } = self;
        drop(file.into_parts());
        fs::remove_file(&path)
            .map_err(|error| CommandFailure::cannot_write(language, &path, &error))
    }

    fn write_line(&mut self, entry: &impl Serialize) -> Result<(), CommandFailure> {
        let done = serde_json::to_writer(&mut self.file, entry)
            .map_err(std::io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"));
        done.map_err(|error| CommandFailure::cannot_write(self.language, &self.path, &error))
    }
}

type SavedState = (HashMap<u64, RowAnswer>, Option<Vec<u8>>, u64);

/// What an earlier try of the same run wrote, and how many bytes of it are good.
fn read_state(file: &File, run: &UploadRun) -> std::io::Result<SavedState> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut saved: SavedState = (HashMap::new(), None, 0);
    let mut first = true;
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok(saved);
        }
        if std::mem::take(&mut first) {
            if serde_json::from_slice::<UploadRun>(&line).ok().as_ref() != Some(run) {
                return Ok((HashMap::new(), None, 0));
            }
        } else {
            match serde_json::from_slice(&line) {
                Ok(StateEntry::Receipt(row, kept)) => {
                    saved.0.insert(row, RowAnswer::Receipt(kept));
                }
                Ok(StateEntry::Refused(row, refused)) => {
                    saved.0.insert(row, RowAnswer::Refused(Box::new(refused)));
                }
                Ok(StateEntry::Token(token)) => saved.1 = hex::decode(token).ok(),
                Err(_) => return Ok(saved),
            }
        }
        saved.2 += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("creditctl-{}", Uuid::new_v4()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn kept(ledger: u64) -> RowAnswer {
        RowAnswer::Receipt(KeptReceipt {
            record: Uuid::from_u128(7),
            ledger,
            revision: 1,
            unchanged: false,
        })
    }

    #[test]
    fn a_later_run_finds_what_was_answered_and_a_torn_line_is_cut_off() {
        let input = folder().join("a.csv");
        let run = UploadRun::new("b", "c", "e", "p");
        let mut state = UploadState::open(&input, &run, Language::En).unwrap();
        state.record_answer(2, kept(1), b"t1").unwrap();
        state.record_answer(3, kept(2), b"t2").unwrap();
        state.flush().unwrap();
        drop(state);
        let mut file = OpenOptions::new()
            .append(true)
            .open(state_path(&input))
            .unwrap();
        file.write_all(b"{\"receipt\":[4,{\"rec").unwrap();
        drop(file);
        let mut again = UploadState::open(&input, &run, Language::En).unwrap();
        assert_eq!(again.answers.len(), 2);
        assert_eq!(again.answers[&3], kept(2));
        assert_eq!(again.token.as_deref(), Some(&b"t2"[..]));
        again.record_answer(4, kept(3), b"t3").unwrap();
        again.flush().unwrap();
        drop(again);
        let third = UploadState::open(&input, &run, Language::En).unwrap();
        assert_eq!(third.answers.len(), 3);
        third.remove().unwrap();
        assert!(!state_path(&input).exists());
    }

    #[test]
    fn another_run_begins_anew_and_two_at_once_are_refused() {
        let input = folder().join("a.csv");
        let run = UploadRun::new("b", "c", "e", "p");
        let mut state = UploadState::open(&input, &run, Language::En).unwrap();
        state.record_answer(2, kept(1), b"t1").unwrap();
        state.flush().unwrap();
        let refused = UploadState::open(&input, &run, Language::En).unwrap_err();
        assert!(refused.to_string().contains("at work"), "{refused}");
        drop(state);
        let other = UploadRun::new("b", "c", "elsewhere", "p");
        let state = UploadState::open(&input, &other, Language::En).unwrap();
        assert!(state.answers.is_empty() && state.token.is_none());
    }
}
