//! What is read: receipts, the status of a submission, the ledger, what a provider may report, the counts over all
//! providers, and single originals. Called by `grpc`.

use record_ref::{LedgerNumber, ProviderCode, VersionId};
use service_kit::{
    db::{Conn, Error, Pool},
    identity::Principal,
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::{Keyring, keyed_hash};

use crate::{
    domain::{
        AnsweredVersion, CatalogueItemVersion, IngestRuleViolation, StoredVersion, VersionStatus,
        original::OriginalReader,
    },
    error::IngestError,
    intake::{self, SubmissionLabels},
    store::{
        reads::{self, OriginalReadEntry, ProviderTotal},
        reload,
    },
};

/// The status of a submission.
#[derive(Clone, Debug)]
pub struct SubmissionStatus {
    /// What it was answered with.
    pub answered: AnsweredVersion,
    /// The status of that version within its record.
    pub status: VersionStatus,
    /// The current version of the record.
    pub current: StoredVersion,
}

/// A page of a provider's ledger.
#[derive(Clone, Debug, Default)]
pub struct LedgerPage {
    /// Its versions, each with the submission id that made it.
    pub entries: Vec<(String, StoredVersion)>,
    /// The last number of the ledger, when it has any.
    pub last_number: Option<LedgerNumber>,
}

/// What a provider may report today.
#[derive(Clone, Debug)]
pub struct ReportingScope {
    /// Who.
    pub provider: ProviderCode,
    /// Chinese name.
    pub name: String,
    /// Its items, each in the version in force, by code.
    pub versions: Vec<CatalogueItemVersion>,
}

/// An original, open.
#[derive(Clone, Debug)]
pub struct OpenedOriginal {
    /// What is known of the version.
    pub stored: StoredVersion,
    /// The provider's own ids of it.
    pub labels: SubmissionLabels,
    /// The bytes as received.
    pub content: Vec<u8>,
    /// The line of the log that says who read it.
    pub access_id: Uuid,
}

/// What one of a provider's submissions was answered with. Who is no provider has no submission.
pub async fn get_receipt(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: Option<&ProviderCode>,
    submission_id: &str,
) -> Result<AnsweredVersion, IngestError> {
    let provider = provider.ok_or(IngestError::SubmissionUnknown)?;
    find_answer(conn, keyring, provider, submission_id)
        .await
        .map_err(IngestError::database("查询回执"))?
        .ok_or(IngestError::SubmissionUnknown)
}

async fn find_answer(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: &ProviderCode,
    submission_id: &str,
) -> Result<Option<AnsweredVersion>, Error> {
    let digest = keyed_hash::hash_submission_id(keyring, provider, submission_id);
    match reads::find_receipt(conn, &digest).await? {
        Some(found) => Ok(Some(found)),
        None => find_reload_answer(conn, keyring, provider, submission_id).await,
    }
}

/// Of a record of a reload that was unchanged nothing is kept but its line.
async fn find_reload_answer(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: &ProviderCode,
    submission_id: &str,
) -> Result<Option<AnsweredVersion>, Error> {
    let parts = submission_id.split_once('/');
    let Some((reload_id, key)) = parts.filter(|(id, _)| intake::is_reload_id(id)) else {
        return Ok(None);
    };
    let digest = keyed_hash::hash_reload_id(keyring, provider, reload_id);
    let Some(reload) = reload::find_reload(&mut *conn, provider, &digest).await? else {
        return Ok(None);
    };
    let key_digest = keyed_hash::hash_record_key(keyring, provider, &reload.item, key);
    reads::find_reload_receipt(conn, reload.number, &key_digest).await
}

/// The status of one of a provider's submissions.
pub async fn get_submission_status(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: Option<&ProviderCode>,
    submission_id: &str,
) -> Result<SubmissionStatus, IngestError> {
    let answered = get_receipt(conn, keyring, provider, submission_id).await?;
    let current = reads::load_current_version(conn, answered.stored.version.id)
        .await
        .map_err(IngestError::database("查询申报状态"))?;
    Ok(SubmissionStatus {
        status: answered.stored.status_relative_to(&current),
        answered,
        current,
    })
}

/// At most `limit` versions of a provider's ledger behind the number `after`.
pub async fn list_ledger(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: Option<&ProviderCode>,
    after: i64,
    limit: u32,
) -> Result<LedgerPage, IngestError> {
    const DOING: &str = "查询台账";
    // Who is no provider has reported nothing.
    let Some(provider) = provider else {
        return Ok(LedgerPage::default());
    };
    let last_number = reads::last_ledger_number(&mut *conn, provider)
        .await
        .map_err(IngestError::database(DOING))?;
    let rows = reads::list_ledger(conn, provider, after, limit)
        .await
        .map_err(IngestError::database(DOING))?;
    let entry = |row: reads::LedgerRow| {
        let version_id = row.stored.version.id;
        let labels = SubmissionLabels::open_labels(keyring, version_id, &row.sealed_labels)?;
        Ok((labels.submission_id, row.stored))
    };
    Ok(LedgerPage {
        entries: rows
            .into_iter()
            .map(entry)
            .collect::<Result<_, IngestError>>()?,
        last_number,
    })
}

/// What a provider may report on a day.
pub async fn get_reporting_scope(
    conn: &mut Conn,
    provider: Option<&ProviderCode>,
    today: Date,
) -> Result<ReportingScope, IngestError> {
    let provider = provider.ok_or(IngestRuleViolation::ProviderNotRegistered)?;
    let scope = reads::load_reporting_scope(conn, provider)
        .await
        .map_err(IngestError::database("查询报送范围"))?
        .ok_or(IngestRuleViolation::ProviderNotRegistered)?;
    scope.registration.check_may_report(today)?;
    let in_force = scope
        .items
        .values()
        .filter_map(|item| item.in_force_on(today));
    let mut versions: Vec<CatalogueItemVersion> = in_force.cloned().collect();
    versions.sort_by(|a, b| a.item.code.cmp(&b.item.code));
    Ok(ReportingScope {
        provider: *provider,
        name: scope.name,
        versions,
    })
}

/// Accepted versions by provider, those that report nothing included.
pub async fn get_statistics(conn: &mut Conn) -> Result<Vec<ProviderTotal>, IngestError> {
    reads::load_provider_totals(conn)
        .await
        .map_err(IngestError::database("统计"))
}

/// The bytes of one version as received, read in the capacity that `principal` has. Who reads, in which capacity
/// and why is committed before the original is looked up, also for one that does not exist; when that fails, nothing is
/// read: hence the pool, in no transaction.
pub async fn read_original(
    pool: &Pool,
    keyring: &Keyring,
    principal: &Principal,
    version_id: VersionId,
    reason: &str,
    now: OffsetDateTime,
) -> Result<OpenedOriginal, IngestError> {
    let reader = OriginalReader::from_roles(&principal.roles, reason)?;
    let access_id = Uuid::now_v7();
    let seal = |text: &str| keyring.seal(access_id.as_bytes(), text.as_bytes());
    let entry = OriginalReadEntry {
        access_id,
        accessed_at: now,
        organisation: &principal.organisation,
        reader: reader.as_str(),
        sealed_account: seal(&principal.account),
        sealed_reason: seal(reason),
        version_id,
    };
    reads::log_original_read(pool, &entry)
        .await
        .map_err(IngestError::database("登记原始记录查阅日志"))?;

    let own: Option<ProviderCode> = match reader {
        // A token without a provider's code reported nothing.
        OriginalReader::Provider => {
            let code = principal.organisation.parse();
            Some(code.map_err(|_| IngestError::OriginalUnknown)?)
        }
        OriginalReader::CreditOffice | OriginalReader::Auditor => None,
    };
    let original = reads::read_original(pool, version_id, own.as_ref())
        .await
        .map_err(IngestError::database("读取原始记录"))?
        .ok_or(IngestError::OriginalUnknown)?;
    let content = keyring
        .open(version_id.as_bytes(), &original.sealed_content)
        .map_err(IngestError::damaged("打开原始记录"))?;
    Ok(OpenedOriginal {
        labels: SubmissionLabels::open_labels(keyring, version_id, &original.sealed_labels)?,
        stored: original.stored,
        content,
        access_id,
    })
}
