//! What supervision counts of a record without opening its content: the day of its decision, how complete it is,
//! and the position of its number in the series of its organ. Nothing of it is personal. Called by `check`.

use credit_record::{AcceptedRecord, ItemVersion, SubjectKind, check::ReturnedContent};
use time::Date;
use vault::{
    Keyring, find_personal,
    keyed_hash::{self, KeyedHash},
};

use super::{SubmittedVersion, document_series::SeriesNumber};

/// The figures of one version; all empty for the end of a record and for what cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SupervisionFigures {
    /// Day of the decision, where it can be read.
    pub decision_date: Option<Date>,
    /// Fields that have a value, of those that may have one.
    pub filled_fields: u32,
    /// Fields of the item that the subject's kind allows.
    pub fillable_fields: u32,
    /// Keyed hash of the series of the document number, and the running number in it.
    pub series: Option<(KeyedHash, u32)>,
}

impl SupervisionFigures {
    /// Those of a record without errors of its own.
    pub fn of_accepted(
        keyring: &Keyring,
        item: &ItemVersion,
        submission: &SubmittedVersion,
        record: &AcceptedRecord,
    ) -> Self {
        let filled = |_, code: &str| record.values.contains_key(code);
        let (filled_fields, fillable_fields) = count(item, Some(record.subject.kind), filled);
        Self {
            decision_date: Some(record.decision_date),
            filled_fields,
            fillable_fields,
            series: series(keyring, submission, record.document_number.as_deref()),
        }
    }

    /// Those of a returned record, as far as it can be read.
    pub fn of_returned(
        keyring: &Keyring,
        item: &ItemVersion,
        submission: &SubmittedVersion,
        content: &ReturnedContent,
    ) -> Self {
        let filled = |position: usize, _: &str| content.filled.get(position) == Some(&true);
        let (filled_fields, fillable_fields) = count(item, content.subject_kind, filled);
        Self {
            decision_date: content.decision_date,
            filled_fields,
            fillable_fields,
            series: series(keyring, submission, content.document_number.as_deref()),
        }
    }
}

/// How many fields have a value, of how many that the subject's kind does not forbid; while the kind is not known, none
/// is forbidden. `filled` is asked by position in the item and code.
fn count(
    item: &ItemVersion,
    kind: Option<SubjectKind>,
    filled: impl Fn(usize, &str) -> bool,
) -> (u32, u32) {
    let mut counted = (0, 0);
    for (position, field) in item.fields.iter().enumerate() {
        if kind.is_none_or(|kind| field.allowed_for(kind)) {
            counted.0 += u32::from(filled(position, &field.code));
            counted.1 += 1;
        }
    }
    counted
}

/// The series and the running number in it; none where the document number contains a person's number, whatever its
/// form.
fn series(
    keyring: &Keyring,
    submission: &SubmittedVersion,
    document_number: Option<&str>,
) -> Option<(KeyedHash, u32)> {
    let document_number = document_number?;
    let parsed = SeriesNumber::parse(document_number)?;
    if !find_personal(document_number).is_empty() {
        return None;
    }
    let version = &submission.version;
    let (provider, item) = (&version.provider, &version.item.code);
    let hash = keyed_hash::hash_document_series(keyring, provider, item, &parsed.series);
    Some((hash, parsed.running_number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use record_ref::{ItemRef, Operation, RecordAddress, RecordVersion, Revision, VersionId};
    use time::OffsetDateTime;

    fn submission(item: &str, provider: &str) -> SubmittedVersion {
        let id = VersionId::generate();
        SubmittedVersion {
            version: RecordVersion {
                id,
                address: RecordAddress::of_first_version(id),
                provider: provider.parse().unwrap(),
                item: ItemRef::new(item.parse().unwrap(), 1).unwrap(),
                key_digest: [1; 32].into(),
                revision: Revision::FIRST,
            },
            ledger_number: None,
            received_at: OffsetDateTime::UNIX_EPOCH,
            operation: Operation::Upsert,
            content_type: String::new(),
            sealed_content: Bytes::new(),
            sealed_record_key: Bytes::new(),
        }
    }

    #[test]
    fn r21_a_series_is_of_one_item_and_provider_and_tells_nothing() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let (market, court) = ("11430100006123458R", "12430100444900018L");
        let of = |item, provider, number: &str| {
            series(&keyring, &submission(item, provider), Some(number))
        };
        let (hash, number) = of("xzcf", market, "长市监罚决〔2026〕17号").unwrap();
        assert_eq!(number, 17);
        assert_eq!(
            of("xzcf", market, "长市监罚决〔2026〕018号"),
            Some((hash, 18))
        );
        for (item, provider, text) in [
            ("xzcf", market, "长市监罚决〔2025〕17号"),
            ("xzcf", court, "长市监罚决〔2026〕17号"),
            ("xzxk", market, "长市监罚决〔2026〕17号"),
        ] {
            let (other, number) = of(item, provider, text).unwrap();
            assert!(other != hash && number == 17, "{item} {text}");
        }
        assert_eq!(series(&keyring, &submission("xzcf", market), None), None);
    }

    #[test]
    fn r14_a_document_number_with_a_persons_number_is_in_no_series() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        for (number, found) in [
            ("430102199003071242〔2026〕17号", false),
            ("长公决（430102 19900307 1242）17号", false),
            ("长公决13800138000第17号", false),
            // Written in parts, of which each is short enough for a running number.
            ("长公决430102-19900307-1242", false),
            // What is known by its form only: a passport, a landline, parts with other separators.
            ("长公决E12345678号", false),
            ("长公决〔2026〕0731-88665544", false),
            ("430102/19900307/1242", false),
            ("长公决〔2026〕17号", true),
            ("长市监罚决〔2026〕12号", true),
            ("长环罚字[2026]第000123号", true),
        ] {
            let found_now = series(
                &keyring,
                &submission("xzcf", "11430100006123458R"),
                Some(number),
            );
            assert_eq!(found_now.is_some(), found, "{number}");
        }
    }

    #[test]
    fn r21_what_the_kind_of_the_subject_forbids_is_not_fillable() {
        let items = credit_record::standard_items().unwrap();
        for item in &items {
            let (_, all) = count(item, None, |_, _| false);
            assert_eq!(all as usize, item.fields.len(), "{}", item.code);
            for kind in &item.subject_kinds {
                let (filled, fillable) = count(item, Some(*kind), |_, _| true);
                let forbidden = item.fields.iter().filter(|field| !field.allowed_for(*kind));
                assert_eq!(filled, fillable);
                assert_eq!(fillable as usize + forbidden.count(), item.fields.len());
            }
        }
        let penalty = items.iter().rfind(|item| item.code == "xzcf").unwrap();
        let of = |kind| count(penalty, Some(kind), |_, _| false).1;
        assert_ne!(
            of(SubjectKind::Organisation),
            of(SubjectKind::NaturalPerson)
        );
    }
}
