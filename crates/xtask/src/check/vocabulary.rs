//! Names against `GLOSSARY.md`: a type name is defined once in the workspace, each type of the glossary exists, and no
//! function is called by a metaphor. Called by `check`.

use super::Violation;
use super::sources::SourceFile;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const GLOSSARY: &str = "GLOSSARY.md";

/// The line of the glossary that lists the names which several crates define begins with this.
const SHARED: &str = "Names that several crates define: ";

/// Most names that several crates may define.
const MOST_SHARED: usize = 10;

/// Words that as names of functions mean nothing, or something else than the field's term.
const METAPHORS: [&str; 10] = [
    "again",
    "beside",
    "of",
    "off_the_workers",
    "one",
    "ring",
    "stand",
    "take",
    "tell",
    "told",
];

/// The same as names of types.
const METAPHOR_TYPES: [&str; 10] = [
    "Bench", "Desk", "Held", "House", "Lab", "Place", "Shelf", "Standing", "Word", "World",
];

/// The names in the glossary.
#[derive(Debug, Default, PartialEq, Eq)]
struct Glossary {
    /// Names that several crates define, each for itself.
    shared: Vec<String>,
    /// Types of a term.
    types: Vec<String>,
}

/// All rules over the names.
///
/// # Errors
/// When the glossary cannot be read.
pub(crate) fn check_names(root: &Path, files: &[SourceFile]) -> Result<Vec<Violation>> {
    let text = std::fs::read_to_string(root.join(GLOSSARY)).context(GLOSSARY)?;
    let glossary = Glossary::parse(&text);
    let mut defined: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut violations = Vec::new();
    for file in files {
        for (index, line) in file.code().lines().enumerate() {
            let place = || format!("{}:{}", file.place(), index + 1);
            if let Some(name) = defined_type(line) {
                defined.entry(name).or_default().push(place());
                if METAPHOR_TYPES.contains(&name) {
                    violations.push(metaphor(
                        place(),
                        &format!("type {name}: use the field's term"),
                    ));
                }
            }
            if let Some(name) = defined_function(line)
                && METAPHORS.contains(&name)
            {
                violations.push(metaphor(place(), &format!("`fn {name}`: say what it does")));
            }
        }
    }
    violations.extend(names_are_unique(&glossary, &defined));
    violations.extend(glossary_is_true(&glossary, &defined));
    Ok(violations)
}

fn metaphor(place: String, why: &str) -> Violation {
    Violation {
        rule: "names",
        place,
        why: why.to_owned(),
    }
}

fn names_are_unique(glossary: &Glossary, defined: &BTreeMap<&str, Vec<String>>) -> Vec<Violation> {
    let twice = defined
        .iter()
        .filter(|(name, places)| {
            places.len() > 1 && !glossary.shared.iter().any(|shared| shared == *name)
        })
        .map(|(name, places)| Violation {
            rule: "names",
            place: places[0].clone(),
            why: format!("{name} is defined again in {}", places[1..].join(", ")),
        });
    twice.collect()
}

fn glossary_is_true(glossary: &Glossary, defined: &BTreeMap<&str, Vec<String>>) -> Vec<Violation> {
    let violation = |why| Violation {
        rule: "names",
        place: GLOSSARY.to_owned(),
        why,
    };
    let mut violations = Vec::new();
    if glossary.shared.len() > MOST_SHARED {
        let why = format!(
            "lists {} names, at most {MOST_SHARED}",
            glossary.shared.len()
        );
        violations.push(violation(why));
    }
    let unknown: BTreeSet<&String> = glossary
        .types
        .iter()
        .filter(|name| !defined.contains_key(name.as_str()))
        .collect();
    violations.extend(
        unknown
            .into_iter()
            .map(|name| violation(format!("{name} is no type of the workspace"))),
    );
    let once = |name: &&String| {
        defined
            .get(name.as_str())
            .is_none_or(|places| places.len() < 2)
    };
    violations.extend(
        glossary
            .shared
            .iter()
            .filter(once)
            .map(|name| violation(format!("{name} is not defined by several crates"))),
    );
    violations
}

impl Glossary {
    /// The last column of each table row holds the types, in back quotes; what begins with a small letter is no type.
    fn parse(text: &str) -> Self {
        let mut glossary = Self::default();
        for line in text.lines() {
            if let Some(list) = line.strip_prefix(SHARED) {
                glossary.shared = quoted(list);
            } else if line.starts_with('|') {
                let last = line.trim_end_matches('|').rsplit('|').next();
                glossary.types.extend(quoted(last.unwrap_or_default()));
            }
        }
        glossary
    }
}

/// The types that a text names in back quotes: `A` and `path::A`, but not `A::variant` and not `a`.
fn quoted(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts
        .filter_map(|part| part.rsplit("::").next())
        .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(str::to_owned)
        .collect()
}

/// The type that a line defines. An indented `type` belongs to an implementation of a trait or to a function.
fn defined_type(line: &str) -> Option<&str> {
    let indented = line.starts_with(' ');
    let rest = without_visibility(line.trim_start());
    let rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    let (keyword, rest) = rest.split_once(' ')?;
    let defines = match keyword {
        "struct" | "enum" | "trait" | "union" => true,
        "type" => !indented,
        _ => false,
    };
    let name = identifier(rest);
    (defines && name.starts_with(|first: char| first.is_ascii_uppercase())).then_some(name)
}

/// The function that a line defines.
fn defined_function(line: &str) -> Option<&str> {
    let rest = without_visibility(line.trim_start());
    let rest = rest.strip_prefix("const ").unwrap_or(rest);
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    rest.strip_prefix("fn ").map(identifier)
}

fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else {
        return line;
    };
    let rest = match rest.strip_prefix('(') {
        Some(inside) => inside.split_once(')').map_or(rest, |(_, behind)| behind),
        None => rest,
    };
    rest.strip_prefix(' ').unwrap_or(line)
}

fn identifier(text: &str) -> &str {
    let end = text.find(|symbol: char| !(symbol.is_alphanumeric() || symbol == '_'));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_in_every_form() {
        let table = [
            ("pub(crate) struct Fee<T> {", Some("Fee")),
            ("    enum Local {", Some("Local")),
            ("pub trait Fee: Send {", Some("Fee")),
            ("type Alias = u32;", Some("Alias")),
            ("    type Error = Status;", None),
            ("pub fn structure() {", None),
            ("let x = Fee { a };", None),
        ];
        for (line, name) in table {
            assert_eq!(defined_type(line), name, "{line}");
        }
        let table = [
            ("    pub(super) async fn tell(self) {", Some("tell")),
            ("pub const fn of(x: u8) -> Self {", Some("of")),
            ("call(fn_one);", None),
        ];
        for (line, name) in table {
            assert_eq!(defined_function(line), name, "{line}");
        }
    }

    #[test]
    fn the_glossary_names_types_in_its_last_column_and_shared_names_in_one_line() {
        let text = "| term | 词 | `fees::Fee`, `amount` |\nNames that several crates define: `Config`, `Error`.\n";
        let glossary = Glossary::parse(text);
        assert_eq!(glossary.types, ["Fee"]);
        assert_eq!(glossary.shared, ["Config", "Error"]);
        let mut defined = BTreeMap::new();
        defined.insert("Fee", vec!["a:1".to_owned(), "b:2".to_owned()]);
        defined.insert("Config", vec!["a:3".to_owned(), "b:4".to_owned()]);
        let twice = names_are_unique(&glossary, &defined);
        assert_eq!(twice.len(), 1);
        assert_eq!(
            twice[0].to_string(),
            "names: a:1: Fee is defined again in b:2"
        );
        let untrue = glossary_is_true(&glossary, &defined);
        assert_eq!(untrue.len(), 1, "{untrue:?}");
        assert_eq!(untrue[0].why, "Error is not defined by several crates");
        defined.remove("Fee");
        assert!(
            glossary_is_true(&glossary, &defined)[0]
                .why
                .contains("Fee is no type")
        );
    }
}
