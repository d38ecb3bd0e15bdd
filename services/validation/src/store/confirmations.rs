//! Attestations, sealed, and the cases that they are given for. Called by `app::confirm`.

use record_ref::{LedgerNumber, RecordVersion, VersionId};
use service_kit::db::{Conn, Error, checked_column};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{cases::ClosedAs, column, version};

/// A case as a confirmation needs it.
#[derive(Debug, Clone)]
pub struct ConfirmableCase {
    /// The version it is about.
    pub version: RecordVersion,
    /// Its number in the provider's ledger.
    pub ledger_number: LedgerNumber,
    /// When the version was received.
    pub received_at: OffsetDateTime,
    /// Whether the version is accepted and only contradicted.
    pub contradicted: bool,
    /// How it was closed; none while it is open.
    pub closed: Option<ClosedAs>,
    /// The provider's own key, sealed under the version's id.
    pub sealed_record_key: Vec<u8>,
    /// What was found, sealed under the version's id.
    pub sealed_findings: Option<Vec<u8>>,
    /// The original of a returned version; none in cases from before it was kept.
    pub sealed_content: Option<Vec<u8>>,
    /// Type of the original.
    pub content_type: String,
}

/// A confirmation to be stored.
#[derive(Debug)]
pub struct NewConfirmation<'a> {
    /// The case.
    pub case_id: Uuid,
    /// The version.
    pub version_id: VersionId,
    /// Attester and statement, sealed under the version's id.
    pub sealed_attestation: &'a [u8],
    /// The findings that remain, sealed under the version's id.
    pub sealed_findings: Option<&'a [u8]>,
    /// Whether the version is accepted by it.
    pub accepts: bool,
    /// What the accepted record is about.
    pub identity: Option<&'a [u8]>,
}

/// The case, of whichever provider.
pub async fn find_confirmable_case(
    conn: &mut Conn,
    case_id: Uuid,
) -> Result<Option<ConfirmableCase>, Error> {
    let row = sqlx::query(
        "SELECT c.record_id, c.record_address, c.provider_code, c.item_code, c.item_version, c.key_digest,
                c.revision, c.ledger_number, v.received_at, c.kind = 'contradicted' AS contradicted,
                c.closed_at IS NOT NULL AS closed, c.closed_as, c.sealed_record_key,
                coalesce(c.sealed_findings, v.sealed_findings) AS sealed_findings,
                c.sealed_content, coalesce(c.content_type, '') AS content_type
         FROM feedback_case AS c JOIN verdict AS v USING (record_id) WHERE c.case_id = $1",
    )
    .bind(case_id)
    .fetch_optional(conn)
    .await?;
    let Some(row) = &row else {
        return Ok(None);
    };
    let closed: bool = column(row, "closed")?;
    let closed_as: Option<&str> = column(row, "closed_as")?;
    Ok(Some(ConfirmableCase {
        version: version(row)?,
        ledger_number: checked_column::<i64, _>(row, "ledger_number")?,
        received_at: column(row, "received_at")?,
        contradicted: column(row, "contradicted")?,
        closed: closed.then(|| ClosedAs::from_column(closed_as)),
        sealed_record_key: column(row, "sealed_record_key")?,
        sealed_findings: column(row, "sealed_findings")?,
        sealed_content: column(row, "sealed_content")?,
        content_type: column(row, "content_type")?,
    }))
}

/// The attestation that was given for a case, and the findings that remained.
pub async fn find_confirmation(
    conn: &mut Conn,
    case_id: Uuid,
) -> Result<Option<(Vec<u8>, Option<Vec<u8>>)>, Error> {
    let row = sqlx::query(
        "SELECT sealed_attestation, sealed_findings FROM confirmation WHERE case_id = $1",
    )
    .bind(case_id)
    .fetch_optional(conn)
    .await?;
    row.as_ref()
        .map(|row| {
            Ok((
                column(row, "sealed_attestation")?,
                column(row, "sealed_findings")?,
            ))
        })
        .transpose()
}

/// Stores a confirmation.
pub async fn insert_confirmation(
    conn: &mut Conn,
    new: &NewConfirmation<'_>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO confirmation (case_id, record_id, confirmed_at, sealed_attestation, sealed_findings, accepts, identity)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.case_id)
    .bind(new.version_id.as_uuid())
    .bind(now)
    .bind(new.sealed_attestation)
    .bind(new.sealed_findings)
    .bind(new.accepts)
    .bind(new.identity)
    .execute(conn)
    .await?;
    Ok(())
}
