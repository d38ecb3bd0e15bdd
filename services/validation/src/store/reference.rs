//! The catalogue's facts: item versions and providers. Called by `app` for catalog's events and for an
//! item that is not in memory yet.

use service_kit::db::{Conn, Error};

use super::{column, integer};
use crate::domain::ItemKey;

/// An item version to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// Code of the item.
    pub code: String,
    /// Its version.
    pub version: u32,
    /// The whole definition, JSON.
    pub definition: String,
}

impl ItemRow {
    /// Which version it is.
    pub fn key(&self) -> ItemKey {
        (self.code.clone(), self.version)
    }
}

/// A provider to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// Credit code.
    pub code: String,
    /// Chinese name.
    pub name: String,
    /// `city` or `district`.
    pub level: String,
    /// GB/T 2260 code, empty at city level.
    pub district_code: String,
    /// Whether it may report.
    pub enabled: bool,
    /// Grows with every change.
    pub revision: i64,
}

/// Keeps item versions; one that is known already stays as it is, because versions never change.
pub async fn keep_items(conn: &mut Conn, items: &[ItemRow]) -> Result<(), Error> {
    let codes: Vec<&str> = items.iter().map(|item| item.code.as_str()).collect();
    let versions: Vec<i32> = items.iter().map(|item| integer(item.version)).collect();
    let definitions: Vec<&str> = items.iter().map(|item| item.definition.as_str()).collect();
    sqlx::query(
        "INSERT INTO item_version (code, version, definition)
         SELECT code, version, definition::jsonb
         FROM unnest($1::text[], $2::int[], $3::text[]) AS i (code, version, definition)
         ORDER BY code, version
         ON CONFLICT (code, version) DO NOTHING",
    )
    .bind(codes)
    .bind(versions)
    .bind(definitions)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps providers, each code at most once in `providers`; an older revision than the known one
/// changes nothing.
pub async fn keep_providers(conn: &mut Conn, providers: &[ProviderRow]) -> Result<(), Error> {
    let codes: Vec<&str> = providers.iter().map(|p| p.code.as_str()).collect();
    let names: Vec<&str> = providers.iter().map(|p| p.name.as_str()).collect();
    let levels: Vec<&str> = providers.iter().map(|p| p.level.as_str()).collect();
    let districts: Vec<&str> = providers.iter().map(|p| p.district_code.as_str()).collect();
    let enabled: Vec<bool> = providers.iter().map(|p| p.enabled).collect();
    let revisions: Vec<i64> = providers.iter().map(|p| p.revision).collect();
    sqlx::query(
        "INSERT INTO provider AS p (code, name, level, district_code, enabled, revision)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::bigint[])
              AS n (code, name, level, district_code, enabled, revision)
         ORDER BY code
         ON CONFLICT (code) DO UPDATE SET name = excluded.name, level = excluded.level,
                district_code = excluded.district_code, enabled = excluded.enabled,
                revision = excluded.revision
         WHERE p.revision < excluded.revision",
    )
    .bind(codes)
    .bind(names)
    .bind(levels)
    .bind(districts)
    .bind(enabled)
    .bind(revisions)
    .execute(conn)
    .await?;
    Ok(())
}

/// The definitions of these versions as far as they are known: code, version, JSON.
pub async fn items(
    conn: &mut Conn,
    wanted: &[ItemKey],
) -> Result<Vec<(String, u32, String)>, Error> {
    let codes: Vec<&str> = wanted.iter().map(|(code, _)| code.as_str()).collect();
    let versions: Vec<i32> = wanted
        .iter()
        .map(|(_, version)| integer(*version))
        .collect();
    let rows = sqlx::query(
        "SELECT code, version, definition::text AS definition FROM item_version
         JOIN unnest($1::text[], $2::int[]) AS w (code, version) USING (code, version)",
    )
    .bind(codes)
    .bind(versions)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            // The table holds positive versions only.
            let version = column::<i32>(row, "version")?.unsigned_abs();
            Ok((column(row, "code")?, version, column(row, "definition")?))
        })
        .collect()
}

/// Every version that is kept.
pub async fn versions(conn: &mut Conn) -> Result<Vec<ItemKey>, Error> {
    let rows = sqlx::query("SELECT code, version FROM item_version ORDER BY code, version")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let version = column::<i32>(row, "version")?.unsigned_abs();
            Ok((column(row, "code")?, version))
        })
        .collect()
}

/// Whether the registry has ever named this provider.
pub async fn provider_exists(conn: &mut Conn, code: &str) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM provider WHERE code = $1)")
        .bind(code)
        .fetch_one(conn)
        .await
}
