//! Why a command could not do its work, with the exit code that follows. Returned by every command, printed by
//! [`crate::run`].

use std::fmt;
use std::io;
use std::path::Path;

use crate::exit::Exit;
use crate::language::{Language, say};

/// Why a command could not do its work. A broken pipe is none: the reader has seen enough.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailure {
    /// Standard input could not be read.
    #[error("reading standard input")]
    Read(#[source] io::Error),
    /// Standard output could not be written.
    #[error("writing standard output")]
    Write(#[source] io::Error),
    /// A failure with a message in the caller's language.
    #[error("{0}")]
    Message(Box<FailureMessage>),
}

/// A failure in the words of the caller's language.
#[derive(Debug)]
pub struct FailureMessage {
    /// The exit code that follows.
    pub exit: Exit,
    /// Stable reason, for scripts: a gRPC status or a reason of the platform; empty when there is none.
    pub reason: String,
    /// What it is about: a field of the request; empty when nothing in particular.
    pub field: String,
    /// What people read.
    pub text: String,
}

impl fmt::Display for FailureMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl CommandFailure {
    /// A failure with its exit code and its text.
    pub fn with_exit(exit: Exit, text: impl Into<String>) -> Self {
        Self::Message(Box::new(FailureMessage {
            exit,
            reason: String::new(),
            field: String::new(),
            text: text.into(),
        }))
    }

    /// A command line or file that cannot be used.
    pub fn cannot_run(text: impl Into<String>) -> Self {
        Self::with_exit(Exit::Unable, text)
    }

    /// A file that could not be read.
    pub fn cannot_read(language: Language, path: &Path, error: &dyn fmt::Display) -> Self {
        let path = path.display();
        Self::cannot_run(say!(
            language,
            "读取文件 {path} 失败：{error}",
            "reading {path}: {error}"
        ))
    }

    /// A file that could not be written.
    pub fn cannot_write(language: Language, path: &Path, error: &dyn fmt::Display) -> Self {
        let path = path.display();
        Self::cannot_run(say!(
            language,
            "写入文件 {path} 失败：{error}",
            "writing {path}: {error}"
        ))
    }

    /// The exit code that follows.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Message(message) => message.exit,
            Self::Read(_) | Self::Write(_) => Exit::Unable,
        }
    }
}
