//! The catalogue's facts: item versions and providers. Called by `app` for catalog's events and for an
//! item that is not in memory yet.

use std::collections::HashMap;

use service_kit::db::{Conn, Error};
use time::Date;

use super::{column, integer};
use crate::domain::{ItemKey, competence::Owner};

/// An item version to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// Code of the item.
    pub code: String,
    /// Its version.
    pub version: u32,
    /// The whole definition, JSON.
    pub definition: String,
    /// `city`, `department` or `district`; empty: not told.
    pub catalogue: String,
    /// Credit code of the organ whose catalogue it is; may be empty.
    pub organ: String,
    /// GB/T 2260 code of the district whose catalogue it is; may be empty.
    pub district_code: String,
    /// First day of receipt that it is for; none: from its publication.
    pub effective_from: Option<Date>,
    /// Day of the publication, where it was told.
    pub published_on: Option<Date>,
}

/// A definition as the table keeps it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Code of the item.
    pub code: String,
    /// Its version.
    pub version: u32,
    /// The whole definition, JSON.
    pub definition: String,
    /// Whose catalogue it stands in.
    pub owner: Owner,
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
    /// Credit code of the organ above it; may be empty.
    pub parent_code: String,
    /// Grows with every change.
    pub revision: i64,
}

/// Keeps item versions; one that is known already stays as it is, because versions never change.
pub async fn keep_items(conn: &mut Conn, items: &[ItemRow]) -> Result<(), Error> {
    let codes: Vec<&str> = items.iter().map(|item| item.code.as_str()).collect();
    let versions: Vec<i32> = items.iter().map(|item| integer(item.version)).collect();
    let definitions: Vec<&str> = items.iter().map(|item| item.definition.as_str()).collect();
    let text = |of: fn(&ItemRow) -> &str| -> Vec<&str> { items.iter().map(of).collect() };
    let effective: Vec<Option<Date>> = items.iter().map(|item| item.effective_from).collect();
    let published: Vec<Option<Date>> = items.iter().map(|item| item.published_on).collect();
    sqlx::query(
        "INSERT INTO item_version (code, version, definition, catalogue, organ, district_code,
                effective_from, published_on)
         SELECT code, version, definition::jsonb, nullif(catalogue, ''), nullif(organ, ''),
                nullif(district_code, ''), effective_from, published_on
         FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::date[])
              AS i (code, version, definition, catalogue, organ, district_code, effective_from, published_on)
         ORDER BY code, version
         ON CONFLICT (code, version) DO NOTHING",
    )
    .bind(codes)
    .bind(versions)
    .bind(definitions)
    .bind(text(|item| &item.catalogue))
    .bind(text(|item| &item.organ))
    .bind(text(|item| &item.district_code))
    .bind(effective)
    .bind(published)
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
    let parents: Vec<&str> = providers.iter().map(|p| p.parent_code.as_str()).collect();
    sqlx::query(
        "INSERT INTO provider AS p (code, name, level, district_code, enabled, revision, parent_code)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::bigint[], $7::text[])
              AS n (code, name, level, district_code, enabled, revision, parent_code)
         ORDER BY code
         ON CONFLICT (code) DO UPDATE SET name = excluded.name, level = excluded.level,
                district_code = excluded.district_code, enabled = excluded.enabled,
                revision = excluded.revision, parent_code = excluded.parent_code
         WHERE p.revision < excluded.revision",
    )
    .bind(codes)
    .bind(names)
    .bind(levels)
    .bind(districts)
    .bind(enabled)
    .bind(revisions)
    .bind(parents)
    .execute(conn)
    .await?;
    Ok(())
}

/// The definitions of these versions as far as they are known.
pub async fn items(conn: &mut Conn, wanted: &[ItemKey]) -> Result<Vec<Definition>, Error> {
    let codes: Vec<&str> = wanted.iter().map(|(code, _)| code.as_str()).collect();
    let versions: Vec<i32> = wanted
        .iter()
        .map(|(_, version)| integer(*version))
        .collect();
    let rows = sqlx::query(
        "SELECT code, version, definition::text AS definition, coalesce(catalogue, '') AS catalogue,
                coalesce(organ, '') AS organ, coalesce(district_code, '') AS district_code
         FROM item_version
         JOIN unnest($1::text[], $2::int[]) AS w (code, version) USING (code, version)",
    )
    .bind(codes)
    .bind(versions)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Definition {
                code: column(row, "code")?,
                // The table holds positive versions only.
                version: column::<i32>(row, "version")?.unsigned_abs(),
                definition: column(row, "definition")?,
                owner: Owner::of(
                    column(row, "catalogue")?,
                    column(row, "organ")?,
                    column(row, "district_code")?,
                ),
            })
        })
        .collect()
}

/// The version of each of these items that is for records received on `day`.
pub async fn in_force(
    conn: &mut Conn,
    codes: &[&str],
    day: Date,
) -> Result<HashMap<String, u32>, Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT ON (code) code, version FROM item_version
         WHERE code = ANY($1) AND coalesce(effective_from, (definition->>'effective_from')::date, published_on,
               '-infinity'::date) <= $2
         ORDER BY code, version DESC",
    )
    .bind(codes)
    .bind(day)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let version = column::<i32>(row, "version")?.unsigned_abs();
            Ok((column(row, "code")?, version))
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
