//! Triggers and duties. Called by `grpc`, by `items` when a version is published or an item retired, and by
//! `jobs` for what happens by the passing of time, which is in `clock`.

mod clock;

use std::collections::{BTreeMap, BTreeSet};

use credit_record::item::ItemOwner;
use legal_clock::{Law, format_day, shanghai_date};
use proto::credit::catalog::events::v1::{DutyClosed, DutyDismissed, DutyOpened};
use record_ref::{ItemCode, ProviderCode};
use service_kit::{
    db::Conn,
    page::{Page, PageKey},
    reason::Reason,
};
use time::Date;
use uuid::Uuid;

use super::{ActionContext, CatalogOutcome, append_events, id_bytes, items};
use crate::{
    domain::{
        CatalogRuleViolation,
        duty::{self, DutySelection, RecordedTrigger, RenewalDuty, Trigger},
        page::DutyKey,
        rights::CatalogActor,
        version,
    },
    error::CatalogError,
    store::{
        self,
        duties::{ClosingVersion, DutyListFilter, NewDuty},
        items::AffectedItem,
    },
};

pub use clock::{RescheduledDuty, announce_overdue, close_for_ended_items, reschedule_duties};

const RECORDING: &str = "登记目录更新事由";
const READING: &str = "读取更新任务";
const CLOSING: &str = "办结更新任务";

/// Most items that one request names.
pub const MAX_TRIGGER_ITEMS: usize = 500;

/// How often the items of a trigger are looked up until no more come.
const MAX_LOOKUPS: usize = 8;

/// What a trigger affects.
#[derive(Debug, Clone)]
pub struct TriggerScope {
    /// These items.
    pub item_codes: Vec<ItemCode>,
    /// All items of this organ's catalogue.
    pub organ: Option<ProviderCode>,
}

/// A trigger and all its duties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerDuties {
    /// The trigger.
    pub trigger: RecordedTrigger,
    /// Its duties; none when nothing was due on its day.
    pub duties: Vec<RenewalDuty>,
}

/// Records a trigger and opens a duty for each item that it affects. The same document again opens duties
/// only for items that have none by it, so a call may be repeated and a document extended. An item that was
/// renewed since the day of the trigger gets a duty that is closed already.
///
/// # Errors
/// The document was recorded otherwise, an item is not published or has ended, or nothing is affected; or the
/// database fails.
pub async fn record_trigger(
    conn: &mut Conn,
    law: &Law,
    trigger: Trigger,
    affects: TriggerScope,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<TriggerDuties>, CatalogError> {
    let failed = CatalogError::database;
    let (kind, number, day) = (
        trigger.kind,
        trigger.number.as_str(),
        trigger.promulgated_on,
    );
    let document = format!("trigger {} {number} {day}", kind.as_str());
    store::acquire_advisory_locks(conn, &[document])
        .await
        .map_err(failed(RECORDING))?;
    let affected = lock_affected_items(conn, &affects, act.today()).await?;
    let known = store::duties::find_trigger(conn, kind, number, day)
        .await
        .map_err(failed(RECORDING))?;
    let (recorded, new) = match known {
        Some(known) if known.trigger != trigger => {
            return Err(duty::recorded_otherwise(&known.trigger).into());
        }
        Some(known) => (known, false),
        None => {
            let recorded = RecordedTrigger {
                id: Uuid::new_v4(),
                trigger,
                at: act.at,
            };
            store::duties::insert_trigger(conn, &recorded, act.by)
                .await
                .map_err(failed(RECORDING))?;
            (recorded, true)
        }
    };
    let opened = open_duties(conn, law, &recorded, affected, act).await?;
    let duties = list_trigger_duties(conn, recorded.id, act.today()).await?;
    Ok(CatalogOutcome {
        value: TriggerDuties {
            trigger: recorded,
            duties,
        },
        changed: new || opened,
    })
}

/// The items that a request names, locked against other writers.
async fn lock_affected_items(
    conn: &mut Conn,
    affects: &TriggerScope,
    today: Date,
) -> Result<Vec<AffectedItem>, CatalogError> {
    let TriggerScope { item_codes, organ } = affects;
    if (item_codes.is_empty() && organ.is_none()) || item_codes.len() > MAX_TRIGGER_ITEMS {
        return Err(CatalogRuleViolation::new(
            Reason::TriggerItemsInvalid,
            "item_codes",
            "R-6: a trigger names 1 to 500 items, or an organ",
            "须注明受影响的目录项（最多500项）或单位",
        )
        .into());
    }
    let mut queued = BTreeSet::new();
    let mut found = Vec::new();
    // Repeated, because a version may have been published while we waited for the locks: it may add one more
    // item, and no item gets a duty without its lock.
    for _ in 0..MAX_LOOKUPS {
        found = store::items::find_affected_items(conn, item_codes, organ.as_ref(), today)
            .await
            .map_err(CatalogError::database(RECORDING))?;
        let new: Vec<ItemCode> = found
            .iter()
            .map(|item| item.code.clone())
            .filter(|code| !queued.contains(code))
            .collect();
        if new.is_empty() {
            break;
        }
        items::lock_items(conn, new.iter().map(ItemCode::as_str), RECORDING).await?;
        queued.extend(new);
        found.clear();
    }
    if found.is_empty() && !queued.is_empty() {
        return Err(version::overtaken_violation("organ").into());
    }
    let codes: BTreeSet<&ItemCode> = found.iter().map(|item| &item.code).collect();
    let mut named = item_codes.iter().enumerate();
    if let Some((i, missing)) = named.find(|(_, code)| !codes.contains(code)) {
        let history = items::load_history(conn, missing.as_str()).await?;
        let field = format!("item_codes[{i}]");
        return Err(version::explain_not_in_use(&history, field, missing, today).into());
    }
    if let Some(organ) = organ
        && !found.iter().any(|item| *organ == *item.owner.organ())
    {
        return Err(explain_no_items(conn, organ).await?.into());
    }
    Ok(found)
}

/// Why an organ has no item that a trigger could affect.
async fn explain_no_items(
    conn: &mut Conn,
    organ: &ProviderCode,
) -> Result<CatalogRuleViolation, CatalogError> {
    let registered = store::providers::load_provider(conn, organ.as_str())
        .await
        .map_err(CatalogError::database(RECORDING))?;
    let field = "organ";
    Ok(match registered {
        None => CatalogRuleViolation::new(
            Reason::ProviderUnknown,
            field,
            "the organ is a registered provider",
            format!("单位{organ}未登记"),
        ),
        Some(_) => CatalogRuleViolation::new(
            Reason::TriggerItemsUnsuitable,
            field,
            "the organ has items in its catalogue that have not ended",
            format!("单位{organ}没有在用的目录项"),
        ),
    })
}

/// Opens the duties that do not exist yet; true when there was one.
async fn open_duties(
    conn: &mut Conn,
    law: &Law,
    recorded: &RecordedTrigger,
    affected: Vec<AffectedItem>,
    act: ActionContext<'_>,
) -> Result<bool, CatalogError> {
    let Some(deadline) = duty::renewal_deadline(law, &recorded.trigger) else {
        // nothing is due before the regulation came into force.
        return Ok(false);
    };
    let there: BTreeSet<ItemCode> = list_trigger_duties(conn, recorded.id, act.today())
        .await?
        .into_iter()
        .map(|duty| duty.item_code)
        .collect();
    let mut duties = Vec::new();
    let mut answers = BTreeMap::new();
    for item in affected.into_iter().filter(|i| !there.contains(&i.code)) {
        let days: Vec<(u32, Date)> = item
            .versions
            .iter()
            .map(|(version, at)| (*version, shanghai_date(*at)))
            .collect();
        let base_version = duty::base_version(&days, recorded.trigger.promulgated_on);
        if let Some(answer) = item.versions.iter().find(|(v, _)| *v > base_version) {
            answers.insert(item.code.clone(), *answer);
        }
        duties.push(NewDuty {
            id: Uuid::new_v4(),
            item_code: item.code,
            owner: item.owner,
            base_version,
        });
    }
    if duties.is_empty() {
        return Ok(false);
    }
    store::duties::insert_duties(conn, recorded.id, &duties, deadline, act.at, act.by)
        .await
        .map_err(CatalogError::database(RECORDING))?;
    let trigger = &recorded.trigger;
    let events: Vec<_> = duties
        .iter()
        .map(|duty| {
            let (catalogue, organ, district_code) = owner_columns(&duty.owner);
            act.new_event(&DutyOpened {
                duty_id: id_bytes(duty.id),
                item_code: duty.item_code.as_str().to_owned(),
                catalogue,
                organ,
                district_code,
                trigger_kind: trigger.kind.as_str().to_owned(),
                document_title: trigger.title.clone(),
                document_number: trigger.number.clone(),
                starts_on: format_day(trigger.starts_on()),
                due_on: format_day(deadline.due_on),
                provisional: deadline.provisional,
            })
        })
        .collect();
    append_events(conn, &events, RECORDING).await?;
    for (code, (version, at)) in &answers {
        let ending = ClosingVersion {
            item_code: code.as_str(),
            version: *version,
            at: *at,
            on: shanghai_date(*at),
            by: act.by,
        };
        close_duties(conn, ending, act).await?;
    }
    Ok(true)
}

async fn list_trigger_duties(
    conn: &mut Conn,
    trigger: Uuid,
    today: Date,
) -> Result<Vec<RenewalDuty>, CatalogError> {
    let filter = DutyListFilter {
        trigger: Some(trigger),
        limit: i64::MAX,
        ..unfiltered(today)
    };
    store::duties::list_duties(conn, &filter)
        .await
        .map_err(CatalogError::database(READING))
}

fn unfiltered(today: Date) -> DutyListFilter {
    let actor = CatalogActor {
        auditor: true,
        ..CatalogActor::default()
    };
    DutyListFilter {
        scope: actor.scope(today),
        part: DutySelection::All,
        organ: None,
        item_code: None,
        trigger: None,
        duty: None,
        today,
        after: DutyKey::start(),
        limit: 1,
    }
}

/// Closes the open duties of an item by a newer version, and announces it. The caller holds the lock of the
/// item.
pub(super) async fn close_duties(
    conn: &mut Conn,
    ending: ClosingVersion<'_>,
    act: ActionContext<'_>,
) -> Result<(), CatalogError> {
    let closed = store::duties::close_duties(conn, ending)
        .await
        .map_err(CatalogError::database(CLOSING))?;
    announce_closed(conn, &closed, act).await
}

/// Closes the open duties of those of these items that have ended by today, and announces it. The caller holds
/// the locks of the items. Nothing is closed before the day of the end: until then it may be moved or withdrawn.
pub(super) async fn close_duties_of_ended(
    conn: &mut Conn,
    codes: &[ItemCode],
    act: ActionContext<'_>,
) -> Result<usize, CatalogError> {
    let closed = store::duties::close_duties_of_ended(conn, codes, act.today(), act.at, act.by)
        .await
        .map_err(CatalogError::database(CLOSING))?;
    announce_closed(conn, &closed, act).await?;
    Ok(closed.len())
}

async fn announce_closed(
    conn: &mut Conn,
    closed: &[RenewalDuty],
    act: ActionContext<'_>,
) -> Result<(), CatalogError> {
    let events: Vec<_> = closed
        .iter()
        .map(|duty| {
            let closed_on = shanghai_date(duty.ended_at.unwrap_or(act.at));
            let (catalogue, organ, district_code) = owner_columns(&duty.owner);
            act.new_event(&DutyClosed {
                duty_id: id_bytes(duty.id),
                item_code: duty.item_code.as_str().to_owned(),
                catalogue,
                organ,
                district_code,
                due_on: format_day(duty.deadline.due_on),
                closed_on: format_day(closed_on),
                closed_by_version: duty.closed_by_version.unwrap_or(0),
                late: duty.deadline.due_on < closed_on,
            })
        })
        .collect();
    append_events(conn, &events, CLOSING).await
}

/// Ends a duty that needs no new version, by decision of the credit office; saying the same again changes
/// nothing.
///
/// # Errors
/// There is none, it has ended otherwise, or the reason is missing; or the database fails.
pub async fn dismiss_duty(
    conn: &mut Conn,
    id: Uuid,
    reason: &str,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<RenewalDuty>, CatalogError> {
    let failed = CatalogError::database;
    let code = store::duties::find_duty_item(conn, id)
        .await
        .map_err(failed(CLOSING))?
        .ok_or_else(duty::unknown_duty)?;
    items::lock_items(conn, [code.as_str()], CLOSING).await?;
    let duty = load_duty(conn, id, act.today()).await?;
    if duty.state == duty::RenewalDutyState::Dismissed && duty.reason == reason {
        return Ok(CatalogOutcome::unchanged(duty));
    }
    let reason = duty::check_dismissal(duty.state, reason)?;
    store::duties::dismiss_duty(conn, id, &reason, act.at, act.today(), act.by)
        .await
        .map_err(failed(CLOSING))?;
    let (catalogue, organ, district_code) = owner_columns(&duty.owner);
    let event = DutyDismissed {
        duty_id: id_bytes(id),
        item_code: duty.item_code.into(),
        catalogue,
        organ,
        district_code,
        reason,
    };
    append_events(conn, &[act.new_event(&event)], CLOSING).await?;
    Ok(CatalogOutcome::changed(
        load_duty(conn, id, act.today()).await?,
    ))
}

async fn load_duty(conn: &mut Conn, id: Uuid, today: Date) -> Result<RenewalDuty, CatalogError> {
    let filter = DutyListFilter {
        duty: Some(id),
        ..unfiltered(today)
    };
    let found = store::duties::list_duties(conn, &filter)
        .await
        .map_err(CatalogError::database(READING))?;
    Ok(found.into_iter().next().ok_or_else(duty::unknown_duty)?)
}

/// The filters of a list of duties.
#[derive(Debug, Clone)]
pub struct DutyListQuery {
    /// Which part.
    pub part: DutySelection,
    /// Of this organ.
    pub organ: Option<ProviderCode>,
    /// For this item.
    pub item_code: Option<ItemCode>,
}

/// The duties that the caller may see, latest first, and the token of the next page.
///
/// # Errors
/// The database fails.
pub async fn list_duties(
    conn: &mut Conn,
    actor: &CatalogActor,
    query: DutyListQuery,
    page: &Page<DutyKey>,
    today: Date,
) -> Result<(Vec<RenewalDuty>, String), CatalogError> {
    let filter = DutyListFilter {
        scope: actor.scope(today),
        part: query.part,
        organ: query.organ,
        item_code: query.item_code,
        after: page.after,
        limit: page.limit(),
        ..unfiltered(today)
    };
    let mut found = store::duties::list_duties(conn, &filter)
        .await
        .map_err(CatalogError::database(READING))?;
    let token = page.truncate_rows(&mut found, |duty| DutyKey {
        opened_at: duty.opened_at,
        duty_id: duty.id,
    });
    Ok((found, token))
}

/// Level, organ and district of an owner, as events name them.
fn owner_columns(owner: &ItemOwner) -> (String, String, String) {
    (
        owner.as_str().to_owned(),
        owner.organ().to_owned(),
        owner.district().to_owned(),
    )
}
