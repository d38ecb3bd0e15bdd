//! From the text of a rule to a program that is known to be typed, bounded and free of unguarded reads.
//! Called by [`super::CompiledItem::new`] and by the lint.
//!
//! CEL leaves types to run time. A catalogue cannot: a rule that fails on the one record in a thousand that has
//! an optional field would be found by a provider. So every expression is typed here against the fields of the
//! item, and the most steps that it can take are added up from the longest values that the item allows.

use cel::IdedExpr;
use cel::parser::Parser;

use super::Rule;
use super::typing::{ExpressionType, ExpressionTyper};
use crate::check::Severity;
use crate::item::{ItemVersion, LintFault};

/// Most bytes of the text of one expression.
pub const MAX_SOURCE: usize = 2_000;
/// Deepest nesting of an expression.
pub const MAX_NESTING: usize = 24;
/// Most steps that one rule may take on the largest record that its item allows. A step is some ten
/// nanoseconds, so a rule cannot hold a record up for more than about a millisecond.
pub const MAX_STEPS: u64 = 100_000;
/// Most steps that all rules of an item may take together on the largest record: a few milliseconds.
pub const MAX_ITEM_STEPS: u64 = 300_000;
/// Most rules of an item.
pub const MAX_RULES: usize = 200;

/// A compiled rule. Positions are those of the item's fields.
pub(super) struct CompiledRule {
    pub(super) needs: Vec<usize>,
    pub(super) mentions: Vec<usize>,
    pub(super) needs_kind: bool,
    pub(super) when: Option<IdedExpr>,
    pub(super) check: IdedExpr,
    pub(super) steps: u64,
}

/// Compiles every rule of an item.
///
/// # Errors
/// Every fault, with its path.
pub(super) fn compile_rules(item: &ItemVersion) -> Result<Vec<CompiledRule>, Vec<LintFault>> {
    let mut faults = Vec::new();
    if item.rules.len() > MAX_RULES {
        faults.push(LintFault::new("rules", "at most 200 rules an item"));
        return Err(faults);
    }
    let mut compiled = Vec::with_capacity(item.rules.len());
    for (at, rule) in item.rules.iter().enumerate() {
        let twice = item.rules[..at].iter().any(|other| other.id == rule.id);
        head(item, rule, twice, &mut faults);
        match compile_rule(item, rule) {
            Ok(program) => compiled.push(program),
            Err(fault) => faults.push(fault),
        }
    }
    let together: u64 = compiled.iter().map(|rule: &CompiledRule| rule.steps).sum();
    if together > MAX_ITEM_STEPS {
        let problem = "take too many steps together on a large record";
        faults.push(LintFault::new("rules", problem).with_detail(together.to_string()));
    }
    if faults.is_empty() {
        Ok(compiled)
    } else {
        Err(faults)
    }
}

/// What is wrong with a rule besides its expressions.
fn head(item: &ItemVersion, rule: &Rule, twice: bool, faults: &mut Vec<LintFault>) {
    let mut check = |good: bool, property: &str, problem: &'static str| {
        if !good {
            faults.push(LintFault::new(
                format!("rules.{}.{property}", rule.id),
                problem,
            ));
        }
    };
    let id_fits = !rule.id.is_empty()
        && rule.id.len() <= 64
        && rule
            .id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    check(
        id_fits,
        "id",
        "lower-case letters, digits and hyphens, at most 64",
    );
    check(!twice, "id", "is used twice");
    check(rule.version > 0, "version", "is counted from 1");
    check(
        item.field(&rule.field).is_some(),
        "field",
        "names a missing field",
    );
    for (property, text) in [
        ("title", &rule.title),
        ("message", &rule.message),
        ("basis", &rule.basis),
    ] {
        check(!text.trim().is_empty(), property, "is blank");
    }
    check(
        rule.message.chars().count() <= 500,
        "message",
        "at most 500 characters",
    );
    check(
        !rule.confirmable || rule.severity == Severity::Error,
        "confirmable",
        "a warning needs nobody's word",
    );
    check(
        !rule.confirmable || !rule.code.is_never_confirmable(),
        "confirmable",
        "nobody can answer for what this code says",
    );
}

fn compile_rule(item: &ItemVersion, rule: &Rule) -> Result<CompiledRule, LintFault> {
    let mut needs = Vec::with_capacity(rule.needs.len());
    for code in &rule.needs {
        match item.position(code) {
            Some(index) => needs.push(index),
            None => {
                let place = format!("rules.{}.needs", rule.id);
                return Err(LintFault::new(place, "names a missing field").with_detail(code));
            }
        }
    }
    let mut compiler = ExpressionTyper {
        item,
        needs: &needs,
        mentions: needs.iter().copied().collect(),
        needs_kind: false,
        scope: Vec::new(),
    };
    let mut steps = 0;
    let mut expression = |property: &str, text: &str, compiler: &mut ExpressionTyper<'_>| {
        let fault = |problem: &'static str, detail: &str| {
            LintFault::new(format!("rules.{}.{property}", rule.id), problem).with_detail(detail)
        };
        let mut parsed = parse(text).map_err(|(problem, detail)| fault(problem, &detail))?;
        let shape = compiler
            .shape(&mut parsed, 0)
            .map_err(|refusal| fault(refusal.problem, &refusal.detail))?;
        if shape.kind != ExpressionType::Bool {
            return Err(fault("a rule says true or false", &shape.kind.to_string()));
        }
        steps += shape.steps;
        if steps > MAX_STEPS {
            return Err(fault(
                "takes too many steps on a large record",
                &steps.to_string(),
            ));
        }
        Ok(parsed)
    };
    let when = if rule.when.is_empty() {
        None
    } else {
        Some(expression("when", &rule.when, &mut compiler)?)
    };
    let check = expression("check", &rule.check, &mut compiler)?;
    Ok(CompiledRule {
        mentions: compiler.mentions.iter().copied().collect(),
        needs_kind: compiler.needs_kind,
        needs,
        when,
        check,
        steps,
    })
}

/// Parses an expression within the bounds on its text, so that hostile text cannot exhaust the parser.
fn parse(text: &str) -> Result<IdedExpr, (&'static str, String)> {
    if text.trim().is_empty() {
        return Err(("is blank", String::new()));
    }
    if text.len() > MAX_SOURCE {
        return Err(("at most 2000 bytes", text.len().to_string()));
    }
    if prefix_run(text) > MAX_NESTING || brackets(text) > MAX_NESTING {
        return Err(("is nested too deeply", String::new()));
    }
    Parser::new()
        .max_recursion_depth(u16::try_from(MAX_NESTING).unwrap_or(u16::MAX))
        .parse(text)
        .map_err(|errors| {
            let first = errors.errors.first();
            let said = first.map_or_else(String::new, |error| {
                let message: String = error.msg.chars().take(200).collect();
                format!("{}:{}: {message}", error.pos.0, error.pos.1)
            });
            ("is not a CEL expression", said)
        })
}

/// Deepest nesting of brackets, counting those inside of texts too, which only makes it stricter.
fn brackets(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Longest run of prefix operators and of operators that nest to the right.
fn prefix_run(text: &str) -> usize {
    let (mut run, mut longest) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'!' | b'-' => run += 1,
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => run = 0,
        }
        longest = longest.max(run);
    }
    longest.max(text.bytes().filter(|b| *b == b'?').count())
}
