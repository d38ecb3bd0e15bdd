//! A named official answers for a record as it is. Called by `grpc` in a transaction that it commits.
//!
//! The verdict stays: a confirmation is a new fact next to it. A returned record is judged again with the attestation,
//! and is accepted as the same version; a record that was accepted and then contradicted simply stays accepted.

use std::{collections::BTreeSet, sync::Arc};

use credit_record::Attestation;
use event_bus::NewEvent;
use legal_clock::shanghai_date;
use prost::Message;
use record_ref::{Operation, ProviderCode, RecordVersion};
use service_kit::{
    blocking::run_blocking,
    db::{self, Conn},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    RecordValidator, comparison,
    events::{case_changed_event, verdict_event},
    feedback::OpenedCase,
    items::CompiledItems,
};
use crate::{
    domain::{
        CheckedVersion, SubmittedVersion,
        check::{CheckInputs, CheckedContent, check_record},
        confirmation::{NamedAttestation, faulty_fields, finding_names, refuse_unconfirmable},
        decide_verdict,
        sealed::{StoredFinding, open_findings, open_message},
        verdict::is_error,
    },
    error::ValidationError,
    store::{
        self, KeyLock,
        cases::{ChangedCase, ClosedAs},
        confirmations::{self, ConfirmableCase, NewConfirmation},
        reads,
    },
};

/// A confirmed record.
#[derive(Debug, Clone)]
pub struct ConfirmedRecord {
    /// The case as it is now.
    pub case: OpenedCase,
    /// The findings that remain, as warnings.
    pub findings: Vec<StoredFinding>,
}

/// Confirms the record of an open case of the caller, which has none while its organisation is no provider's.
/// Idempotent: the same attester and statement get the same answer.
///
/// # Errors
/// [`ValidationError`] saying why it cannot be confirmed.
pub async fn confirm_record(
    conn: &mut Conn,
    validator: &Arc<RecordValidator>,
    provider: Option<ProviderCode>,
    case_id: Uuid,
    attestation: &NamedAttestation,
    now: OffsetDateTime,
) -> Result<ConfirmedRecord, ValidationError> {
    let case = confirmations::find_confirmable_case(conn, case_id)
        .await
        .map_err(database_error)?
        .filter(|case| Some(case.version.provider) == provider)
        .ok_or(ValidationError::CaseUnknown)?;
    match case.closed {
        None => {}
        Some(ClosedAs::Confirmation) => {
            return repeat_confirmation(conn, validator, case_id, &case, attestation, now).await;
        }
        Some(_) => return Err(ValidationError::CaseClosed),
    }
    if case.contradicted {
        confirm_contradicted(conn, validator, case_id, &case, attestation, now).await?;
    } else {
        confirm_returned(conn, validator, case_id, &case, attestation, now).await?;
    }
    confirmation_answer(conn, validator, case_id, &case, now).await
}

/// The answer to an attestation that was given before.
async fn repeat_confirmation(
    conn: &mut Conn,
    validator: &RecordValidator,
    case_id: Uuid,
    case: &ConfirmableCase,
    attestation: &NamedAttestation,
    now: OffsetDateTime,
) -> Result<ConfirmedRecord, ValidationError> {
    let given = confirmations::find_confirmation(conn, case_id)
        .await
        .map_err(database_error)?;
    if let Some((sealed, _)) = given {
        let (keyring, id) = (&validator.keyring, case.version.id);
        let given = open_message(keyring, id, "sealed_attestation", Some(&sealed))?;
        if given.as_ref() == Some(attestation) {
            return confirmation_answer(conn, validator, case_id, case, now).await;
        }
    }
    Err(ValidationError::CaseClosed)
}

async fn confirmation_answer(
    conn: &mut Conn,
    validator: &RecordValidator,
    case_id: Uuid,
    case: &ConfirmableCase,
    now: OffsetDateTime,
) -> Result<ConfirmedRecord, ValidationError> {
    let given = confirmations::find_confirmation(conn, case_id)
        .await
        .map_err(database_error)?;
    let remaining = given.and_then(|(_, findings)| findings);
    let row = reads::find_case(conn, case_id)
        .await
        .map_err(database_error)?
        .ok_or(ValidationError::CaseUnknown)?;
    Ok(ConfirmedRecord {
        case: OpenedCase::open_sealed(&validator.keyring, row, shanghai_date(now))?,
        findings: open_findings(&validator.keyring, case.version.id, remaining.as_deref())?,
    })
}

/// Confirms a version that was accepted and then contradicted: it stays accepted.
async fn confirm_contradicted(
    conn: &mut Conn,
    validator: &RecordValidator,
    case_id: Uuid,
    case: &ConfirmableCase,
    attestation: &NamedAttestation,
    now: OffsetDateTime,
) -> Result<(), ValidationError> {
    let version_id = case.version.id;
    let changes = close_cases(conn, case_id, &case.version, now).await?;
    let sealed_attestation = validator
        .keyring
        .seal(version_id.as_bytes(), &attestation.encode_to_vec());
    let new = NewConfirmation {
        case_id,
        version_id,
        sealed_attestation: &sealed_attestation,
        sealed_findings: None,
        accepts: false,
        identity: None,
    };
    confirmations::insert_confirmation(conn, &new, now)
        .await
        .map_err(database_error)?;
    append_changes(conn, &changes, Vec::new(), now).await
}

/// Judges a returned version again with the attestation, and accepts it.
async fn confirm_returned(
    conn: &mut Conn,
    validator: &Arc<RecordValidator>,
    case_id: Uuid,
    case: &ConfirmableCase,
    attestation: &NamedAttestation,
    now: OffsetDateTime,
) -> Result<(), ValidationError> {
    let version_id = case.version.id;
    let sealed = case.sealed_findings.as_deref();
    let found = open_findings(&validator.keyring, version_id, sealed)?;
    refuse_unconfirmable(&found)?;
    let fields = faulty_fields(&found);
    let submission = submission_of(case)?;
    let wanted = [submission.version.item.clone()];
    let items = validator.items.load_usable_items(conn, &wanted).await?;
    let items = Arc::new(items);
    let checked = check_attested(
        validator.clone(),
        items.clone(),
        submission,
        fields,
        attestation.attester.clone(),
    )
    .await?;
    let checked = [checked];
    let (mut state, _) = comparison::load_comparison(conn, &items, &checked, true)
        .await
        .map_err(database_error)?;
    let [checked] = checked;
    let comparison_findings =
        state.compare_version(&checked, comparison::item_owner(&items, &checked), true);
    let own = match &checked.content {
        CheckedContent::Faulty(own) => own.as_slice(),
        _ => &[],
    };
    let errors = own
        .iter()
        .chain(&comparison_findings)
        .filter(|finding| is_error(finding));
    let errors = finding_names(errors.map(|finding| {
        let field = finding.field.as_deref().unwrap_or_default();
        (finding.code.as_str(), field)
    }));
    if !errors.is_empty() {
        return Err(ValidationError::NotConfirmable(errors));
    }
    comparison::apply_version(&mut state, &checked, &comparison_findings);
    if !comparison::write_comparison(conn, &state)
        .await
        .map_err(database_error)?
    {
        return Err(ValidationError::Overtaken);
    }
    let keys = validator.clone();
    let verdict =
        run_blocking(move || decide_verdict(&keys.keyring, checked, comparison_findings)).await?;
    let changes = close_cases(conn, case_id, &case.version, now).await?;
    let sealed_attestation = validator
        .keyring
        .seal(version_id.as_bytes(), &attestation.encode_to_vec());
    let new = NewConfirmation {
        case_id,
        version_id,
        sealed_attestation: &sealed_attestation,
        sealed_findings: verdict.sealed_findings.as_deref(),
        accepts: true,
        identity: verdict.identity.as_ref().map(|digest| &digest[..]),
    };
    confirmations::insert_confirmation(conn, &new, now)
        .await
        .map_err(database_error)?;
    // Without errors it is accepted, so no case belongs to the event.
    let accepted = verdict_event(&verdict, None, "", now);
    append_changes(conn, &changes, vec![accepted], now).await
}

/// Locks the key, checks that no newer revision was accepted, and closes the case with those that it answers.
async fn close_cases(
    conn: &mut Conn,
    case_id: Uuid,
    version: &RecordVersion,
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, ValidationError> {
    let lock = KeyLock {
        version,
        accepted: true,
        ends: false,
    };
    store::lock_keys(conn, &[lock])
        .await
        .map_err(database_error)?;
    let newest = store::newest_accepted_revision(conn, version)
        .await
        .map_err(database_error)?;
    if newest > Some(version.revision) {
        return Err(ValidationError::Superseded);
    }
    let mut changes = store::cases::close_confirmed(conn, case_id, now)
        .await
        .map_err(database_error)?;
    if changes.is_empty() {
        return Err(ValidationError::CaseClosed);
    }
    let answered = store::cases::close_answered(conn, std::iter::once(version), now).await;
    changes.extend(answered.map_err(database_error)?);
    Ok(changes)
}

/// Appends the changes to the feed and the events to the outbox.
async fn append_changes(
    conn: &mut Conn,
    changes: &[ChangedCase],
    mut events: Vec<NewEvent>,
    now: OffsetDateTime,
) -> Result<(), ValidationError> {
    store::cases::append_feed(conn, changes, now)
        .await
        .map_err(database_error)?;
    events.extend(changes.iter().map(|change| case_changed_event(change, now)));
    event_bus::append_events(conn, &events)
        .await
        .map_err(database_error)
}

async fn check_attested(
    validator: Arc<RecordValidator>,
    items: Arc<CompiledItems>,
    submission: SubmittedVersion,
    fields: BTreeSet<String>,
    attester: String,
) -> Result<CheckedVersion, ValidationError> {
    let checked = run_blocking(move || {
        let attestations: Vec<Attestation<'_>> = fields
            .iter()
            .map(|field| Attestation {
                field,
                attester: &attester,
            })
            .collect();
        let inputs = CheckInputs {
            keyring: &validator.keyring,
            working_days: &validator.working_days,
            attestations: &attestations,
        };
        let item = items.get(&submission.version.item)?;
        Some(check_record(inputs, &item.compiled, submission))
    });
    checked
        .await?
        .ok_or(ValidationError::DefinitionUnusable)?
        .map_err(|source| ValidationError::Sealed {
            what: "sealed_content",
            source,
        })
}

fn submission_of(case: &ConfirmableCase) -> Result<SubmittedVersion, ValidationError> {
    let sealed_content = case.sealed_content.clone();
    Ok(SubmittedVersion {
        version: case.version.clone(),
        ledger_number: Some(case.ledger_number),
        received_at: case.received_at,
        operation: Operation::Upsert,
        content_type: case.content_type.clone(),
        sealed_content: sealed_content
            .ok_or(ValidationError::ContentNotKept)?
            .into(),
        sealed_record_key: case.sealed_record_key.clone().into(),
    })
}

fn database_error(source: db::Error) -> ValidationError {
    ValidationError::Database {
        doing: "确认记录",
        source,
    }
}
