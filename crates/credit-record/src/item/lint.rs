//! Refuses an item that contradicts itself before any record is checked by it. Called when an item is read
//! and by `catalog` before it publishes one.

use std::fmt;

use super::code_list::is_item_code;
use super::content;
use super::{
    DisclosureMode, Field, FieldKind, ItemError, ItemOwner, ItemVersion, MaskRule, NationalEntry,
    Publication, RecordClass, Requirement, SUBJECT_KEY, SubjectKind, ValueFormat,
};
use crate::check::MAX_FIELDS;
use crate::id::CreditCode;
use crate::normalise::{pipeline_names, replacement_faults, steps_named};
use crate::rule;

/// Most characters that a field may have.
const MAX_LEN: u32 = 100_000;

/// One contradiction: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFault {
    /// Path of the property, such as `fields.CF_WSH.max_len` or `rules.date-order.check`.
    pub path: String,
    /// The rule that is broken.
    pub problem: &'static str,
    /// What in particular; may be empty.
    pub detail: String,
}

impl LintFault {
    /// A fault with its path.
    pub fn new(path: impl Into<String>, problem: &'static str) -> Self {
        Self {
            path: path.into(),
            problem,
            detail: String::new(),
        }
    }

    /// With what in particular.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl fmt::Display for LintFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

/// Faults as one line.
pub(super) fn join_faults(faults: &[LintFault]) -> String {
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
pub fn lint_item(item: &ItemVersion) -> Result<(), ItemError> {
    let mut faults = structure_faults(item);
    faults.extend(rule::rule_faults(item));
    if faults.is_empty() {
        return Ok(());
    }
    Err(item.inconsistent(faults))
}

/// What is wrong with an item besides the expressions of its rules.
pub(crate) fn structure_faults(item: &ItemVersion) -> Vec<LintFault> {
    let mut faults = LintFaults(Vec::new());
    head(item, &mut faults);
    for (index, field) in item.fields.iter().enumerate() {
        fields(item, index, field, &mut faults);
    }
    roles(item, &mut faults);
    entry(item, &mut faults);
    families(item, &mut faults);
    predecessor(item, &mut faults);
    cleansing(item, &mut faults);
    faults.0.extend(content::content_faults(item));
    faults.0
}

struct LintFaults(Vec<LintFault>);

impl LintFaults {
    fn check(&mut self, good: bool, path: &str, problem: &'static str) {
        if !good {
            self.0.push(LintFault::new(path, problem));
        }
    }
}

fn head(item: &ItemVersion, faults: &mut LintFaults) {
    faults.check(
        is_item_code(&item.code),
        "code",
        "lower-case letters, digits and hyphens, at most 64",
    );
    faults.check(item.version > 0, "version", "is counted from 1");
    faults.check(!item.name.trim().is_empty(), "name", "is blank");
    faults.check(!item.edition.trim().is_empty(), "edition", "is blank");
    faults.check(
        item.reporting_deadline_working_days > 0,
        "reporting_deadline_working_days",
        "is counted from 1",
    );
    faults.check(!item.fields.is_empty(), "fields", "are none");
    // A record has at most so many keys, so it could never fill more.
    faults.check(
        item.fields.len() <= MAX_FIELDS,
        "fields",
        "are more than 256",
    );
    // The site lists code lists under this word.
    faults.check(
        item.code != "lists",
        "code",
        "is a word of the site's addresses",
    );
    faults.check(!item.subject_kinds.is_empty(), "subject_kinds", "are none");
    let based =
        !item.legal_basis.is_empty() && item.legal_basis.iter().all(|b| !b.trim().is_empty());
    faults.check(based, "legal_basis", "an item needs a basis in law");
    faults.check(!item.natural_key.is_empty(), "natural_key", "is empty");
    for key in &item.natural_key {
        let known = key == SUBJECT_KEY || item.field(key).is_some();
        faults.check(
            known,
            &format!("natural_key.{key}"),
            "natural key names a missing field",
        );
        let personal = item.field(key).is_some_and(Field::is_personal);
        faults.check(
            !personal,
            &format!("natural_key.{key}"),
            "natural key may not hold a personal document",
        );
    }
    for kind in &item.subject_kinds {
        let named = item.disclosure.contains_key(kind);
        faults.check(
            named,
            &format!("disclosure.{}", kind.as_str()),
            "has no disclosure mode",
        );
    }
    let person = item.disclosure.get(&SubjectKind::NaturalPerson);
    let person_published = person == Some(&DisclosureMode::Publish);
    faults.check(
        !person_published,
        "disclosure.natural_person",
        "natural persons are query-only (R-14)",
    );
    let term_missing = item.record_class == RecordClass::Adverse && item.term.is_none();
    faults.check(
        !term_missing,
        "term",
        "an adverse record needs a term (R-16)",
    );
    if let Some(term) = &item.term {
        faults.check(
            (1..=100).contains(&term.years),
            "term.years",
            "1 to 100 years",
        );
        faults.check(!term.rule.trim().is_empty(), "term.rule", "is blank");
    }
}

fn fields(item: &ItemVersion, index: usize, field: &Field, faults: &mut LintFaults) {
    let code = field.code.as_str();
    let at = |property: &str| format!("fields.{code}.{property}");
    let others = item.fields.iter().take(index);
    let mut names = field.aliases.iter().map(String::as_str).chain([code]);
    let duplicate = names.any(|name| {
        others
            .clone()
            .any(|o| o.code == name || o.aliases.iter().any(|a| a == name))
    });
    faults.check(!duplicate, &at("code"), "code or alias is used twice");
    let code_fits = !code.is_empty()
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && code.len() <= 64;
    faults.check(
        code_fits,
        &at("code"),
        "code must be letters, digits and underscores, at most 64",
    );
    faults.check(
        !field.name.trim().is_empty(),
        &at("name"),
        "has no Chinese name",
    );
    faults.check(
        (1..=MAX_LEN).contains(&field.max_len),
        &at("max_len"),
        "1 to 100000 characters",
    );
    let kind_fits = match field.format {
        ValueFormat::Plain => true,
        ValueFormat::Name | ValueFormat::DocumentNumber => field.kind == FieldKind::Text,
        ValueFormat::CreditCode
        | ValueFormat::OrganisationCode
        | ValueFormat::RegistrationNumber
        | ValueFormat::PersonDocument => field.kind == FieldKind::Code,
    };
    faults.check(kind_fits, &at("format"), "format does not fit the kind");
    let decimals_fit = field.decimals.is_none() || field.kind == FieldKind::Decimal;
    faults.check(
        decimals_fit,
        &at("decimals"),
        "only a decimal has digits behind the point",
    );
    let list_empty = field
        .code_list
        .as_ref()
        .is_some_and(|l| l.values.is_empty());
    if let Some(list) = &field.code_list {
        for fault in replacement_faults(&list.values, list.several, &list.replaced) {
            faults.0.push(
                LintFault::new(
                    at("code_list"),
                    "has a value that cleansing would not leave as it is",
                )
                .with_detail(fault.to_string()),
            );
        }
    }
    faults.check(!list_empty, &at("code_list"), "code list is empty");
    let hidden = !field.is_personal() || field.publication != Publication::Public;
    faults.check(
        hidden,
        &at("publication"),
        "a personal document is never public (R-4, R-14)",
    );
    if let Requirement::When(condition) = &field.required {
        let known = item.field(condition.field()).is_some();
        faults.check(known, &at("required"), "is required by a missing field");
        faults.check(
            condition.field() != code,
            &at("required"),
            "is required by itself",
        );
    }
}

fn roles(item: &ItemVersion, faults: &mut LintFaults) {
    let roles = &item.roles;
    let plain = |_: &Field| true;
    let date = |f: &Field| f.kind == FieldKind::Date;
    let name = |f: &Field| f.format == ValueFormat::Name;
    let credit_code = |f: &Field| f.format == ValueFormat::CreditCode;
    let person = |f: &Field| f.format == ValueFormat::PersonDocument;
    let list = |f: &Field| f.code_list.is_some();
    let document = |f: &Field| f.format == ValueFormat::DocumentNumber;
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
    type RoleTest<'a> = &'a dyn Fn(&Field) -> bool;
    let must = |f: &Field| f.kind == FieldKind::Date && f.required == Requirement::Always;
    let named = |f: &Field| f.format == ValueFormat::Name && f.required == Requirement::Always;
    let all: [(&str, Option<&String>, RoleTest<'_>); 17] = [
        (
            "subject_category",
            roles.subject_category.as_ref(),
            &category,
        ),
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
        (
            "authority_code",
            roles.authority_code.as_ref(),
            &credit_code,
        ),
        ("source_unit", roles.source_unit.as_ref(), &plain),
        (
            "source_unit_code",
            roles.source_unit_code.as_ref(),
            &credit_code,
        ),
    ];
    for (role, code, fits) in all {
        let Some(code) = code else { continue };
        match item.field(code) {
            None => faults.check(false, &format!("roles.{role}"), "names a missing field"),
            Some(field) => {
                faults.check(
                    fits(field),
                    &format!("roles.{role}"),
                    "names a field of another nature",
                );
            }
        }
    }
    let person_possible = item.subject_kinds.contains(&SubjectKind::NaturalPerson);
    let identified = roles.person_document_number.is_some();
    let complete = !person_possible || identified;
    faults.check(
        complete,
        "roles.person_document_number",
        "a natural person needs a document number (R-9)",
    );
    let masked = item
        .field(&roles.subject_name)
        .is_none_or(|field| field.mask == MaskRule::Name);
    faults.check(
        !person_possible || masked,
        "roles.subject_name",
        "the name of a natural person needs the mask of names (R-14)",
    );
}

/// The entry is complete, its owner and its place in the national catalogue exist.
fn entry(item: &ItemVersion, faults: &mut LintFaults) {
    let entry = &item.entry;
    for (property, text) in [
        ("conduct", &entry.conduct),
        ("source", &entry.source),
        ("channel", &entry.channel),
        ("sharing", &entry.sharing),
        ("retention", &entry.retention),
    ] {
        faults.check(
            !text.trim().is_empty(),
            &format!("entry.{property}"),
            "is blank",
        );
    }
    if !item.owner.is_city() {
        let real = CreditCode::parse(item.owner.organ()).is_ok();
        faults.check(real, "owner.organ", "is not a credit code (GB 32100)");
    }
    if let ItemOwner::District { district, .. } = &item.owner {
        let six = district.len() == 6 && district.bytes().all(|b| b.is_ascii_digit());
        faults.check(six, "owner.district", "is not a division code (GB/T 2260)");
    }
    if let Some(national) = &item.national {
        let kinds = NationalEntry::kinds(&national.edition);
        faults.check(
            !kinds.is_empty(),
            "national.edition",
            "no such edition is known",
        );
        let known = kinds.is_empty() || kinds.contains(&national.kind.as_str());
        faults.check(known, "national.kind", "is no kind of that edition");
    }
}

/// Every alias means one field, whatever family it comes from.
fn families(item: &ItemVersion, faults: &mut LintFaults) {
    for (index, family) in item.source_families.iter().enumerate() {
        let path = format!("source_families.{}", family.id);
        faults.check(
            is_item_code(&family.id),
            &path,
            "lower-case letters, digits and hyphens, at most 64",
        );
        faults.check(!family.name.trim().is_empty(), &path, "has no Chinese name");
        let before = &item.source_families[..index];
        let twice = before.iter().any(|other| other.id == family.id);
        faults.check(!twice, &path, "is used twice");
        for (alias, code) in &family.aliases {
            let path = format!("{path}.{alias}");
            faults.check(item.field(code).is_some(), &path, "names a missing field");
            let field = item
                .fields
                .iter()
                .any(|f| f.code == *alias || f.aliases.contains(alias));
            faults.check(!field, &path, "is a field or an alias already");
            let other = before
                .iter()
                .any(|o| o.aliases.get(alias).is_some_and(|c| c != code));
            faults.check(!other, &path, "means another field in another family");
        }
    }
}

/// Own steps of cleansing are steps of this program.
fn cleansing(item: &ItemVersion, faults: &mut LintFaults) {
    for (name, texts) in &item.cleansing {
        let path = format!("cleansing.{name}");
        let known = pipeline_names().any(|own| own == name);
        faults.check(known, &path, "is no list of steps");
        if let Err(text) = steps_named(texts) {
            let problem = "names a step that does not exist, or twice, or more than 16";
            faults
                .0
                .push(LintFault::new(path, problem).with_detail(text));
        }
    }
}

/// The mapping leads from a lower version to fields of this one, each at most once but for lists of several
/// values, into which several fields may be joined.
fn predecessor(item: &ItemVersion, faults: &mut LintFaults) {
    let Some(before) = &item.predecessor else {
        return;
    };
    let lower = before.version > 0 && before.version < item.version;
    faults.check(
        lower,
        "predecessor.version",
        "is not lower than the item's own",
    );
    let mut targets = Vec::new();
    for mapping in &before.fields {
        let path = format!("predecessor.fields.{}", mapping.from);
        faults.check(
            item.field(&mapping.to).is_some(),
            &path,
            "leads to a missing field",
        );
        let joined = item
            .field(&mapping.to)
            .and_then(|f| f.code_list.as_ref())
            .is_some_and(|list| list.several);
        let free = joined || !targets.contains(&&mapping.to);
        faults.check(free, &path, "leads to a field that is filled already");
        targets.push(&mapping.to);
    }
    for constant in &before.constants {
        let path = format!("predecessor.constants.{}", constant.field);
        faults.check(
            item.field(&constant.field).is_some(),
            &path,
            "leads to a missing field",
        );
        faults.check(
            !targets.contains(&&constant.field),
            &path,
            "leads to a field that is filled already",
        );
        targets.push(&constant.field);
    }
}
