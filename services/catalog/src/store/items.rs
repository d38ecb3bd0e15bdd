//! Versions of items and their ends. Called by `app`.

use credit_record::item::{ItemOwner, ItemVersion};
use record_ref::{ItemCode, ProviderCode};
use service_kit::db::{Conn, Error};
use sqlx::FromRow;
use time::{Date, OffsetDateTime};

use super::{decode_item_code, decode_owner};
use crate::domain::version::{ItemFilter, RetirementDecision};

/// A version as its row holds it.
#[derive(Debug, Clone, FromRow)]
pub struct CatalogVersionRow {
    /// Code of the item.
    pub code: String,
    /// The definition as JSON.
    pub definition: String,
    /// When it was published.
    pub published_at: OffsetDateTime,
    /// By whom.
    pub published_by: String,
}

/// All versions of an item, oldest first.
pub async fn list_versions(conn: &mut Conn, code: &str) -> Result<Vec<CatalogVersionRow>, Error> {
    sqlx::query_as(
        "SELECT code, definition, published_at, published_by FROM item_version \
         WHERE code = $1 ORDER BY version",
    )
    .bind(code)
    .fetch_all(conn)
    .await
}

/// Definition of one version of an item.
pub async fn load_definition(
    conn: &mut Conn,
    code: &str,
    version: u32,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT definition FROM item_version WHERE code = $1 AND version = $2")
        .bind(code)
        .bind(i64::from(version))
        .fetch_optional(conn)
        .await
}

/// Definition of the version of an item that is in force on a day; none also when it has ended.
pub async fn load_definition_on(
    conn: &mut Conn,
    code: &str,
    day: Date,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar(
        "SELECT v.definition FROM item_version v WHERE v.code = $1 AND v.starts_on <= $2 \
         AND NOT EXISTS (SELECT FROM item_end r WHERE r.code = v.code AND r.from_date <= $2) \
         ORDER BY v.version DESC LIMIT 1",
    )
    .bind(code)
    .bind(day)
    .fetch_optional(conn)
    .await
}

/// Number of the version of an item that is in force on a day; none also when it has ended.
pub async fn find_version_on(conn: &mut Conn, code: &str, day: Date) -> Result<Option<u32>, Error> {
    let version: Option<i64> = sqlx::query_scalar(
        "SELECT v.version FROM item_version v WHERE v.code = $1 AND v.starts_on <= $2 \
         AND NOT EXISTS (SELECT FROM item_end r WHERE r.code = v.code AND r.from_date <= $2) \
         ORDER BY v.version DESC LIMIT 1",
    )
    .bind(code)
    .bind(day)
    .fetch_optional(conn)
    .await?;
    // CHECK (version > 0), and no item has four thousand million versions.
    Ok(version.map(|version| version as u32))
}

/// Code and definition of the version in force of each item on a day, by code.
pub async fn list_definitions_on(
    conn: &mut Conn,
    day: Date,
    filter: &ItemFilter,
) -> Result<Vec<(String, String)>, Error> {
    sqlx::query_as(
        "SELECT code, definition FROM \
           (SELECT DISTINCT ON (code) * FROM item_version WHERE starts_on <= $1 \
            ORDER BY code, version DESC) v \
         WHERE NOT EXISTS (SELECT FROM item_end r WHERE r.code = v.code AND r.from_date <= $1) \
           AND ($2 = '' OR catalogue = $2) AND ($3 = '' OR organ = $3) \
           AND ($4 = '' OR district_code = $4) \
         ORDER BY code COLLATE \"C\"",
    )
    .bind(day)
    .bind(&filter.catalogue)
    .bind(filter.organ.as_ref().map_or("", ProviderCode::as_str))
    .bind(&filter.district_code)
    .fetch_all(conn)
    .await
}

/// A version to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewItemVersion<'a> {
    /// The version.
    pub item: &'a ItemVersion,
    /// Its JSON.
    pub definition: &'a str,
    /// Its first day in force.
    pub starts_on: Date,
    /// When it is published.
    pub at: OffsetDateTime,
    /// By whom.
    pub by: &'a str,
}

/// Adds a version.
pub async fn insert_version(conn: &mut Conn, new: NewItemVersion<'_>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO item_version (code, version, definition, published_at, published_by, \
         starts_on, catalogue, organ, district_code) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&new.item.code)
    .bind(i64::from(new.item.version))
    .bind(new.definition)
    .bind(new.at)
    .bind(new.by)
    .bind(new.starts_on)
    .bind(new.item.owner.as_str())
    .bind(new.item.owner.organ())
    .bind(new.item.owner.district())
    .execute(conn)
    .await?;
    Ok(())
}

/// Code, versions with their moments of publication (oldest first) and newest owner of the items that are
/// under these codes or in the catalogue of this organ, unless they have ended, by code.
#[derive(Debug, Clone)]
pub struct AffectedItem {
    /// Code of the item.
    pub code: ItemCode,
    /// Versions with the moments of their publication, oldest first.
    pub versions: Vec<(u32, OffsetDateTime)>,
    /// Owner of the newest version.
    pub owner: ItemOwner,
}

/// Finds the items that a trigger affects.
pub async fn find_affected_items(
    conn: &mut Conn,
    codes: &[ItemCode],
    organ: Option<&ProviderCode>,
    today: Date,
) -> Result<Vec<AffectedItem>, Error> {
    type AffectedItemRow = (
        String,
        Vec<i64>,
        Vec<OffsetDateTime>,
        String,
        String,
        String,
    );
    let rows: Vec<AffectedItemRow> = sqlx::query_as(
        "SELECT code, array_agg(version ORDER BY version), array_agg(published_at ORDER BY version), \
           (array_agg(catalogue ORDER BY version DESC))[1], \
           (array_agg(organ ORDER BY version DESC))[1], \
           (array_agg(district_code ORDER BY version DESC))[1] \
         FROM item_version v \
         WHERE NOT EXISTS (SELECT FROM item_end r WHERE r.code = v.code AND r.from_date <= $3) \
         GROUP BY code \
         HAVING code = ANY($1) OR ($2 <> '' AND (array_agg(organ ORDER BY version DESC))[1] = $2) \
         ORDER BY code COLLATE \"C\"",
    )
    .bind(codes.iter().map(ItemCode::as_str).collect::<Vec<_>>())
    .bind(organ.map_or("", ProviderCode::as_str))
    .bind(today)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(code, versions, moments, catalogue, organ, district)| {
            // CHECK (version > 0), and no item has four thousand million versions.
            let versions = versions.into_iter().map(|v| v as u32).zip(moments);
            Ok(AffectedItem {
                code: decode_item_code(code)?,
                versions: versions.collect(),
                owner: decode_owner(&catalogue, organ, district)?,
            })
        })
        .collect()
}

/// The newest decision about the end of an item.
pub async fn load_retirement(
    conn: &mut Conn,
    code: &str,
) -> Result<Option<RetirementDecision>, Error> {
    let row: Option<(Date, String, String, OffsetDateTime)> = sqlx::query_as(
        "SELECT from_date, reason, successor_code, decided_at FROM item_end WHERE code = $1",
    )
    .bind(code)
    .fetch_optional(conn)
    .await?;
    let Some((from, reason, successor, at)) = row else {
        return Ok(None);
    };
    let successor = Some(successor).filter(|successor| !successor.is_empty());
    Ok(Some(RetirementDecision {
        code: decode_item_code(code.to_owned())?,
        from,
        reason,
        successor: successor.map(decode_item_code).transpose()?,
        at,
    }))
}

/// Adds a decision about the end of an item. The caller holds the lock of the item.
pub async fn insert_retirement(
    conn: &mut Conn,
    end: &RetirementDecision,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO item_retirement (code, from_date, reason, successor_code, decided_at, decided_by, \
           decision) \
         SELECT $1, $2, $3, $4, $5, $6, coalesce(max(decision), 0) + 1 \
         FROM item_retirement WHERE code = $1",
    )
    .bind(end.code.as_str())
    .bind(end.from)
    .bind(&end.reason)
    .bind(end.successor.as_ref().map_or("", ItemCode::as_str))
    .bind(end.at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}
