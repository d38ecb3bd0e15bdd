//! The rules that the dependencies of packages keep. Called by `check`; each rule is one function.

use super::Violation;
use super::model::{Dependency, Workspace, WorkspacePackage};

/// The crates that compute and do nothing else, each with those of ours that it may know: one direction, no cycle.
const PURE: [(&str, &[&str]); 5] = [
    ("legal-clock", &[]),
    ("proto", &[]),
    ("credit-record", &["legal-clock"]),
    ("record-ref", &["proto"]),
    ("vault", &["credit-record", "record-ref"]),
];

/// What a pure crate must not know; `proto` may know tonic, whose code it generates.
const IMPURE: [&str; 12] = [
    "tokio",
    "tokio-util",
    "tokio-stream",
    "futures",
    "sqlx",
    "async-nats",
    "tonic",
    "hyper",
    "hyper-util",
    "axum",
    "tower",
    "tracing-subscriber",
];

/// Services that are joined: the binary. Journeys live in `tests/`, outside `services/`.
const JOINS_SERVICES: [&str; 1] = ["platform"];

/// All rules over the dependencies.
pub(crate) fn package_violations(workspace: &Workspace) -> Vec<Violation> {
    [
        services_meet_in_proto,
        pure_crates_stay_pure,
        one_crate_names_the_bus,
        the_web_holds_nothing,
        the_tool_stands_alone,
    ]
    .iter()
    .flat_map(|rule| rule(workspace))
    .collect()
}

/// A service never depends on a service, nor a shared crate on one.
fn services_meet_in_proto(workspace: &Workspace) -> Vec<Violation> {
    forbid(
        "services",
        workspace,
        |package| package.folder != "tests" && !JOINS_SERVICES.contains(&package.name.as_str()),
        |_, dependency| workspace.has_service(&dependency.name),
        "which is a service; meet it in `proto`, by a call or an event",
    )
}

/// The pure crates depend on those of ours that are below them, and on nothing that does input or output.
fn pure_crates_stay_pure(workspace: &Workspace) -> Vec<Violation> {
    let below = |name: &str| PURE.iter().find(|(pure, _)| *pure == name);
    forbid(
        "pure",
        workspace,
        |package| below(&package.name).is_some(),
        |package, dependency| {
            let generates = package.name == "proto" && dependency.name == "tonic";
            let name = dependency.name.as_str();
            let known = below(&package.name).is_some_and(|(_, known)| known.contains(&name));
            (workspace.has(name) && !known) || (IMPURE.contains(&name) && !generates)
        },
        "and must know nothing of tasks, network and database, and of ours what is below it",
    )
}

/// Only `event-bus` (and, in tests, `testkit` and the journeys) depends on async-nats.
fn one_crate_names_the_bus(workspace: &Workspace) -> Vec<Violation> {
    forbid(
        "bus",
        workspace,
        |package| {
            !["event-bus", "testkit"].contains(&package.name.as_str()) && package.folder != "tests"
        },
        |_, dependency| dependency.name == "async-nats" && !dependency.for_tests,
        "which only `event-bus` names; emit by its outbox and consume by its handlers",
    )
}

/// `web` has neither tables nor the bus: it calls services over gRPC.
fn the_web_holds_nothing(workspace: &Workspace) -> Vec<Violation> {
    forbid(
        "web",
        workspace,
        |package| package.name == "web",
        |_, dependency| ["sqlx", "event-bus", "async-nats"].contains(&dependency.name.as_str()),
        "but holds no table and no bus; ask the service that owns the data",
    )
}

/// `creditctl` runs on a department's computer: what it knows of the platform are its codes and its protocol.
fn the_tool_stands_alone(workspace: &Workspace) -> Vec<Violation> {
    let ours = ["service-kit", "event-bus", "vault"];
    forbid(
        "tool",
        workspace,
        |package| package.name == "creditctl",
        |_, dependency| {
            let inside = ours.contains(&dependency.name.as_str());
            inside || ["sqlx", "async-nats"].contains(&dependency.name.as_str())
        },
        "which is the platform's inside; a department has `credit-record`, `legal-clock` and `proto`",
    )
}

fn forbid(
    rule: &'static str,
    workspace: &Workspace,
    bound: impl Fn(&WorkspacePackage) -> bool,
    forbidden: impl Fn(&WorkspacePackage, &Dependency) -> bool,
    instead: &str,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in workspace.packages.iter().filter(|package| bound(package)) {
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| forbidden(package, dependency))
        {
            violations.push(Violation {
                rule,
                place: package.folder.clone(),
                why: format!("{} depends on {}, {instead}", package.name, dependency.name),
            });
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as `services/web: proto tokio dev:sqlx`.
    fn workspace(lines: &[&str]) -> Workspace {
        let package = |line: &&str| {
            let (folder, dependencies) = line.split_once(':').unwrap();
            let name = if folder == "tests" {
                "journeys"
            } else {
                folder.rsplit('/').next().unwrap()
            };
            let dependency = |word: &str| match word.strip_prefix("dev:") {
                Some(name) => Dependency {
                    name: name.to_owned(),
                    for_tests: true,
                },
                None => Dependency {
                    name: word.to_owned(),
                    for_tests: false,
                },
            };
            WorkspacePackage {
                name: name.to_owned(),
                folder: folder.to_owned(),
                dependencies: dependencies.split_whitespace().map(dependency).collect(),
            }
        };
        Workspace {
            packages: lines.iter().map(package).collect(),
        }
    }

    fn broken(rule: fn(&Workspace) -> Vec<Violation>, lines: &[&str]) -> Vec<String> {
        rule(&workspace(lines))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn services_know_no_services() {
        let fine = [
            "services/a: proto",
            "services/b: proto",
            "services/platform: a b",
            "tests: a b",
            "crates/proto:",
        ];
        assert!(broken(services_meet_in_proto, &fine).is_empty());
        let found = broken(
            services_meet_in_proto,
            &["services/a: b", "services/b: dev:a", "crates/c: a"],
        );
        assert_eq!(found.len(), 3);
        assert!(
            found[0].starts_with("services: services/a: a depends on b"),
            "{found:?}"
        );
    }

    #[test]
    fn a_service_does_not_know_the_binary() {
        assert_eq!(
            broken(
                services_meet_in_proto,
                &["services/a: platform", "services/platform: a"]
            )
            .len(),
            1
        );
    }

    #[test]
    fn pure_crates_know_nothing() {
        let fine = [
            "crates/vault: aes-gcm dev:proptest",
            "crates/proto: tonic prost",
            "crates/event-bus: vault tokio",
        ];
        assert!(broken(pure_crates_stay_pure, &fine).is_empty());
        let found = broken(
            pure_crates_stay_pure,
            &[
                "crates/vault: tokio",
                "crates/legal-clock: tonic",
                "crates/proto: vault",
                "crates/credit-record: dev:sqlx",
            ],
        );
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn the_bus_has_one_owner() {
        let fine = [
            "crates/event-bus: async-nats",
            "crates/testkit: async-nats",
            "services/a: dev:async-nats",
            "tests: async-nats",
        ];
        assert!(broken(one_crate_names_the_bus, &fine).is_empty());
        assert_eq!(
            broken(
                one_crate_names_the_bus,
                &["services/a: async-nats", "crates/b: async-nats"]
            )
            .len(),
            2
        );
    }

    #[test]
    fn the_departments_tool_knows_nothing_of_the_inside() {
        let good = ["crates/creditctl: credit-record proto tonic clap"];
        assert!(broken(the_tool_stands_alone, &good).is_empty());
        let bad = ["crates/creditctl: credit-record vault service-kit dev:sqlx"];
        assert_eq!(broken(the_tool_stands_alone, &bad).len(), 3);
    }

    #[test]
    fn the_web_has_no_tables_and_no_bus() {
        assert!(
            broken(
                the_web_holds_nothing,
                &["services/web: proto axum", "services/a: sqlx event-bus"]
            )
            .is_empty()
        );
        assert_eq!(
            broken(
                the_web_holds_nothing,
                &["services/web: sqlx event-bus dev:async-nats"]
            )
            .len(),
            3
        );
    }

    #[test]
    fn all_asks_every_rule() {
        let found = package_violations(&workspace(&[
            "services/a: b async-nats",
            "services/b:",
            "crates/vault: tokio",
            "services/web: sqlx",
        ]));
        let mut rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
        rules.sort_unstable();
        assert_eq!(rules, ["bus", "pure", "services", "web"]);
    }
}
