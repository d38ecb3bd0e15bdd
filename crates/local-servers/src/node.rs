//! The libraries of the Node client, for the client tests. Called by `cargo xtask test` and `journeys`.

use crate::install::{ensure_complete, install_once};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the client and its lock file are, from the root of the workspace.
const CLIENT: &str = "tests/clients/node";

/// Fetches what the client's lock file pins into `<root>/.servers/node-…`, once; gives the folder of modules, which
/// `NODE_PATH` is to name. The client's own folder stays as it is in the repository.
pub fn install_node_clients(root: &Path) -> Result<PathBuf> {
    let client = root.join(CLIENT);
    let lock = client.join("package-lock.json");
    let text = std::fs::read(&lock).with_context(|| lock.display().to_string())?;
    let folder = install_once(
        &root.join(".servers"),
        &format!("node-clients-{:016x}", fnv1a(&text)),
        |target| {
            std::fs::create_dir(target)
                .with_context(|| format!("creating {}", target.display()))?;
            for file in ["package.json", "package-lock.json"] {
                std::fs::copy(client.join(file), target.join(file))
                    .with_context(|| format!("copying {file}"))?;
            }
            npm_ci(target)
        },
    )?;
    // npm writes it last.
    ensure_complete(&folder, &folder.join("node_modules/.package-lock.json"))?;
    Ok(folder.join("node_modules"))
}

/// FNV-1a: another lock file gets another folder.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Exactly what the lock file lists, and no script of any package.
fn npm_ci(folder: &Path) -> Result<()> {
    let run = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) => bail!(
            "npm cannot be run ({error}). Install Node 18 or later with npm, e.g. `apt-get install nodejs npm`"
        ),
    };
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "`npm ci` in {} failed ({}):\n{}",
        folder.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    )
}
