//! Triggers and duties. Called by `app` and, for the clock, by `jobs`.

use credit_record::item::ItemOwner;
use legal_clock::Deadline;
use record_ref::{ItemCode, ProviderCode};
use service_kit::db::{Conn, Error};
use sqlx::FromRow;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{decode_item_code, decode_owner, unknown_value};
use crate::domain::{
    duty::{DutySelection, RecordedTrigger, RenewalDuty, RenewalDutyState, Trigger, TriggerKind},
    page::DutyKey,
    rights::CatalogScope,
};

type TriggerRow = (
    Uuid,
    String,
    String,
    String,
    Date,
    Option<Date>,
    String,
    OffsetDateTime,
);

/// The trigger of this document, if it was recorded.
pub async fn find_trigger(
    conn: &mut Conn,
    kind: TriggerKind,
    number: &str,
    promulgated_on: Date,
) -> Result<Option<RecordedTrigger>, Error> {
    let row: Option<TriggerRow> = sqlx::query_as(
        "SELECT trigger_id, kind, document_title, document_number, promulgated_on, effective_on, \
           effective_reason, recorded_at FROM change_trigger \
         WHERE kind = $1 AND document_number = $2 AND promulgated_on = $3",
    )
    .bind(kind.as_str())
    .bind(number)
    .bind(promulgated_on)
    .fetch_optional(conn)
    .await?;
    row.map(
        |(id, kind, title, number, promulgated_on, effective_on, reason, at)| {
            Ok(RecordedTrigger {
                id,
                trigger: Trigger {
                    kind: trigger_kind(&kind)?,
                    title,
                    number,
                    promulgated_on,
                    effective: effective_on.map(|day| (day, reason)),
                },
                at,
            })
        },
    )
    .transpose()
}

/// Adds a trigger.
pub async fn insert_trigger(
    conn: &mut Conn,
    recorded: &RecordedTrigger,
    by: &str,
) -> Result<(), Error> {
    let trigger = &recorded.trigger;
    let effective = trigger.effective.as_ref();
    sqlx::query(
        "INSERT INTO change_trigger (trigger_id, kind, document_title, document_number, \
         promulgated_on, effective_on, effective_reason, recorded_at, recorded_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(recorded.id)
    .bind(trigger.kind.as_str())
    .bind(&trigger.title)
    .bind(&trigger.number)
    .bind(trigger.promulgated_on)
    .bind(effective.map(|(day, _)| *day))
    .bind(effective.map_or("", |(_, reason)| reason.as_str()))
    .bind(recorded.at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// A duty to be stored.
#[derive(Debug, Clone)]
pub struct NewDuty {
    /// Its id.
    pub id: Uuid,
    /// Code of the item.
    pub item_code: ItemCode,
    /// Whose catalogue it is in.
    pub owner: ItemOwner,
    /// The version that has to be exceeded.
    pub base_version: u32,
}

/// Opens duties of one trigger, all due at once.
pub async fn insert_duties(
    conn: &mut Conn,
    trigger: Uuid,
    duties: &[NewDuty],
    deadline: Deadline,
    at: OffsetDateTime,
    by: &str,
) -> Result<(), Error> {
    let ids: Vec<Uuid> = duties.iter().map(|d| d.id).collect();
    let codes: Vec<&str> = duties.iter().map(|d| d.item_code.as_str()).collect();
    let catalogues: Vec<&str> = duties.iter().map(|d| d.owner.as_str()).collect();
    let organs: Vec<&str> = duties.iter().map(|d| d.owner.organ()).collect();
    let districts: Vec<&str> = duties.iter().map(|d| d.owner.district()).collect();
    let bases: Vec<i64> = duties.iter().map(|d| i64::from(d.base_version)).collect();
    sqlx::query(
        "WITH opened AS ( \
           INSERT INTO duty (duty_id, trigger_id, item_code, catalogue, organ, district_code, \
             base_version, due_on, provisional, state, opened_at) \
           SELECT id, $1, code, catalogue, organ, district, base, $2, $3, 'open', $4 \
           FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[]) \
             AS new (id, code, catalogue, organ, district, base) \
           RETURNING duty_id, due_on) \
         INSERT INTO duty_change (duty_id, what, at, by, due_on) \
         SELECT duty_id, 'opened', $4, $11, due_on FROM opened",
    )
    .bind(trigger)
    .bind(deadline.due_on)
    .bind(deadline.provisional)
    .bind(at)
    .bind(ids)
    .bind(codes)
    .bind(catalogues)
    .bind(organs)
    .bind(districts)
    .bind(bases)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// The version by which open duties of an item end.
#[derive(Debug, Clone, Copy)]
pub struct ClosingVersion<'a> {
    /// Code of the item.
    pub item_code: &'a str,
    /// The version, which closes those with a lower base.
    pub version: u32,
    /// When.
    pub at: OffsetDateTime,
    /// The civil day of that.
    pub on: Date,
    /// By whom.
    pub by: &'a str,
}

/// Closes the open duties of an item; returns them, so that they can be announced.
pub async fn close_duties(
    conn: &mut Conn,
    ending: ClosingVersion<'_>,
) -> Result<Vec<RenewalDuty>, Error> {
    let rows: Vec<DutyRow> = sqlx::query_as(
        "WITH ended AS ( \
           UPDATE duty SET state = 'closed', ended_at = $3, ended_on = $4, closed_by_version = $2 \
           WHERE item_code = $1 AND state = 'open' AND base_version < $2 \
           RETURNING *), \
         noted AS ( \
           INSERT INTO duty_change (duty_id, what, at, by, due_on) \
           SELECT duty_id, 'closed', $3, $5, due_on FROM ended) \
         SELECT d.*, t.kind, t.document_title, t.document_number, t.promulgated_on, \
           t.effective_on, t.effective_reason, t.recorded_at \
         FROM ended d JOIN change_trigger t USING (trigger_id) ORDER BY d.opened_at, d.duty_id",
    )
    .bind(ending.item_code)
    .bind(i64::from(ending.version))
    .bind(ending.at)
    .bind(ending.on)
    .bind(ending.by)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_duty).collect()
}

/// Items that have ended and have open duties still, in the order of their codes, 500 at most.
pub async fn ended_items(conn: &mut Conn, today: Date) -> Result<Vec<ItemCode>, Error> {
    let codes: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT d.item_code FROM duty d JOIN item_end e ON e.code = d.item_code \
         WHERE d.state = 'open' AND e.from_date <= $1 ORDER BY d.item_code LIMIT 500",
    )
    .bind(today)
    .fetch_all(conn)
    .await?;
    codes.into_iter().map(decode_item_code).collect()
}

/// Closes the open duties of those of these items that have ended. A duty is answered by the decision where its item
/// has ended by the end of the due day; what was left beyond that ends now, late.
pub async fn close_duties_of_ended(
    conn: &mut Conn,
    codes: &[ItemCode],
    today: Date,
    at: OffsetDateTime,
    by: &str,
) -> Result<Vec<RenewalDuty>, Error> {
    let rows: Vec<DutyRow> = sqlx::query_as(
        "WITH due AS ( \
           SELECT d.duty_id, e.reason, CASE WHEN e.from_date <= d.due_on + 1 \
             THEN greatest(e.decided_at, d.opened_at) ELSE $3 END AS at \
           FROM duty d JOIN item_end e ON e.code = d.item_code \
           WHERE d.item_code = ANY($1) AND d.state = 'open' AND e.from_date <= $2), \
         ended AS ( \
           UPDATE duty SET state = 'closed', ended_at = due.at, reason = due.reason, \
             ended_on = ((due.at AT TIME ZONE 'UTC') + interval '8 hours')::date \
           FROM due WHERE duty.duty_id = due.duty_id AND duty.state = 'open' RETURNING duty.*), \
         noted AS ( \
           INSERT INTO duty_change (duty_id, what, at, by, due_on) \
           SELECT duty_id, 'closed', $3, $4, due_on FROM ended) \
         SELECT d.*, t.kind, t.document_title, t.document_number, t.promulgated_on, \
           t.effective_on, t.effective_reason, t.recorded_at \
         FROM ended d JOIN change_trigger t USING (trigger_id) ORDER BY d.opened_at, d.duty_id",
    )
    .bind(codes.iter().map(ItemCode::as_str).collect::<Vec<_>>())
    .bind(today)
    .bind(at)
    .bind(by)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_duty).collect()
}

/// Ends a duty that needs no new version.
pub async fn dismiss_duty(
    conn: &mut Conn,
    duty: Uuid,
    reason: &str,
    at: OffsetDateTime,
    on: Date,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "WITH ended AS ( \
           UPDATE duty SET state = 'dismissed', ended_at = $3, ended_on = $4, reason = $2 \
           WHERE duty_id = $1 AND state = 'open' RETURNING duty_id, due_on) \
         INSERT INTO duty_change (duty_id, what, at, by, due_on) \
         SELECT duty_id, 'dismissed', $3, $5, due_on FROM ended",
    )
    .bind(duty)
    .bind(reason)
    .bind(at)
    .bind(on)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Which duties a list shows.
#[derive(Debug, Clone)]
pub struct DutyListFilter {
    /// Those that the caller may see.
    pub scope: CatalogScope,
    /// Which part.
    pub part: DutySelection,
    /// Only those of this organ.
    pub organ: Option<ProviderCode>,
    /// Only those for this item.
    pub item_code: Option<ItemCode>,
    /// Only those of this trigger.
    pub trigger: Option<Uuid>,
    /// Only this one.
    pub duty: Option<Uuid>,
    /// The civil day.
    pub today: Date,
    /// Only those after this one in the order of the list.
    pub after: DutyKey,
    /// At most so many.
    pub limit: i64,
}

/// Duties, latest first.
pub async fn list_duties(
    conn: &mut Conn,
    filter: &DutyListFilter,
) -> Result<Vec<RenewalDuty>, Error> {
    let rows: Vec<DutyRow> = sqlx::query_as(
        "SELECT d.*, t.kind, t.document_title, t.document_number, t.promulgated_on, \
           t.effective_on, t.effective_reason, t.recorded_at \
         FROM duty d JOIN change_trigger t USING (trigger_id) \
         WHERE ($1 OR ($2 <> '' AND d.district_code = $2) OR ($3 <> '' AND d.organ = $3)) \
           AND ($4 = 'all' OR ($4 = 'open' AND d.state = 'open') \
             OR ($4 = 'overdue' AND d.state = 'open' AND d.due_on < $5) \
             OR ($4 = 'ended' AND d.state <> 'open')) \
           AND ($6 = '' OR d.organ = $6) AND ($7 = '' OR d.item_code = $7) \
           AND ($8::uuid IS NULL OR d.trigger_id = $8) AND ($9::uuid IS NULL OR d.duty_id = $9) \
           AND (d.opened_at, d.duty_id) < ($10, $11) \
         ORDER BY d.opened_at DESC, d.duty_id DESC LIMIT $12",
    )
    .bind(filter.scope.all)
    .bind(&filter.scope.district_code)
    .bind(&filter.scope.organ)
    .bind(filter.part.as_str())
    .bind(filter.today)
    .bind(filter.organ.as_ref().map_or("", ProviderCode::as_str))
    .bind(filter.item_code.as_ref().map_or("", ItemCode::as_str))
    .bind(filter.trigger)
    .bind(filter.duty)
    .bind(filter.after.opened_at)
    .bind(filter.after.duty_id)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_duty).collect()
}

/// Item that a duty is about; whoever changes the duty locks that item first.
pub async fn find_duty_item(conn: &mut Conn, duty: Uuid) -> Result<Option<ItemCode>, Error> {
    let code: Option<String> = sqlx::query_scalar("SELECT item_code FROM duty WHERE duty_id = $1")
        .bind(duty)
        .fetch_optional(conn)
        .await?;
    code.map(decode_item_code).transpose()
}

/// Open duties whose due day is over and has not been announced, nor a later one; marks them. Those that another
/// writer has locked are left for the next run, so this never waits for a row.
pub async fn mark_overdue(
    conn: &mut Conn,
    today: Date,
    at: OffsetDateTime,
    by: &str,
) -> Result<Vec<RenewalDuty>, Error> {
    let rows: Vec<DutyRow> = sqlx::query_as(
        "WITH late AS ( \
           SELECT duty_id FROM duty WHERE state = 'open' AND due_on < $1 \
             AND (announced_overdue_for IS NULL OR announced_overdue_for < due_on) \
           ORDER BY duty_id LIMIT 500 FOR UPDATE SKIP LOCKED), \
         announced AS ( \
           UPDATE duty SET announced_overdue_for = due_on FROM late \
           WHERE duty.duty_id = late.duty_id RETURNING duty.*), \
         noted AS ( \
           INSERT INTO duty_change (duty_id, what, at, by, due_on) \
           SELECT duty_id, 'overdue', $2, $3, due_on FROM announced) \
         SELECT d.*, t.kind, t.document_title, t.document_number, t.promulgated_on, \
           t.effective_on, t.effective_reason, t.recorded_at \
         FROM announced d JOIN change_trigger t USING (trigger_id) ORDER BY d.due_on, d.duty_id",
    )
    .bind(today)
    .bind(at)
    .bind(by)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_duty).collect()
}

/// All open duties.
pub async fn list_open_duties(conn: &mut Conn) -> Result<Vec<RenewalDuty>, Error> {
    let rows: Vec<DutyRow> = sqlx::query_as(
        "SELECT d.*, t.kind, t.document_title, t.document_number, t.promulgated_on, \
           t.effective_on, t.effective_reason, t.recorded_at \
         FROM duty d JOIN change_trigger t USING (trigger_id) \
         WHERE d.state = 'open' ORDER BY d.duty_id",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_duty).collect()
}

/// A due day that was computed again.
#[derive(Debug, Clone, Copy)]
pub struct DutyReschedule {
    /// The duty.
    pub duty: Uuid,
    /// When it was due as it was read.
    pub old: Deadline,
    /// When it is due.
    pub new: Deadline,
}

/// Gives duties new due days where they are open still and as they were read; returns those. Those that another
/// writer has locked are left for the next run, so this never waits for a row.
pub async fn reschedule_duties(
    conn: &mut Conn,
    days: &[DutyReschedule],
    at: OffsetDateTime,
    by: &str,
) -> Result<Vec<Uuid>, Error> {
    let ids: Vec<Uuid> = days.iter().map(|day| day.duty).collect();
    let old: Vec<Date> = days.iter().map(|day| day.old.due_on).collect();
    let was: Vec<bool> = days.iter().map(|day| day.old.provisional).collect();
    let new: Vec<Date> = days.iter().map(|day| day.new.due_on).collect();
    let is: Vec<bool> = days.iter().map(|day| day.new.provisional).collect();
    sqlx::query_scalar(
        "WITH day AS ( \
           SELECT * FROM unnest($1::uuid[], $2::date[], $3::boolean[], $4::date[], $5::boolean[]) \
             AS day (id, old, was, due_on, provisional)), \
         free AS ( \
           SELECT d.duty_id FROM duty d JOIN day ON day.id = d.duty_id \
           WHERE d.state = 'open' AND d.due_on = day.old AND d.provisional = day.was \
           ORDER BY d.duty_id FOR UPDATE OF d SKIP LOCKED), \
         moved AS ( \
           UPDATE duty SET due_on = day.due_on, provisional = day.provisional \
           FROM day JOIN free ON free.duty_id = day.id \
           WHERE duty.duty_id = day.id RETURNING duty.duty_id, duty.due_on), \
         noted AS ( \
           INSERT INTO duty_change (duty_id, what, at, by, due_on) \
           SELECT duty_id, 'rescheduled', $6, $7, due_on FROM moved) \
         SELECT duty_id FROM moved",
    )
    .bind(ids)
    .bind(old)
    .bind(was)
    .bind(new)
    .bind(is)
    .bind(at)
    .bind(by)
    .fetch_all(conn)
    .await
}

/// How many duties are open, and how many of them overdue.
pub async fn count_open_and_overdue(conn: &mut Conn, today: Date) -> Result<(i64, i64), Error> {
    sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE due_on < $1) FROM duty WHERE state = 'open'",
    )
    .bind(today)
    .fetch_one(conn)
    .await
}

#[derive(FromRow)]
struct DutyRow {
    duty_id: Uuid,
    trigger_id: Uuid,
    item_code: String,
    catalogue: String,
    organ: String,
    district_code: String,
    due_on: Date,
    provisional: bool,
    state: String,
    opened_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    closed_by_version: Option<i64>,
    reason: String,
    kind: String,
    document_title: String,
    document_number: String,
    promulgated_on: Date,
    effective_on: Option<Date>,
    effective_reason: String,
    recorded_at: OffsetDateTime,
}

fn decode_duty(row: DutyRow) -> Result<RenewalDuty, Error> {
    let state = match row.state.as_str() {
        "open" => RenewalDutyState::Open,
        "closed" => RenewalDutyState::Closed,
        "dismissed" => RenewalDutyState::Dismissed,
        other => return Err(unknown_value("state", other)),
    };
    Ok(RenewalDuty {
        id: row.duty_id,
        trigger: RecordedTrigger {
            id: row.trigger_id,
            trigger: Trigger {
                kind: trigger_kind(&row.kind)?,
                title: row.document_title,
                number: row.document_number,
                promulgated_on: row.promulgated_on,
                effective: row.effective_on.map(|day| (day, row.effective_reason)),
            },
            at: row.recorded_at,
        },
        item_code: decode_item_code(row.item_code)?,
        owner: decode_owner(&row.catalogue, row.organ, row.district_code)?,
        state,
        deadline: Deadline {
            due_on: row.due_on,
            provisional: row.provisional,
        },
        opened_at: row.opened_at,
        ended_at: row.ended_at,
        // CHECK (closed_by_version > base_version), and versions are u32.
        closed_by_version: row.closed_by_version.map(|version| version as u32),
        reason: row.reason,
    })
}

fn trigger_kind(text: &str) -> Result<TriggerKind, Error> {
    [TriggerKind::LawAmended, TriggerKind::FunctionsChanged]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| unknown_value("kind", text))
}
