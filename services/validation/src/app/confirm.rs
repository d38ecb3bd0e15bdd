//! A named official answers for a record as it is. Called by `grpc` in a transaction that it commits.
//!
//! The verdict stays: a confirmation is a new fact beside it. A returned record is judged again with that word, and is
//! accepted as the same version; a record that stands and was contradicted simply keeps standing.

use std::{collections::BTreeSet, sync::Arc};

use credit_record::Attestation;
use event_bus::{HandlerError, NewEvent};
use legal_clock::shanghai_date;
use prost::Message;
use proto::credit::validation::v1::{
    ConfirmRecordRequest, ConfirmRecordResponse, Finding, Severity,
};
use service_kit::db::{self, Conn};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    cases, cross,
    desk::{Desk, Items},
    feedback::{case_message, findings, open, version_message},
    judge::off_the_workers,
};
use crate::{
    domain::{
        Decision, Examined, Operation, Outcome, Submission,
        cross::RecordKey,
        decide,
        decision::{finding_message, is_error},
        examine::{Content, Means, examine},
    },
    error::ValidationError,
    store::{
        self, Held,
        cases::{Changed, ClosedAs},
        confirmations::{self, ConfirmableCase, NewConfirmation},
        reads,
    },
};

/// The word of an attester as it is kept, sealed.
#[derive(Clone, PartialEq, Message)]
struct Word {
    #[prost(string, tag = "1")]
    attester: String,
    #[prost(string, tag = "2")]
    statement: String,
}

impl Word {
    fn of(request: &ConfirmRecordRequest) -> Result<Self, ValidationError> {
        let fits = |text: &str, most| {
            (2..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        let word = Self {
            attester: request.attester.trim().to_owned(),
            statement: request.statement.trim().to_owned(),
        };
        if !fits(&word.attester, 100) {
            return Err(ValidationError::Attester);
        }
        if !fits(&word.statement.replace(['\n', '\t'], " "), 1000) {
            return Err(ValidationError::Statement);
        }
        Ok(word)
    }
}

/// Confirms the record of an open case of the caller. The same word again is answered again.
///
/// # Errors
/// [`ValidationError`] saying why it cannot be confirmed.
pub async fn confirm(
    conn: &mut Conn,
    desk: &Arc<Desk>,
    provider_code: &str,
    request: &ConfirmRecordRequest,
    now: OffsetDateTime,
) -> Result<ConfirmRecordResponse, ValidationError> {
    let case_id = Uuid::parse_str(&request.case_id).map_err(|_| ValidationError::CaseId)?;
    let word = Word::of(request)?;
    let case = confirmations::case(conn, case_id)
        .await
        .map_err(failed)?
        .filter(|case| case.version.provider_code == provider_code)
        .ok_or(ValidationError::CaseUnknown)?;
    match case.closed {
        None => {}
        Some(ClosedAs::Confirmation) => return again(conn, desk, case_id, &case, &word, now).await,
        Some(_) => return Err(ValidationError::CaseClosed),
    }
    if case.contradicted {
        stand(conn, desk, case_id, &case, &word, now).await?;
    } else {
        accept(conn, desk, case_id, &case, &word, now).await?;
    }
    answer(conn, desk, case_id, &case, now).await
}

/// The answer to a word that was given before.
async fn again(
    conn: &mut Conn,
    desk: &Desk,
    case_id: Uuid,
    case: &ConfirmableCase,
    word: &Word,
    now: OffsetDateTime,
) -> Result<ConfirmRecordResponse, ValidationError> {
    let given = confirmations::given(conn, case_id).await.map_err(failed)?;
    if let Some((sealed, _)) = given {
        let what = "sealed_word";
        let plain = open(&desk.keyring, case.version.record_id, what, &sealed)?;
        let given =
            Word::decode(&plain[..]).map_err(|source| ValidationError::Content { what, source })?;
        if given == *word {
            return answer(conn, desk, case_id, case, now).await;
        }
    }
    Err(ValidationError::CaseClosed)
}

async fn answer(
    conn: &mut Conn,
    desk: &Desk,
    case_id: Uuid,
    case: &ConfirmableCase,
    now: OffsetDateTime,
) -> Result<ConfirmRecordResponse, ValidationError> {
    let given = confirmations::given(conn, case_id).await.map_err(failed)?;
    let remaining = given.and_then(|(_, findings)| findings);
    let row = reads::case(conn, case_id)
        .await
        .map_err(failed)?
        .ok_or(ValidationError::CaseUnknown)?;
    Ok(ConfirmRecordResponse {
        case: Some(case_message(&desk.keyring, row, shanghai_date(now))?),
        findings: findings(&desk.keyring, case.version.record_id, remaining.as_deref())?,
    })
}

/// A contradicted version stands on.
async fn stand(
    conn: &mut Conn,
    desk: &Desk,
    case_id: Uuid,
    case: &ConfirmableCase,
    word: &Word,
    now: OffsetDateTime,
) -> Result<(), ValidationError> {
    let record_id = case.version.record_id;
    let key = key_of(case);
    let changes = close(conn, &key, case_id, case, now).await?;
    let sealed_word = desk
        .keyring
        .seal(record_id.as_bytes(), &word.encode_to_vec());
    let new = NewConfirmation {
        case_id,
        record_id,
        sealed_word: &sealed_word,
        sealed_findings: None,
        accepts: false,
        identity: None,
    };
    confirmations::keep(conn, &new, now).await.map_err(failed)?;
    finish(conn, &changes, Vec::new(), now).await
}

/// A returned version is judged again with the word, and accepted.
async fn accept(
    conn: &mut Conn,
    desk: &Arc<Desk>,
    case_id: Uuid,
    case: &ConfirmableCase,
    word: &Word,
    now: OffsetDateTime,
) -> Result<(), ValidationError> {
    let record_id = case.version.record_id;
    let found = findings(&desk.keyring, record_id, case.sealed_findings.as_deref())?;
    refuse_others(&found)?;
    let fields = at_fault(&found);
    let submission = submission_of(case)?;
    let wanted = [submission.item()];
    let items = desk.usable(conn, &wanted).await.map_err(not_now)?;
    let items = Arc::new(items);
    let examined = examine_attested(
        desk.clone(),
        items.clone(),
        submission,
        fields,
        word.attester.clone(),
    )
    .await?;
    let examined = [examined];
    let (mut standing, _) = cross::load(conn, &items, &examined, true)
        .await
        .map_err(failed)?;
    let [examined] = examined;
    let beside = standing.findings(&examined, cross::owner(&items, &examined), true);
    let own = match &examined.content {
        Content::Faulty(own) => own.as_slice(),
        _ => &[],
    };
    let errors: Vec<Finding> = own
        .iter()
        .chain(&beside)
        .filter(|finding| is_error(finding))
        .map(finding_message)
        .collect();
    if !errors.is_empty() {
        return Err(ValidationError::NotConfirmable(named(errors.iter())));
    }
    cross::admit(&mut standing, &examined, &beside);
    if !cross::write(conn, &standing).await.map_err(failed)? {
        return Err(ValidationError::Overtaken);
    }
    let keys = desk.clone();
    let Decision {
        outcome,
        sealed_findings,
        identity,
        submission,
        ..
    } = off_the_workers(move || decide(&keys.keyring, examined, beside))
        .await
        .map_err(not_now)?;
    let key = RecordKey::of(&submission);
    let changes = close(conn, &key, case_id, case, now).await?;
    let sealed_word = desk
        .keyring
        .seal(record_id.as_bytes(), &word.encode_to_vec());
    let new = NewConfirmation {
        case_id,
        record_id,
        sealed_word: &sealed_word,
        sealed_findings: sealed_findings.as_deref(),
        accepts: true,
        identity: identity.as_ref().map(|digest| &digest[..]),
    };
    confirmations::keep(conn, &new, now).await.map_err(failed)?;
    let accepted = match outcome {
        Outcome::Accepted(event) => vec![NewEvent::new(event.as_ref(), now, "")],
        Outcome::Ended(_) | Outcome::Returned => Vec::new(),
    };
    finish(conn, &changes, accepted, now).await
}

/// Holds the key, makes sure that nothing newer stands, and closes the case and those that it answers.
async fn close(
    conn: &mut Conn,
    key: &RecordKey,
    case_id: Uuid,
    case: &ConfirmableCase,
    now: OffsetDateTime,
) -> Result<Vec<Changed>, ValidationError> {
    let held = Held {
        key,
        revision: case.version.revision.unsigned_abs(),
        record_id: case.version.record_id,
        accepted: true,
        ends: false,
    };
    store::hold_keys(conn, &[held]).await.map_err(failed)?;
    let newest = store::newest_accepted(conn, key).await.map_err(failed)?;
    if newest > case.version.revision {
        return Err(ValidationError::Superseded);
    }
    let mut changes = store::cases::close_confirmed(conn, case_id, now)
        .await
        .map_err(failed)?;
    if changes.is_empty() {
        return Err(ValidationError::CaseClosed);
    }
    let answered = store::cases::close_answered(conn, std::iter::once(key), now).await;
    changes.extend(answered.map_err(failed)?);
    Ok(changes)
}

/// Tells the feed and the bus.
async fn finish(
    conn: &mut Conn,
    changes: &[Changed],
    mut events: Vec<NewEvent>,
    now: OffsetDateTime,
) -> Result<(), ValidationError> {
    store::cases::tell(conn, changes, now)
        .await
        .map_err(failed)?;
    events.extend(changes.iter().map(|change| cases::event(change, now)));
    event_bus::append(conn, &events).await.map_err(failed)
}

async fn examine_attested(
    desk: Arc<Desk>,
    items: Arc<Items>,
    submission: Submission,
    fields: BTreeSet<String>,
    attester: String,
) -> Result<Examined, ValidationError> {
    let examined = off_the_workers(move || {
        let attestations: Vec<Attestation<'_>> = fields
            .iter()
            .map(|field| Attestation {
                field,
                attester: &attester,
            })
            .collect();
        let means = Means {
            keyring: &desk.keyring,
            working_days: &desk.working_days,
            attestations: &attestations,
        };
        let item = items.get(&submission.item())?;
        Some(examine(means, &item.compiled, submission))
    });
    examined
        .await
        .map_err(not_now)?
        .ok_or(ValidationError::ItemUnusable)?
        .map_err(|source| ValidationError::Sealed {
            what: "sealed_content",
            source,
        })
}

fn submission_of(case: &ConfirmableCase) -> Result<Submission, ValidationError> {
    let sealed_content = case.sealed_content.clone();
    Ok(Submission {
        record_id: case.version.record_id,
        version: version_message(case.version.clone()),
        ledger_number: case.ledger_number.unsigned_abs(),
        received_at: case.received_at,
        operation: Operation::Upsert,
        content_type: case.content_type.clone(),
        sealed_content: sealed_content
            .ok_or(ValidationError::ContentNotKept)?
            .into(),
        sealed_record_key: case.sealed_record_key.clone().into(),
    })
}

fn key_of(case: &ConfirmableCase) -> RecordKey {
    RecordKey {
        provider_code: case.version.provider_code.clone(),
        item_code: case.version.item_code.clone(),
        key_digest: case.version.key_digest.clone().into(),
    }
}

fn errors(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let is_error = |finding: &&Finding| finding.severity() == Severity::Error;
    findings.iter().filter(is_error)
}

/// Fields that the attester answers for.
fn at_fault(findings: &[Finding]) -> BTreeSet<String> {
    errors(findings)
        .map(|finding| finding.field.clone())
        .filter(|field| !field.is_empty())
        .collect()
}

/// Refuses when anybody's word does not help against one of the errors.
fn refuse_others(findings: &[Finding]) -> Result<(), ValidationError> {
    let others = named(errors(findings).filter(|finding| !finding.confirmable));
    if others.is_empty() {
        Ok(())
    } else {
        Err(ValidationError::NotConfirmable(others))
    }
}

/// Code and field of findings, without values.
fn named<'a>(findings: impl Iterator<Item = &'a Finding>) -> String {
    let names: BTreeSet<String> = findings
        .map(|finding| match finding.field.as_str() {
            "" => finding.code.clone(),
            field => format!("{}（{field}）", finding.code),
        })
        .collect();
    names.into_iter().collect::<Vec<_>>().join("、")
}

fn failed(source: db::Error) -> ValidationError {
    ValidationError::Database {
        doing: "确认记录",
        source,
    }
}

fn not_now(error: HandlerError) -> ValidationError {
    match error {
        HandlerError::Database(source) => failed(source),
        HandlerError::Transient(_) => ValidationError::Overtaken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &str, field: &str, confirmable: bool, severity: Severity) -> Finding {
        Finding {
            code: code.to_owned(),
            field: field.to_owned(),
            confirmable,
            severity: severity.into(),
            ..Finding::default()
        }
    }

    #[test]
    fn r13_a_word_helps_only_where_every_error_allows_it() {
        let code = finding("USCC_CHECK", "A", true, Severity::Error);
        let missing = finding("REQUIRED_MISSING", "B", false, Severity::Error);
        let late = finding("LATE_REPORT", "C", false, Severity::Warning);
        assert!(refuse_others(&[code.clone(), late.clone()]).is_ok());
        let Err(ValidationError::NotConfirmable(named)) = refuse_others(&[code.clone(), missing])
        else {
            panic!("refused")
        };
        assert_eq!(named, "REQUIRED_MISSING（B）");
        assert_eq!(at_fault(&[code, late]), BTreeSet::from(["A".to_owned()]));
    }

    #[test]
    fn r13_a_word_has_a_name_and_a_reason() {
        let request = |attester: &str, statement: &str| ConfirmRecordRequest {
            case_id: String::new(),
            attester: attester.to_owned(),
            statement: statement.to_owned(),
        };
        assert!(Word::of(&request(" 李明 ", "已核对营业执照\n原件")).is_ok());
        assert!(matches!(
            Word::of(&request("李", "已核对")),
            Err(ValidationError::Attester)
        ));
        assert!(matches!(
            Word::of(&request("李\u{0}明", "已核对")),
            Err(ValidationError::Attester)
        ));
        assert!(matches!(
            Word::of(&request("李明", " 已 ")),
            Err(ValidationError::Statement)
        ));
        let long = "字".repeat(1001);
        assert!(matches!(
            Word::of(&request("李明", &long)),
            Err(ValidationError::Statement)
        ));
    }
}
