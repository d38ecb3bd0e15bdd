//! Runs the compiled rules of an item over one record. Called by [`crate::check_record`].

use std::borrow::Cow;
use std::collections::HashMap;

use cel::common::types::{CelBool, CelNull, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, IdedExpr, Value};

use super::CompiledItem;
use super::functions::{CalendarValue, DecimalValue};
use crate::check::{Finding, Findings, RecordValues};
use crate::item::{FieldKind, ItemVersion};
use crate::normalise::{Decimal, format_day};

/// Variable that holds the calendar; no field code can be written like this.
pub(super) const CALENDAR: &str = "@calendar";

/// Positions of the fields by code: a rule names its fields for every record.
pub(super) struct FieldPositions(HashMap<String, usize>);

impl FieldPositions {
    pub(super) fn for_item(item: &ItemVersion) -> Self {
        let codes = item.fields.iter().enumerate();
        Self(codes.map(|(i, f)| (f.code.clone(), i)).collect())
    }
}

/// A record as the variables of the expressions.
struct RuleVariables<'s> {
    record_values: &'s RecordValues<'s>,
    names: &'s FieldPositions,
    received_on: String,
}

impl VariableResolver for RuleVariables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let text = |text: &'b str| CowVal::owned(CelString::from(text));
        if let Some(index) = self.names.0.get(variable) {
            let Some(value) = self.record_values.value_at(*index) else {
                return Some(CowVal::owned(CelNull));
            };
            if self.record_values.item().fields[*index].kind != FieldKind::Decimal {
                return Some(text(value));
            }
            // The field checks let only decimals pass.
            return Some(match Decimal::parse(value) {
                Some(value) => CowVal::owned(DecimalValue(value)),
                None => CowVal::owned(CelNull),
            });
        }
        match variable {
            "received_on" => Some(text(&self.received_on)),
            "provider_code" => Some(text(self.record_values.ctx().provider_code)),
            "subject_kind" => Some(text(
                self.record_values.kind().map_or("", |kind| kind.as_str()),
            )),
            CALENDAR => {
                let calendar = self.record_values.ctx().working_days.clone();
                Some(CowVal::owned(CalendarValue(calendar)))
            }
            _ => None,
        }
    }
}

/// Runs every rule whose fields are given and not at fault.
pub(crate) fn run_rules(
    compiled: &CompiledItem,
    record_values: &RecordValues<'_>,
    findings: &mut Findings,
) {
    if compiled.rules.is_empty() {
        return;
    }
    let values = RuleVariables {
        record_values,
        names: &compiled.names,
        received_on: format_day(record_values.ctx().received_on),
    };
    let mut context = Context::with_env(compiled.engine.clone());
    context.set_variable_resolver(&values);
    for (rule, program) in compiled.item.rules.iter().zip(&compiled.rules) {
        let ready = program
            .needs
            .iter()
            .all(|i| record_values.value_at(*i).is_some())
            && program
                .mentions
                .iter()
                .all(|i| !record_values.faulty_at(*i))
            && (!program.needs_kind || record_values.kind().is_some());
        if !ready {
            continue;
        }
        let applies = match &program.when {
            Some(when) => holds(when, &context),
            None => Some(true),
        };
        let outcome = match applies {
            Some(true) => holds(&program.check, &context),
            Some(false) => Some(true),
            None => None,
        };
        if outcome != Some(true) {
            findings.push(match outcome {
                Some(_) => Finding {
                    code: rule.code,
                    severity: rule.severity,
                    confirmable: rule.confirmable,
                    field: Some(rule.field.clone()),
                    rule: Cow::Owned(rule.id.clone()),
                    rule_version: rule.version,
                    message: rule.message.clone(),
                    suggestion: None,
                }
                .attested_by(record_values.ctx().attestations),
                // Ruled out by the compiler as far as it can be known; a record is not accepted unseen.
                None => Finding::rule_failed(&rule.id, rule.version, &rule.field),
            });
        }
    }
}

/// Whether an expression is true; `None` when it cannot be computed.
fn holds(expression: &IdedExpr, context: &Context<'_, '_>) -> Option<bool> {
    let value = Value::resolve_val(expression, context).ok()?;
    value.downcast_ref::<CelBool>().map(|value| *value.inner())
}
