//! A Python with the gRPC client libraries and python-stdnum, for the client tests, the differential test of identifiers
//! and their benchmark. Called by `cargo xtask test`, `soak` and `bench identifiers`.

use crate::install::{ensure_complete, install_once, pip_install, python_program};
use anyhow::{Context, Result, bail};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Everything that is installed, so that nothing changes from one day to the next.
const PACKAGES: [&str; 6] = [
    "grpcio==1.85.1",
    "grpcio-tools==1.85.1",
    "protobuf==7.36.2",
    "python-stdnum==2.2",
    "setuptools==84.2.1",
    "typing_extensions==4.16.0",
];

/// Fetches the libraries into `<root>/.servers/python-…`, once; gives a program that is the machine's Python with these
/// libraries in reach. (Not a virtual environment: Debian's Python has no `venv` without a further package.)
pub fn install_python_clients(root: &Path) -> Result<PathBuf> {
    let python = python_program();
    let asked = "import sys; print(sys.implementation.cache_tag); print(sys.executable)";
    let output = Command::new(&python)
        .args(["-c", asked])
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!("running {python}; install Python, e.g. `apt-get install python3-pip`")
        })?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let Some((tag, executable)) = answer.trim_end().split_once('\n') else {
        bail!(
            "{python} does not say what it is: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    };
    // Compiled modules fit one version of Python only, so its tag is part of the name.
    let folder = install_once(
        &root.join(".servers"),
        &format!("python-{tag}-grpcio-1.85.1-stdnum-2.2"),
        |target| {
            let mut arguments = vec!["--no-deps", "--only-binary", ":all:"];
            arguments.extend(PACKAGES);
            pip_install(target, &arguments)?;
            let starter = target.join("python");
            let text = format!(
                "#!/bin/sh\nPYTHONPATH=\"$(cd \"$(dirname \"$0\")\" && pwd)\" exec '{executable}' \"$@\"\n"
            );
            std::fs::write(&starter, text)
                .with_context(|| format!("writing {}", starter.display()))?;
            std::fs::set_permissions(&starter, PermissionsExt::from_mode(0o755))
                .with_context(|| format!("making {} executable", starter.display()))
        },
    )?;
    let program = folder.join("python");
    ensure_complete(&folder, &program)?;
    Ok(program)
}
