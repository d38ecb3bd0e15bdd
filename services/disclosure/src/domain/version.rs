//! A version as validation announced it, checked once more on receipt. Called by `handlers`.
//!
//! The check is not about quality (validation did that) but about safety: a message that would put a natural
//! person's name in clear into a table is refused as poison, whatever went wrong before.

use bytes::Bytes;
use credit_record::{CreditCode, SubjectKind};
use legal_clock::parse_day;
use proto::credit::{common::v1 as common, validation::events::v1::RecordAccepted};
use record_ref::{Malformed, RecordVersion};
use service_kit::grpc::from_timestamp;
use time::{Date, OffsetDateTime};
use vault::{
    keyed_hash::KeyedHash,
    mask::{PersonalNumberKind, find_personal, mask_text},
};

/// One accepted version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedVersion {
    /// Which version of which record.
    pub record: RecordVersion,
    /// When ingest received it.
    pub received_at: OffsetDateTime,
    /// Day of the decision.
    pub decision_date: Date,
    /// Day from which R-16 counts (D-8).
    pub effective_date: Date,
    /// Last day of validity.
    pub expiry_date: Option<Date>,
    /// Last day on which the provider wants it disclosed (公示截止期, D-9).
    pub publicity_until: Option<Date>,
    /// Whom it is about.
    pub subject: VersionSubject,
    /// `NormalisedRecord`, sealed with the version's id as context.
    pub sealed_record: Bytes,
}

/// The subject of a version, as far as it may be stored in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionSubject {
    /// An organisation or an individual business (D-11).
    Organisation(Organisation),
    /// A natural person: the keyed hash of its document, nothing else.
    Person {
        /// See `vault::keyed_hash::hash_person_document`.
        blind_index: KeyedHash,
    },
}

/// What a version says of an organisation in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// [`SubjectKind::Organisation`] or [`SubjectKind::IndividualBusiness`].
    pub kind: SubjectKind,
    /// Credit code; empty where it has none (D-12).
    pub code: String,
    /// Name.
    pub name: String,
    /// Number of the decision document; may be empty.
    pub document_number: String,
    /// Organ that decided.
    pub authority: String,
}

pub(super) fn malformed_field<T>(field: &'static str, rule: &'static str) -> Result<T, Malformed> {
    Err(Malformed::new(field, rule))
}

fn check_date(field: &'static str, text: &str) -> Result<Date, Malformed> {
    parse_day(text).ok_or(Malformed::new(field, "is a date YYYY-MM-DD"))
}

/// A date that a record need not have; empty when it has none.
fn optional_date(field: &'static str, text: &str) -> Result<Option<Date>, Malformed> {
    match text {
        "" => Ok(None),
        text => check_date(field, text).map(Some),
    }
}

/// A clear text of an organisation without citizen numbers: some providers write the operator's number into a licence
/// number, and none may be in a table or on the public site. Phone and card numbers are left alone, since a document
/// number may well look like one.
pub fn without_citizen_numbers(text: &str) -> String {
    let found = find_personal(text)
        .into_iter()
        .any(|(_, kind)| kind == PersonalNumberKind::CitizenNumber);
    if found {
        mask_text(text)
    } else {
        text.to_owned()
    }
}

impl AcceptedVersion {
    /// Reads and checks the event.
    ///
    /// # Errors
    /// The first field that is missing, out of form, or in clear where it must not be.
    pub fn from_event(event: &RecordAccepted) -> Result<Self, Malformed> {
        let record = RecordVersion::from_wire(event.version.as_ref())?;
        let Some(received_at) = from_timestamp(event.received_at.as_ref()) else {
            return malformed_field("received_at", "is present");
        };
        if event.sealed_record.is_empty() {
            return malformed_field("sealed_record", "is present");
        }
        Ok(Self {
            record,
            received_at,
            decision_date: check_date("decision_date", &event.decision_date)?,
            effective_date: check_date("effective_date", &event.effective_date)?,
            expiry_date: optional_date("expiry_date", &event.expiry_date)?,
            publicity_until: optional_date("publicity_until", &event.publicity_until)?,
            subject: read_subject(event)?,
            sealed_record: event.sealed_record.clone(),
        })
    }
}

fn read_subject(event: &RecordAccepted) -> Result<VersionSubject, Malformed> {
    let kind = match event.subject_kind() {
        common::SubjectKind::Organisation => SubjectKind::Organisation,
        common::SubjectKind::IndividualBusiness => SubjectKind::IndividualBusiness,
        common::SubjectKind::NaturalPerson => {
            let clear = [
                &event.subject_code,
                &event.subject_name,
                &event.document_number,
            ];
            if clear.iter().any(|text| !text.is_empty()) {
                return malformed_field(
                    "subject_kind",
                    "a natural person has nothing in clear (R-14)",
                );
            }
            let Ok(blind_index) = event.subject_blind_index[..].try_into() else {
                return malformed_field("subject_blind_index", "is 32 bytes");
            };
            return Ok(VersionSubject::Person { blind_index });
        }
        common::SubjectKind::Unspecified => return malformed_field("subject_kind", "is specified"),
    };
    if !event.subject_code.is_empty() && CreditCode::parse(&event.subject_code).is_err() {
        return malformed_field("subject_code", "is a unified social credit code or empty");
    }
    if event.subject_name.is_empty() {
        return malformed_field("subject_name", "is present for an organisation");
    }
    Ok(VersionSubject::Organisation(Organisation {
        kind,
        code: event.subject_code.clone(),
        name: without_citizen_numbers(&event.subject_name),
        document_number: without_citizen_numbers(&event.document_number),
        authority: without_citizen_numbers(&event.authority),
    }))
}

/// The number of a kind in tables: that of `credit.common.v1.SubjectKind`.
pub fn kind_number(kind: SubjectKind) -> i16 {
    match kind {
        SubjectKind::Organisation => 1,
        SubjectKind::IndividualBusiness => 2,
        SubjectKind::NaturalPerson => 3,
    }
}

/// The kind with this number in tables.
pub fn kind_from_number(number: i16) -> Option<SubjectKind> {
    SubjectKind::ALL
        .into_iter()
        .find(|kind| kind_number(*kind) == number)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use service_kit::grpc::to_timestamp;

    fn event() -> RecordAccepted {
        RecordAccepted {
            version: Some(common::RecordVersion {
                record_id: Bytes::from_static(&[7; 16]),
                provider_code: "11430100006123458R".to_owned(),
                item_code: "xzcf".to_owned(),
                item_version: 1,
                key_digest: Bytes::from_static(&[1; 32]),
                revision: 2,
                record_address: Bytes::from_static(&[8; 16]),
            }),
            received_at: Some(to_timestamp(OffsetDateTime::UNIX_EPOCH)),
            subject_kind: common::SubjectKind::Organisation.into(),
            subject_code: "12430100444900018L".to_owned(),
            subject_name: "长沙市第一医院".to_owned(),
            subject_blind_index: Bytes::new(),
            document_number: "长卫罚〔2025〕3号".to_owned(),
            decision_date: "2025-02-03".to_owned(),
            effective_date: "2025-02-03".to_owned(),
            expiry_date: String::new(),
            authority: "长沙市卫生健康委员会".to_owned(),
            sealed_record: Bytes::from_static(b"sealed"),
            publicity_until: String::new(),
            ..RecordAccepted::default()
        }
    }

    #[test]
    fn a_version_survives_reading() {
        let version = AcceptedVersion::from_event(&event()).unwrap();
        assert_eq!((version.expiry_date, version.publicity_until), (None, None));
        let record = common::RecordVersion::from(&version.record);
        assert_eq!(Some(record), event().version);
        assert!(matches!(version.subject, VersionSubject::Organisation(_)));
        assert_eq!(version.sealed_record, event().sealed_record);
    }

    #[test]
    fn d9_the_providers_own_deadline_is_read() {
        let mut limited = event();
        limited.publicity_until = "2026-02-03".to_owned();
        assert_eq!(
            AcceptedVersion::from_event(&limited)
                .unwrap()
                .publicity_until,
            Some(date!(2026 - 02 - 03))
        );
        // A deadline that cannot be read must not count as none: that would disclose too long.
        for text in ["长期", "2026-02-30", "10000-01-01"] {
            limited.publicity_until = text.to_owned();
            let refused = AcceptedVersion::from_event(&limited).unwrap_err();
            assert_eq!(refused.field, "publicity_until", "{text}");
        }
    }

    #[test]
    fn r14_a_natural_person_in_clear_is_refused() {
        let mut person = event();
        person.subject_kind = common::SubjectKind::NaturalPerson.into();
        person.subject_blind_index = Bytes::from_static(&[9; 32]);
        assert_eq!(
            AcceptedVersion::from_event(&person).unwrap_err().field,
            "subject_kind"
        );
        person.subject_code.clear();
        person.subject_name.clear();
        assert_eq!(
            AcceptedVersion::from_event(&person).unwrap_err().field,
            "subject_kind"
        );
        person.document_number.clear();
        let VersionSubject::Person { blind_index } =
            AcceptedVersion::from_event(&person).unwrap().subject
        else {
            panic!("is about a person");
        };
        assert_eq!(blind_index, [9; 32]);
        person.subject_blind_index = Bytes::from_static(&[9; 31]);
        let refused = AcceptedVersion::from_event(&person).unwrap_err();
        assert_eq!(refused.field, "subject_blind_index");
    }

    #[test]
    fn each_malformed_field_is_named() {
        type SpoilVersion = fn(&mut RecordAccepted);
        let cases: [(&str, SpoilVersion); 10] = [
            ("version", |e| e.version = None),
            ("version.record_id", |e| {
                e.version.as_mut().unwrap().record_id = Bytes::from_static(b"x");
            }),
            ("version.record_address", |e| {
                e.version.as_mut().unwrap().record_address = Bytes::new();
            }),
            ("version.revision", |e| {
                e.version.as_mut().unwrap().revision = 0
            }),
            ("version.key_digest", |e| {
                e.version.as_mut().unwrap().key_digest = Bytes::new();
            }),
            ("received_at", |e| e.received_at = None),
            ("decision_date", |e| {
                e.decision_date = "2025-02-30".to_owned()
            }),
            ("subject_kind", |e| e.subject_kind = 0),
            ("subject_code", |e| {
                e.subject_code = "12430100444900018M".to_owned()
            }),
            ("sealed_record", |e| e.sealed_record = Bytes::new()),
        ];
        for (field, spoil) in cases {
            let mut bad = event();
            spoil(&mut bad);
            assert_eq!(AcceptedVersion::from_event(&bad).unwrap_err().field, field);
        }
    }

    #[test]
    fn r4_a_citizen_number_in_a_document_number_never_gets_into_a_table() {
        let mut leaky = event();
        leaky.document_number = "证号11010519491231002X".to_owned();
        let VersionSubject::Organisation(organisation) =
            AcceptedVersion::from_event(&leaky).unwrap().subject
        else {
            panic!("is about an organisation");
        };
        assert!(!organisation.document_number.contains("19491231"));
        assert_eq!(
            without_citizen_numbers("长卫罚〔2025〕3号"),
            "长卫罚〔2025〕3号"
        );
    }

    #[test]
    fn numbers_of_kinds_are_those_of_the_messages() {
        let wire = [
            (SubjectKind::Organisation, common::SubjectKind::Organisation),
            (
                SubjectKind::IndividualBusiness,
                common::SubjectKind::IndividualBusiness,
            ),
            (
                SubjectKind::NaturalPerson,
                common::SubjectKind::NaturalPerson,
            ),
        ];
        assert_eq!(wire.len(), SubjectKind::ALL.len());
        for (kind, wire) in wire {
            assert_eq!(i32::from(kind_number(kind)), i32::from(wire));
            assert_eq!(kind_from_number(kind_number(kind)), Some(kind));
        }
        assert_eq!(kind_from_number(0), None);
    }
}
