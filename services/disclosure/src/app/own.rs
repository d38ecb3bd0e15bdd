//! A subject's own records (R-14: persons by query only), each read logged in the same transaction as it is made
//! . Called by `grpc::subject`, which commits before it answers.

use credit_record::CitizenNumber;
use legal_clock::shanghai_date;
use service_kit::{
    db::Conn,
    identity::{PersonDocument, Principal},
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::Keyring;

use super::{definitions, open, shown_reason};
use crate::{
    domain::{
        fields::{Audience, ShownField, shown_fields},
        page::{Page, RecordPosition},
        version::kind_of_number,
        visibility::Catalogue,
    },
    error::DisclosureError,
    store::{
        catalogue,
        own::{self, OwnRow, ReadLine, Reader},
        revocations::{self, OwnNoticeRow},
    },
};

/// Kind of document whose numbers exist in two lengths.
const CITIZEN_CARD: &str = "身份证";
const READING: &str = "查询本人（本单位）信息";

/// A page of a subject's own records.
#[derive(Debug)]
pub struct OwnRecords {
    /// Rules of the items.
    pub catalogue: Catalogue,
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
    /// What is told of it.
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
pub fn reader_of(
    principal: &Principal,
    keyring: &Keyring,
    today: Date,
) -> Result<Reader, DisclosureError> {
    match &principal.person {
        Some(person) => {
            let blind_index = keyring.blind("person-document", &document_text(person, today));
            Ok(Reader::Person { blind_index })
        }
        None if principal.organisation.is_empty() => Err(DisclosureError::NoSubject),
        None => Ok(Reader::Organisation {
            code: principal.organisation.clone(),
        }),
    }
}

/// The text that validation indexes: kind and canonical number, 15-digit numbers in their form of 18.
fn document_text(person: &PersonDocument, today: Date) -> String {
    let number = match CitizenNumber::parse(&person.number, today) {
        Ok(number) if person.kind == CITIZEN_CARD => number.as_str().to_owned(),
        _ => person.number.clone(),
    };
    format!("{}:{number}", person.kind)
}

/// Reads a page and writes the log line for it.
pub async fn read(
    conn: &mut Conn,
    keyring: &Keyring,
    principal: &Principal,
    rpc: &'static str,
    page: &Page<RecordPosition>,
    now: OffsetDateTime,
) -> Result<OwnRecords, DisclosureError> {
    let today = shanghai_date(now);
    let reader = reader_of(principal, keyring, today)?;
    let catalogue = catalogue::load(conn)
        .await
        .map_err(DisclosureError::database(READING))?;
    let bounds = catalogue.all_bounds(today);
    let (total, mut rows) = own::list(conn, &bounds, &reader, page)
        .await
        .map_err(DisclosureError::database(READING))?;
    let next = page.cut(&mut rows, OwnRow::position);
    let wanted = rows
        .iter()
        .map(|row| (row.item_code.as_str(), row.item_version))
        .collect();
    let items = definitions(conn, wanted).await?;
    let revoked = if page.is_first() {
        revocations::own_notices(conn, &bounds, &reader)
            .await
            .map_err(DisclosureError::database(READING))?
    } else {
        Vec::new()
    };

    let read_id = Uuid::new_v4();
    let line = ReadLine {
        read_id,
        read_at: now,
        rpc,
        reader: &reader,
        sealed_account: keyring.seal(read_id.as_bytes(), principal.account.as_bytes()),
        record_ids: (rows.iter().map(|row| row.record_id))
            .chain(revoked.iter().map(|row| row.record_id))
            .collect(),
    };
    own::log_read(conn, &line)
        .await
        .map_err(DisclosureError::database("登记查询日志"))?;

    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        let values = open(keyring, row.record_id, &row.sealed_record)?.values;
        let item = items.get(&(row.item_code.clone(), row.item_version));
        let fields = match (item, kind_of_number(row.subject_kind)) {
            (Some(item), Some(kind)) => shown_fields(item, kind, &values, Audience::Subject),
            // The bounds let no row through whose item version is unknown.
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
    use super::*;
    use time::macros::date;

    fn principal(organisation: &str, person: Option<(&str, &str)>) -> Principal {
        Principal {
            account: "a".to_owned(),
            organisation: organisation.to_owned(),
            roles: Vec::new(),
            person: person.map(|(kind, number)| PersonDocument {
                kind: kind.to_owned(),
                number: number.to_owned(),
            }),
        }
    }

    #[test]
    fn r9_both_lengths_of_a_citizen_number_name_one_person() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let today = date!(2026 - 01 - 01);
        let of =
            |number| reader_of(&principal("", Some(("身份证", number))), &keyring, today).unwrap();
        assert_eq!(of("110105491231002"), of("11010519491231002X"));
        let expected = keyring.blind("person-document", "身份证:11010519491231002X");
        assert_eq!(
            of("11010519491231002X"),
            Reader::Person {
                blind_index: expected
            }
        );
        let passport = reader_of(
            &principal("", Some(("护照号", "110105491231002"))),
            &keyring,
            today,
        );
        let expected = keyring.blind("person-document", "护照号:110105491231002");
        assert_eq!(
            passport.unwrap(),
            Reader::Person {
                blind_index: expected
            }
        );
    }

    #[test]
    fn r14_a_person_comes_before_its_employer_and_nobody_is_nobody() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let today = date!(2026 - 01 - 01);
        let both = principal("12430100444900018L", Some(("护照号", "E12345678")));
        assert!(matches!(
            reader_of(&both, &keyring, today),
            Ok(Reader::Person { .. })
        ));
        let organisation = principal("12430100444900018L", None);
        assert!(matches!(
            reader_of(&organisation, &keyring, today),
            Ok(Reader::Organisation { .. })
        ));
        let refused = reader_of(&principal("", None), &keyring, today);
        assert!(matches!(refused, Err(DisclosureError::NoSubject)));
    }
}
