//! The copies of catalogue facts that ingest decides on. Rows are written in the order of their keys, so that
//! two copies of the service that hear the same facts wait for each other and never in a circle.

use std::collections::{BTreeMap, HashMap};

use service_kit::db::{Conn, Error};
use sqlx::{Row, postgres::PgRow};
use time::{Date, OffsetDateTime};

use crate::domain::{Item, Registration, Retirement, Successor, Version};

/// An item version to keep.
#[derive(Clone, Debug)]
pub struct ItemRow {
    /// Code of the item.
    pub code: String,
    /// Number, from 1.
    pub version: i32,
    /// Chinese name.
    pub name: String,
    /// First day of receipt; `None`: since its publication.
    pub effective_from: Option<Date>,
    /// The whole definition as JSON; `None` when the event had none.
    pub definition: Option<String>,
}

/// The end of an item, to keep.
#[derive(Clone, Debug)]
pub struct RetirementRow {
    /// Code of the item.
    pub code: String,
    /// First day on which no record is taken.
    pub from_date: Date,
    /// Item that takes its place; empty: none.
    pub successor_code: String,
    /// When it was decided.
    pub decided_at: OffsetDateTime,
}

/// A provider to keep.
#[derive(Clone, Debug)]
pub struct ProviderRow {
    /// Credit code.
    pub code: String,
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

/// Adds item versions. A version never changes once published; one that was kept without its
/// definition is completed.
pub async fn add_items(conn: &mut Conn, items: &[ItemRow]) -> Result<(), Error> {
    // One row a version: a statement may touch a row only once.
    let mut first: BTreeMap<(&str, i32), &ItemRow> = BTreeMap::new();
    for item in items {
        first.entry((&item.code, item.version)).or_insert(item);
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
    .bind(column(&items, |i| i.code.as_str()))
    .bind(column(&items, |i| i.version))
    .bind(column(&items, |i| i.name.as_str()))
    .bind(column(&items, |i| i.effective_from))
    .bind(column(&items, |i| i.definition.as_deref()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the ends of items; of two decisions about one item the later counts.
pub async fn keep_retirements(conn: &mut Conn, retirements: &[RetirementRow]) -> Result<(), Error> {
    let mut newest: BTreeMap<&str, &RetirementRow> = BTreeMap::new();
    for retirement in retirements {
        let kept = newest.entry(&retirement.code).or_insert(retirement);
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
    .bind(column(&newest, |r| r.code.as_str()))
    .bind(column(&newest, |r| r.from_date))
    .bind(column(&newest, |r| r.successor_code.as_str()))
    .bind(column(&newest, |r| r.decided_at))
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the newest revision of each provider, and opens the ledgers of new ones.
pub async fn upsert_providers(conn: &mut Conn, providers: &[ProviderRow]) -> Result<(), Error> {
    // One row a provider: a statement may touch a row only once.
    let mut newest: BTreeMap<&str, &ProviderRow> = BTreeMap::new();
    for provider in providers {
        let kept = newest.entry(&provider.code).or_insert(provider);
        if provider.revision > kept.revision {
            *kept = provider;
        }
    }
    let newest: Vec<_> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    let codes = column(&newest, |p| p.code.as_str());
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

/// The registrations of these providers, as far as they are known.
pub async fn registrations(
    conn: &mut Conn,
    codes: &[&str],
) -> Result<HashMap<String, Registration>, Error> {
    let rows = sqlx::query(
        "select code, enabled, valid_from, valid_until from provider where code = any($1)",
    )
    .bind(codes)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, registration(row, 1)?)))
        .collect()
}

/// Reads a registration from a row, its columns starting at `at`.
pub fn registration(row: &PgRow, at: usize) -> Result<Registration, Error> {
    Ok(Registration {
        enabled: row.try_get(at)?,
        valid_from: row.try_get(at + 1)?,
        valid_until: row.try_get(at + 2)?,
    })
}

/// The items of these codes, or all with `None`, by code.
pub async fn items(
    conn: &mut Conn,
    codes: Option<&[&str]>,
) -> Result<HashMap<String, Item>, Error> {
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
    let mut items: HashMap<String, Item> = HashMap::new();
    for row in &rows {
        let item = items.entry(row.try_get(0)?).or_default();
        item.versions.push(Version {
            number: row.try_get::<i32, _>(1)? as u32,
            name: row.try_get(2)?,
            effective_from: row.try_get(3)?,
        });
        if let Some(from) = row.try_get(4)? {
            let code: String = row.try_get(5)?;
            let name: Option<String> = row.try_get(6)?;
            item.retirement = Some(Retirement {
                from,
                successor: (!code.is_empty()).then(|| Successor {
                    name: name.unwrap_or_else(|| code.clone()),
                    code,
                }),
            });
        }
    }
    Ok(items)
}

fn column<'a, R, T>(rows: &[&'a R], get: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(|row| get(row)).collect()
}
