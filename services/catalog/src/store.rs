//! SQL of catalog, nothing else. Called by `app`; all functions work within the caller's
//! transaction, none commits.

use credit_record::id::CreditCode;
use service_kit::db::{Conn, Error};
use time::OffsetDateTime;

use crate::domain::{DISTRICTS, Level, LevelKind, Provider};

/// The migrations of the schema, run by its owner.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Makes writers about one thing (`item xzxk`, `provider 1143…`) queue until the end of the
/// transaction, so that two of them never decide on the same state. Readers do not wait.
pub async fn queue_for(conn: &mut Conn, thing: &str) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('catalog ' || $1, 0))")
        .bind(thing)
        .execute(conn)
        .await?;
    Ok(())
}

/// Definitions of all versions of an item, oldest first.
pub async fn definitions_of(conn: &mut Conn, code: &str) -> Result<Vec<String>, Error> {
    sqlx::query_scalar("SELECT definition FROM item_version WHERE code = $1 ORDER BY version")
        .bind(code)
        .fetch_all(conn)
        .await
}

/// One version of an item, or with version 0 the one in force.
pub async fn definition(
    conn: &mut Conn,
    code: &str,
    version: u32,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar(
        "SELECT definition FROM item_version WHERE code = $1 AND (version = $2 OR $2 = 0) \
         ORDER BY version DESC LIMIT 1",
    )
    .bind(code)
    .bind(i64::from(version))
    .fetch_optional(conn)
    .await
}

/// Code and definition of the version in force of each item, by code.
pub async fn definitions_in_force(conn: &mut Conn) -> Result<Vec<(String, String)>, Error> {
    sqlx::query_as(
        "SELECT DISTINCT ON (code) code, definition FROM item_version \
         ORDER BY code, version DESC",
    )
    .fetch_all(conn)
    .await
}

/// Adds a version.
pub async fn add_definition(
    conn: &mut Conn,
    code: &str,
    version: u32,
    definition: &str,
    at: OffsetDateTime,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO item_version (code, version, definition, published_at, published_by) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(code)
    .bind(i64::from(version))
    .bind(definition)
    .bind(at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

type ProviderRow = (String, String, String, String, bool, i64);

/// What the registry holds of one provider.
pub async fn provider(conn: &mut Conn, code: &str) -> Result<Option<Provider>, Error> {
    let row: Option<ProviderRow> = sqlx::query_as(
        "SELECT code, name, level, district_code, enabled, revision FROM provider_revision \
         WHERE code = $1 ORDER BY revision DESC LIMIT 1",
    )
    .bind(code)
    .fetch_optional(conn)
    .await?;
    row.map(decode).transpose()
}

/// All providers, by code.
pub async fn providers(conn: &mut Conn) -> Result<Vec<Provider>, Error> {
    let rows: Vec<ProviderRow> = sqlx::query_as(
        "SELECT DISTINCT ON (code) code, name, level, district_code, enabled, revision \
         FROM provider_revision ORDER BY code, revision DESC",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode).collect()
}

/// Adds a revision.
pub async fn add_provider(
    conn: &mut Conn,
    provider: &Provider,
    at: OffsetDateTime,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO provider_revision \
         (code, revision, name, level, district_code, enabled, recorded_at, recorded_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(provider.code.as_str())
    .bind(provider.revision.cast_signed())
    .bind(&provider.name)
    .bind(provider.level.kind().as_str())
    .bind(provider.level.district_code())
    .bind(provider.enabled)
    .bind(at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}

fn decode(row: ProviderRow) -> Result<Provider, Error> {
    let (code, name, level, district_code, enabled, revision) = row;
    let unreadable = |what: String| Error::Decode(what.into());
    let level = if level == LevelKind::City.as_str() {
        Level::City
    } else {
        let district = DISTRICTS.iter().find(|d| d.code == district_code);
        Level::District(
            district.ok_or_else(|| unreadable(format!("district_code {district_code}")))?,
        )
    };
    Ok(Provider {
        code: CreditCode::parse(&code).map_err(|error| unreadable(error.to_string()))?,
        name,
        level,
        enabled,
        // CHECK (revision > 0)
        revision: revision.cast_unsigned(),
    })
}
