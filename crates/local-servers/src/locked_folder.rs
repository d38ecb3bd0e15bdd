//! Folders for the files of servers, each locked by one process. Used by `postgres`, `nats`, `port` and by `testkit`.

use crate::account;
use crate::credentials::random_hex;
use anyhow::{Context, Result, bail};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// A folder under `/var/tmp` that belongs to the current user and that everybody may enter: an unprivileged server
/// started by root cannot enter `/root`, and a home folder may be too deep or on a network.
pub fn shared_folder(name: &str) -> Result<PathBuf> {
    let uid = account::current_account()?.uid;
    let base = PathBuf::from(format!("/var/tmp/credit-platform-{uid}"));
    let folder = base.join(name);
    for part in [&base, &folder] {
        match DirBuilder::new().mode(0o755).create(part) {
            Ok(()) => {
                // The mode above passes through the umask; a server of another user must be able to enter.
                std::fs::set_permissions(part, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                    .with_context(|| format!("opening {} to all readers", part.display()))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("creating {}", part.display()));
            }
        }
        // /var/tmp is everybody's: never run programs from a folder that another user has made there.
        let found = std::fs::symlink_metadata(part)
            .with_context(|| format!("reading {}", part.display()))?;
        if !found.is_dir() || found.uid() != uid || found.mode() & 0o022 != 0 {
            bail!(
                "{} is not a folder that only user {uid} may write to; remove it",
                part.display()
            );
        }
    }
    Ok(folder)
}

/// A folder for the files of servers, locked by one process at a time.
#[derive(Debug)]
pub struct LockedFolder {
    folder: PathBuf,
    remove: bool,
    _lock: File,
}

impl LockedFolder {
    /// Takes `folder` (made when missing) and keeps its content when this value is dropped.
    ///
    /// # Errors
    /// When another process that still runs holds it.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "{} is in use by another run; stop that one first",
                folder.display()
            );
        }
        Ok(Self {
            folder: folder.to_owned(),
            remove: false,
            _lock: lock,
        })
    }

    /// Takes a new empty folder of a unique name, removed when this value is dropped. Folders that killed processes
    /// have left behind are removed first.
    pub fn temporary() -> Result<Self> {
        let parent = shared_folder("run")?;
        remove_stale_folders(&parent);
        let folder = parent.join(random_hex(8)?);
        DirBuilder::new()
            .mode(0o755)
            .create(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        // Locked before it has its name: [`remove_stale_folders`] in another process must never see it unlocked.
        let unlocked = folder.join("lock.new");
        let lock =
            File::create(&unlocked).with_context(|| format!("creating {}", unlocked.display()))?;
        lock.try_lock()
            .with_context(|| format!("locking {}", unlocked.display()))?;
        std::fs::rename(&unlocked, folder.join(LOCK)).context("naming the lock")?;
        Ok(Self {
            folder,
            remove: true,
            _lock: lock,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for LockedFolder {
    fn drop(&mut self) {
        if self.remove {
            // A failure cannot be reported here; [`remove_stale_folders`] tries again in the next run.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Removes temporary folders whose process has ended.
fn remove_stale_folders(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A folder for PostgreSQL's data: inside `wanted`, or, when PostgreSQL runs as another user than we, under
/// `/var/tmp` in a folder whose name is made of `wanted`, since that user may be unable to reach `wanted`.
pub(crate) fn reachable_folder(wanted: &Path) -> Result<PathBuf> {
    if account::unprivileged_account()?.is_none() || wanted.starts_with(shared_folder("run")?) {
        return Ok(wanted.to_owned());
    }
    let whole =
        std::path::absolute(wanted).with_context(|| format!("resolving {}", wanted.display()))?;
    Ok(shared_folder("data")?.join(format!(
        "{:016x}",
        fnv1a(whole.as_os_str().as_encoded_bytes())
    )))
}

/// A short name for a path; not a secret and not a checksum, so the plainest hash will do (FNV-1a, 64 bits).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_place_is_held_by_one() {
        let outer = LockedFolder::temporary().unwrap();
        let folder = outer.path().join("kept");
        let first = LockedFolder::open(&folder).unwrap();
        let refused = LockedFolder::open(&folder).unwrap_err();
        assert!(
            refused.to_string().contains("in use by another run"),
            "{refused}"
        );
        drop(first);
        drop(LockedFolder::open(&folder).unwrap());
        assert!(folder.exists());
    }

    #[test]
    fn a_temporary_place_goes_with_its_value_and_stays_while_others_sweep() {
        let first = LockedFolder::temporary().unwrap();
        let second = LockedFolder::temporary().unwrap();
        let path = first.path().to_owned();
        assert!(path.join(LOCK).exists() && second.path().exists());
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn a_place_of_a_dead_process_is_swept() {
        let dead = LockedFolder::temporary().unwrap();
        let left = dead.path().join("left");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();
        remove_stale_folders(dead.path());
        assert!(!left.exists());
    }

    #[test]
    fn names_differ_with_paths() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_ne!(fnv1a(b"/a/b"), fnv1a(b"/a/c"));
    }
}
