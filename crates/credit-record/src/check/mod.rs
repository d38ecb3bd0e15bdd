//! The verdict on one record: bytes in, accepted values or findings out. Called by `validation` for each
//! record and by `testkit` to know what its own records must get.
//!
//! Order: form of the bytes, then normalisation field by field, then each field by itself, then the rules
//! of the item over several fields. A field that is already at fault takes no part in the later steps, so
//! that one mistake gets one finding. Nothing here reads a clock, and no message repeats a personal value.

mod decode;
mod fields;
mod finding;
mod form;
mod identifiers;
mod record_values;
mod returned;
mod row;
mod term;
mod text;

pub use decode::{MAX_BYTES, MAX_FIELDS};
pub(crate) use finding::Findings;
pub use finding::{Finding, FindingCode, Severity, UnknownFindingCode};
pub use form::ContentForm;
pub use record_values::{FieldColumn, RecordValues, find_column};
pub use returned::ReturnedContent;
pub use text::{PersonalNumber, personal_numbers};

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use time::Date;

use crate::id::CreditCode;
use crate::item::{SUBJECT_KEY, SubjectKind};
use crate::normalise::{CleansingChange, parse_date};
use crate::person::PersonDocument;
use crate::rule::{self, CompiledItem};
use legal_clock::WorkingDays;

/// What a check needs besides the record.
#[derive(Clone, Copy)]
pub struct CheckContext<'a> {
    /// Day on which the record was received, Asia/Shanghai.
    pub received_on: Date,
    /// Credit code of the provider that sent it, taken from its identity, not from the record.
    pub provider_code: &'a str,
    /// The calendar of working days.
    pub working_days: &'a Arc<dyn WorkingDays>,
    /// Attestations for legacy codes of this record, or for a rule that it breaks; usually none.
    pub attestations: &'a [Attestation<'a>],
}

impl fmt::Debug for CheckContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckContext")
            .field("received_on", &self.received_on)
            .field("provider_code", &self.provider_code)
            .field("attestations", &self.attestations.len())
            .finish_non_exhaustive()
    }
}

/// Somebody answers for a value that is right although it breaks a rule: a legacy code that fails its check (real
/// organisations bear such codes), or a rule of the item that is confirmable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attestation<'a> {
    /// Code of the field.
    pub field: &'a str,
    /// Name of the official who checked the certificate. A blank name attests nothing.
    pub attester: &'a str,
}

impl Attestation<'_> {
    /// Whether anybody is named.
    pub(crate) fn is_named(&self) -> bool {
        !self.attester.trim().is_empty()
    }
}

/// The answer to one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// No errors; warnings are inside.
    Accepted(Box<AcceptedRecord>),
    /// At least one error. Errors come first, then warnings.
    Returned(Vec<Finding>),
}

/// Whom a record is about.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordSubject {
    /// Kind of subject.
    pub kind: SubjectKind,
    /// Normalised name. Of a natural person it is personal.
    pub name: String,
    /// Credit code of an organisation; an old 个体工商户 may have none.
    pub credit_code: Option<CreditCode>,
    /// Document of a natural person.
    pub person_document: Option<PersonDocument>,
}

impl fmt::Debug for RecordSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let person = self.kind == SubjectKind::NaturalPerson;
        f.debug_struct("RecordSubject")
            .field("kind", &self.kind)
            .field("name", if person { &"…" } else { &self.name })
            .field("credit_code", &self.credit_code)
            .field(
                "person_document",
                &self.person_document.as_ref().map(|_| "…"),
            )
            .finish()
    }
}

/// A record without errors.
#[derive(Clone, PartialEq)]
pub struct AcceptedRecord {
    /// Whom it is about.
    pub subject: RecordSubject,
    /// Normalised values by field code, in the order of the item; fields not given are absent. Dates are
    /// `YYYY-MM-DD`, decimals canonical text. May hold personal data: seal before storing.
    pub values: Map<String, Value>,
    /// What normalisation changed; personal values are redacted.
    pub changes: Vec<CleansingChange>,
    /// Findings that do not prevent acceptance.
    pub warnings: Vec<Finding>,
    /// Number of the decision.
    pub document_number: Option<String>,
    /// Day of the decision.
    pub decision_date: Date,
    /// Day from which it has effect; the terms of R-16 count from here (D-8).
    pub effective_date: Date,
    /// Last day of its effect; `None` when not given or long-term (2099-12-31).
    pub expiry_date: Option<Date>,
    /// Last day of publicity as requested by the provider.
    pub publicity_until: Option<Date>,
    /// Authority that decided.
    pub authority: String,
    /// The fields of the item's natural key, joined by U+001F. For a natural person the part for the
    /// subject is empty: this text is free of personal data, and a caller that needs the whole key adds the
    /// blind index of the document.
    pub natural_key: String,
}

impl fmt::Debug for AcceptedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedRecord")
            .field("subject", &self.subject)
            .field("values", &format_args!("{} values", self.values.len()))
            .field("changes", &self.changes.len())
            .field("warnings", &self.warnings)
            .field("document_number", &self.document_number)
            .field("decision_date", &self.decision_date)
            .field("effective_date", &self.effective_date)
            .field("expiry_date", &self.expiry_date)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// Checks the content of one record (a JSON object by field code, see [`MAX_BYTES`]) by one version of
/// an item.
pub fn check_record(compiled: &CompiledItem, content: &[u8], ctx: &CheckContext<'_>) -> Verdict {
    check_record_as(ContentForm::Json, compiled, content, ctx)
}

/// Checks the content of one record in the form in which it came. The same values get the same verdict in both
/// forms.
pub fn check_record_as(
    form: ContentForm,
    compiled: &CompiledItem,
    content: &[u8],
    ctx: &CheckContext<'_>,
) -> Verdict {
    check_with_content(form, compiled, content, ctx).0
}

/// The same, and what could be read of a record that is returned; `None` where its bytes could not be read at all. An
/// accepted record holds everything itself.
pub fn check_with_content(
    form: ContentForm,
    compiled: &CompiledItem,
    content: &[u8],
    ctx: &CheckContext<'_>,
) -> (Verdict, Option<ReturnedContent>) {
    let mut findings = Findings::default();
    let decoded = match form {
        ContentForm::Json => decode::decode_json(content),
        ContentForm::CsvRow => row::decode_csv_row(content),
    };
    let pairs = match decoded {
        Ok(pairs) => pairs,
        Err(fault) => {
            fault.report(&mut findings);
            return (Verdict::Returned(findings.into_sorted()), None);
        }
    };
    let mut record_values = RecordValues::from_pairs(form, compiled, ctx, pairs, &mut findings);
    fields::check_fields(&mut record_values, &mut findings);
    rule::run_rules(compiled, &record_values, &mut findings);
    if let Some(expired) = term::expired_on_arrival(&record_values) {
        findings.push(expired);
    }
    if findings.has_errors() {
        let content = ReturnedContent::from_values(&record_values);
        return (Verdict::Returned(findings.into_sorted()), Some(content));
    }
    match accepted_record(record_values, &mut findings) {
        Some(mut record) => {
            record.warnings = findings.into_sorted();
            (Verdict::Accepted(Box::new(record)), None)
        }
        // Reached only with an item that lint would refuse (no mandatory decision date or name).
        None => {
            let field = &compiled.item().roles.decision_date;
            let findings = vec![Finding::item_unusable(field)];
            (Verdict::Returned(findings), None)
        }
    }
}

fn accepted_record(
    record_values: RecordValues<'_>,
    findings: &mut Findings,
) -> Option<AcceptedRecord> {
    let item = record_values.item();
    let roles = &item.roles;
    let kind = record_values.kind()?;
    let text = |code: &str| record_values.text(code).map(str::to_owned);
    let date = |code: &Option<String>| {
        code.as_deref()
            .and_then(|c| record_values.text(c))
            .and_then(parse_date)
    };
    let name = text(&roles.subject_name)?;
    let credit_code = record_values
        .text(&roles.credit_code)
        .and_then(|c| CreditCode::parse(c).ok());
    let person_document = identifiers::subject_document(&record_values);
    // A code that is given but attested is no reason to ask for one.
    if kind == SubjectKind::IndividualBusiness && !record_values.has_value(&roles.credit_code) {
        findings.push(identifiers::individual_without_code(&roles.credit_code));
    }
    let decision_date = record_values
        .text(&roles.decision_date)
        .and_then(parse_date)?;
    let mut natural_key = String::new();
    for (i, part) in item.natural_key.iter().enumerate() {
        if i > 0 {
            natural_key.push('\u{1F}');
        }
        if part != SUBJECT_KEY {
            natural_key.push_str(record_values.text(part).unwrap_or_default());
        } else if let Some(code) = &credit_code {
            natural_key.push_str(code.as_str());
        } else if kind != SubjectKind::NaturalPerson {
            natural_key.push_str(&name);
        }
    }
    Some(AcceptedRecord {
        subject: RecordSubject {
            kind,
            name,
            credit_code,
            person_document,
        },
        document_number: roles.document_number.as_deref().and_then(text),
        decision_date,
        effective_date: date(&roles.effective_date).unwrap_or(decision_date),
        expiry_date: date(&roles.expiry_date).filter(|d| !is_long_term(*d)),
        publicity_until: date(&roles.publicity_until),
        authority: text(&roles.authority)?,
        natural_key,
        warnings: Vec::new(),
        changes: record_values.take_changes(kind),
        values: record_values.into_values(),
    })
}

/// 2099-12-31 and later mean "long-term".
fn is_long_term(date: Date) -> bool {
    date.year() >= 2099
}
