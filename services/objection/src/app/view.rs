//! An objection as callers see it: opened, checked against its digests, with its clocks at the
//! moment of the call. Called by `grpc` for every answer.

use std::collections::HashMap;

use prost::Message as _;
use proto::credit::objection::v1::{self as wire, EvidenceInfo, ObjectionState};
use service_kit::{db::Conn, grpc::timestamp};
use uuid::Uuid;

use super::{Desk, Place};
use crate::{
    domain::{self, Due, Objection, Phase},
    error::ServiceError,
    store::{self, Stored},
};

/// The views of some objections, with one query for the evidence of all.
pub async fn of(
    conn: &mut Conn,
    desk: Desk<'_>,
    stored: Vec<Stored>,
) -> Result<Vec<wire::Objection>, ServiceError> {
    let ids: Vec<Uuid> = stored.iter().map(|s| s.objection_id).collect();
    let rows = store::evidence(conn, &ids)
        .await
        .map_err(ServiceError::database("查询证据"))?;
    let mut evidence: HashMap<Uuid, Vec<EvidenceInfo>> = HashMap::new();
    for (objection_id, sealed) in rows {
        let plain = Place::EvidenceInfo.open(desk.keyring, objection_id, &sealed)?;
        let info =
            EvidenceInfo::decode(plain.as_slice()).map_err(|_| damaged(Place::EvidenceInfo))?;
        evidence.entry(objection_id).or_default().push(info);
    }
    stored
        .into_iter()
        .map(|stored| {
            let evidence = evidence.remove(&stored.objection_id).unwrap_or_default();
            one(desk, &stored, evidence)
        })
        .collect()
}

fn damaged(place: Place) -> ServiceError {
    ServiceError::Damaged {
        place: place.name(),
    }
}

fn one(
    desk: Desk<'_>,
    stored: &Stored,
    evidence: Vec<EvidenceInfo>,
) -> Result<wire::Objection, ServiceError> {
    let objection = &stored.objection;
    let clocks = domain::clocks(objection, desk.now, desk.law);
    let text = |place: Place, sealed: &[u8], sha256: &[u8]| {
        let plain = place.open(desk.keyring, stored.objection_id, sealed)?;
        if vault::sha256(&plain) != sha256 {
            return Err(damaged(place));
        }
        String::from_utf8(plain).map_err(|_| damaged(place))
    };
    let answer = match (&objection.phase, &stored.sealed_answer) {
        (Phase::Answered { answer, .. }, Some(sealed)) => {
            text(Place::Answer, sealed, &answer.sha256)?
        }
        _ => String::new(),
    };
    Ok(wire::Objection {
        objection_id: stored.objection_id.to_string(),
        record_id: stored.record_id.to_string(),
        provider_code: objection.provider_code.clone(),
        state: state(objection).into(),
        filed_at: Some(timestamp(objection.filed_at)),
        transferred_at: objection.transferred_at().map(timestamp),
        answered_at: objection.answered_at().map(timestamp),
        transfer_due: clocks.map(|clocks| due(&clocks.transfer)),
        answer_due: clocks.map(|clocks| due(&clocks.answer)),
        statement: text(
            Place::Statement,
            &stored.sealed_statement,
            &stored.statement_sha256,
        )?,
        answer,
        evidence,
    })
}

fn state(objection: &Objection) -> ObjectionState {
    match objection.phase {
        Phase::Filed => ObjectionState::Filed,
        Phase::Transferred { .. } => ObjectionState::Transferred,
        Phase::Answered { answer, .. } => match answer.decision {
            domain::Decision::Keep => ObjectionState::AnsweredKept,
            domain::Decision::Correct => ObjectionState::AnsweredCorrect,
        },
    }
}

/// A civil date prints as `YYYY-MM-DD` for every year that occurs here. That a clock has not
/// started is seen from the missing `transferred_at`.
fn due(due: &Due) -> wire::DueDate {
    wire::DueDate {
        due_on: due.deadline.due_on.to_string(),
        provisional: due.deadline.provisional,
        article: due.article.to_owned(),
        overdue: due.overdue,
    }
}
