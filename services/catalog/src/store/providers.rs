//! The registry of providers and their sealed contacts. Called by `app`.

use credit_record::id::CreditCode;
use service_kit::db::{Conn, Error};
use sqlx::FromRow;
use time::{Date, OffsetDateTime};

use super::unknown_value;
use crate::domain::provider::{DISTRICTS, OrganLevel, OrganLevelKind, Provider};

#[derive(FromRow)]
struct ProviderRevisionRow {
    code: String,
    name: String,
    level: String,
    district_code: String,
    enabled: bool,
    revision: i64,
    parent_code: String,
    valid_from: Option<Date>,
    valid_until: Option<Date>,
}

/// What the registry holds of one provider.
pub async fn load_provider(conn: &mut Conn, code: &str) -> Result<Option<Provider>, Error> {
    let row: Option<ProviderRevisionRow> = sqlx::query_as(
        "SELECT code, name, level, district_code, enabled, revision, parent_code, valid_from, \
         valid_until FROM provider_revision WHERE code = $1 ORDER BY revision DESC LIMIT 1",
    )
    .bind(code)
    .fetch_optional(conn)
    .await?;
    row.map(decode_provider).transpose()
}

/// All providers, by code.
pub async fn list_providers(conn: &mut Conn) -> Result<Vec<Provider>, Error> {
    let rows: Vec<ProviderRevisionRow> = sqlx::query_as(
        "SELECT DISTINCT ON (code) code, name, level, district_code, enabled, revision, \
         parent_code, valid_from, valid_until FROM provider_revision ORDER BY code, revision DESC",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_provider).collect()
}

/// Adds a revision.
pub async fn insert_revision(
    conn: &mut Conn,
    provider: &Provider,
    at: OffsetDateTime,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO provider_revision (code, revision, name, level, district_code, enabled, \
         recorded_at, recorded_by, parent_code, valid_from, valid_until) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(provider.code.as_str())
    .bind(provider.revision.cast_signed())
    .bind(&provider.name)
    .bind(provider.level.kind().as_str())
    .bind(provider.level.district_code())
    .bind(provider.enabled)
    .bind(at)
    .bind(by)
    .bind(provider.parent.as_ref().map_or("", CreditCode::as_str))
    .bind(provider.valid_from)
    .bind(provider.valid_until)
    .execute(conn)
    .await?;
    Ok(())
}

/// Sealed contacts of all providers that have some, by code; of one when `code` is not empty.
pub async fn list_sealed_contacts(
    conn: &mut Conn,
    code: &str,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    sqlx::query_as(
        "SELECT code, sealed_contacts FROM provider_contact WHERE $1 = '' OR code = $1 ORDER BY code",
    )
    .bind(code)
    .fetch_all(conn)
    .await
}

/// Replaces the sealed contacts of a provider.
pub async fn set_contacts(
    conn: &mut Conn,
    code: &str,
    sealed: &[u8],
    at: OffsetDateTime,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO provider_contact (code, sealed_contacts, changed_at, changed_by) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO UPDATE SET \
         sealed_contacts = excluded.sealed_contacts, changed_at = excluded.changed_at, \
         changed_by = excluded.changed_by",
    )
    .bind(code)
    .bind(sealed)
    .bind(at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the contacts.
pub async fn remove_contacts(conn: &mut Conn, code: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM provider_contact WHERE code = $1")
        .bind(code)
        .execute(conn)
        .await?;
    Ok(())
}

fn decode_provider(row: ProviderRevisionRow) -> Result<Provider, Error> {
    let level = if row.level == OrganLevelKind::City.as_str() {
        OrganLevel::City
    } else {
        let district = DISTRICTS.iter().find(|d| d.code == row.district_code);
        OrganLevel::District(
            district.ok_or_else(|| unknown_value("district_code", &row.district_code))?,
        )
    };
    let code = |text: &str| CreditCode::parse(text).map_err(|error| Error::Decode(Box::new(error)));
    let parent = Some(row.parent_code.as_str()).filter(|parent| !parent.is_empty());
    Ok(Provider {
        code: code(&row.code)?,
        name: row.name,
        level,
        enabled: row.enabled,
        parent: parent.map(code).transpose()?,
        valid_from: row.valid_from,
        valid_until: row.valid_until,
        // CHECK (revision > 0)
        revision: row.revision.cast_unsigned(),
    })
}
