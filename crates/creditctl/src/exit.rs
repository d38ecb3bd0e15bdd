//! What the exit codes of every command mean. Returned by the commands, handed to the system by `main.rs`.

use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: everything is as it should be.
    Good,
    /// 1: the work was done and something is wrong with what was checked, or the platform refused it.
    Findings,
    /// 2: the work was not done: a wrong command line, a file or stream that cannot be used.
    Unable,
    /// 3: the platform cannot be reached, or does not know the caller.
    Unavailable,
    /// 4: everything is with the platform, and some of its answers have not come within the time waited for.
    VerdictsPending,
}

impl Exit {
    /// The number that the system is given.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Findings => 1,
            Self::Unable => 2,
            Self::Unavailable => 3,
            Self::VerdictsPending => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
