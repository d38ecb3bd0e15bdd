//! The functions that a rule may call, besides the operators of CEL. Called by `compile` for their types and by
//! the CEL interpreter while a rule runs. Arguments have been type-checked, so a mismatch here is a defect of
//! this module and is reported as an error, never as a verdict.

use std::sync::Arc;

use cel::common::traits::Comparer;
use cel::common::types::{self, CelBool, CelInt, CelList, CelNull, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{Env, ExecutionError};
use time::{Date, Duration};

use super::typing::ExpressionType;
use crate::id::{CitizenNumber, CreditCode};
use crate::normalise::{Decimal, FIRST_DAY, LAST_DAY, format_day, parse_date};
use legal_clock::WorkingDays;

type FunctionArguments<'b, 'v> = Vec<CowVal<'b, 'v>>;
type FunctionResult<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// A function as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    /// Name.
    pub name: &'static str,
    /// Kinds of the arguments.
    pub(super) arguments: &'static [ExpressionType],
    /// Kind of the result.
    pub(super) result: ExpressionType,
    /// Its description, in English, for the documentation.
    pub help: &'static str,
    pub(super) run: cel::common::functions::Function,
}

impl Signature {
    /// The signature as text, such as `pair(text) text`.
    pub fn text(&self) -> String {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        format!("{}({}) {}", self.name, arguments.join(", "), self.result)
    }
}

/// Every function besides `given`, `or` and `decimal`, which the compiler treats by itself.
pub fn function_signatures() -> &'static [Signature] {
    &SIGNATURES
}

macro_rules! signature {
    ($name:literal, [$($argument:ident),*] -> $result:ident, $run:expr, $help:literal) => {
        Signature {
            name: $name,
            arguments: &[$(ExpressionType::$argument),*],
            result: ExpressionType::$result,
            help: $help,
            run: $run,
        }
    };
}

static SIGNATURES: [Signature; 17] = [
    signature!("includes", [Text, Words] -> Bool, includes,
        "one of the values joined by ; begins with one of the words"),
    signature!("values", [Text] -> Words, values, "the values joined by ;"),
    signature!("starts_with", [Text, Text] -> Bool, starts_with, "the first text begins with the second"),
    signature!("contains", [Text, Text] -> Bool, contains, "the first text has the second inside"),
    signature!("size", [Text] -> Int, size, "number of characters"),
    signature!("is_zero", [Decimal] -> Bool, is_zero, "the number is nought"),
    signature!("years_after", [Date, Int] -> Date, years_after,
        "the same calendar day years later, 28 February where there is no 29th (D-7)"),
    signature!("days_after", [Date, Int] -> Date, days_after, "the day that many calendar days later"),
    signature!("days_between", [Date, Date] -> Int, days_between, "calendar days from the first to the second"),
    signature!("working_days_between", [Date, Date] -> Int, working_days_between,
        "working days after the first day up to the second; -1 where no calendar is published"),
    signature!("working_day_after", [Date, Int] -> Date, working_day_after,
        "the n-th working day after a day; 2999-12-31 where no calendar is published"),
    signature!("pair", [Text] -> Text, pair, "department and category, the first two characters of a credit code"),
    signature!("department", [Text] -> Text, department, "the first character of a credit code"),
    signature!("is_credit_code", [Text] -> Bool, is_credit_code, "GB 32100 holds"),
    signature!("is_citizen_number", [Text, Date] -> Bool, is_citizen_number,
        "GB 11643 holds, and the birth is not after the day"),
    signature!("mentions_yuan", [Text, Decimal] -> Bool, mentions_yuan,
        "a sum of money in the text is this many 万元"),
    signature!("mentions_as_yuan", [Text, Decimal] -> Bool, mentions_as_yuan,
        "a sum of money in the text is this many 元"),
];

/// An engine with these functions and no others: what is not here cannot be called.
pub(super) fn rule_engine() -> Result<Env, &'static str> {
    let mut engine = Env::default().with_optional_support(false);
    let special: [(&str, usize, cel::common::functions::Function); 3] =
        [("given", 1, given), ("or", 2, or), ("decimal", 1, decimal)];
    let all = SIGNATURES
        .iter()
        .map(|s| (s.name, s.arguments.len(), s.run))
        .chain(special);
    for (name, arguments, run) in all {
        // The calendar is handed in behind the arguments, see `compile`.
        let calendar = usize::from(name.starts_with("working_day"));
        let types = (0..arguments + calendar).map(|_| types::DYN_TYPE).collect();
        engine
            .add_overload(name, name, types, run)
            .map_err(|_| "the functions of rules cannot be declared")?;
    }
    Ok(engine)
}

/// A number of millionths as a CEL value.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecimalValue(pub(super) Decimal);

static DECIMAL: Type = Type::new_unspecified_type("decimal");

impl Val for DecimalValue {
    fn get_type(&self) -> &Type {
        &DECIMAL
    }

    fn cel_type() -> &'static Type {
        &DECIMAL
    }

    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|o| o.0 == self.0)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for DecimalValue {}

impl Comparer for DecimalValue {
    fn compare(&self, other: &dyn Val) -> Result<std::cmp::Ordering, ExecutionError> {
        other
            .downcast_ref::<Self>()
            .map(|o| self.0.cmp(&o.0))
            .ok_or_else(|| defect("a decimal compares with a decimal"))
    }
}

/// The calendar as a CEL value.
#[derive(Clone)]
pub(super) struct CalendarValue(pub(super) Arc<dyn WorkingDays>);

static CALENDAR: Type = Type::new_unspecified_type("calendar");

impl std::fmt::Debug for CalendarValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CalendarVal")
    }
}

impl Val for CalendarValue {
    fn get_type(&self) -> &Type {
        &CALENDAR
    }

    fn cel_type() -> &'static Type {
        &CALENDAR
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl StaticVal for CalendarValue {}

/// The error of a call that the type check should have refused. It repeats no value.
fn defect(what: &'static str) -> ExecutionError {
    ExecutionError::InternalError(what.to_owned())
}

fn text<'a>(args: &'a FunctionArguments<'_, '_>, at: usize) -> Result<&'a str, ExecutionError> {
    args.get(at)
        .and_then(|v| v.downcast_ref::<CelString<'_>>())
        .map(CelString::inner)
        .ok_or_else(|| defect("a text was expected"))
}

fn int(args: &FunctionArguments<'_, '_>, at: usize) -> Result<i64, ExecutionError> {
    args.get(at)
        .and_then(|v| v.downcast_ref::<CelInt>())
        .map(|v| *v.inner())
        .ok_or_else(|| defect("an int was expected"))
}

fn number(args: &FunctionArguments<'_, '_>, at: usize) -> Result<Decimal, ExecutionError> {
    args.get(at)
        .and_then(|v| v.downcast_ref::<DecimalValue>())
        .map(|v| v.0)
        .ok_or_else(|| defect("a decimal was expected"))
}

fn date(args: &FunctionArguments<'_, '_>, at: usize) -> Result<Date, ExecutionError> {
    parse_date(text(args, at)?).ok_or_else(|| defect("a date was expected"))
}

fn calendar<'a>(
    args: &'a FunctionArguments<'_, '_>,
    at: usize,
) -> Result<&'a dyn WorkingDays, ExecutionError> {
    args.get(at)
        .and_then(|v| v.downcast_ref::<CalendarValue>())
        .map(|v| &*v.0)
        .ok_or_else(|| defect("a calendar was expected"))
}

fn yes<'b, 'v>(holds: bool) -> FunctionResult<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(holds)))
}

fn whole<'b, 'v>(value: i64) -> FunctionResult<'b, 'v> {
    Ok(CowVal::owned(CelInt::from(value)))
}

/// A day as text. What lies outside of the years that a date may have stops at their ends, so that every
/// function can read another's error.
fn day<'b, 'v>(value: Date) -> FunctionResult<'b, 'v> {
    let value = value.clamp(FIRST_DAY, LAST_DAY);
    Ok(CowVal::owned(CelString::from(format_day(value))))
}

fn given<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let value = args.first().ok_or_else(|| defect("a field was expected"))?;
    yes(value.downcast_ref::<CelNull>().is_none())
}

fn or<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let mut args = args.into_iter();
    let (Some(value), Some(default)) = (args.next(), args.next()) else {
        return Err(defect("a field and a default were expected"));
    };
    let absent = value.downcast_ref::<CelNull>().is_some();
    Ok(if absent { default } else { value })
}

fn decimal<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let value = Decimal::parse(text(&args, 0)?).ok_or_else(|| defect("a decimal was expected"))?;
    Ok(CowVal::owned(DecimalValue(value)))
}

fn includes<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let words = args
        .get(1)
        .and_then(|v| v.downcast_ref::<CelList<'_>>())
        .ok_or_else(|| defect("a list was expected"))?;
    let begins = |value: &str| {
        words.inner().iter().any(|word| {
            word.downcast_ref::<CelString<'_>>()
                .is_some_and(|word| value.starts_with(word.inner()))
        })
    };
    yes(text(&args, 0)?.split(';').any(begins))
}

fn values<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let list: Vec<Box<dyn Val + 'v>> = text(&args, 0)?
        .split(';')
        .map(|value| Box::new(CelString::from(value.to_owned())) as Box<dyn Val + 'v>)
        .collect();
    Ok(CowVal::owned(CelList::from(list)))
}

fn starts_with<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    yes(text(&args, 0)?.starts_with(text(&args, 1)?))
}

fn contains<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    yes(text(&args, 0)?.contains(text(&args, 1)?))
}

fn size<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    whole(i64::try_from(text(&args, 0)?.chars().count()).unwrap_or(i64::MAX))
}

fn is_zero<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    yes(number(&args, 0)?.is_zero())
}

fn years_after<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    day(years_later(date(&args, 0)?, int(&args, 1)?))
}

/// The same calendar day years later; 28 February where there is no 29th (D-7). Ends at the ends of time.
pub(crate) fn years_later(day: Date, years: i64) -> Date {
    let end = if years < 0 { FIRST_DAY } else { LAST_DAY };
    let year = i32::try_from(years)
        .ok()
        .and_then(|years| day.year().checked_add(years))
        .filter(|year| (FIRST_DAY.year()..=LAST_DAY.year()).contains(year));
    let Some(year) = year else { return end };
    day.replace_year(year)
        .or_else(|_| day.previous_day().unwrap_or(day).replace_year(year))
        .unwrap_or(end)
}

fn days_after<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let days = int(&args, 1)?.clamp(-1_000_000, 1_000_000);
    let end = if days < 0 { FIRST_DAY } else { LAST_DAY };
    let later = date(&args, 0)?.checked_add(Duration::days(days));
    day(later.unwrap_or(end))
}

fn days_between<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    whole((date(&args, 1)? - date(&args, 0)?).whole_days())
}

fn working_days_between<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let count = calendar(&args, 2)?.between(date(&args, 0)?, date(&args, 1)?);
    whole(count.map_or(-1, i64::from))
}

fn working_day_after<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let n = u32::try_from(int(&args, 1)?.clamp(0, 10_000)).unwrap_or(0);
    let found = calendar(&args, 2)?.after(date(&args, 0)?, n);
    day(found.unwrap_or(LAST_DAY))
}

fn pair<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    first(&args, 2)
}

fn department<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    first(&args, 1)
}

fn first<'b, 'v>(args: &FunctionArguments<'_, '_>, characters: usize) -> FunctionResult<'b, 'v> {
    let start: String = text(args, 0)?.chars().take(characters).collect();
    Ok(CowVal::owned(CelString::from(start)))
}

fn is_credit_code<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    yes(CreditCode::parse(text(&args, 0)?).is_ok())
}

fn is_citizen_number<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    yes(CitizenNumber::parse(text(&args, 0)?, date(&args, 1)?).is_ok())
}

fn mentions_yuan<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let meant = number(&args, 1)?.times_ten_thousand();
    yes(meant.is_some_and(|meant| text(&args, 0).is_ok_and(|t| sums_in(t).any(|s| s == meant))))
}

fn mentions_as_yuan<'b, 'v>(args: FunctionArguments<'b, 'v>) -> FunctionResult<'b, 'v> {
    let meant = number(&args, 1)?;
    yes(sums_in(text(&args, 0)?).any(|sum| sum == meant))
}

/// Sums of money in a text, in yuan: digits before 元 or 万元.
fn sums_in(text: &str) -> impl Iterator<Item = Decimal> {
    text.split_inclusive('元').filter_map(|part| {
        let part = part.strip_suffix('元')?.trim_end();
        let (part, large) = match part.strip_suffix('万') {
            Some(part) => (part.trim_end(), true),
            None => (part, false),
        };
        let start = part
            .char_indices()
            .rev()
            .take_while(|(_, c)| c.is_ascii_digit() || matches!(c, '.' | ',' | '，'))
            .last()?
            .0;
        let digits: String = part[start..]
            .chars()
            .filter(|c| !matches!(c, ',' | '，'))
            .collect();
        let sum = Decimal::parse(&digits)?;
        if large {
            sum.times_ten_thousand()
        } else {
            Some(sum)
        }
    })
}
