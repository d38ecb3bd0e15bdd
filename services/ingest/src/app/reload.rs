//! The use cases of a full reload (全量, R-11), each given a transaction; none commits. `reload` runs them one after the
//! other. Records that are new or changed take the normal path, through `app::accept_submissions`.

use legal_clock::shanghai_date;
use record_ref::{ItemCode, ProviderCode};
use service_kit::db::{self, Conn};
use time::OffsetDateTime;
use vault::{Keyring, keyed_hash};

use crate::{
    domain::{
        IngestRuleViolation, SubmissionDecision,
        reload::{Reload, ReloadOutcome, check_complete},
    },
    error::IngestError,
    store::{
        self,
        reload::{ReloadLookup, ReloadMatch},
    },
};

/// A reload as its first message names it, checked for form.
#[derive(Clone, Debug)]
pub struct ReloadHeader {
    /// Who reports.
    pub provider: ProviderCode,
    /// The caller's id of it.
    pub reload_id: String,
    /// Of which item.
    pub item: ItemCode,
    /// In which version; 0: the one in force.
    pub item_version: u32,
}

/// Opens a reload, or the one of this id once more.
pub async fn begin_reload(
    conn: &mut Conn,
    keyring: &Keyring,
    header: &ReloadHeader,
    now: OffsetDateTime,
) -> Result<Reload, IngestError> {
    let failed = || IngestError::database("开始全量报送");
    let (provider, item, version) = (&header.provider, &header.item, header.item_version);
    let digest = keyed_hash::hash_reload_id(keyring, provider, &header.reload_id);
    let known = store::reload::find_reload(&mut *conn, provider, &digest).await;
    let reload = match known.map_err(failed())? {
        Some(reload) => reload,
        None => {
            check_may_begin(conn, header, now).await?;
            store::reload::insert_reload(conn, provider, &digest, item, version, now)
                .await
                .map_err(failed())?;
            // Another stream may have been faster.
            let inserted = store::reload::find_reload(conn, provider, &digest).await;
            let missing = db::Error::RowNotFound;
            inserted
                .map_err(failed())?
                .ok_or_else(|| failed()(missing))?
        }
    };
    reload.check_declared(item, version)?;
    Ok(reload)
}

/// What can be said before the first record; each record is decided on its own.
async fn check_may_begin(
    conn: &mut Conn,
    header: &ReloadHeader,
    now: OffsetDateTime,
) -> Result<(), IngestError> {
    let failed = || IngestError::database("开始全量报送");
    let registration = store::find_registration(conn, &header.provider).await;
    let item = store::find_item(conn, &header.item)
        .await
        .map_err(failed())?;
    registration
        .map_err(failed())?
        .ok_or(IngestRuleViolation::ProviderNotRegistered)?
        .check_may_report(shanghai_date(now))?;
    let item = item.ok_or(IngestRuleViolation::ItemUnknown)?;
    let version = header.item_version;
    if version != 0 && item.version(version).is_none() {
        return Err(IngestRuleViolation::ItemVersionUnknown.into());
    }
    Ok(())
}

/// Answers the records of a batch that need no new version: those that the reload named before, and those whose content
/// equals that of the current version of their key. `None` for the others.
pub async fn answer_known_records(
    conn: &mut Conn,
    reload: &Reload,
    provider: &ProviderCode,
    lookups: &[ReloadLookup<'_>],
    now: OffsetDateTime,
) -> Result<Vec<Option<SubmissionDecision>>, db::Error> {
    let locked = store::reload::lock_reload(conn, reload.number).await?;
    let today = shanghai_date(now);
    let registration = store::find_registration(conn, provider)
        .await?
        .filter(|registration| registration.check_may_report(today).is_ok());
    let item = store::find_item(conn, &reload.item).await?;
    // If anything prevents a quick answer, each record takes the normal path, which names the reason.
    let pinned = item
        .as_ref()
        .filter(|_| locked.end.is_none() && registration.is_some())
        .and_then(|item| item.pin_version(reload.item_version, today, None).ok());
    let known = store::reload::match_known_records(conn, reload, pinned, lookups).await?;
    let decide = |(lookup, known): (&ReloadLookup<'_>, Option<ReloadMatch>)| {
        let known = known?;
        let (stored, unchanged) = (known.line.stored, known.line.unchanged);
        let same = stored.content == *lookup.content;
        Some(match known.named_before {
            true if !same => SubmissionDecision::Refused(IngestRuleViolation::SubmissionIdReused),
            true => SubmissionDecision::Repeated { stored, unchanged },
            false => SubmissionDecision::Unchanged(stored),
        })
    };
    Ok(lookups.iter().zip(known).map(decide).collect())
}

/// Ends a reload of which the caller says that it had `declared` records, or answers as at its end.
pub async fn end_reload(
    conn: &mut Conn,
    reload: &Reload,
    provider: &ProviderCode,
    declared: u64,
    refused: u64,
    now: OffsetDateTime,
) -> Result<ReloadOutcome, IngestError> {
    let failed = || IngestError::database("结束全量报送");
    let locked = store::reload::lock_reload(conn, reload.number).await;
    if let Some(end) = locked.map_err(failed())?.end {
        end.check_repeated_end(declared)?;
        return Ok(end);
    }
    let lines = store::reload::count_lines(conn, reload.number).await;
    let (unchanged, accepted) = lines.map_err(failed())?;
    check_complete(declared, unchanged + accepted, refused)?;
    let up_to = store::reads::last_ledger_number(&mut *conn, provider).await;
    let end = ReloadOutcome {
        declared,
        last_ledger_number: up_to.map_err(failed())?,
        unchanged,
        accepted,
        refused,
        missing: None,
    };
    store::reload::update_reload_end(conn, reload.number, &end, now)
        .await
        .map_err(failed())?;
    Ok(end)
}
