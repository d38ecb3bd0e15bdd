//! Programs of the machine that the tests need: a browser and a font for Chinese. Used by `requirements`.

use crate::command::{command_output, is_installed, run_step_quietly};
use anyhow::{Result, bail};
use std::process::Command;

/// Whether the browser is here or can be installed.
///
/// # Errors
/// With the line that installs it, for one who may.
pub(crate) fn browser_can_be_had() -> Result<()> {
    let missing = missing_packages(is_installed, has_chinese_font());
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = command_output(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0");
    if is_root && is_installed("apt-get") {
        return Ok(());
    }
    bail!(
        "the tests of the pages need a browser: `{}apt-get install {}`",
        if is_root { "" } else { "sudo " },
        missing.join(" ")
    )
}

/// Installs Chromium, its driver and a Chinese font where something is missing and we may; else prints the command to
/// run. What apt-get prints is shown where it fails.
pub(crate) fn ensure_browser() -> Result<()> {
    browser_can_be_had()?;
    let missing = missing_packages(is_installed, has_chinese_font());
    if missing.is_empty() {
        return Ok(());
    }
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    for command in [
        Command::new("apt-get").args(["update", "--quiet"]),
        &mut install,
    ] {
        if let Some(printed) = run_step_quietly(command)? {
            bail!("the browser could not be installed: {printed}");
        }
    }
    Ok(())
}

/// The Debian packages that provide what is not there.
fn missing_packages(has: impl Fn(&str) -> bool, has_font: bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    if !has("chromium") {
        packages.push("chromium");
    }
    if !has("chromedriver") {
        packages.push("chromium-driver");
    }
    if !has_font {
        packages.push("fonts-noto-cjk");
    }
    packages
}

/// Whether fontconfig, which Chromium brings along, knows a font for Chinese.
fn has_chinese_font() -> bool {
    match command_output(Command::new("fc-list").args([":lang=zh", "family"])) {
        Ok(fonts) => !fonts.trim().is_empty(),
        Err(_) => std::path::Path::new("/usr/share/fonts/opentype/noto").is_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        assert!(missing_packages(|_| true, true).is_empty());
        assert_eq!(
            missing_packages(|name| name != "chromedriver", false),
            ["chromium-driver", "fonts-noto-cjk"]
        );
        assert_eq!(
            missing_packages(|_| false, true),
            ["chromium", "chromium-driver"]
        );
    }
}
