//! Reads the workspace as clippy and rustdoc do, on the dependencies that the tests are built with.
//!
//! `cargo clippy` and `cargo doc` have every dependency analysed once more, in a form that no build can use; that takes
//! longer than all of our own code. So cargo runs an ordinary build, with this program in the place of the
//! compiler for the packages of the workspace (`RUSTC_WORKSPACE_WRAPPER`): for each target it runs clippy, and rustdoc
//! where the target has documentation, and makes no code.
//!
//! [`lint_command`] is called by `check`, [`run_as_rustc_wrapper`] by `main`, before anything else.

use crate::command::{STEP_NAME, cargo_command};
use anyhow::{Context, Result};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Set by `check`: by it this program knows that cargo runs it as RUSTC_WORKSPACE_WRAPPER.
const WRAPPER_VARIABLE: &str = "CREDIT_XTASK_READS";

/// The build that reads everything. Warnings are errors.
pub(super) fn lint_command(root: &Path) -> Result<Command> {
    let this = std::env::current_exe().context("asking for this program's own path")?;
    let mut build = cargo_command(root);
    build
        .args([
            "build",
            "--workspace",
            "--all-targets",
            "--keep-going",
            "--quiet",
        ])
        .env(STEP_NAME, "clippy and rustdoc, within cargo build")
        .env("RUSTC_WORKSPACE_WRAPPER", this)
        .env(WRAPPER_VARIABLE, "1");
    Ok(build)
}

/// What cargo has called, where it has called this program instead of the compiler.
pub(crate) fn run_as_rustc_wrapper() -> Option<ExitCode> {
    std::env::var_os(WRAPPER_VARIABLE)?;
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next()?;
    let done = lint_target(&rustc, arguments.collect());
    Some(match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    })
}

/// Runs what there is to run for one call of the compiler; whether all went well.
fn lint_target(rustc: &OsStr, arguments: Vec<OsString>) -> Result<bool> {
    let target = CrateTarget::from_arguments(&arguments);
    let run = |command: &mut Command| -> Result<bool> {
        // Cargo runs its own programs without this in the environment, and they may call cargo.
        let status = command.env_remove(WRAPPER_VARIABLE).status();
        let program = command.get_program().to_string_lossy();
        Ok(status
            .with_context(|| format!("starting {program}"))?
            .success())
    };
    let Some(target) = target else {
        // A question to the compiler.
        return run(Command::new(rustc).args(arguments));
    };
    let mut clippy = Command::new("clippy-driver");
    clippy.arg(rustc).args(target.for_clippy(&arguments));
    if !run(&mut clippy)? {
        return Ok(false);
    }
    if target.has_documentation {
        let rustdoc = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
        if !run(Command::new(rustdoc).args(target.for_rustdoc(&arguments)))? {
            return Ok(false);
        }
    }
    // Cargo looks for the output, and would build again the next time. A program gets none: it is linked to the
    // place of the real one.
    if let Some(output) = target.output.filter(|output| !output.exists()) {
        std::fs::write(&output, "").with_context(|| format!("writing {}", output.display()))?;
    }
    Ok(true)
}

/// A target of a package of the workspace.
#[derive(Debug, PartialEq, Eq)]
struct CrateTarget {
    has_documentation: bool,
    is_program: bool,
    /// A build script: cargo runs it, so its code is made.
    is_run: bool,
    out_dir: PathBuf,
    /// The empty file that cargo finds in place of the code that is not built.
    output: Option<PathBuf>,
}

impl CrateTarget {
    /// The target that the compiler is called for; `None` when cargo only queries the compiler.
    fn from_arguments(arguments: &[OsString]) -> Option<Self> {
        let texts: Vec<&str> = arguments.iter().filter_map(|a| a.to_str()).collect();
        let after = |flag: &str| {
            let at = texts.iter().position(|text| *text == flag)?;
            texts.get(at + 1).copied()
        };
        let name = after("--crate-name")?;
        let out_dir = PathBuf::from(after("--out-dir")?);
        let is_run = name.starts_with("build_script_");
        let is_test = texts.contains(&"--test");
        let is_program = !is_test && after("--crate-type") == Some("bin");
        let extra = texts
            .iter()
            .find_map(|text| text.strip_prefix("extra-filename="))
            .unwrap_or_default();
        let output = match (is_test, is_program) {
            (true, _) => Some(out_dir.join(format!("{name}{extra}"))),
            (_, true) => None,
            _ => Some(out_dir.join(format!("lib{name}{extra}.rlib"))),
        };
        Some(Self {
            has_documentation: !is_test && !is_run,
            is_program,
            is_run,
            out_dir,
            output,
        })
    }

    fn for_clippy(&self, arguments: &[OsString]) -> Vec<OsString> {
        let mut all: Vec<OsString> = arguments
            .iter()
            .map(|argument| match argument.to_str() {
                Some(text) if text.starts_with("--emit=") && !self.is_run => {
                    "--emit=dep-info,metadata".into()
                }
                _ => with_metadata(argument),
            })
            .collect();
        all.push("-Dwarnings".into());
        all
    }

    fn for_rustdoc(&self, arguments: &[OsString]) -> Vec<OsString> {
        let mut all = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.to_str() {
                // How code is made is nothing to it.
                Some("-C") => drop(rest.next()),
                Some("--out-dir") => drop(rest.next()),
                Some(text) if text.starts_with("--emit=") => {}
                _ => all.push(with_metadata(argument)),
            }
        }
        if self.is_program {
            all.push("--document-private-items".into());
        }
        let pages = self.out_dir.with_file_name("read-doc");
        all.extend(["-Dwarnings".into(), "--out-dir".into(), pages.into()]);
        all
    }
}

/// Of a crate of ours there is the metadata only: an argument that names its code names that instead.
fn with_metadata(argument: &OsStr) -> OsString {
    let named = argument
        .to_str()
        .and_then(|text| text.strip_suffix(".rlib"));
    let Some(stem) = named else {
        return argument.to_owned();
    };
    let path = |ending: &str| {
        let text = format!("{stem}.{ending}");
        let path = text.split_once('=').map_or(text.as_str(), |(_, path)| path);
        std::fs::metadata(path)
    };
    let has_code = path("rlib").is_ok_and(|file| file.len() > 0);
    if has_code || path("rmeta").is_err() {
        return argument.to_owned();
    }
    format!("{stem}.rmeta").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn questions_are_the_compilers_and_build_scripts_are_made() {
        assert_eq!(CrateTarget::from_arguments(&words("-vV")), None);
        assert_eq!(
            CrateTarget::from_arguments(&words("- --crate-name ___ --print=cfg")),
            None
        );
        let script = words(
            "--crate-name build_script_build --crate-type bin --emit=dep-info,link --out-dir /t/build",
        );
        let target = CrateTarget::from_arguments(&script).unwrap();
        assert!(!target.has_documentation && target.output.is_none());
        let clippy = target.for_clippy(&script);
        assert!(clippy.contains(&"--emit=dep-info,link".into()));
        assert_eq!(clippy.last().unwrap(), "-Dwarnings");
    }

    #[test]
    fn a_library_is_read_twice_and_made_not_at_all() {
        let call = words(
            "--crate-name vault --edition=2024 src/lib.rs --crate-type lib --emit=dep-info,metadata,link -C \
             debuginfo=1 -C extra-filename=-12ab --out-dir /t/debug/deps --extern hex=/none/libhex.rlib",
        );
        let target = CrateTarget::from_arguments(&call).unwrap();
        assert_eq!(
            target.output.as_deref(),
            Some(Path::new("/t/debug/deps/libvault-12ab.rlib"))
        );
        let clippy = target.for_clippy(&call);
        assert!(clippy.contains(&"--emit=dep-info,metadata".into()));
        assert!(clippy.contains(&"hex=/none/libhex.rlib".into()));
        assert_eq!(clippy.last().unwrap(), "-Dwarnings");
        let rustdoc = target.for_rustdoc(&call);
        let gone = |text: &str| !rustdoc.contains(&text.into());
        assert!(gone("-C") && gone("debuginfo=1") && gone("/t/debug/deps"));
        assert_eq!(rustdoc.last().unwrap(), "/t/debug/read-doc");
    }

    #[test]
    fn tests_have_no_documentation_and_programs_no_stand_in() {
        let test = "--crate-name it tests/it/main.rs --emit=dep-info,link --test --out-dir /t/deps";
        assert!(
            !CrateTarget::from_arguments(&words(test))
                .unwrap()
                .has_documentation
        );
        let program = "--crate-name credit src/main.rs --crate-type bin --out-dir /t/deps";
        assert_eq!(
            CrateTarget::from_arguments(&words(program)).unwrap().output,
            None
        );
    }

    #[test]
    fn a_crate_without_code_is_named_by_its_metadata() {
        let place = local_servers::LockedFolder::temporary().unwrap();
        let file = |ending: &str| place.path().join(format!("libx.{ending}"));
        let named = |ending: &str| OsString::from(format!("x={}", file(ending).display()));
        assert_eq!(with_metadata(&named("rlib")), named("rlib"));
        std::fs::write(file("rmeta"), "m").unwrap();
        assert_eq!(with_metadata(&named("rlib")), named("rmeta"));
        std::fs::write(file("rlib"), "").unwrap();
        assert_eq!(with_metadata(&named("rlib")), named("rmeta"));
        std::fs::write(file("rlib"), "code").unwrap();
        assert_eq!(with_metadata(&named("rlib")), named("rlib"));
    }
}
