//! The rules that the text of the Rust files keeps. Called by `check`; each rule is one function of one file.

use super::Violation;
use super::model::{Workspace, WorkspacePackage};
use super::source_text::{code_only, names_identifier};
use anyhow::{Context, Result};
use std::path::Path;

/// A file longer than this is split by responsibility.
const MOST_LINES: usize = 700;

/// One Rust file of ours.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    /// Name of its package.
    package: String,
    /// Whether the package is a service.
    of_service: bool,
    /// Folder of the package, relative to the root.
    folder: String,
    /// Relative to the package: `src/store.rs`.
    path: String,
    text: String,
    /// The text without comments and literals.
    code: String,
}

impl SourceFile {
    fn new(package: &WorkspacePackage, path: &str, text: String) -> Self {
        Self {
            package: package.name.clone(),
            of_service: package.is_service(),
            folder: package.folder.clone(),
            path: path.to_owned(),
            code: code_only(&text),
            text,
        }
    }

    /// The text without comments and literals; lines stay where they are.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// Where it is, relative to the root.
    pub(crate) fn place(&self) -> String {
        format!("{}/{}", self.folder, self.path)
    }

    /// Whether the file is compiled for tests only: under a package's `tests/`, or anywhere in the journeys.
    fn is_test(&self) -> bool {
        self.folder == "tests"
            || self.path.starts_with("tests/")
            || self.path.starts_with("benches/")
    }

    /// Whether the file is the module `name`, or in the folder of that module.
    fn is_in_module(&self, name: &str) -> bool {
        self.path == format!("src/{name}.rs") || self.path.starts_with(&format!("src/{name}/"))
    }

    /// A violation for each line of code for which `broken` gives a reason.
    fn each_line(
        &self,
        rule: &'static str,
        broken: impl Fn(&str) -> Option<String>,
    ) -> Vec<Violation> {
        let violation = |(index, line)| {
            let why = broken(line)?;
            Some(Violation {
                rule,
                place: format!("{}:{}", self.place(), index + 1),
                why,
            })
        };
        self.code
            .lines()
            .enumerate()
            .filter_map(violation)
            .collect()
    }

    /// A violation for the whole file.
    fn whole(&self, rule: &'static str, why: String) -> Vec<Violation> {
        vec![Violation {
            rule,
            place: self.place(),
            why,
        }]
    }
}

/// Reads all Rust files of the workspace's packages.
pub(crate) fn load_sources(root: &Path, workspace: &Workspace) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for package in &workspace.packages {
        let folder = root.join(&package.folder);
        walk(&folder, &folder, package, &mut files)?;
    }
    Ok(files)
}

fn walk(
    folder: &Path,
    base: &Path,
    package: &WorkspacePackage,
    files: &mut Vec<SourceFile>,
) -> Result<()> {
    let place = || format!("reading {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(place)? {
        let path = entry.with_context(place)?.path();
        if path.is_dir() {
            // A folder with a manifest is another package, which has its own turn.
            if !path.join("Cargo.toml").exists() {
                walk(&path, base, package, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            let relative = path
                .strip_prefix(base)
                .context("a file outside its package")?
                .to_string_lossy();
            files.push(SourceFile::new(package, &relative, text));
        }
    }
    Ok(())
}

/// All rules over the files.
pub(crate) fn source_violations(files: &[SourceFile]) -> Vec<Violation> {
    let rules = [
        bus_is_named_by_its_owner,
        sql_stays_in_stores,
        files_stay_short,
        files_say_what_they_are,
        nothing_is_global,
        refusals_have_a_reason,
    ];
    files
        .iter()
        .flat_map(|file| rules.iter().flat_map(move |rule| rule(file)))
        .collect()
}

/// Only `event-bus` and `testkit` name async-nats, and tests.
fn bus_is_named_by_its_owner(file: &SourceFile) -> Vec<Violation> {
    if ["event-bus", "testkit"].contains(&file.package.as_str()) || file.is_test() {
        return Vec::new();
    }
    file.each_line("bus", |line| {
        names_identifier(line, "async_nats").then(|| "only `event-bus` names async_nats".to_owned())
    })
}

/// Only `event-bus`, `service-kit`, `testkit`, the services' `store` modules, `migrate` of the binary, and tests name sqlx.
fn sql_stays_in_stores(file: &SourceFile) -> Vec<Violation> {
    let owner = ["event-bus", "service-kit", "testkit"].contains(&file.package.as_str());
    let store = file.of_service && file.is_in_module("store");
    let migrate = file.package == "platform" && file.is_in_module("migrate");
    if owner || store || migrate || file.is_test() {
        return Vec::new();
    }
    file.each_line("sql", |line| {
        let why = "sqlx is named in a service's `store` module only; elsewhere use the aliases of `service_kit::db`";
        names_identifier(line, "sqlx").then(|| why.to_owned())
    })
}

/// No file is too long to be read in one sitting.
fn files_stay_short(file: &SourceFile) -> Vec<Violation> {
    match file.text.lines().count() {
        lines if lines > MOST_LINES => file.whole(
            "length",
            format!(
                "{lines} lines, at most {MOST_LINES}; split it by responsibility into a folder"
            ),
        ),
        _ => Vec::new(),
    }
}

/// Each file opens with a `//!` that describes it.
fn files_say_what_they_are(file: &SourceFile) -> Vec<Violation> {
    match file.text.trim_start().starts_with("//!") {
        true => Vec::new(),
        false => file.whole(
            "head",
            "opens without a `//!` that says what the file is and who calls it".to_owned(),
        ),
    }
}

/// Nothing is process-global: no statics that change, outside tests.
fn nothing_is_global(file: &SourceFile) -> Vec<Violation> {
    if file.is_test() {
        return Vec::new();
    }
    const CHANGING: [&str; 6] = ["mut", "Mutex", "RwLock", "OnceLock", "OnceCell", "LazyCell"];
    file.each_line("globals", |line| {
        let declaration = line.trim_start();
        let declaration = declaration.strip_prefix("pub ").unwrap_or(declaration);
        let declaration = declaration.strip_prefix("pub(crate) ").unwrap_or(declaration);
        let is_static = declaration.starts_with("static ")
            && (CHANGING.iter().any(|kind| names_identifier(declaration, kind)) || declaration.contains("Atomic"));
        (is_static || declaration.starts_with("thread_local!"))
            .then(|| "state of the whole process; pass it in, so that a service can run twice in one process".to_owned())
    })
}

/// A service refuses by `Refusal::new`, whose reason is one of the table: no status without a reason leaves it.
fn refusals_have_a_reason(file: &SourceFile) -> Vec<Violation> {
    const MAKERS: [&str; 12] = [
        "new",
        "with_details",
        "with_error_details",
        "invalid_argument",
        "not_found",
        "already_exists",
        "permission_denied",
        "unauthenticated",
        "failed_precondition",
        "unavailable",
        "internal",
        "unimplemented",
    ];
    if !file.of_service || file.is_test() || file.path.ends_with("tests.rs") {
        return Vec::new();
    }
    let tests = std::cell::Cell::new(false);
    file.each_line("reasons", |line| {
        // Unit tests stand at the end of a file.
        tests.set(tests.get() || line.starts_with("#[cfg(test)]"));
        if tests.get() {
            return None;
        }
        let made = MAKERS
            .iter()
            .any(|maker| line.contains(&format!("Status::{maker}(")));
        made.then(|| "a status without a reason; make a `service_kit::error::Refusal`".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &str, path: &str, text: &str) -> SourceFile {
        let name = if folder == "tests" {
            "journeys"
        } else {
            folder.rsplit('/').next().unwrap()
        };
        let package = WorkspacePackage {
            name: name.to_owned(),
            folder: folder.to_owned(),
            dependencies: Vec::new(),
        };
        SourceFile::new(&package, path, text.to_owned())
    }

    #[test]
    fn the_bus_is_named_by_its_owner_and_by_tests() {
        let text = "//! async_nats\nuse async_nats::Client;\n";
        for (folder, path) in [
            ("crates/event-bus", "src/lib.rs"),
            ("services/a", "tests/it/main.rs"),
            ("tests", "src/bin/demo.rs"),
        ] {
            assert!(
                bus_is_named_by_its_owner(&file(folder, path, text)).is_empty(),
                "{folder}/{path}"
            );
        }
        let found = bus_is_named_by_its_owner(&file("services/a", "src/handlers.rs", text));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "services/a/src/handlers.rs:2");
    }

    #[test]
    fn sql_is_named_in_stores() {
        let text = "//! x\nfn f(c: &mut sqlx::PgConnection) {}\n";
        for (folder, path) in [
            ("services/a", "src/store.rs"),
            ("services/a", "src/store/reads.rs"),
            ("services/a", "tests/it/main.rs"),
            ("services/platform", "src/migrate.rs"),
            ("crates/service-kit", "src/db.rs"),
            ("tests", "tests/faults.rs"),
        ] {
            assert!(
                sql_stays_in_stores(&file(folder, path, text)).is_empty(),
                "{folder}/{path}"
            );
        }
        for (folder, path) in [
            ("services/a", "src/app.rs"),
            ("services/a", "src/migrate.rs"),
            ("services/a", "src/storefront.rs"),
            ("services/platform", "src/main.rs"),
            ("crates/vault", "src/store.rs"),
        ] {
            assert_eq!(
                sql_stays_in_stores(&file(folder, path, text)).len(),
                1,
                "{folder}/{path}"
            );
        }
        assert!(
            sql_stays_in_stores(&file(
                "services/a",
                "src/app.rs",
                "//! sqlx\nlet s = \"sqlx\"; // sqlx"
            ))
            .is_empty()
        );
    }

    #[test]
    fn a_status_without_a_reason_is_found() {
        let text = "//! x\nErr(Status::not_found(text))\n// Status::internal(\n#[cfg(test)]\nStatus::internal(text)\n";
        let found = refusals_have_a_reason(&file("services/a", "src/grpc.rs", text));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "services/a/src/grpc.rs:2");
        for (folder, path) in [
            ("services/a", "tests/it/fake.rs"),
            ("crates/service-kit", "src/error.rs"),
        ] {
            assert!(
                refusals_have_a_reason(&file(folder, path, text)).is_empty(),
                "{path}"
            );
        }
    }

    #[test]
    fn long_files_are_found() {
        let lines = |count: usize| "//!\n".repeat(count);
        assert!(files_stay_short(&file("crates/a", "src/lib.rs", &lines(MOST_LINES))).is_empty());
        assert_eq!(
            files_stay_short(&file("crates/a", "tests/it.rs", &lines(MOST_LINES + 1))).len(),
            1
        );
    }

    #[test]
    fn a_file_says_what_it_is() {
        assert!(
            files_say_what_they_are(&file("crates/a", "src/lib.rs", "\n//! The a.\n")).is_empty()
        );
        assert_eq!(
            files_say_what_they_are(&file("crates/a", "src/lib.rs", "// The a.\nuse b;")).len(),
            1
        );
        assert_eq!(
            files_say_what_they_are(&file("crates/a", "src/lib.rs", "")).len(),
            1
        );
    }

    #[test]
    fn changing_statics_are_found() {
        for bad in [
            "static COUNT: AtomicU64 = AtomicU64::new(0);",
            "pub static STATE: Mutex<u8> = Mutex::new(0);",
            "    static mut X: u8 = 0;",
            "pub(crate) static POOL: OnceLock<u8> = OnceLock::new();",
            "thread_local! {",
        ] {
            assert_eq!(
                nothing_is_global(&file("crates/a", "src/lib.rs", bad)).len(),
                1,
                "{bad}"
            );
            assert!(
                nothing_is_global(&file("crates/a", "tests/it.rs", bad)).is_empty(),
                "{bad}"
            );
        }
        for fine in [
            "static NAMES: [&str; 1] = [\"Mutex\"];",
            "fn f(x: &'static Mutex<u8>) {}",
            "// static X: Mutex",
        ] {
            assert!(
                nothing_is_global(&file("crates/a", "src/lib.rs", fine)).is_empty(),
                "{fine}"
            );
        }
    }

    #[test]
    fn all_asks_every_rule() {
        let text = format!(
            "use async_nats::x;\nuse sqlx::y;\nstatic A: Mutex<u8> = z;\n{}",
            "\n".repeat(MOST_LINES)
        );
        let mut rules: Vec<_> = source_violations(&[file("services/a", "src/app.rs", &text)])
            .iter()
            .map(|found| found.rule)
            .collect();
        rules.sort_unstable();
        assert_eq!(rules, ["bus", "globals", "head", "length", "sql"]);
    }

    #[test]
    fn the_files_of_this_package_are_found() {
        let root = crate::checkout_root();
        let files = load_sources(&root, &Workspace::load(&root).unwrap()).unwrap();
        assert!(
            files
                .iter()
                .any(|file| file.folder == "crates/xtask" && file.path == "src/check/sources.rs")
        );
        assert!(files.iter().all(|file| !file.path.contains("target/")));
    }
}
