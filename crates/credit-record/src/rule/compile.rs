//! From the text of a rule to a program that is known to be typed, bounded and free of unguarded reads.
//! Called by [`super::CompiledItem::new`] and by the lint.
//!
//! CEL leaves types to run time. A catalogue cannot: a rule that fails on the one record in a thousand that has
//! an optional field would be found by a provider. So every expression is typed here against the fields of the
//! item, and the most steps that it can take are added up from the longest values that the item allows.

use std::collections::BTreeSet;
use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};
use cel::parser::Parser;

use super::evaluate::CALENDAR;
use super::{Rule, functions};
use crate::item::{FieldKind, ItemVersion, LintFault};
use crate::normalise::{Decimal, format_date, parse_date};

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
/// Characters that one step of a function over text gets through.
const CHARACTERS_PER_STEP: u64 = 32;

/// Kind of a value in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Date,
    Decimal,
    Int,
    Bool,
    Words,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Date => "date",
            Self::Decimal => "decimal",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Words => "list of texts",
        })
    }
}

/// A compiled rule. Positions are those of the item's fields.
pub(super) struct Compiled {
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
pub(super) fn all(item: &ItemVersion) -> Result<Vec<Compiled>, Vec<LintFault>> {
    let mut faults = Vec::new();
    if item.rules.len() > MAX_RULES {
        faults.push(LintFault::new("rules", "at most 200 rules an item"));
        return Err(faults);
    }
    let mut compiled = Vec::with_capacity(item.rules.len());
    for (at, rule) in item.rules.iter().enumerate() {
        let twice = item.rules[..at].iter().any(|other| other.id == rule.id);
        head(item, rule, twice, &mut faults);
        match one(item, rule) {
            Ok(program) => compiled.push(program),
            Err(fault) => faults.push(fault),
        }
    }
    let together: u64 = compiled.iter().map(|rule: &Compiled| rule.steps).sum();
    if together > MAX_ITEM_STEPS {
        let problem = "take too many steps together on a large record";
        faults.push(LintFault::new("rules", problem).with(together.to_string()));
    }
    if faults.is_empty() {
        Ok(compiled)
    } else {
        Err(faults)
    }
}

/// What is wrong with a rule beside its expressions.
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
}

fn one(item: &ItemVersion, rule: &Rule) -> Result<Compiled, LintFault> {
    let mut needs = Vec::with_capacity(rule.needs.len());
    for code in &rule.needs {
        match item.position(code) {
            Some(index) => needs.push(index),
            None => {
                let place = format!("rules.{}.needs", rule.id);
                return Err(LintFault::new(place, "names a missing field").with(code));
            }
        }
    }
    let mut compiler = Compiler {
        item,
        needs: &needs,
        mentions: needs.iter().copied().collect(),
        needs_kind: false,
        scope: Vec::new(),
    };
    let mut steps = 0;
    let mut expression = |property: &str, text: &str, compiler: &mut Compiler<'_>| {
        let fault = |problem: &'static str, detail: &str| {
            LintFault::new(format!("rules.{}.{property}", rule.id), problem).with(detail)
        };
        let mut parsed = parse(text).map_err(|(problem, detail)| fault(problem, &detail))?;
        let shape = compiler
            .shape(&mut parsed, 0)
            .map_err(|refusal| fault(refusal.problem, &refusal.detail))?;
        if shape.kind != Kind::Bool {
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
    Ok(Compiled {
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

/// What is known of the value of an expression.
#[derive(Debug, Clone, Copy)]
struct Shape {
    kind: Kind,
    /// Longest text in characters; of a list, most elements.
    most: u64,
    /// Longest element of a list in characters.
    each: u64,
    /// Most steps to compute it.
    steps: u64,
}

impl Shape {
    fn new(kind: Kind, most: u64, steps: u64) -> Self {
        Self {
            kind,
            most,
            each: 0,
            steps,
        }
    }

    fn bool(steps: u64) -> Self {
        Self::new(Kind::Bool, 1, steps)
    }

    /// Steps to read the value once.
    fn reading(self) -> u64 {
        let characters = match self.kind {
            Kind::Words => self.most.saturating_mul(self.each.max(1)),
            Kind::Text => self.most,
            _ => 1,
        };
        1 + characters / CHARACTERS_PER_STEP
            + if self.kind == Kind::Words {
                self.most
            } else {
                0
            }
    }
}

/// Why an expression is refused.
struct Refusal {
    problem: &'static str,
    detail: String,
}

fn refuse<T>(problem: &'static str, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        problem,
        detail: detail.into(),
    })
}

struct Compiler<'a> {
    item: &'a ItemVersion,
    needs: &'a [usize],
    mentions: BTreeSet<usize>,
    needs_kind: bool,
    /// Variables of the loops around, innermost last.
    scope: Vec<(String, Shape)>,
}

impl Compiler<'_> {
    fn shape(&mut self, expr: &mut IdedExpr, depth: usize) -> Result<Shape, Refusal> {
        if depth > MAX_NESTING {
            return refuse("is nested too deeply", "");
        }
        match &mut expr.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Ok(Shape::bool(1)),
                LiteralValue::Int(_) => Ok(Shape::new(Kind::Int, 1, 1)),
                LiteralValue::String(text) => Ok(Shape::new(
                    Kind::Text,
                    text.inner().chars().count() as u64,
                    1,
                )),
                _ => refuse("a literal is a text, an int, true or false", ""),
            },
            Expr::Ident(name) => self.variable(name),
            Expr::List(list) => {
                let mut shape = Shape::new(Kind::Words, list.elements.len() as u64, 1);
                for element in &mut list.elements {
                    let one = self.shape(element, depth + 1)?;
                    if one.kind != Kind::Text {
                        return refuse("a list holds texts", one.kind.to_string());
                    }
                    shape.each = shape.each.max(one.most);
                    shape.steps += one.steps + one.reading();
                }
                Ok(shape)
            }
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(repeated) => self.comprehension(repeated, depth),
            Expr::Select(_) => refuse("fields are named by their code alone", ""),
            _ => refuse("maps and messages are not used in rules", ""),
        }
    }

    fn variable(&mut self, name: &str) -> Result<Shape, Refusal> {
        if let Some((_, shape)) = self.scope.iter().rev().find(|(own, _)| own == name) {
            return Ok(Shape {
                steps: 1 + shape.reading(),
                ..*shape
            });
        }
        if let Some(index) = self.item.position(name) {
            if !self.needs.contains(&index) {
                return refuse(
                    "reads a field that may not be given: put it into needs, or use or()",
                    name,
                );
            }
            return Ok(self.field(index));
        }
        match name {
            "received_on" => Ok(Shape::new(Kind::Date, 10, 1)),
            "provider_code" => Ok(Shape::new(Kind::Text, 18, 1)),
            "subject_kind" => {
                self.needs_kind = true;
                Ok(Shape::new(Kind::Text, 20, 1))
            }
            _ => refuse("names neither a field of the item nor a variable", name),
        }
    }

    fn field(&mut self, index: usize) -> Shape {
        self.mentions.insert(index);
        let field = &self.item.fields[index];
        let kind = match field.kind {
            FieldKind::Date => Kind::Date,
            FieldKind::Decimal => Kind::Decimal,
            FieldKind::Text | FieldKind::Code => Kind::Text,
        };
        Shape::new(kind, u64::from(field.max_len), 2)
    }

    /// The field that an argument names.
    fn named(&self, argument: &IdedExpr) -> Result<usize, Refusal> {
        match &argument.expr {
            Expr::Ident(name) => match self.item.position(name) {
                Some(index) => Ok(index),
                None => refuse("names a missing field", name.as_str()),
            },
            _ => refuse("the first argument is the code of a field", ""),
        }
    }

    fn call(&mut self, call: &mut CallExpr, depth: usize) -> Result<Shape, Refusal> {
        if call.target.is_some() {
            return refuse(
                "functions are written f(x), not x.f()",
                call.func_name.as_str(),
            );
        }
        match (call.func_name.as_str(), call.args.len()) {
            ("given", 1) => {
                let index = self.named(&call.args[0])?;
                self.mentions.insert(index);
                Ok(Shape::bool(3))
            }
            ("or", 2) => {
                let index = self.named(&call.args[0])?;
                let value = self.field(index);
                let default = self.shape(&mut call.args[1], depth + 1)?;
                let default = as_date_if(value.kind, default, &call.args[1])?;
                if value.kind != default.kind {
                    return refuse(
                        "field and default are of different kinds",
                        call.func_name.as_str(),
                    );
                }
                let most = value.most.max(default.most);
                Ok(Shape {
                    most,
                    steps: value.steps + default.steps + 2,
                    ..value
                })
            }
            ("decimal", 1) => match &call.args[0].expr {
                Expr::Literal(LiteralValue::String(text))
                    if Decimal::parse(text.inner()).is_some() =>
                {
                    Ok(Shape::new(Kind::Decimal, 1, 2))
                }
                _ => refuse("decimal() takes a text such as '0.2'", ""),
            },
            _ => self.operator(call, depth),
        }
    }

    fn operator(&mut self, call: &mut CallExpr, depth: usize) -> Result<Shape, Refusal> {
        let name = call.func_name.clone();
        let signature = functions::signatures().iter().find(|s| s.name == name);
        let mut shapes = Vec::with_capacity(call.args.len());
        for argument in &mut call.args {
            shapes.push(self.shape(argument, depth + 1)?);
        }
        let steps = shapes.iter().map(|s| s.steps).sum::<u64>();
        let reading = shapes.iter().map(|s| s.reading()).sum::<u64>();
        if let Some(signature) = signature {
            return function(signature, call, &shapes, steps, reading);
        }
        let steps = steps + 1 + reading;
        let mixed = || {
            refuse(
                "the operator does not fit the kinds of its operands",
                name.as_str(),
            )
        };
        match (name.as_str(), &shapes[..]) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [a, b])
                if a.kind == Kind::Bool && b.kind == Kind::Bool =>
            {
                Ok(Shape::bool(steps))
            }
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [a])
                if a.kind == Kind::Bool =>
            {
                Ok(Shape::bool(steps))
            }
            (operators::CONDITIONAL, [test, a, b])
                if test.kind == Kind::Bool && a.kind == b.kind =>
            {
                let (most, each) = (a.most.max(b.most), a.each.max(b.each));
                Ok(Shape {
                    kind: a.kind,
                    most,
                    each,
                    steps,
                })
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) if a.kind != Kind::Words => {
                comparable(a, b, &call.args).map(|()| Shape::bool(steps))
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [a, b],
            ) if matches!(a.kind, Kind::Date | Kind::Decimal | Kind::Int)
                || b.kind == Kind::Date =>
            {
                comparable(a, b, &call.args).map(|()| Shape::bool(steps))
            }
            (operators::IN, [a, b]) if a.kind == Kind::Text && b.kind == Kind::Words => {
                Ok(Shape::bool(steps))
            }
            (operators::ADD, [a, b]) if a.kind == Kind::Words && b.kind == Kind::Words => {
                let (most, each) = (a.most.saturating_add(b.most), a.each.max(b.each));
                Ok(Shape {
                    kind: Kind::Words,
                    most,
                    each,
                    steps,
                })
            }
            (operators::ADD | operators::SUBSTRACT, [a, b])
                if a.kind == Kind::Int && b.kind == Kind::Int =>
            {
                Ok(Shape::new(Kind::Int, 1, steps))
            }
            (operators::NEGATE, [a]) if a.kind == Kind::Int => Ok(Shape::new(Kind::Int, 1, steps)),
            (known, _) if known.contains('_') && !known.chars().any(char::is_alphabetic) => mixed(),
            (operators::IN | operators::NOT_STRICTLY_FALSE, _) => mixed(),
            _ => refuse(
                "calls no function of rules, or with another number of arguments",
                name.as_str(),
            ),
        }
    }

    /// A loop that a macro (`all`, `exists`, `filter`, `map`) was expanded to.
    fn comprehension(
        &mut self,
        repeated: &mut ComprehensionExpr,
        depth: usize,
    ) -> Result<Shape, Refusal> {
        let range = self.shape(&mut repeated.iter_range, depth + 1)?;
        if range.kind != Kind::Words || repeated.iter_var2.is_some() {
            return refuse("a loop runs over a list of texts", range.kind.to_string());
        }
        let start = self.shape(&mut repeated.accu_init, depth + 1)?;
        // What is gathered grows by at most one element a round.
        let most = range.most.max(start.most);
        let gathered = Shape {
            most,
            each: range.each.max(start.each),
            ..start
        };
        let element = Shape::new(Kind::Text, range.each, 1);
        self.scope.push((repeated.iter_var.clone(), element));
        self.scope.push((repeated.accu_var.clone(), gathered));
        let inside = (|| {
            let until = self.shape(&mut repeated.loop_cond, depth + 1)?;
            let step = self.shape(&mut repeated.loop_step, depth + 1)?;
            let result = self.shape(&mut repeated.result, depth + 1)?;
            Ok((until, step, result))
        })();
        self.scope.truncate(self.scope.len() - 2);
        let (until, step, result) = inside?;
        if until.kind != Kind::Bool || step.kind != start.kind {
            return refuse("a loop gathers one kind of value", step.kind.to_string());
        }
        let round = until
            .steps
            .saturating_add(step.steps)
            .saturating_add(2 + element.reading());
        let steps = range.steps + start.steps + result.steps;
        let steps = steps.saturating_add(range.most.saturating_mul(round));
        let most = if result.kind == Kind::Words { most } else { 1 };
        Ok(Shape {
            kind: result.kind,
            most,
            each: result.each.max(step.each),
            steps,
        })
    }
}

/// A call of one of our functions.
fn function(
    signature: &functions::Signature,
    call: &mut CallExpr,
    shapes: &[Shape],
    steps: u64,
    reading: u64,
) -> Result<Shape, Refusal> {
    if shapes.len() != signature.arguments.len() {
        return refuse("another number of arguments is expected", signature.text());
    }
    for ((shape, wanted), argument) in shapes.iter().zip(signature.arguments).zip(&call.args) {
        if as_date_if(*wanted, *shape, argument)?.kind != *wanted {
            return refuse("an argument is of another kind", signature.text());
        }
    }
    if signature.name.starts_with("working_day") {
        // The interpreter hands functions nothing but arguments, so the calendar becomes one.
        call.args.push(IdedExpr {
            id: 0,
            expr: Expr::Ident(CALENDAR.to_owned()),
        });
    }
    let longest = shapes.first().map_or(1, |s| s.most);
    // `includes` compares each value with each word.
    let pairs = match shapes {
        [text, words] if words.kind == Kind::Words => text.most.saturating_mul(words.most),
        _ => 0,
    };
    let steps = (steps + 2 + 2 * reading).saturating_add(pairs / CHARACTERS_PER_STEP);
    Ok(match signature.result {
        // Every value but the last has a separator behind it.
        Kind::Words => Shape {
            kind: Kind::Words,
            most: longest / 2 + 1,
            each: longest,
            steps: steps + longest,
        },
        Kind::Date => Shape::new(Kind::Date, 10, steps),
        Kind::Text => Shape::new(Kind::Text, longest, steps),
        kind => Shape::new(kind, 1, steps),
    })
}

/// A text that is written as a day where a day is wanted counts as one; written in any other way it would
/// compare as text and silently be wrong.
fn as_date_if(wanted: Kind, shape: Shape, expr: &IdedExpr) -> Result<Shape, Refusal> {
    let (Kind::Date, Kind::Text) = (wanted, shape.kind) else {
        return Ok(shape);
    };
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => {
            let canonical = parse_date(text.inner()).map(format_date);
            if canonical.as_deref() != Some(text.inner()) {
                return refuse("a day is written 'YYYY-MM-DD'", text.inner());
            }
            Ok(Shape {
                kind: Kind::Date,
                ..shape
            })
        }
        _ => Ok(shape),
    }
}

fn comparable(a: &Shape, b: &Shape, arguments: &[IdedExpr]) -> Result<(), Refusal> {
    let [left, right] = arguments else {
        return refuse("two operands are expected", "");
    };
    let a = as_date_if(b.kind, *a, left)?;
    let b = as_date_if(a.kind, *b, right)?;
    if a.kind == b.kind {
        return Ok(());
    }
    refuse(
        "values of different kinds are compared",
        format!("{} and {}", a.kind, b.kind),
    )
}
