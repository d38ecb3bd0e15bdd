//! A subject's own records (R-14: persons by query only), each read logged in the same transaction as it is made
//! . Called by `grpc::subject`, which commits before it answers.

use legal_clock::shanghai_date;
use service_kit::{db::Conn, identity::Principal, page::Page};
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::{Keyring, keyed_hash};

use super::{load_definitions, open_record, shown_reason};
use crate::{
    domain::{
        fields::{Audience, ShownField, shown_fields},
        page::RecordPosition,
        version::kind_from_number,
        visibility::DisclosureRules,
    },
    error::DisclosureError,
    store::{
        catalogue,
        own::{self, OwnRow, ReadLogEntry, SubjectIdentity},
        revocations::{self, OwnNoticeRow},
    },
};

const READING: &str = "查询本人（本单位）信息";

/// A page of a subject's own records.
#[derive(Debug)]
pub struct OwnRecords {
    /// Rules of the items.
    pub catalogue: DisclosureRules,
    /// Records with their shown fields, newest decision first.
    pub rows: Vec<(OwnRow, Vec<ShownField>)>,
    /// Token of the next page; empty at the end.
    pub next: String,
    /// All records within their terms.
    pub total: i64,
    /// With the first page: what was revoked.
    pub revoked: Vec<OwnNotice>,
}

/// A record about the reader that its provider revoked (D-24).
#[derive(Debug)]
pub struct OwnNotice {
    /// The columns that the notice shows.
    pub row: OwnNoticeRow,
    /// Day of the revocation in Changsha.
    pub revoked_on: Date,
    /// The provider's reason, personal numbers masked.
    pub reason: String,
}

/// Whose records a caller may read: the person of its token, else the organisation.
///
/// # Errors
/// [`DisclosureError::NoSubject`] when the token names neither.
pub fn subject_of(
    principal: &Principal,
    keyring: &Keyring,
) -> Result<SubjectIdentity, DisclosureError> {
    match &principal.person {
        Some(person) => Ok(SubjectIdentity::Person {
            blind_index: keyed_hash::hash_person_document(keyring, person),
        }),
        None if principal.organisation.is_empty() => Err(DisclosureError::NoSubject),
        None => Ok(SubjectIdentity::Organisation {
            code: principal.organisation.clone(),
        }),
    }
}

/// Reads a page and writes the log line for it.
pub async fn list_own_records(
    conn: &mut Conn,
    keyring: &Keyring,
    principal: &Principal,
    rpc: &'static str,
    page: &Page<RecordPosition>,
    now: OffsetDateTime,
) -> Result<OwnRecords, DisclosureError> {
    let today = shanghai_date(now);
    let reader = subject_of(principal, keyring)?;
    let catalogue = catalogue::load_item_rules(conn)
        .await
        .map_err(DisclosureError::database(READING))?;
    let bounds = catalogue.all_bounds(today);
    let (total, mut rows) = own::list_own_rows(conn, &bounds, &reader, page)
        .await
        .map_err(DisclosureError::database(READING))?;
    let next = page.truncate_rows(&mut rows, OwnRow::position);
    let items = load_definitions(conn, rows.iter().map(|row| &row.item).collect()).await?;
    let revoked = if page.is_first() {
        revocations::own_notices(conn, &bounds, &reader)
            .await
            .map_err(DisclosureError::database(READING))?
    } else {
        Vec::new()
    };

    let read_id = Uuid::new_v4();
    let line = ReadLogEntry {
        read_id,
        read_at: now,
        rpc,
        reader: &reader,
        sealed_account: keyring.seal(read_id.as_bytes(), principal.account.as_bytes()),
        version_ids: (rows.iter().map(|row| row.version_id))
            .chain(revoked.iter().map(|row| row.version_id))
            .collect(),
    };
    own::insert_read_log(conn, &line)
        .await
        .map_err(DisclosureError::database("登记查询日志"))?;

    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        let values = open_record(keyring, row.version_id, &row.sealed_record)?.values;
        let item = items.get(&row.item);
        let fields = match (item, kind_from_number(row.subject_kind)) {
            (Some(item), Some(kind)) => shown_fields(item, kind, &values, Audience::Subject),
            // The bounds exclude every row whose item version is unknown.
            _ => Vec::new(),
        };
        shown.push((row, fields));
    }
    let revoked = revoked.into_iter().map(|row| {
        Ok(OwnNotice {
            revoked_on: shanghai_date(row.revoked_at),
            reason: shown_reason(keyring, row.revocation_id, &row.sealed_reason)?,
            row,
        })
    });
    Ok(OwnRecords {
        catalogue,
        rows: shown,
        next,
        total,
        revoked: revoked.collect::<Result<_, DisclosureError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use credit_record::PersonDocument;
    use time::macros::date;

    use super::*;

    fn principal(organisation: &str, person: Option<(&str, &str)>) -> Principal {
        let today = date!(2026 - 01 - 01);
        Principal {
            account: "a".to_owned(),
            organisation: organisation.to_owned(),
            roles: Vec::new(),
            person: person.map(|(kind, number)| PersonDocument::new(kind, number, today)),
        }
    }

    #[test]
    fn r9_both_lengths_of_a_citizen_number_name_one_person() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let of = |kind, number| {
            let person = principal("", Some((kind, number)));
            subject_of(&person, &keyring).unwrap()
        };
        let hashed = |kind, number| SubjectIdentity::Person {
            // As validation hashes the subject of a record.
            blind_index: keyed_hash::hash_person_document(
                &keyring,
                &PersonDocument::new(kind, number, date!(2026 - 11 - 20)),
            ),
        };
        let known = hashed("身份证", "11010519491231002X");
        for written in [
            "11010519491231002X",
            "11010519491231002x",
            "110105491231002",
            "１１０１０５ 19491231002Ｘ",
        ] {
            assert_eq!(of("身份证", written), known, "{written}");
        }
        let passport = of("护照号", "110105491231002");
        assert_eq!(passport, hashed("护照号", "110105491231002"));
        assert_ne!(passport, known);
    }

    #[test]
    fn r14_a_person_comes_before_its_employer_and_nobody_is_nobody() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let both = principal("12430100444900018L", Some(("护照号", "E12345678")));
        assert!(matches!(
            subject_of(&both, &keyring),
            Ok(SubjectIdentity::Person { .. })
        ));
        let organisation = principal("12430100444900018L", None);
        assert!(matches!(
            subject_of(&organisation, &keyring),
            Ok(SubjectIdentity::Organisation { .. })
        ));
        let refused = subject_of(&principal("", None), &keyring);
        assert!(matches!(refused, Err(DisclosureError::NoSubject)));
    }
}
