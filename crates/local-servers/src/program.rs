//! Any other program that serves a test, such as a browser's driver. Called by `testkit`.

use crate::LockedFolder;
use crate::child::{LaunchPlan, ServerProcess, descendants, kill_all};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A program that runs in an empty folder of its own and dies with us. Stopped with all that it has started, and its
/// folder removed, when dropped.
#[derive(Debug)]
pub struct Program {
    process: Option<ServerProcess>,
    place: LockedFolder,
}

impl Program {
    /// Starts `program` (a path, or a name to be found in `PATH`) and waits until `ready` finds in its output what it
    /// looks for.
    ///
    /// # Errors
    /// With the last lines of its output, when it ends before that, or after 60 s.
    pub fn start<T>(
        program: &str,
        arguments: &[String],
        ready: impl Fn(&str) -> Option<T>,
    ) -> Result<(Self, T)> {
        let place = LockedFolder::temporary()?;
        let log = place.path().join("output.log");
        let mut process = ServerProcess::start(&LaunchPlan {
            program: PathBuf::from(program),
            arguments: arguments.to_vec(),
            folder: place.path(),
            log: log.clone(),
            account: None,
            detached: false,
        })?;
        let mut found = None;
        let waited = process.wait_ready(Duration::from_secs(60), |_| {
            found = std::fs::read_to_string(&log)
                .ok()
                .and_then(|output| ready(&output));
            found.is_some()
        });
        let started = Self {
            process: Some(process),
            place,
        };
        waited.with_context(|| format!("starting {program}"))?;
        Ok((
            started,
            found.with_context(|| format!("{program} has not said what was looked for"))?,
        ))
    }

    /// The folder that is removed in the end.
    pub fn folder(&self) -> &Path {
        self.place.path()
    }

    /// The process.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            // Looked up before: orphans no longer say whose children they were.
            let family = descendants(process.pid());
            kill_all(&family);
            let _ = process.kill9();
        }
    }
}
