//! Runs other programs and prints their command lines. Used by all tasks.

use anyhow::{Context, Result, anyhow, bail};
use local_servers::{descendants, send_signal};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Cargo, the one that runs us when there is one.
pub(crate) fn cargo_command(root: &Path) -> Command {
    let mut command =
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    // `cargo run` describes xtask to us in these; build scripts that watch them (ring's) would see
    // them change with every switch between `cargo xtask` and plain cargo, and rebuild half the tree.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command with our output; prints its command line before it and a line when it failed. True when it succeeded.
pub(crate) fn run_step(command: &mut Command) -> Result<bool> {
    let passed = run_last_step(command)?;
    if !passed {
        eprintln!("» failed: {}", command_line(command));
    }
    Ok(passed)
}

/// As [`run_step`], but prints nothing after the command.
pub(crate) fn run_last_step(command: &mut Command) -> Result<bool> {
    eprintln!("» {}", command_line(command));
    let status = command
        .status()
        .with_context(|| format!("starting {}", command_line(command)))?;
    Ok(status.success())
}

/// As [`run_step`], but in the background: prints one line with the duration and buffers the output, which is given
/// where it failed.
pub(crate) fn run_step_quietly(command: &mut Command) -> Result<Option<String>> {
    let start = Instant::now();
    let (mut reader, writer) = std::io::pipe().context("making a pipe")?;
    let errors = writer.try_clone().context("sharing a pipe")?;
    let child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .spawn();
    let mut child = child.with_context(|| format!("starting {}", command_line(command)))?;
    // The command holds the write ends: the pipe would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut printed = Vec::new();
    reader
        .read_to_end(&mut printed)
        .context("reading what a command prints")?;
    let status = child.wait().context("waiting for a command")?;
    let (line, seconds) = (command_line(command), start.elapsed().as_secs());
    if status.success() {
        eprintln!("» {line}: well, {seconds} s");
        return Ok(None);
    }
    eprintln!("» {line}: FAILED after {seconds} s, see the end");
    let printed = String::from_utf8_lossy(&printed);
    Ok(Some(format!("» failed: {line}\n{}", printed.trim_end())))
}

/// Ends a command that runs, with all that it has started.
pub(crate) fn kill_process_tree(child: &mut Child) -> Result<()> {
    // Looked up before: orphans no longer say whose children they were.
    for pid in descendants(child.id()) {
        send_signal(pid, "KILL")?;
    }
    child.kill().context("killing a command")?;
    child.wait().context("waiting for a killed command")?;
    Ok(())
}

/// The same command with what the processor has left.
pub(crate) fn at_low_priority(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "15"])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    nice
}

/// Runs a command silently; gives what it prints.
pub(crate) fn command_output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", command_line(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}",
            command_line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("the output of {} is not UTF-8", command_line(command)))
}

/// Whether a program of this name is in `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Whether the environment names both servers, so that none is to be started.
pub(crate) fn servers_are_set() -> bool {
    is_set("DATABASE_URL") && is_set("NATS_URL")
}

/// That the servers which the environment names are both named, and there.
///
/// # Errors
/// With the variable and what to do.
pub(crate) fn named_servers_answer() -> Result<()> {
    match (is_set("DATABASE_URL"), is_set("NATS_URL")) {
        (true, false) => bail!("DATABASE_URL is set and NATS_URL is not: set both or none"),
        (false, true) => bail!("NATS_URL is set and DATABASE_URL is not: set both or none"),
        (false, false) => return Ok(()),
        (true, true) => {}
    }
    for (variable, port) in [("DATABASE_URL", 5432), ("NATS_URL", 4222)] {
        let url = std::env::var(variable).with_context(|| format!("{variable} is not UTF-8"))?;
        let address = address_of(&url, port);
        if address.starts_with(':') {
            // By a socket, which is named elsewhere in the URL.
            continue;
        }
        if !address.to_socket_addrs().is_ok_and(|mut addresses| {
            addresses.any(|address| TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok())
        }) {
            bail!(
                "nobody answers at {address}, which {variable} names: start that server, or unset DATABASE_URL and NATS_URL \
                 to have private ones"
            );
        }
    }
    Ok(())
}

/// How long a server that the environment names may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// `host:port` of a URL: never its user and password, which may not be printed.
fn address_of(url: &str, default_port: u16) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    {
        return host.to_owned();
    }
    format!("{host}:{default_port}")
}

/// Becomes the command; returns only when it cannot be started.
pub(crate) fn become_program(command: &mut Command) -> anyhow::Error {
    eprintln!("» {}", command_line(command));
    let error = command.exec();
    anyhow!(error).context(format!(
        "starting {}",
        Path::new(command.get_program()).display()
    ))
}

/// An environment variable that names a step whose command line explains too little.
pub(crate) const STEP_NAME: &str = "CREDIT_XTASK_STEP";

/// The command as one would type it, or the name of the step.
fn command_line(command: &Command) -> String {
    if let Some((_, Some(name))) = command.get_envs().find(|(key, _)| *key == STEP_NAME) {
        return name.to_string_lossy().into_owned();
    }
    if command.get_program() == "nice" {
        // What it does, not how urgent it is.
        let words = command.get_args().skip(2);
        return join_words(words);
    }
    join_words(std::iter::once(command.get_program()).chain(command.get_args()))
}

fn join_words<'a>(words: impl Iterator<Item = &'a OsStr>) -> String {
    let words = words.enumerate().map(|(place, word)| match place {
        0 => Path::new(word)
            .file_name()
            .unwrap_or(word)
            .to_string_lossy(),
        _ => word.to_string_lossy(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_is_false_and_a_missing_program_an_error() {
        assert!(run_step(&mut Command::new("true")).unwrap());
        assert!(!run_step(&mut Command::new("false")).unwrap());
        assert!(run_step(&mut Command::new("no-such-program-here")).is_err());
        assert!(command_output(&mut Command::new("false")).is_err());
    }

    #[test]
    fn a_command_ends_with_all_that_it_has_started() {
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", "sleep 600 & wait"]).spawn().unwrap();
        let family = loop {
            let family = descendants(child.id());
            if !family.is_empty() {
                break family;
            }
        };
        kill_process_tree(&mut child).unwrap();
        while family.iter().any(|pid| local_servers::is_running(*pid)) {}
    }

    #[test]
    fn an_address_is_told_without_password() {
        let url = "postgres://user:p%40ss@db.example:5433/postgres?sslmode=require";
        assert_eq!(address_of(url, 5432), "db.example:5433");
        assert_eq!(address_of("nats://10.0.0.7", 4222), "10.0.0.7:4222");
        assert_eq!(address_of("postgres://u:1@[::1]/x", 5432), "[::1]:5432");
    }

    #[test]
    fn programs_are_looked_up_in_path() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-here"));
    }

    #[test]
    fn a_step_beside_keeps_what_a_failure_has_printed() {
        let mut fine = Command::new("sh");
        fine.args(["-c", "echo heard by nobody"]);
        assert_eq!(run_step_quietly(&mut fine).unwrap(), None);
        let mut bad = Command::new("sh");
        bad.args(["-c", "echo one; echo two >&2; exit 1"])
            .env("A", "b");
        let said = run_step_quietly(&mut at_low_priority(&bad)).unwrap();
        assert_eq!(
            said.unwrap(),
            "» failed: sh -c echo one; echo two >&2; exit 1\none\ntwo"
        );
    }

    #[test]
    fn a_line_names_the_program_and_its_arguments() {
        assert_eq!(
            command_line(Command::new("/usr/bin/cargo").args(["fmt", "--check"])),
            "cargo fmt --check"
        );
    }
}
