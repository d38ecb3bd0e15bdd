//! Refuses an item that contradicts itself before any record is checked by it. Called when an item is read
//! and by `catalog` before it publishes one.

use std::fmt;

use super::{
    DisclosureMode, Field, FieldKind, Format, ItemError, ItemVersion, Publication, RecordClass,
    Requirement, SUBJECT_KEY, SubjectKind,
};
use crate::check::rules;

/// Words in a field name that mark content which credit records may not hold: belief, genes, prints,
/// blood, disease (征信业管理条例 art. 14; R-4 for this platform).
const FORBIDDEN: [&str; 6] = ["宗教信仰", "基因", "指纹", "血型", "病史", "疾病信息"];

/// One contradiction: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFault {
    /// Field code, role, rule id or part of the item.
    pub place: String,
    /// What is wrong.
    pub problem: &'static str,
}

impl fmt::Display for LintFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// Faults as one line.
pub(super) fn list(faults: &[LintFault]) -> String {
    faults
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Checks that an item fits together.
///
/// # Errors
/// [`ItemError::Inconsistent`] with every fault found.
pub fn lint(item: &ItemVersion) -> Result<(), ItemError> {
    let mut faults = Faults(Vec::new());
    head(item, &mut faults);
    for (index, field) in item.fields.iter().enumerate() {
        fields(item, index, field, &mut faults);
    }
    roles(item, &mut faults);
    for rule in &item.rules {
        rule_use(item, rule, &mut faults);
    }
    if faults.0.is_empty() {
        return Ok(());
    }
    Err(ItemError::Inconsistent {
        code: item.code.clone(),
        version: item.version,
        faults: faults.0,
    })
}

struct Faults(Vec<LintFault>);

impl Faults {
    fn check(&mut self, good: bool, place: &str, problem: &'static str) {
        if !good {
            self.0.push(LintFault {
                place: place.to_owned(),
                problem,
            });
        }
    }
}

fn head(item: &ItemVersion, faults: &mut Faults) {
    let code_fits = !item.code.is_empty()
        && item
            .code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    faults.check(
        code_fits,
        "code",
        "must be lower-case letters, digits and hyphens",
    );
    faults.check(item.version > 0, "version", "is counted from 1");
    faults.check(!item.name.is_empty(), "name", "is empty");
    faults.check(!item.fields.is_empty(), "fields", "are none");
    faults.check(!item.subject_kinds.is_empty(), "subject_kinds", "are none");
    faults.check(
        !item.legal_basis.is_empty(),
        "legal_basis",
        "an item needs a basis in law",
    );
    faults.check(!item.natural_key.is_empty(), "natural_key", "is empty");
    for key in &item.natural_key {
        let known = key == SUBJECT_KEY || item.field(key).is_some();
        faults.check(known, key, "natural key names a missing field");
        let personal = item.field(key).is_some_and(Field::is_personal);
        faults.check(
            !personal,
            key,
            "natural key may not hold a personal document",
        );
    }
    for kind in &item.subject_kinds {
        let named = item.disclosure.contains_key(kind);
        faults.check(named, kind.as_str(), "has no disclosure mode");
    }
    let person = item.disclosure.get(&SubjectKind::NaturalPerson);
    let person_published = person == Some(&DisclosureMode::Publish);
    faults.check(
        !person_published,
        "disclosure",
        "natural persons are query-only (R-14)",
    );
    let term_missing = item.record_class == RecordClass::Adverse && item.term.is_none();
    faults.check(
        !term_missing,
        "term",
        "an adverse record needs a term (R-16)",
    );
}

fn fields(item: &ItemVersion, index: usize, field: &Field, faults: &mut Faults) {
    let code = field.code.as_str();
    let others = item.fields.iter().take(index);
    let mut names = field.aliases.iter().map(String::as_str).chain([code]);
    let duplicate = names.any(|name| {
        others
            .clone()
            .any(|o| o.code == name || o.aliases.iter().any(|a| a == name))
    });
    faults.check(!duplicate, code, "code or alias is used twice");
    let code_fits = !code.is_empty()
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && code.len() <= 64;
    faults.check(
        code_fits,
        code,
        "code must be letters, digits and underscores, at most 64",
    );
    faults.check(!field.name.is_empty(), code, "has no Chinese name");
    faults.check(field.max_len > 0, code, "max_len is 0");
    let kind_fits = match field.format {
        Format::Plain => true,
        Format::Name | Format::DocumentNumber => field.kind == FieldKind::Text,
        Format::CreditCode
        | Format::OrganisationCode
        | Format::RegistrationNumber
        | Format::PersonDocument => field.kind == FieldKind::Code,
    };
    faults.check(kind_fits, code, "format does not fit the kind");
    let decimals_fit = field.decimals.is_none() || field.kind == FieldKind::Decimal;
    faults.check(
        decimals_fit,
        code,
        "only a decimal has digits behind the point",
    );
    let list_empty = field
        .code_list
        .as_ref()
        .is_some_and(|l| l.values.is_empty());
    faults.check(!list_empty, code, "code list is empty");
    let hidden = !field.is_personal() || field.publication != Publication::Public;
    faults.check(
        hidden,
        code,
        "a personal document is never public (R-4, R-14)",
    );
    let allowed = !FORBIDDEN.iter().any(|word| field.name.contains(word));
    faults.check(allowed, code, "content that a credit record may not hold");
    if let Requirement::When(condition) = &field.required {
        let known = item.field(condition.field()).is_some();
        faults.check(known, code, "is required by a missing field");
        faults.check(condition.field() != code, code, "is required by itself");
    }
}

fn roles(item: &ItemVersion, faults: &mut Faults) {
    let roles = &item.roles;
    let plain = |_: &Field| true;
    let date = |f: &Field| f.kind == FieldKind::Date;
    let name = |f: &Field| f.format == Format::Name;
    let credit_code = |f: &Field| f.format == Format::CreditCode;
    let person = |f: &Field| f.format == Format::PersonDocument;
    let list = |f: &Field| f.code_list.is_some();
    let document = |f: &Field| f.format == Format::DocumentNumber;
    let category = |f: &Field| {
        f.required == Requirement::Always
            && f.code_list.as_ref().is_some_and(|l| {
                !l.open
                    && !l.several
                    && l.values
                        .iter()
                        .all(|v| SubjectKind::from_label(v).is_some())
            })
    };
    type Fits<'a> = &'a dyn Fn(&Field) -> bool;
    let must = |f: &Field| f.kind == FieldKind::Date && f.required == Requirement::Always;
    let named = |f: &Field| f.format == Format::Name && f.required == Requirement::Always;
    let all: [(&str, Option<&String>, Fits<'_>); 17] = [
        ("subject_category", Some(&roles.subject_category), &category),
        ("subject_name", Some(&roles.subject_name), &named),
        ("credit_code", Some(&roles.credit_code), &credit_code),
        (
            "person_document_type",
            roles.person_document_type.as_ref(),
            &list,
        ),
        (
            "person_document_number",
            roles.person_document_number.as_ref(),
            &person,
        ),
        (
            "representative_name",
            roles.representative_name.as_ref(),
            &name,
        ),
        (
            "representative_document_type",
            roles.representative_document_type.as_ref(),
            &list,
        ),
        (
            "representative_document_number",
            roles.representative_document_number.as_ref(),
            &person,
        ),
        ("document_number", roles.document_number.as_ref(), &document),
        ("decision_date", Some(&roles.decision_date), &must),
        ("effective_date", roles.effective_date.as_ref(), &date),
        ("expiry_date", roles.expiry_date.as_ref(), &date),
        ("publicity_until", roles.publicity_until.as_ref(), &date),
        ("authority", Some(&roles.authority), &named),
        ("authority_code", Some(&roles.authority_code), &credit_code),
        ("source_unit", roles.source_unit.as_ref(), &plain),
        (
            "source_unit_code",
            Some(&roles.source_unit_code),
            &credit_code,
        ),
    ];
    for (role, code, fits) in all {
        let Some(code) = code else { continue };
        match item.field(code) {
            None => faults.check(false, role, "names a missing field"),
            Some(field) => faults.check(fits(field), role, "names a field of another nature"),
        }
    }
    let person_possible = item.subject_kinds.contains(&SubjectKind::NaturalPerson);
    let identified = roles.person_document_type.is_some() && roles.person_document_number.is_some();
    let complete = !person_possible || identified;
    faults.check(
        complete,
        "roles",
        "a natural person needs document type and number (R-9)",
    );
}

fn rule_use(item: &ItemVersion, used: &super::RuleRef, faults: &mut Faults) {
    let Some(rule) = rules::find(&used.id) else {
        faults.check(false, &used.id, "no such rule");
        return;
    };
    for parameter in rule.fields {
        let given = used.fields.get(*parameter);
        let fits = given.is_some_and(|code| item.field(code).is_some());
        faults.check(
            fits,
            &used.id,
            "a field parameter is missing or names a missing field",
        );
    }
    let known = used
        .fields
        .keys()
        .all(|p| rule.fields.contains(&p.as_str()));
    faults.check(
        known,
        &used.id,
        "has a parameter that the rule does not know",
    );
    let words_fit = rule.needs_words != used.words.is_empty();
    faults.check(words_fit, &used.id, "words are missing or not wanted");
}
