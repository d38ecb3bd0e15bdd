//! A small disk of its own, that can be full: a tmpfs. Needs the right to mount, which root has, here and in CI.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use local_servers::LockedFolder;

/// What fills a disk.
const BALLAST: &str = "ballast";

/// A mounted disk of bounded size; unmounted when dropped. Servers on it must have ended by then.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    _place: LockedFolder,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB.
    ///
    /// # Errors
    /// When this process may not mount. A full disk cannot be simulated otherwise, so the journey fails with this
    /// message.
    pub fn mount(mib: u32) -> Result<Self> {
        unmount_left_behind()?;
        let place = LockedFolder::temporary()?;
        let folder = place.path().join("disk");
        std::fs::create_dir(&folder)?;
        let options = format!("size={mib}m,mode=755");
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], &folder).context(
            "this journey needs a small disk of its own: run it as root (CAP_SYS_ADMIN) where tmpfs can be mounted",
        )?;
        Ok(Self {
            folder,
            _place: place,
        })
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes all space that is left, to the last byte.
    pub fn fill(&self) -> Result<u64> {
        let mut file = File::create(self.folder.join(BALLAST))?;
        let mut taken = 0;
        for piece in [1 << 20, 4096] {
            let zeros = vec![0; piece];
            loop {
                match file.write(&zeros) {
                    Ok(0) => bail!("a write took nothing"),
                    Ok(written) => taken += written as u64,
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("filling the disk"),
                }
            }
        }
        Ok(taken)
    }

    /// Makes space again.
    pub fn make_space(&self) -> Result<()> {
        std::fs::remove_file(self.folder.join(BALLAST)).context("removing the ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a file that is still open must not leave the mount behind.
        if let Err(error) = run("umount", &["--lazy"], &self.folder) {
            eprintln!("{error:#}");
        }
    }
}

/// Unmounts disks of runs that were killed: those whose folder is no longer locked.
fn unmount_left_behind() -> Result<()> {
    let runs = local_servers::shared_folder("run")?;
    for folder in mounted_below(&runs)? {
        let Some(place) = folder.parent() else {
            continue;
        };
        let held = File::open(place.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
        if held {
            continue;
        }
        let unmounted = run("umount", &["--lazy"], &folder);
        // Another journey may have ended and unmounted its own between the two looks.
        if unmounted.is_err() && mounted_below(&folder)?.is_empty() {
            continue;
        }
        unmounted?;
    }
    Ok(())
}

/// What is mounted at `folder` or below it.
fn mounted_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mounts = std::fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let below = places
        .map(PathBuf::from)
        .filter(|at| at.starts_with(folder));
    Ok(below.collect())
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .arg(folder)
        .output()
        .with_context(|| format!("running {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(())
}
