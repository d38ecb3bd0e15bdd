//! What the tests need and a checkout does not hold, fetched while the code is built. Used by `test` and `soak`.

use crate::command::{command_output, is_installed, named_servers_answer};
use crate::tools::{browser_can_be_had, ensure_browser};
use anyhow::{Result, bail};
use local_servers::{Binaries, install::install_buf, install_node_clients, install_python_clients};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is.
#[derive(Debug)]
pub(crate) struct TestRequirements {
    pub(crate) binaries: Binaries,
    pub(crate) python: PathBuf,
}

impl TestRequirements {
    /// Fails early on a machine that cannot run the tests.
    ///
    /// # Errors
    /// With the line that installs what is missing.
    pub(crate) fn ensure_possible() -> Result<()> {
        named_servers_answer()?;
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        if command_output(Command::new(&python).args(["-m", "pip", "--version"])).is_err() {
            bail!(
                "{} with pip is missing: `sudo apt-get install python3-pip`",
                python.display()
            );
        }
        if !is_installed("npm") || !is_installed("node") {
            bail!("Node 18 or later with npm is missing: `sudo apt-get install nodejs npm`");
        }
        browser_can_be_had()
    }

    /// Fetches all of it that is not here yet.
    pub(crate) fn fetch(root: &Path) -> Result<Self> {
        ensure_browser()?;
        install_buf(root)?;
        install_node_clients(root)?;
        Ok(Self {
            binaries: Binaries::locate(root)?,
            python: install_python_clients(root)?,
        })
    }
}
