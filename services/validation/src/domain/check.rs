//! The check of one version by itself: the verdict of `credit-record`, and from an accepted record the facts by which
//! it is compared with others. Called by `app` on the blocking pool; `comparison` continues from here.

use std::sync::Arc;

use credit_record::{
    AcceptedRecord, Attestation, CheckContext, CompiledItem, ContentForm, Finding, ItemVersion,
    SubjectKind, Verdict, WorkingDays, check::check_with_content, item::SUBJECT_KEY,
};
use legal_clock::shanghai_date;
use record_ref::RecordVersion;
use time::Date;
use vault::{
    Keyring, OpenError,
    keyed_hash::{KeyedHash, hash_decision_identity},
};

use super::{SubmittedVersion, SupervisionFigures, reason, registration::SubjectRegistration};

/// Between the parts of a natural key, as crate credit-record joins them.
const SEPARATOR: char = '\u{1F}';

/// A version that was checked by itself.
#[derive(Debug, Clone)]
pub struct CheckedVersion {
    /// Which version.
    pub submission: SubmittedVersion,
    /// What it says.
    pub content: CheckedContent,
    /// What supervision counts of it.
    pub figures: SupervisionFigures,
    /// Name of the rule-set of cleansing; empty for the end of a record.
    pub rule_set: String,
}

/// What a version says.
#[derive(Debug, Clone)]
pub enum CheckedContent {
    /// A record without errors of its own.
    Record(Box<AcceptedRecord>, Box<ComparisonFacts>),
    /// A record with at least one error.
    Faulty(Vec<Finding>),
    /// The end of the record, with warnings about the reason.
    End(Vec<Finding>),
}

/// By what a record is compared with others.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonFacts {
    /// Credit code of an organisation or individual business.
    pub code: Option<String>,
    /// Normalised name of the bearer of `code`.
    pub name: String,
    /// Day of the decision.
    pub decision_date: Date,
    /// What the record is about: natural key and subject.
    pub identity: KeyedHash,
    /// Whether `identity` is enough to distinguish a decision from any other.
    pub is_distinctive: bool,
    /// What it registers.
    pub registration: Option<SubjectRegistration>,
    /// Field of the name.
    pub name_field: String,
    /// Field of the day of the decision.
    pub date_field: String,
}

/// What the check needs besides the content.
#[derive(Clone, Copy)]
pub struct CheckInputs<'a> {
    /// Keys.
    pub keyring: &'a Keyring,
    /// The calendar.
    pub working_days: &'a Arc<dyn WorkingDays>,
    /// Who answers for which field; usually empty.
    pub attestations: &'a [Attestation<'a>],
}

impl std::fmt::Debug for CheckInputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckInputs").finish_non_exhaustive()
    }
}

/// Opens and checks a record. The day of receipt is that of Changsha.
///
/// # Errors
/// When the content does not open under the version's id.
pub fn check_record(
    inputs: CheckInputs<'_>,
    item: &CompiledItem,
    submission: SubmittedVersion,
) -> Result<CheckedVersion, OpenError> {
    let context = submission.version.id.as_bytes();
    let content = inputs.keyring.open(context, &submission.sealed_content)?;
    Ok(check_content(inputs, item, submission, &content))
}

/// The same with content that is open already.
pub fn check_content(
    inputs: CheckInputs<'_>,
    item: &CompiledItem,
    submission: SubmittedVersion,
    content: &[u8],
) -> CheckedVersion {
    let context = CheckContext {
        received_on: shanghai_date(submission.received_at),
        provider_code: submission.version.provider.as_str(),
        working_days: inputs.working_days,
        attestations: inputs.attestations,
    };
    // Of another type the bytes are read as JSON, and the findings say so.
    let form =
        ContentForm::from_content_type(&submission.content_type).unwrap_or(ContentForm::Json);
    let version = &submission.version;
    let (content, figures) = match check_with_content(form, item, content, &context) {
        (Verdict::Accepted(record), _) => {
            let facts = ComparisonFacts::from_record(inputs.keyring, item.item(), version, &record);
            let figures =
                SupervisionFigures::of_accepted(inputs.keyring, item.item(), &submission, &record);
            (CheckedContent::Record(record, Box::new(facts)), figures)
        }
        (Verdict::Returned(findings), content) => {
            let figures = content.map(|content| {
                SupervisionFigures::of_returned(inputs.keyring, item.item(), &submission, &content)
            });
            (
                CheckedContent::Faulty(findings),
                figures.unwrap_or_default(),
            )
        }
    };
    CheckedVersion {
        content,
        figures,
        rule_set: item.rule_set().to_owned(),
        submission,
    }
}

/// Opens and checks the reason for the end of a record, which is accepted whatever it says.
///
/// # Errors
/// When it does not open under the version's id.
pub fn check_end_reason(
    keyring: &Keyring,
    submission: SubmittedVersion,
) -> Result<CheckedVersion, OpenError> {
    let context = submission.version.id.as_bytes();
    let plain = keyring.open(context, &submission.sealed_content)?;
    let findings = reason::check_reason(&String::from_utf8_lossy(&plain));
    Ok(CheckedVersion {
        content: CheckedContent::End(findings),
        figures: SupervisionFigures::default(),
        rule_set: String::new(),
        submission,
    })
}

impl ComparisonFacts {
    fn from_record(
        keyring: &Keyring,
        item: &ItemVersion,
        version: &RecordVersion,
        record: &AcceptedRecord,
    ) -> Self {
        let subject = &record.subject;
        let person = subject.kind == SubjectKind::NaturalPerson;
        let document = subject.person_document.as_ref().filter(|_| person);
        let registration = SubjectRegistration::from_record(item, record);
        // Two registers that agree confirm each other; two keys of one register are one too many.
        let register = registration.as_ref().map(|_| &version.provider);
        let natural_key = &record.natural_key;
        let identity =
            hash_decision_identity(keyring, &version.item.code, register, natural_key, document);
        let known_person = person.then_some(document.is_some());
        let code = subject.credit_code.as_ref().filter(|_| !person);
        Self {
            code: code.map(|code| code.as_str().to_owned()),
            name: subject.name.clone(),
            decision_date: record.decision_date,
            identity,
            is_distinctive: identifies_decision(item, natural_key, known_person),
            registration,
            name_field: item.roles.subject_name.clone(),
            date_field: item.roles.decision_date.clone(),
        }
    }
}

/// Whether a natural key distinguishes its decision from any other: the subject is known, and so is the number of the
/// document where it is part of the key, or else every other part. `known_person`: whether the document of a natural
/// person is known; none for other subjects, who are known by their part of the key.
fn identifies_decision(item: &ItemVersion, natural_key: &str, known_person: Option<bool>) -> bool {
    let parts = item.natural_key.iter().zip(natural_key.split(SEPARATOR));
    let (mut number, mut all) = (None, true);
    for (field, value) in parts {
        if field == SUBJECT_KEY {
            if !known_person.unwrap_or(!value.is_empty()) {
                return false;
            }
        } else {
            all &= !value.is_empty();
            if Some(field) == item.roles.document_number.as_ref() {
                number = Some(!value.is_empty());
            }
        }
    }
    number.unwrap_or(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_natural_key_without_its_number_or_subject_tells_nothing_apart() {
        let items = credit_record::standard_items().unwrap();
        let item = |code: &str| items.iter().rfind(|item| item.code == code).unwrap();
        let of = |code: &str, parts: &[&str], known_person| {
            identifies_decision(item(code), &parts.join("\u{1F}"), known_person)
        };
        // XK_WSH, XK_XKBH, XK_XKJGDM, @subject
        assert!(of("xzxk", &["文号", "", "机关", "代码"], None));
        assert!(!of("xzxk", &["", "编号", "机关", "代码"], None));
        assert!(!of("xzxk", &["文号", "", "机关", ""], Some(false)));
        assert!(of("xzxk", &["文号", "", "机关", ""], Some(true)));
        assert!(of("djzc", &["代码"], None));
    }
}
