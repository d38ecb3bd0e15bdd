//! The packages of the workspace and what they depend on, as listed by `cargo metadata --no-deps`. Read by `packages`.

use crate::command::{cargo_command, command_output};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// All packages of ours.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<WorkspacePackage>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkspacePackage {
    pub(crate) name: String,
    /// Relative to the root, with `/`: `crates/vault`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line under `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's own name, whatever it is renamed to.
    pub(crate) name: String,
    /// True under `[dev-dependencies]`.
    pub(crate) for_tests: bool,
}

impl WorkspacePackage {
    /// Whether this is one of the services, the binary that joins them included.
    pub(crate) fn is_service(&self) -> bool {
        self.folder.starts_with("services/")
    }
}

impl Workspace {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let text = command_output(cargo_command(root).args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let metadata: CargoMetadata =
            serde_json::from_str(text).context("reading `cargo metadata`")?;
        let mut packages = Vec::new();
        for package in metadata.packages {
            let folder = package
                .manifest_path
                .parent()
                .context("a manifest without a folder")?;
            let folder = folder
                .strip_prefix(&metadata.workspace_root)
                .context("a package outside the workspace")?;
            packages.push(WorkspacePackage {
                name: package.name,
                folder: folder.to_string_lossy().replace('\\', "/"),
                dependencies: package
                    .dependencies
                    .into_iter()
                    .map(|found| Dependency {
                        name: found.name,
                        for_tests: found.kind.as_deref() == Some("dev"),
                    })
                    .collect(),
            });
        }
        Ok(Self { packages })
    }

    /// Whether a package of this name is ours.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }

    /// Whether a package of this name is one of our services.
    pub(crate) fn has_service(&self, name: &str) -> bool {
        self.packages
            .iter()
            .any(|package| package.name == name && package.is_service())
    }
}

#[derive(Deserialize)]
struct CargoMetadata {
    packages: Vec<FoundPackage>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct FoundPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<FoundDependency>,
}

#[derive(Deserialize)]
struct FoundDependency {
    name: String,
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_says() {
        let text = r#"{"workspace_root":"/w","packages":[{"name":"vault","manifest_path":"/w/crates/vault/Cargo.toml",
            "dependencies":[{"name":"hmac","kind":null,"rename":"mac"},{"name":"proptest","kind":"dev"}]}]}"#;
        let workspace = Workspace::parse(text).unwrap();
        let dependency = |name: &str, for_tests| Dependency {
            name: name.to_owned(),
            for_tests,
        };
        let vault = WorkspacePackage {
            name: "vault".to_owned(),
            folder: "crates/vault".to_owned(),
            dependencies: vec![dependency("hmac", false), dependency("proptest", true)],
        };
        assert_eq!(workspace.packages, [vault]);
        assert!(workspace.has("vault") && !workspace.has_service("vault"));
    }

    #[test]
    fn knows_this_workspace() {
        let workspace = Workspace::load(&crate::checkout_root()).unwrap();
        assert!(workspace.has("xtask") && workspace.has_service("platform"));
    }
}
