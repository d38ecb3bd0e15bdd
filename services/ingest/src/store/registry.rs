//! The copies of catalogue facts that ingest decides on. Rows are written in the order of their keys, so that two
//! copies of the service that handle the same events never deadlock. Called by `handlers` and `app`.

use std::collections::{BTreeMap, HashMap};

use record_ref::{ItemCode, ItemRef, ProviderCode};
use service_kit::db::{Conn, Error, checked_column};
use sqlx::{Row, postgres::PgRow};
use time::{Date, OffsetDateTime};

use super::item_ref;

use crate::domain::{
    CatalogueItem, CatalogueItemVersion, ReportingRegistration, ReportingRetirement, Successor,
};

/// An item version to store.
#[derive(Clone, Debug)]
pub struct IngestItemRow {
    /// Which.
    pub item: ItemRef,
    /// Chinese name.
    pub name: String,
    /// First day of receipt; `None`: since its publication.
    pub effective_from: Option<Date>,
    /// The whole definition as JSON; `None` when the event had none.
    pub definition: Option<String>,
}

/// The end of an item, to store.
#[derive(Clone, Debug)]
pub struct RetirementRow {
    /// Which item.
    pub item: ItemCode,
    /// First day on which no record is taken.
    pub from_date: Date,
    /// Item that takes its place.
    pub successor: Option<ItemCode>,
    /// When it was decided.
    pub decided_at: OffsetDateTime,
}

/// A provider to store.
#[derive(Clone, Debug)]
pub struct IngestProviderRow {
    /// Which.
    pub provider: ProviderCode,
    /// Chinese name.
    pub name: String,
    /// Whether it may report at all.
    pub enabled: bool,
    /// Grows with every change.
    pub revision: i64,
    /// First day on which it may report.
    pub valid_from: Option<Date>,
    /// Last day on which it may report.
    pub valid_until: Option<Date>,
}

/// Adds item versions. A version never changes once published; one that was stored without its definition is completed.
pub async fn upsert_item_versions(conn: &mut Conn, items: &[IngestItemRow]) -> Result<(), Error> {
    // One row a version: a statement may touch a row only once.
    let mut first: BTreeMap<&ItemRef, &IngestItemRow> = BTreeMap::new();
    for row in items {
        first.entry(&row.item).or_insert(row);
    }
    let items: Vec<_> = first.into_values().collect();
    if items.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into item_version (code, version, name, effective_from, definition)
         select * from unnest($1::text[], $2::int[], $3::text[], $4::date[], $5::text[])
              as new (code, version, name, effective_from, definition)
         order by code, version
         on conflict (code, version) do update
             set effective_from = excluded.effective_from, definition = excluded.definition
             where item_version.definition is null and excluded.definition is not null",
    )
    .bind(column(&items, |i| i.item.code.as_str()))
    .bind(column(&items, |i| i.item.version_column()))
    .bind(column(&items, |i| i.name.as_str()))
    .bind(column(&items, |i| i.effective_from))
    .bind(column(&items, |i| i.definition.as_deref()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the ends of items; of two decisions about one item the later counts.
pub async fn upsert_retirements(
    conn: &mut Conn,
    retirements: &[RetirementRow],
) -> Result<(), Error> {
    let mut newest: BTreeMap<&ItemCode, &RetirementRow> = BTreeMap::new();
    for retirement in retirements {
        let kept = newest.entry(&retirement.item).or_insert(retirement);
        if retirement.decided_at > kept.decided_at {
            *kept = retirement;
        }
    }
    let newest: Vec<_> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into item_retirement (code, from_date, successor_code, decided_at)
         select * from unnest($1::text[], $2::date[], $3::text[], $4::timestamptz[])
              as new (code, from_date, successor_code, decided_at)
         order by code
         on conflict (code) do update
             set from_date = excluded.from_date, successor_code = excluded.successor_code,
                 decided_at = excluded.decided_at
             where item_retirement.decided_at < excluded.decided_at",
    )
    .bind(column(&newest, |r| r.item.as_str()))
    .bind(column(&newest, |r| r.from_date))
    .bind(column(&newest, |r| {
        r.successor.as_ref().map_or("", ItemCode::as_str)
    }))
    .bind(column(&newest, |r| r.decided_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the newest revision of each provider, and opens the ledgers of new ones.
pub async fn upsert_providers(
    conn: &mut Conn,
    providers: &[IngestProviderRow],
) -> Result<(), Error> {
    // One row a provider: a statement may touch a row only once.
    let mut newest: BTreeMap<&ProviderCode, &IngestProviderRow> = BTreeMap::new();
    for row in providers {
        let kept = newest.entry(&row.provider).or_insert(row);
        if row.revision > kept.revision {
            *kept = row;
        }
    }
    let newest: Vec<_> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    let codes = column(&newest, |p| p.provider.as_str());
    sqlx::query(
        "insert into provider (code, name, enabled, revision, valid_from, valid_until)
         select * from unnest($1::text[], $2::text[], $3::bool[], $4::bigint[], $5::date[], $6::date[])
              as new (code, name, enabled, revision, valid_from, valid_until)
         order by code
         on conflict (code) do update
             set name = excluded.name, enabled = excluded.enabled, revision = excluded.revision,
                 valid_from = excluded.valid_from, valid_until = excluded.valid_until
             where provider.revision < excluded.revision",
    )
    .bind(&codes)
    .bind(column(&newest, |p| p.name.as_str()))
    .bind(column(&newest, |p| p.enabled))
    .bind(column(&newest, |p| p.revision))
    .bind(column(&newest, |p| p.valid_from))
    .bind(column(&newest, |p| p.valid_until))
    .execute(&mut *conn)
    .await?;
    // A ledger is opened with the registration: a refused submission leaves no trace.
    sqlx::query(
        "insert into provider_ledger (provider_code, last_number)
         select code, 0 from unnest($1::text[]) code order by code on conflict do nothing",
    )
    .bind(codes)
    .execute(conn)
    .await?;
    Ok(())
}

/// The registration of a provider, if it is known.
pub async fn find_registration(
    conn: &mut Conn,
    provider: &ProviderCode,
) -> Result<Option<ReportingRegistration>, Error> {
    let row = sqlx::query("select enabled, valid_from, valid_until from provider where code = $1")
        .bind(provider.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| read_registration(&row, 0)).transpose()
}

/// Reads a registration from a row, its columns starting at `at`.
pub fn read_registration(row: &PgRow, at: usize) -> Result<ReportingRegistration, Error> {
    Ok(ReportingRegistration {
        enabled: row.try_get(at)?,
        valid_from: row.try_get(at + 1)?,
        valid_until: row.try_get(at + 2)?,
    })
}

/// The item of a code, if it is known.
pub async fn find_item(conn: &mut Conn, code: &ItemCode) -> Result<Option<CatalogueItem>, Error> {
    Ok(load_items(conn, Some(&[code.as_str()])).await?.remove(code))
}

/// The items of these codes, or all with `None`, by code.
pub async fn load_items(
    conn: &mut Conn,
    codes: Option<&[&str]>,
) -> Result<HashMap<ItemCode, CatalogueItem>, Error> {
    let rows = sqlx::query(
        "select v.code, v.version, v.name, v.effective_from, r.from_date, r.successor_code,
                (select s.name from item_version s where s.code = r.successor_code
                 order by s.version desc limit 1)
         from item_version v left join item_retirement r using (code)
         where $1::text[] is null or v.code = any($1)
         order by v.code, v.version",
    )
    .bind(codes)
    .fetch_all(conn)
    .await?;
    let mut items: HashMap<ItemCode, CatalogueItem> = HashMap::new();
    for row in &rows {
        let version = CatalogueItemVersion {
            item: item_ref(row, 0)?,
            name: row.try_get(2)?,
            effective_from: row.try_get(3)?,
        };
        let item = items.entry(version.item.code.clone()).or_default();
        item.versions.push(version);
        if let Some(from) = row.try_get(4)? {
            let successor = successor(row, 5)?;
            item.retirement = Some(ReportingRetirement { from, successor });
        }
    }
    Ok(items)
}

/// The item that takes the place of another, from the column `at` and that of its name; an empty code is none.
fn successor(row: &PgRow, at: usize) -> Result<Option<Successor>, Error> {
    if row.try_get::<&str, _>(at)?.is_empty() {
        return Ok(None);
    }
    let code: ItemCode = checked_column::<&str, _>(row, at)?;
    let name: Option<String> = row.try_get(at + 1)?;
    let name = name.unwrap_or_else(|| code.to_string());
    Ok(Some(Successor { code, name }))
}

fn column<'a, R, T>(rows: &[&'a R], get: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| get(row)).collect()
}
