//! The use cases of a full reload, each given a transaction; none commits. Records that are new or changed go the way
//! of all others, through `app::accept`.

use legal_clock::shanghai_date;
use service_kit::{
    db::{Conn, Error},
    error::Refusal,
};
use time::OffsetDateTime;

use crate::{
    domain::{
        Decision, Digest, Rejection,
        reload::{End, Reload, ReloadRejection, check_complete},
    },
    store::{
        self,
        reload::{Known, Named},
    },
};

/// A reload as its first message names it, checked for form.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Who reports.
    pub provider_code: String,
    /// Keyed hash of the caller's id.
    pub reload_digest: Digest,
    /// Of which item.
    pub item_code: String,
    /// In which version; 0: the one in force.
    pub item_version: u32,
}

/// Opens a reload, or the one of this id once more.
pub async fn begin(
    conn: &mut Conn,
    beginning: &Beginning,
    now: OffsetDateTime,
) -> Result<Result<Reload, Refusal>, Error> {
    let (provider, item_code) = (&beginning.provider_code, &beginning.item_code);
    let digest = &beginning.reload_digest;
    if let Some(reload) = store::reload::find(&mut *conn, provider, digest).await? {
        return Ok(admitted(reload, beginning));
    }
    if let Err(rejection) = may_begin(conn, beginning, now).await? {
        return Ok(Err(rejection.into()));
    }
    let version = beginning.item_version;
    store::reload::insert(conn, provider, digest, item_code, version, now).await?;
    // Another stream may have been faster.
    let reload = store::reload::find(&mut *conn, provider, digest).await?;
    Ok(admitted(reload.ok_or(Error::RowNotFound)?, beginning))
}

fn admitted(reload: Reload, beginning: &Beginning) -> Result<Reload, Refusal> {
    reload.admits(&beginning.item_code, beginning.item_version)?;
    Ok(reload)
}

/// What can be said before the first record; each record is decided on its own.
async fn may_begin(
    conn: &mut Conn,
    beginning: &Beginning,
    now: OffsetDateTime,
) -> Result<Result<(), Rejection>, Error> {
    let (provider, item_code) = (&*beginning.provider_code, &*beginning.item_code);
    let registration = store::registrations(conn, &[provider])
        .await?
        .remove(provider);
    let item = store::items(conn, Some(&[item_code]))
        .await?
        .remove(item_code);
    let version = beginning.item_version;
    let check = || {
        registration
            .ok_or(Rejection::ProviderUnknown)?
            .admits_on(shanghai_date(now))?;
        let item = item.ok_or(Rejection::ItemUnknown)?;
        if version != 0 && !item.versions.iter().any(|v| v.number == version) {
            return Err(Rejection::ItemVersionUnknown);
        }
        Ok(())
    };
    Ok(check())
}

/// Answers the records of a batch that need no new version: those that the reload named before, and those that say
/// what the current version of their key says. `None` for the others.
pub async fn take_known(
    conn: &mut Conn,
    reload: &Reload,
    provider_code: &str,
    named: &[Named<'_>],
    now: OffsetDateTime,
) -> Result<Vec<Option<Decision>>, Error> {
    let locked = store::reload::lock(conn, reload.number).await?;
    let today = shanghai_date(now);
    let registration = store::registrations(conn, &[provider_code])
        .await?
        .remove(provider_code)
        .filter(|registration| registration.admits_on(today).is_ok());
    let item_code = reload.item_code.as_str();
    let item = store::items(conn, Some(&[item_code]))
        .await?
        .remove(item_code);
    // Where anything stands in the way, the other way tells what, record by record.
    let pinned = item
        .filter(|_| locked.end.is_none() && registration.is_some())
        .and_then(|item| item.pin(reload.item_version, today, None).ok());
    let known = store::reload::take_known(conn, reload, pinned, named).await?;
    let decide = |(named, known): (&Named<'_>, Option<Known>)| {
        let known = known?;
        let (content, unchanged) = (&known.line.stored.content, known.line.unchanged);
        let same = content.sha256 == *named.sha256 && content.content_type == named.content_type;
        Some(match known.named_before {
            true if !same => Decision::Refused(Rejection::SubmissionIdReused),
            true => Decision::Repeated {
                stored: known.line.stored,
                unchanged,
            },
            false => Decision::Unchanged(known.line.stored),
        })
    };
    Ok(named.iter().zip(known).map(decide).collect())
}

/// Ends a reload of which the caller says that it had `declared` records, or answers as at its end.
pub async fn end(
    conn: &mut Conn,
    reload: &Reload,
    provider_code: &str,
    declared: u64,
    refused: u64,
    now: OffsetDateTime,
) -> Result<Result<End, ReloadRejection>, Error> {
    let locked = store::reload::lock(conn, reload.number).await?;
    if let Some(end) = locked.end {
        return Ok(end.admits(declared).map(|()| end));
    }
    let (unchanged, accepted) = store::reload::count_lines(conn, reload.number).await?;
    if let Err(incomplete) = check_complete(declared, unchanged + accepted, refused) {
        return Ok(Err(incomplete));
    }
    let end = End {
        declared,
        up_to: store::ledger_last(&mut *conn, provider_code).await?,
        unchanged,
        accepted,
        refused,
        missing: None,
    };
    store::reload::keep_end(conn, reload.number, &end, now).await?;
    Ok(Ok(end))
}
