//! `credit dump-config`: the configuration in force, secrets hidden.

use anyhow::Result;
use service_kit::config::Overlay;

use crate::config::Configs;

/// Prints it as TOML.
pub fn print_config(overlay: &Overlay) -> Result<()> {
    print!("{}", toml::to_string(&Configs::load(overlay)?)?);
    Ok(())
}
