//! The types of an expression and the most steps that it can take, from the fields of the item. Called by
//! `compile` for each expression of a rule.

use std::collections::BTreeSet;
use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, operators};

use super::compile::MAX_NESTING;
use super::evaluate::CALENDAR;
use super::functions;
use crate::item::{FieldKind, ItemVersion};
use crate::normalise::{Decimal, format_day, parse_date};

/// Characters that one step of a function over text gets through.
const CHARACTERS_PER_STEP: u64 = 32;

/// Kind of a value in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpressionType {
    Text,
    Date,
    Decimal,
    Int,
    Bool,
    Words,
}

impl fmt::Display for ExpressionType {
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

/// What is known of the value of an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypedExpression {
    pub(super) kind: ExpressionType,
    /// Longest text in characters; of a list, most elements.
    most: u64,
    /// Longest element of a list in characters.
    each: u64,
    /// Most steps to compute it.
    pub(super) steps: u64,
}

impl TypedExpression {
    fn new(kind: ExpressionType, most: u64, steps: u64) -> Self {
        Self {
            kind,
            most,
            each: 0,
            steps,
        }
    }

    fn bool(steps: u64) -> Self {
        Self::new(ExpressionType::Bool, 1, steps)
    }

    /// Steps to read the value once.
    fn reading(self) -> u64 {
        let characters = match self.kind {
            ExpressionType::Words => self.most.saturating_mul(self.each.max(1)),
            ExpressionType::Text => self.most,
            _ => 1,
        };
        1 + characters / CHARACTERS_PER_STEP
            + if self.kind == ExpressionType::Words {
                self.most
            } else {
                0
            }
    }
}

/// Why an expression is refused.
pub(super) struct ExpressionFault {
    pub(super) problem: &'static str,
    pub(super) detail: String,
}

fn refuse<T>(problem: &'static str, detail: impl Into<String>) -> Result<T, ExpressionFault> {
    Err(ExpressionFault {
        problem,
        detail: detail.into(),
    })
}

/// Types the expressions of one rule; what they mention is collected.
pub(super) struct ExpressionTyper<'a> {
    pub(super) item: &'a ItemVersion,
    /// Positions of the fields that are given wherever the rule applies.
    pub(super) needs: &'a [usize],
    /// Positions of the fields that the expressions mention.
    pub(super) mentions: BTreeSet<usize>,
    /// Whether they use the kind of the subject.
    pub(super) needs_kind: bool,
    /// Variables of the loops around, innermost last.
    pub(super) scope: Vec<(String, TypedExpression)>,
}

impl ExpressionTyper<'_> {
    /// Types an expression and adds up its steps; the call of a function that needs the calendar gets it.
    ///
    /// # Errors
    /// What is refused, and in particular what.
    pub(super) fn shape(
        &mut self,
        expr: &mut IdedExpr,
        depth: usize,
    ) -> Result<TypedExpression, ExpressionFault> {
        if depth > MAX_NESTING {
            return refuse("is nested too deeply", "");
        }
        match &mut expr.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Ok(TypedExpression::bool(1)),
                LiteralValue::Int(_) => Ok(TypedExpression::new(ExpressionType::Int, 1, 1)),
                LiteralValue::String(text) => Ok(TypedExpression::new(
                    ExpressionType::Text,
                    text.inner().chars().count() as u64,
                    1,
                )),
                _ => refuse("a literal is a text, an int, true or false", ""),
            },
            Expr::Ident(name) => self.variable(name),
            Expr::List(list) => {
                let mut shape =
                    TypedExpression::new(ExpressionType::Words, list.elements.len() as u64, 1);
                for element in &mut list.elements {
                    let one = self.shape(element, depth + 1)?;
                    if one.kind != ExpressionType::Text {
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

    fn variable(&mut self, name: &str) -> Result<TypedExpression, ExpressionFault> {
        if let Some((_, shape)) = self.scope.iter().rev().find(|(own, _)| own == name) {
            return Ok(TypedExpression {
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
            "received_on" => Ok(TypedExpression::new(ExpressionType::Date, 10, 1)),
            "provider_code" => Ok(TypedExpression::new(ExpressionType::Text, 18, 1)),
            "subject_kind" => {
                self.needs_kind = true;
                Ok(TypedExpression::new(ExpressionType::Text, 20, 1))
            }
            _ => refuse("names neither a field of the item nor a variable", name),
        }
    }

    fn field(&mut self, index: usize) -> TypedExpression {
        self.mentions.insert(index);
        let field = &self.item.fields[index];
        let kind = match field.kind {
            FieldKind::Date => ExpressionType::Date,
            FieldKind::Decimal => ExpressionType::Decimal,
            FieldKind::Text | FieldKind::Code => ExpressionType::Text,
        };
        TypedExpression::new(kind, u64::from(field.max_len), 2)
    }

    /// The field that an argument names.
    fn named(&self, argument: &IdedExpr) -> Result<usize, ExpressionFault> {
        match &argument.expr {
            Expr::Ident(name) => match self.item.position(name) {
                Some(index) => Ok(index),
                None => refuse("names a missing field", name.as_str()),
            },
            _ => refuse("the first argument is the code of a field", ""),
        }
    }

    fn call(
        &mut self,
        call: &mut CallExpr,
        depth: usize,
    ) -> Result<TypedExpression, ExpressionFault> {
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
                Ok(TypedExpression::bool(3))
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
                Ok(TypedExpression {
                    most,
                    steps: value.steps + default.steps + 2,
                    ..value
                })
            }
            ("decimal", 1) => match &call.args[0].expr {
                Expr::Literal(LiteralValue::String(text))
                    if Decimal::parse(text.inner()).is_some() =>
                {
                    Ok(TypedExpression::new(ExpressionType::Decimal, 1, 2))
                }
                _ => refuse("decimal() takes a text such as '0.2'", ""),
            },
            _ => self.operator(call, depth),
        }
    }

    fn operator(
        &mut self,
        call: &mut CallExpr,
        depth: usize,
    ) -> Result<TypedExpression, ExpressionFault> {
        let name = call.func_name.clone();
        let signature = functions::function_signatures()
            .iter()
            .find(|s| s.name == name);
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
                if a.kind == ExpressionType::Bool && b.kind == ExpressionType::Bool =>
            {
                Ok(TypedExpression::bool(steps))
            }
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [a])
                if a.kind == ExpressionType::Bool =>
            {
                Ok(TypedExpression::bool(steps))
            }
            (operators::CONDITIONAL, [test, a, b])
                if test.kind == ExpressionType::Bool && a.kind == b.kind =>
            {
                let (most, each) = (a.most.max(b.most), a.each.max(b.each));
                Ok(TypedExpression {
                    kind: a.kind,
                    most,
                    each,
                    steps,
                })
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b])
                if a.kind != ExpressionType::Words =>
            {
                comparable(a, b, &call.args).map(|()| TypedExpression::bool(steps))
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [a, b],
            ) if matches!(
                a.kind,
                ExpressionType::Date | ExpressionType::Decimal | ExpressionType::Int
            ) || b.kind == ExpressionType::Date =>
            {
                comparable(a, b, &call.args).map(|()| TypedExpression::bool(steps))
            }
            (operators::IN, [a, b])
                if a.kind == ExpressionType::Text && b.kind == ExpressionType::Words =>
            {
                Ok(TypedExpression::bool(steps))
            }
            (operators::ADD, [a, b])
                if a.kind == ExpressionType::Words && b.kind == ExpressionType::Words =>
            {
                let (most, each) = (a.most.saturating_add(b.most), a.each.max(b.each));
                Ok(TypedExpression {
                    kind: ExpressionType::Words,
                    most,
                    each,
                    steps,
                })
            }
            (operators::ADD | operators::SUBSTRACT, [a, b])
                if a.kind == ExpressionType::Int && b.kind == ExpressionType::Int =>
            {
                Ok(TypedExpression::new(ExpressionType::Int, 1, steps))
            }
            (operators::NEGATE, [a]) if a.kind == ExpressionType::Int => {
                Ok(TypedExpression::new(ExpressionType::Int, 1, steps))
            }
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
    ) -> Result<TypedExpression, ExpressionFault> {
        let range = self.shape(&mut repeated.iter_range, depth + 1)?;
        if range.kind != ExpressionType::Words || repeated.iter_var2.is_some() {
            return refuse("a loop runs over a list of texts", range.kind.to_string());
        }
        let start = self.shape(&mut repeated.accu_init, depth + 1)?;
        // What is collected grows by at most one element a round.
        let most = range.most.max(start.most);
        let gathered = TypedExpression {
            most,
            each: range.each.max(start.each),
            ..start
        };
        let element = TypedExpression::new(ExpressionType::Text, range.each, 1);
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
        if until.kind != ExpressionType::Bool || step.kind != start.kind {
            return refuse("a loop gathers one kind of value", step.kind.to_string());
        }
        let round = until
            .steps
            .saturating_add(step.steps)
            .saturating_add(2 + element.reading());
        let steps = range.steps + start.steps + result.steps;
        let steps = steps.saturating_add(range.most.saturating_mul(round));
        let most = if result.kind == ExpressionType::Words {
            most
        } else {
            1
        };
        Ok(TypedExpression {
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
    shapes: &[TypedExpression],
    steps: u64,
    reading: u64,
) -> Result<TypedExpression, ExpressionFault> {
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
        [text, words] if words.kind == ExpressionType::Words => {
            text.most.saturating_mul(words.most)
        }
        _ => 0,
    };
    let steps = (steps + 2 + 2 * reading).saturating_add(pairs / CHARACTERS_PER_STEP);
    Ok(match signature.result {
        // Every value but the last has a separator behind it.
        ExpressionType::Words => TypedExpression {
            kind: ExpressionType::Words,
            most: longest / 2 + 1,
            each: longest,
            steps: steps + longest,
        },
        ExpressionType::Date => TypedExpression::new(ExpressionType::Date, 10, steps),
        ExpressionType::Text => TypedExpression::new(ExpressionType::Text, longest, steps),
        kind => TypedExpression::new(kind, 1, steps),
    })
}

/// A text that is written as a day where a day is wanted counts as one; written in any other way it would
/// compare as text and silently be wrong.
fn as_date_if(
    wanted: ExpressionType,
    shape: TypedExpression,
    expr: &IdedExpr,
) -> Result<TypedExpression, ExpressionFault> {
    let (ExpressionType::Date, ExpressionType::Text) = (wanted, shape.kind) else {
        return Ok(shape);
    };
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => {
            let canonical = parse_date(text.inner()).map(format_day);
            if canonical.as_deref() != Some(text.inner()) {
                return refuse("a day is written 'YYYY-MM-DD'", text.inner());
            }
            Ok(TypedExpression {
                kind: ExpressionType::Date,
                ..shape
            })
        }
        _ => Ok(shape),
    }
}

fn comparable(
    a: &TypedExpression,
    b: &TypedExpression,
    arguments: &[IdedExpr],
) -> Result<(), ExpressionFault> {
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
