//! The catalogue's facts: item versions and providers. Called by `app` for catalog's events and for an item that is not
//! in the cache yet.

use std::collections::HashMap;

use record_ref::{ItemCode, ItemRef, ProviderCode};
use service_kit::db::{Conn, Error};
use time::Date;

use super::{column, item, malformed};
use crate::domain::competence::CompetentOwner;

/// An item version to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationItemRow {
    /// Which version of which item.
    pub item: ItemRef,
    /// The whole definition, JSON.
    pub definition: String,
    /// `city`, `department` or `district`; empty: not known.
    pub catalogue: String,
    /// The organ whose catalogue it is, where the event names it.
    pub organ: Option<ProviderCode>,
    /// GB/T 2260 code of the district whose catalogue it is; may be empty.
    pub district_code: String,
    /// First day of receipt that it is for; none: from its publication.
    pub effective_from: Option<Date>,
    /// Day of the publication, where the event names it.
    pub published_on: Option<Date>,
}

/// A definition as the table stores it.
#[derive(Debug, Clone)]
pub struct StoredDefinition {
    /// Which version of which item.
    pub item: ItemRef,
    /// The whole definition, JSON.
    pub definition: String,
    /// The owner of the catalogue that has it.
    pub owner: CompetentOwner,
}

/// A stored version of an item, and since when it is for records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFirstDay {
    /// Which version of which item.
    pub item: ItemRef,
    /// First day of receipt that it is for; none: it always was.
    pub first_day: Option<Date>,
}

/// A provider to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationProviderRow {
    /// Credit code.
    pub code: ProviderCode,
    /// Chinese name.
    pub name: String,
    /// `city` or `district`.
    pub level: String,
    /// GB/T 2260 code, empty at city level.
    pub district_code: String,
    /// Whether it may report.
    pub enabled: bool,
    /// The organ above it.
    pub parent: Option<ProviderCode>,
    /// Grows with every change.
    pub revision: i64,
}

/// Stores item versions; one that is known already stays as it is, because versions never change.
pub async fn insert_item_versions(
    conn: &mut Conn,
    items: &[ValidationItemRow],
) -> Result<(), Error> {
    let (codes, versions) = columns(items.iter().map(|row| &row.item));
    let organs: Vec<Option<&str>> = items
        .iter()
        .map(|row| row.organ.as_ref().map(ProviderCode::as_str))
        .collect();
    let text = |of: fn(&ValidationItemRow) -> &str| -> Vec<&str> { items.iter().map(of).collect() };
    let effective: Vec<Option<Date>> = items.iter().map(|item| item.effective_from).collect();
    let published: Vec<Option<Date>> = items.iter().map(|item| item.published_on).collect();
    sqlx::query(
        "INSERT INTO item_version (code, version, definition, catalogue, organ, district_code,
                effective_from, published_on)
         SELECT code, version, definition::jsonb, nullif(catalogue, ''), organ,
                nullif(district_code, ''), effective_from, published_on
         FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::date[])
              AS i (code, version, definition, catalogue, organ, district_code, effective_from, published_on)
         ORDER BY code, version
         ON CONFLICT (code, version) DO NOTHING",
    )
    .bind(codes)
    .bind(versions)
    .bind(text(|item| &item.definition))
    .bind(text(|item| &item.catalogue))
    .bind(organs)
    .bind(text(|item| &item.district_code))
    .bind(effective)
    .bind(published)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores providers, each code at most once in `providers`; an older revision than the known one changes nothing.
pub async fn upsert_providers(
    conn: &mut Conn,
    providers: &[ValidationProviderRow],
) -> Result<(), Error> {
    let codes: Vec<&str> = providers.iter().map(|p| p.code.as_str()).collect();
    let names: Vec<&str> = providers.iter().map(|p| p.name.as_str()).collect();
    let levels: Vec<&str> = providers.iter().map(|p| p.level.as_str()).collect();
    let districts: Vec<&str> = providers.iter().map(|p| p.district_code.as_str()).collect();
    let enabled: Vec<bool> = providers.iter().map(|p| p.enabled).collect();
    let revisions: Vec<i64> = providers.iter().map(|p| p.revision).collect();
    let parents = providers.iter().map(|p| p.parent.as_ref());
    let parents: Vec<&str> = parents
        .map(|parent| parent.map_or("", ProviderCode::as_str))
        .collect();
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
pub async fn load_definitions(
    conn: &mut Conn,
    wanted: &[ItemRef],
) -> Result<Vec<StoredDefinition>, Error> {
    let (codes, versions) = columns(wanted.iter());
    let rows = sqlx::query(
        "SELECT code, version, definition::text AS definition, coalesce(catalogue, '') AS catalogue,
                organ, coalesce(district_code, '') AS district_code
         FROM item_version
         JOIN unnest($1::text[], $2::int[]) AS w (code, version) USING (code, version)",
    )
    .bind(codes)
    .bind(versions)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let organ: Option<&str> = column(row, "organ")?;
            let organ = organ.map(str::parse).transpose().map_err(malformed)?;
            Ok(StoredDefinition {
                item: item(row, "code", "version")?,
                definition: column(row, "definition")?,
                owner: CompetentOwner::from_catalogue(
                    column(row, "catalogue")?,
                    organ,
                    column(row, "district_code")?,
                ),
            })
        })
        .collect()
}

/// The version of each of these items that is for records received on `day`.
pub async fn load_versions_in_force(
    conn: &mut Conn,
    codes: &[&ItemCode],
    day: Date,
) -> Result<HashMap<ItemCode, ItemRef>, Error> {
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
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
            let item = item(row, "code", "version")?;
            Ok((item.code.clone(), item))
        })
        .collect()
}

/// The stored versions of one item.
pub async fn versions_of_item(
    conn: &mut Conn,
    code: &ItemCode,
) -> Result<Vec<ItemFirstDay>, Error> {
    let rows = sqlx::query(
        "SELECT code, version,
                coalesce(effective_from, (definition->>'effective_from')::date, published_on) AS first_day
         FROM item_version WHERE code = $1",
    )
    .bind(code.as_str())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ItemFirstDay {
                item: item(row, "code", "version")?,
                first_day: column(row, "first_day")?,
            })
        })
        .collect()
}

/// Every stored version.
pub async fn list_item_versions(conn: &mut Conn) -> Result<Vec<ItemRef>, Error> {
    let rows = sqlx::query("SELECT code, version FROM item_version ORDER BY code, version")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| item(row, "code", "version"))
        .collect()
}

/// Whether the registry has ever named this provider.
pub async fn provider_exists(conn: &mut Conn, code: ProviderCode) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM provider WHERE code = $1)")
        .bind(code.as_str())
        .fetch_one(conn)
        .await
}

/// Codes and versions of items, as arrays.
fn columns<'a>(items: impl Iterator<Item = &'a ItemRef>) -> (Vec<&'a str>, Vec<i32>) {
    items
        .map(|item| (item.code.as_str(), item.version_column()))
        .unzip()
}
