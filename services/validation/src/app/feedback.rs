//! What providers and officers ask: feedback lists, single verdicts, counts. Called by `grpc`, which has
//! found out who is asking.

use prost::Message;
use proto::credit::{
    common::v1::RecordVersion,
    validation::v1::{
        CaseKind, CaseState, FeedbackCase, Finding, GetStatisticsResponse, GetVerdictResponse,
        ListFeedbackRequest, ListFeedbackResponse, VerdictOutcome,
    },
};
use service_kit::{db::Conn, grpc::timestamp};
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::Keyring;

use crate::{
    domain::decision::{SealedChanges, SealedFindings},
    error::ValidationError,
    store::{
        cases::ClosedAs,
        reads::{self, CaseRow, Place, VersionColumns},
        reference,
    },
};

/// Rows of a page when the caller names no number.
const USUAL_PAGE: u32 = 100;
/// Most rows of a page.
const LARGEST_PAGE: u32 = 1000;

/// Whose records a caller may see. An organ can be provider and office at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Its own credit code, when it is a provider.
    pub own: Option<String>,
    /// Whether it sees every provider's: the credit office and auditors.
    pub all: bool,
}

impl Reader {
    /// The provider whose list is meant by `asked`; empty means the caller's own.
    pub(super) fn list_of(&self, asked: &str) -> Result<String, ValidationError> {
        match &self.own {
            Some(own) if asked.is_empty() => Ok(own.clone()),
            None if asked.is_empty() => Err(ValidationError::ProviderMissing),
            // Nobody is called so, and the database takes no such text.
            _ if self.all && asked.contains('\0') => Err(ValidationError::ProviderUnknown),
            _ if self.may_see(asked) => Ok(asked.to_owned()),
            _ => Err(ValidationError::NotOwnFeedback),
        }
    }

    fn may_see(&self, provider_code: &str) -> bool {
        self.all || self.own.as_deref() == Some(provider_code)
    }
}

/// One page of a provider's feedback, newest first, with findings and record keys opened.
pub async fn list(
    conn: &mut Conn,
    keyring: &Keyring,
    reader: &Reader,
    request: &ListFeedbackRequest,
    today: Date,
) -> Result<ListFeedbackResponse, ValidationError> {
    let provider = reader.list_of(&request.provider_code)?;
    let size = match request.page_size {
        0 => USUAL_PAGE,
        1..=LARGEST_PAGE => request.page_size,
        _ => return Err(ValidationError::PageSize(LARGEST_PAGE)),
    };
    let place = place_of(&request.page_token)?;
    let failed = |source| ValidationError::Database {
        doing: "查询反馈",
        source,
    };
    let total = reads::count_cases(conn, &provider, request.open_only)
        .await
        .map_err(failed)?;
    // A mistyped code must not read as a provider without complaints.
    if total == 0
        && reader.all
        && !reference::provider_exists(conn, &provider)
            .await
            .map_err(failed)?
    {
        return Err(ValidationError::ProviderUnknown);
    }
    // One more than asked tells whether there is a next page.
    let mut rows = reads::cases(conn, &provider, request.open_only, place, size + 1)
        .await
        .map_err(failed)?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = match rows.last() {
        Some(last) if more => token_of(last.opened_at, last.ledger_number),
        _ => String::new(),
    };
    let cases = rows
        .into_iter()
        .map(|row| case_message(keyring, row, today))
        .collect::<Result<_, _>>()?;
    Ok(ListFeedbackResponse {
        cases,
        next_page_token,
        total,
    })
}

/// The verdict of one version; another provider's looks as if it did not exist.
pub async fn verdict(
    conn: &mut Conn,
    keyring: &Keyring,
    reader: &Reader,
    record_id: &str,
) -> Result<GetVerdictResponse, ValidationError> {
    let record_id = Uuid::parse_str(record_id).map_err(|_| ValidationError::RecordId)?;
    let row = reads::verdict(conn, record_id)
        .await
        .map_err(|source| ValidationError::Database {
            doing: "查询校验结果",
            source,
        })?
        .filter(|row| reader.may_see(&row.version.provider_code))
        .ok_or(ValidationError::VerdictUnknown)?;
    let outcome = if row.accepted {
        VerdictOutcome::Accepted
    } else {
        VerdictOutcome::Returned
    };
    let changes = match &row.sealed_changes {
        Some(sealed) => {
            let what = "sealed_changes";
            let plain = open(keyring, record_id, what, sealed)?;
            SealedChanges::decode(&plain[..])
                .map_err(|source| ValidationError::Content { what, source })?
                .changes
        }
        None => Vec::new(),
    };
    Ok(GetVerdictResponse {
        outcome: outcome.into(),
        decided_at: Some(timestamp(row.decided_at)),
        findings: findings(keyring, record_id, row.sealed_findings.as_deref())?,
        changes,
        version: Some(version_message(row.version)),
    })
}

/// Counts over all providers.
pub async fn statistics(conn: &mut Conn) -> Result<GetStatisticsResponse, ValidationError> {
    let counted = reads::statistics(conn)
        .await
        .map_err(|source| ValidationError::Database {
            doing: "统计校验结果",
            source,
        })?;
    Ok(GetStatisticsResponse {
        accepted: counted.accepted,
        returned: counted.returned,
        returned_by_code: counted.returned_by_code.into_iter().collect(),
        revocations: counted.revocations,
        confirmed: counted.confirmed,
    })
}

/// A case as messages carry it, opened.
pub(super) fn case_message(
    keyring: &Keyring,
    row: CaseRow,
    today: Date,
) -> Result<FeedbackCase, ValidationError> {
    let record_id = row.version.record_id;
    let key = open(
        keyring,
        record_id,
        "sealed_record_key",
        &row.sealed_record_key,
    )?;
    let state = match row.closed {
        None => CaseState::Open,
        Some((_, ClosedAs::Rereport)) => CaseState::ClosedByRereport,
        Some((_, ClosedAs::Confirmation)) => CaseState::ClosedByConfirmation,
        Some((_, ClosedAs::Withdrawal)) => CaseState::ClosedByWithdrawal,
    };
    let kind = if row.contradicted {
        CaseKind::Contradicted
    } else {
        CaseKind::Returned
    };
    Ok(FeedbackCase {
        case_id: row.case_id.to_string(),
        ledger_number: row.ledger_number.unsigned_abs(),
        record_key: String::from_utf8(key).map_err(ValidationError::RecordKey)?,
        state: state.into(),
        opened_at: Some(timestamp(row.opened_at)),
        due_on: row.due_on.map(|day| day.to_string()).unwrap_or_default(),
        due_provisional: row.due_provisional,
        findings: findings(keyring, record_id, row.sealed_findings.as_deref())?,
        version: Some(version_message(row.version)),
        kind: kind.into(),
        overdue: row.closed.is_none() && row.due_on.is_some_and(|due| due < today),
        reminders: row.reminders.unsigned_abs(),
        closed_at: row.closed.map(|(at, _)| timestamp(at)),
    })
}

/// Findings that were sealed under a record id.
pub(super) fn findings(
    keyring: &Keyring,
    record_id: Uuid,
    sealed: Option<&[u8]>,
) -> Result<Vec<Finding>, ValidationError> {
    let Some(sealed) = sealed else {
        return Ok(Vec::new());
    };
    let what = "sealed_findings";
    let plain = open(keyring, record_id, what, sealed)?;
    SealedFindings::decode(&plain[..])
        .map(|sealed| sealed.findings)
        .map_err(|source| ValidationError::Content { what, source })
}

/// What was sealed under a record id.
pub(super) fn open(
    keyring: &Keyring,
    record_id: Uuid,
    what: &'static str,
    sealed: &[u8],
) -> Result<Vec<u8>, ValidationError> {
    keyring
        .open(record_id.as_bytes(), sealed)
        .map_err(|source| ValidationError::Sealed { what, source })
}

/// A version as messages carry it.
pub(super) fn version_message(columns: VersionColumns) -> RecordVersion {
    RecordVersion {
        record_id: columns.record_id.as_bytes().to_vec().into(),
        provider_code: columns.provider_code,
        item_code: columns.item_code,
        item_version: columns.item_version.unsigned_abs(),
        key_digest: columns.key_digest.into(),
        revision: columns.revision.unsigned_abs(),
    }
}

/// The token after a row: microseconds since 1970 (what the database keeps) and the ledger number, hex.
fn token_of(opened_at: OffsetDateTime, ledger_number: i64) -> String {
    let micros = opened_at.unix_timestamp_nanos() / 1000;
    let mut bytes = micros.to_be_bytes().to_vec();
    bytes.extend(ledger_number.to_be_bytes());
    hex::encode(bytes)
}

fn place_of(token: &str) -> Result<Place, ValidationError> {
    if token.is_empty() {
        return Ok(Place::START);
    }
    let mut bytes = [0_u8; 24];
    hex::decode_to_slice(token, &mut bytes).map_err(|_| ValidationError::PageToken)?;
    let (micros, ledger) = bytes.split_at(16);
    let micros = micros
        .iter()
        .fold(0_i128, |all, byte| (all << 8) | i128::from(*byte));
    let ledger = ledger
        .iter()
        .fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
    let opened_at = micros
        .checked_mul(1000)
        .and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok())
        // The database has no moments before 4713 BC.
        .filter(|moment| moment.year() >= 1970)
        .ok_or(ValidationError::PageToken)?;
    Ok(Place::new(opened_at, ledger))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_page_token_leads_back_to_its_row(micros in 0_i64..253_402_300_799_000_000, ledger in 1_i64..) {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let place = place_of(&token_of(moment, ledger)).unwrap();
            prop_assert_eq!(place, Place { opened_at: moment, ledger_number: ledger });
        }

        #[test]
        fn a_foreign_page_token_is_refused_or_harmless(token in "[0-9a-fz]{0,60}") {
            if let Ok(place) = place_of(&token) {
                prop_assert!(place.opened_at.year() >= 1970 && place.ledger_number >= 0);
            }
        }
    }

    #[test]
    fn r13_a_provider_reads_only_its_own_feedback() {
        let reader = |own: Option<&str>, all| Reader {
            own: own.map(str::to_owned),
            all,
        };
        let provider = reader(Some("A"), false);
        assert_eq!(provider.list_of("").unwrap(), "A");
        assert_eq!(provider.list_of("A").unwrap(), "A");
        assert!(matches!(
            provider.list_of("B"),
            Err(ValidationError::NotOwnFeedback)
        ));
        assert!(matches!(
            provider.list_of("A\0"),
            Err(ValidationError::NotOwnFeedback)
        ));
        assert!(provider.may_see("A") && !provider.may_see("B"));
        let office = reader(None, true);
        assert_eq!(office.list_of("B").unwrap(), "B");
        assert!(matches!(
            office.list_of(""),
            Err(ValidationError::ProviderMissing)
        ));
        assert!(matches!(
            office.list_of("B\0"),
            Err(ValidationError::ProviderUnknown)
        ));
        assert!(office.may_see("B"));
        // The development commission is the credit office and reports records of its own.
        let both = reader(Some("A"), true);
        assert_eq!(
            (both.list_of("").unwrap(), both.list_of("B").unwrap()),
            ("A".into(), "B".into())
        );
    }
}
