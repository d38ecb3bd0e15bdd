//! An objection as callers see it: opened, checked against its digests, with its clocks at the
//! moment of the call. Called by the use cases for every answer.

use std::collections::HashMap;

use prost::Message as _;
use record_ref::VersionId;
use service_kit::db::Conn;
use uuid::Uuid;

use super::{ObjectionCallContext, SealedColumn};
use crate::{
    domain::{self, Objection, ObjectionClocks, ObjectionPhase, application::EvidenceDescription},
    error::ObjectionError,
    store::{self, StoredEvidence, StoredObjection},
};

/// What is shown of an objection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectionView {
    /// The objection.
    pub objection_id: Uuid,
    /// The version objected to.
    pub version_id: VersionId,
    /// How far it has come.
    pub objection: Objection,
    /// Both clocks; none for a filing that no rule set governs.
    pub clocks: Option<ObjectionClocks>,
    /// What the applicant says.
    pub statement: String,
    /// What the provider says; empty before it does.
    pub answer: String,
    /// What was handed in, in order.
    pub evidence: Vec<EvidenceDescription>,
}

/// Opens some objections, with one query for the evidence of all.
pub async fn view_objections(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    stored: Vec<StoredObjection>,
) -> Result<Vec<ObjectionView>, ObjectionError> {
    let ids: Vec<Uuid> = stored.iter().map(|s| s.objection_id).collect();
    let rows = store::list_evidence(conn, &ids)
        .await
        .map_err(ObjectionError::database("查询证据"))?;
    let mut evidence: HashMap<Uuid, Vec<EvidenceDescription>> = HashMap::new();
    for (objection_id, sealed) in rows {
        let piece = open_description(call, objection_id, &sealed)?;
        evidence.entry(objection_id).or_default().push(piece);
    }
    stored
        .into_iter()
        .map(|stored| {
            let evidence = evidence.remove(&stored.objection_id).unwrap_or_default();
            open_objection(call, stored, evidence)
        })
        .collect()
}

/// Opens one objection.
pub async fn view_objection(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    stored: StoredObjection,
) -> Result<ObjectionView, ObjectionError> {
    let mut views = view_objections(conn, call, vec![stored]).await?;
    views.pop().ok_or(ObjectionError::Unknown)
}

fn damaged(column: SealedColumn) -> ObjectionError {
    ObjectionError::Damaged {
        column: column.name(),
    }
}

fn open_description(
    call: ObjectionCallContext<'_>,
    objection_id: Uuid,
    sealed: &[u8],
) -> Result<EvidenceDescription, ObjectionError> {
    let column = SealedColumn::EvidenceInfo;
    let plain = column.open(call.keyring, objection_id, sealed)?;
    let stored = StoredEvidence::decode(plain.as_slice()).map_err(|_| damaged(column))?;
    Ok(EvidenceDescription {
        file_name: stored.file_name,
        media_type: stored.media_type,
        size_bytes: stored.size_bytes,
        sha256: stored.sha256[..].try_into().map_err(|_| damaged(column))?,
    })
}

fn open_objection(
    call: ObjectionCallContext<'_>,
    stored: StoredObjection,
    evidence: Vec<EvidenceDescription>,
) -> Result<ObjectionView, ObjectionError> {
    let text = |column: SealedColumn, sealed: &[u8], sha256: &[u8]| {
        let plain = column.open(call.keyring, stored.objection_id, sealed)?;
        if vault::sha256(&plain) != sha256 {
            return Err(damaged(column));
        }
        String::from_utf8(plain).map_err(|_| damaged(column))
    };
    let answer = match (&stored.objection.phase, &stored.sealed_answer) {
        (ObjectionPhase::Answered { answer, .. }, Some(sealed)) => {
            text(SealedColumn::Answer, sealed, &answer.sha256)?
        }
        _ => String::new(),
    };
    Ok(ObjectionView {
        objection_id: stored.objection_id,
        version_id: stored.version_id,
        clocks: domain::clocks_at(&stored.objection, call.now, call.law),
        statement: text(
            SealedColumn::Statement,
            &stored.sealed_statement,
            &stored.statement_sha256,
        )?,
        answer,
        evidence,
        objection: stored.objection,
    })
}
