//! A server process: started so that it dies with us, logged to a file, signalled, waited for. Used by `postgres`, `nats`.

use crate::account::Account;
use anyhow::{Context, Result, anyhow, bail};
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition of another process is polled.
const POLL: Duration = Duration::from_millis(10);

/// How a server process is started.
#[derive(Debug)]
pub struct LaunchPlan<'a> {
    /// A path, or a name to be found in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Working folder.
    pub folder: &'a Path,
    /// File to which its output is appended.
    pub log: PathBuf,
    /// Another user to run as.
    pub account: Option<Account>,
    /// True: the server outlives us.
    pub detached: bool,
}

/// A running server process.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    log: PathBuf,
    // The thread that started the child waits for this to be dropped, see [`spawn_with_keeper`].
    _keeper: Option<mpsc::Sender<()>>,
}

impl ServerProcess {
    /// Starts it; its output goes to the log.
    pub fn start(launch: &LaunchPlan<'_>) -> Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&launch.log)
            .with_context(|| format!("opening the log {}", launch.log.display()))?;
        let mut command = if launch.detached || !setpriv_kills_with_parent() {
            Command::new(&launch.program)
        } else {
            // The kernel kills the server when the thread that started it ends, even by kill -9.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(&launch.program);
            command
        };
        command
            .args(&launch.arguments)
            .current_dir(launch.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing the log")?)
            .stderr(log)
            // A group of its own: Ctrl-C in the terminal reaches us, and we stop the servers in order.
            .process_group(0);
        if let Some(account) = launch.account {
            command.uid(account.uid).gid(account.gid);
        }
        let what = launch.program.display().to_string();
        let (child, keeper) = if launch.detached {
            (
                command
                    .spawn()
                    .with_context(|| format!("starting {what}"))?,
                None,
            )
        } else {
            let (child, keeper) = spawn_with_keeper(command, &what)?;
            (child, Some(keeper))
        };
        Ok(Self {
            child,
            log: launch.log.clone(),
            _keeper: keeper,
        })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` gives true.
    ///
    /// # Errors
    /// With the last lines of the log, when the process ends before or the time is over.
    pub fn wait_ready(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut(u32) -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("asking after the server")? {
                bail!(
                    "the server ended while it started ({status}); its log {}",
                    log_tail(&self.log)
                );
            }
            if ready(self.child.id()) {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!(
                    "the server is not ready after {limit:?}; its log {}",
                    log_tail(&self.log)
                );
            }
            thread::sleep(POLL);
        }
    }

    /// Asks the process to end by `signal` (a name as `INT`), and kills it when it has not ended within `limit`.
    pub fn stop(mut self, signal: &str, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait().context("asking after the server")? {
            // Its pid may have been reused.
            return Ok(status);
        }
        let mut family = descendants(self.pid());
        send_signal(self.pid(), signal)?;
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().context("waiting for the server")? {
                wait_gone(&family)?;
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        family.extend(descendants(self.pid()));
        self.child.kill().context("killing the server")?;
        let status = self.child.wait().context("waiting for the server")?;
        wait_gone(&family)?;
        Ok(status)
    }

    /// Whether it has ended, with all its threads: only then are its ports and files free.
    pub fn has_ended(&mut self) -> Result<bool> {
        let status = self.child.try_wait().context("asking after the server")?;
        Ok(status.is_some())
    }

    /// `kill -9` of the whole process tree at once; all of it is gone when this returns.
    pub fn kill9(mut self) -> Result<()> {
        if self.has_ended()? {
            // Its pid may have been reused.
            return Ok(());
        }
        // It must not start another child between the listing of its children and the signal: that child would be an
        // orphan that nobody waits for, and PostgreSQL does not start again while one of its old processes lives.
        let family = self.suspend_tree()?;
        kill_all(&family);
        self.child.kill().context("killing the server")?;
        self.child.wait().context("waiting for the killed server")?;
        wait_gone(&family)
    }

    /// Suspends the process tree (SIGSTOP); gives the pids of the descendants.
    pub fn suspend_tree(&self) -> Result<Vec<u32>> {
        send_signal(self.pid(), "STOP")?;
        let start = Instant::now();
        while is_running(self.pid()) && !is_stopped(self.pid()) {
            if start.elapsed() > Duration::from_secs(30) {
                bail!("process {} has not stopped 30 s after SIGSTOP", self.pid());
            }
            thread::sleep(POLL);
        }
        let family = descendants(self.pid());
        signal_all(&family, "STOP")?;
        Ok(family)
    }

    /// Resumes (SIGCONT) a tree that [`ServerProcess::suspend_tree`] has suspended.
    pub fn resume_tree(&self) -> Result<()> {
        let mut family = descendants(self.pid());
        family.push(self.pid());
        signal_all(&family, "CONT")
    }
}

/// Whether a process that another run of ours has started still runs and is that server: `mark`, a path, stands on its
/// command line. The pid alone may have been reused.
pub(crate) fn is_server(pid: u32, mark: &Path) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0);
    is_running(pid) && arguments.any(|argument| argument == mark.as_os_str().as_encoded_bytes())
}

/// Stops a process that another run of ours has started, if it still runs and is that server, see [`is_server`]. True:
/// it ran.
pub(crate) fn stop_detached(pid: u32, signal: &str, limit: Duration, mark: &Path) -> Result<bool> {
    if !is_server(pid, mark) {
        return Ok(false);
    }
    let family = descendants(pid);
    send_signal(pid, signal)?;
    let start = Instant::now();
    while is_running(pid) {
        if start.elapsed() > limit {
            send_signal(pid, "KILL")?;
            break;
        }
        thread::sleep(POLL);
    }
    wait_gone(&[&[pid], family.as_slice()].concat())?;
    Ok(true)
}

/// Starts the command from a thread that lives as long as the returned sender: the kernel's parent-death signal
/// follows the thread that forked, and a test's or a runtime's thread may end long before the server shall.
fn spawn_with_keeper(mut command: Command, what: &str) -> Result<(Child, mpsc::Sender<()>)> {
    let (started, result) = mpsc::channel();
    let (keeper, dropped) = mpsc::channel::<()>();
    thread::Builder::new()
        .name("server-keeper".to_owned())
        .spawn(move || {
            if started.send(command.spawn()).is_ok() {
                // Ends with an error when the sender is dropped: that is the message.
                let _ = dropped.recv();
            }
        })
        .context("starting the thread that keeps a server")?;
    let child = result
        .recv()
        .map_err(|_| anyhow!("the thread that starts {what} ended"))?
        .with_context(|| format!("starting {what}"))?;
    Ok((child, keeper))
}

/// Whether util-linux's `setpriv` is here and knows the option; other makes of it do not.
fn setpriv_kills_with_parent() -> bool {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Sends a signal by its name. By the shell's own `kill`, since std can only send KILL.
pub fn send_signal(pid: u32, signal: &str) -> Result<()> {
    signal_all(&[pid], signal)
}

/// One signal to many processes at once; those that have ended meanwhile do not matter.
fn signal_all(pids: &[u32], signal: &str) -> Result<()> {
    if pids.is_empty() {
        return Ok(());
    }
    let script = "signal=$1; shift; for pid; do kill -s \"$signal\" \"$pid\" 2>/dev/null || echo \"$pid\"; done";
    let output = Command::new("sh")
        .args(["-c", script, "sh", signal])
        .args(pids.iter().map(u32::to_string))
        .output()
        .context("running sh to send a signal")?;
    for pid in String::from_utf8_lossy(&output.stdout).lines() {
        if pid.parse().is_ok_and(is_running) {
            bail!("signal {signal} to process {pid} was refused");
        }
    }
    Ok(())
}

/// `kill -9` for each; those that are already gone do not matter.
pub(crate) fn kill_all(pids: &[u32]) {
    // What cannot be signalled is waited for, and named then.
    let _ = signal_all(pids, "KILL");
}

/// Whether a process of this number exists and is not a zombie.
pub fn is_running(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// Whether a process is suspended (state `T`).
fn is_stopped(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state == 'T')
}

/// The processes that `pid` has started, and theirs.
pub fn descendants(pid: u32) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|child| Some((child, state_and_parent(child)?.1)))
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(
            pairs
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(child, _)| *child),
        );
        next += 1;
    }
    family.split_off(1)
}

/// The state letter and the parent, from `/proc/<pid>/stat`: `pid (name) S ppid …`, where the name may hold anything.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Waits until none of the processes runs.
pub(crate) fn wait_gone(pids: &[u32]) -> Result<()> {
    let start = Instant::now();
    while let Some(pid) = pids.iter().find(|pid| is_running(**pid)) {
        if start.elapsed() > Duration::from_secs(30) {
            bail!("process {pid} is still there 30 s after its parent was stopped");
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// The last lines of a log file, after its name.
pub(crate) fn log_tail(log: &Path) -> String {
    let text = match File::open(log).and_then(std::io::read_to_string) {
        Ok(text) => text,
        Err(error) => return format!("{} cannot be read: {error}", log.display()),
    };
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(15)..];
    format!("{} ends with:\n{}", log.display(), last.join("\n"))
}
