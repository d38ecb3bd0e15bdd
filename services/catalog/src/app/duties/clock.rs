//! What the passing of time changes of duties: due days follow the calendar, ends of items take effect, what is
//! overdue is announced. None of it waits for a row that another writer has locked. Called by `jobs`.

use std::collections::BTreeSet;

use legal_clock::{Law, format_day};
use proto::credit::catalog::events::v1::{DutyOverdue, DutyRescheduled};
use record_ref::ItemCode;
use service_kit::db::Conn;
use time::Date;
use uuid::Uuid;

use super::{CLOSING, RECORDING, close_duties_of_ended, id_bytes, owner_columns};
use crate::{
    app::{ActionContext, append_events, items},
    domain::duty,
    error::CatalogError,
    store::{self, duties::DutyReschedule},
};

/// A duty whose due day moved: its item, the old and the new day.
pub type RescheduledDuty = (ItemCode, Date, Date);

/// Computes the due days of the open duties again, for a calendar that became final or was revised, and
/// announces those that moved. A final day is never replaced by a provisional one.
///
/// # Errors
/// The database fails.
pub async fn reschedule_duties(
    conn: &mut Conn,
    law: &Law,
    act: ActionContext<'_>,
) -> Result<Vec<RescheduledDuty>, CatalogError> {
    let failed = CatalogError::database;
    let open = store::duties::list_open_duties(conn)
        .await
        .map_err(failed(RECORDING))?;
    let mut moved: Vec<_> = open
        .iter()
        .filter_map(|duty| {
            let deadline = duty::renewal_deadline(law, &duty.trigger.trigger)?;
            duty::replaces_deadline(duty.deadline, deadline).then_some((duty, deadline))
        })
        .collect();
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let days: Vec<_> = moved
        .iter()
        .map(|(duty, new)| DutyReschedule {
            duty: duty.id,
            old: duty.deadline,
            new: *new,
        })
        .collect();
    let done = store::duties::reschedule_duties(conn, &days, act.at, act.by)
        .await
        .map_err(failed(RECORDING))?;
    let done: BTreeSet<Uuid> = done.into_iter().collect();
    moved.retain(|(duty, _)| done.contains(&duty.id));
    let events: Vec<_> = moved
        .iter()
        .map(|(duty, deadline)| {
            act.new_event(&DutyRescheduled {
                duty_id: id_bytes(duty.id),
                item_code: duty.item_code.as_str().to_owned(),
                old_due_on: format_day(duty.deadline.due_on),
                due_on: format_day(deadline.due_on),
                provisional: deadline.provisional,
            })
        })
        .collect();
    append_events(conn, &events, RECORDING).await?;
    Ok(moved
        .iter()
        .map(|(duty, new)| (duty.item_code.clone(), duty.deadline.due_on, new.due_on))
        .collect())
}

/// Announces open duties whose due day is over, each due day once; returns how many.
///
/// # Errors
/// The database fails.
pub async fn announce_overdue(
    conn: &mut Conn,
    act: ActionContext<'_>,
) -> Result<usize, CatalogError> {
    let late = store::duties::mark_overdue(conn, act.today(), act.at, act.by)
        .await
        .map_err(CatalogError::database(RECORDING))?;
    let events: Vec<_> = late
        .iter()
        .map(|duty| {
            let (catalogue, organ, district_code) = owner_columns(&duty.owner);
            act.new_event(&DutyOverdue {
                duty_id: id_bytes(duty.id),
                item_code: duty.item_code.as_str().to_owned(),
                catalogue,
                organ,
                district_code,
                due_on: format_day(duty.deadline.due_on),
            })
        })
        .collect();
    append_events(conn, &events, RECORDING).await?;
    Ok(late.len())
}

/// Closes the open duties of items whose last day is over; returns how many.
///
/// # Errors
/// The database fails.
pub async fn close_for_ended_items(
    conn: &mut Conn,
    act: ActionContext<'_>,
) -> Result<usize, CatalogError> {
    let codes = store::duties::ended_items(conn, act.today())
        .await
        .map_err(CatalogError::database(CLOSING))?;
    if codes.is_empty() {
        return Ok(0);
    }
    items::lock_items(conn, codes.iter().map(ItemCode::as_str), CLOSING).await?;
    close_duties_of_ended(conn, &codes, act).await
}
