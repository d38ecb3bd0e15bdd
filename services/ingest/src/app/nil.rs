//! The use case of a nil report, given a transaction; it never commits.

use event_bus::NewEvent;
use legal_clock::{end_of_day, shanghai_date, start_of_day};
use proto::credit::ingest::events::v1::NilReported;
use service_kit::{
    db::{Conn, Error},
    grpc::timestamp,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    domain::{
        Digest, Rejection,
        nil::{Decision, Period, State, decide},
    },
    store::{
        self,
        nil::{self, NilRow},
    },
};

/// A nil report whose form was checked and whose id is sealed.
#[derive(Clone, Debug)]
pub struct NilIncoming {
    /// Who reports.
    pub provider_code: String,
    /// Keyed hash of the caller's submission id.
    pub submission_digest: Digest,
    /// Keyed hash of what stands before its first slash, see `domain::Incoming`.
    pub id_prefix: Option<Digest>,
    /// Digest of everything that the caller sent.
    pub request_digest: Digest,
    /// Of which item.
    pub item_code: String,
    /// In which days.
    pub period: Period,
    /// The id that the report gets when it is new.
    pub report_id: Uuid,
    /// The submission id, sealed under `report_id`.
    pub sealed_submission_id: Vec<u8>,
}

/// Decides a nil report and stores it with its event. Waits for the provider's batch in hand, and holds up the next
/// one: no record of the period can slip in between the look at the originals and the commit.
pub async fn report(
    conn: &mut Conn,
    incoming: &NilIncoming,
    now: OffsetDateTime,
) -> Result<Result<NilRow, Rejection>, Error> {
    let now = super::as_kept(now);
    let provider = incoming.provider_code.as_str();
    store::lock_ledgers(conn, &[provider]).await?;
    let earlier = nil::earlier(conn, &incoming.submission_digest).await?;
    let reserved = match &incoming.id_prefix {
        Some(prefix) => store::reload::find(&mut *conn, provider, prefix)
            .await?
            .is_some(),
        None => false,
    };
    let item = incoming.item_code.as_str();
    let period = incoming.period;
    let (from, to) = (start_of_day(period.from), end_of_day(period.to));
    let state = State {
        earlier: earlier.map(|(request, _)| request),
        reserved,
        registration: store::registrations(conn, &[provider])
            .await?
            .remove(provider),
        item: store::items(conn, Some(&[item])).await?.remove(item),
        contradicted: nil::received_between(conn, provider, item, from, to).await?,
        today: shanghai_date(now),
    };
    match (decide(&incoming.request_digest, period, &state), earlier) {
        (Decision::Refused(rejection), _) => Ok(Err(rejection)),
        (_, Some((_, report_id))) => Ok(Ok(nil::one(conn, report_id).await?)),
        (_, None) => {
            let row = NilRow {
                report_id: incoming.report_id,
                provider_code: provider.to_owned(),
                item_code: item.to_owned(),
                period,
                received_at: now,
                sealed_submission_id: incoming.sealed_submission_id.clone(),
            };
            let (id, request) = (&incoming.submission_digest, &incoming.request_digest);
            nil::insert(conn, &row, id, request).await?;
            event_bus::append(conn, &[reported(&row)]).await?;
            Ok(Ok(row))
        }
    }
}

fn reported(row: &NilRow) -> NewEvent {
    let event = NilReported {
        report_id: row.report_id.as_bytes().to_vec().into(),
        provider_code: row.provider_code.clone(),
        item_code: row.item_code.clone(),
        period_from: row.period.from.to_string(),
        period_to: row.period.to.to_string(),
        received_at: Some(timestamp(row.received_at)),
    };
    NewEvent::new(&event, row.received_at, "")
}
