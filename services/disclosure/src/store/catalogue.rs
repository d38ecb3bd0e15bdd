//! Item versions and providers as catalog announced them. Called by `app`.

use credit_record::{SubjectKind, item::RecordClass};
use record_ref::{ItemRef, ProviderCode};
use service_kit::db::{Conn, Error};
use sqlx::FromRow;

use super::{ItemColumns, item_columns};
use crate::domain::{
    version::{kind_from_number, kind_number},
    visibility::{DisclosureRule, DisclosureRules},
};

/// A provider as announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureProviderRow {
    /// Credit code.
    pub code: ProviderCode,
    /// Name.
    pub name: String,
    /// "city" or "district".
    pub level: String,
    /// GB/T 2260 code of the district; empty at city level.
    pub district_code: String,
    /// Whether it reports.
    pub enabled: bool,
    /// Grows with every change.
    pub revision: i64,
}

/// Adds item versions with their definitions (JSON); a version is never changed, so one that is known stays.
pub async fn insert_items(
    conn: &mut Conn,
    items: &[(DisclosureRule, String)],
) -> Result<(), Error> {
    let (codes, versions) = item_columns(items.iter().map(|(rule, _)| &rule.item));
    let names: Vec<&str> = items.iter().map(|(rule, _)| rule.name.as_str()).collect();
    let classes: Vec<i16> = items
        .iter()
        .map(|(rule, _)| class_number(rule.record_class))
        .collect();
    let years: Vec<Option<i32>> = items
        .iter()
        // Terms are a few years; one beyond any calendar ends with it.
        .map(|(rule, _)| {
            rule.term_years
                .map(|years| i32::try_from(years).unwrap_or(i32::MAX))
        })
        .collect();
    let kinds: Vec<String> = items
        .iter()
        .map(|(rule, _)| kinds_text(&rule.published))
        .collect();
    let definitions: Vec<&str> = items.iter().map(|(_, json)| json.as_str()).collect();
    sqlx::query(
        "INSERT INTO item_version \
         (item_code, item_version, name, record_class, term_years, published_kinds, definition) \
         SELECT i.code, i.version, i.name, i.class, i.years, i.kinds::int2[], i.definition::jsonb \
         FROM unnest($1::text[], $2::int4[], $3::text[], $4::int2[], $5::int4[], $6::text[], $7::text[]) \
         AS i (code, version, name, class, years, kinds, definition) \
         ON CONFLICT (item_code, item_version) DO NOTHING",
    )
    .bind(&codes)
    .bind(&versions)
    .bind(&names)
    .bind(&classes)
    .bind(&years)
    .bind(&kinds)
    .bind(&definitions)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the newest revision of each provider; `providers` holds each code once, in order.
pub async fn upsert_providers(
    conn: &mut Conn,
    providers: &[&DisclosureProviderRow],
) -> Result<(), Error> {
    let text = |of: fn(&DisclosureProviderRow) -> &str| -> Vec<&str> {
        providers.iter().map(|provider| of(provider)).collect()
    };
    let enabled: Vec<bool> = providers.iter().map(|provider| provider.enabled).collect();
    let revisions: Vec<i64> = providers.iter().map(|provider| provider.revision).collect();
    sqlx::query(
        "INSERT INTO provider AS p (provider_code, name, level, district_code, enabled, revision) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::int8[]) \
         ON CONFLICT (provider_code) DO UPDATE SET name = EXCLUDED.name, level = EXCLUDED.level, \
         district_code = EXCLUDED.district_code, enabled = EXCLUDED.enabled, revision = EXCLUDED.revision \
         WHERE p.revision < EXCLUDED.revision",
    )
    .bind(text(|p| p.code.as_str()))
    .bind(text(|p| &p.name))
    .bind(text(|p| &p.level))
    .bind(text(|p| &p.district_code))
    .bind(&enabled)
    .bind(&revisions)
    .execute(conn)
    .await?;
    Ok(())
}

/// All item versions: some dozens. Read with every request rather than cached, since a rule that is out of date
/// could show what it must not.
pub async fn load_item_rules(conn: &mut Conn) -> Result<DisclosureRules, Error> {
    #[derive(FromRow)]
    struct ItemRuleRow {
        #[sqlx(flatten, try_from = "ItemColumns")]
        item: ItemRef,
        name: String,
        record_class: i16,
        term_years: Option<i32>,
        published_kinds: Vec<i16>,
    }
    let rows: Vec<ItemRuleRow> = sqlx::query_as(
        "SELECT item_code, item_version, name, record_class, term_years, published_kinds FROM item_version",
    )
    .fetch_all(conn)
    .await?;
    let rules = rows.into_iter().map(|row| DisclosureRule {
        item: row.item,
        name: row.name,
        record_class: class_from_number(row.record_class),
        term_years: row.term_years.and_then(|years| u32::try_from(years).ok()),
        published: (row.published_kinds.into_iter())
            .filter_map(kind_from_number)
            .collect(),
    });
    Ok(DisclosureRules::new(rules))
}

/// An item version with its definition.
#[derive(FromRow)]
pub struct DefinitionRow {
    /// The item version.
    #[sqlx(flatten, try_from = "ItemColumns")]
    pub item: ItemRef,
    /// JSON.
    pub definition: String,
}

/// Definitions of the item versions named, as far as they are known.
pub async fn load_definitions(
    conn: &mut Conn,
    items: &[&ItemRef],
) -> Result<Vec<DefinitionRow>, Error> {
    let (item_codes, item_versions) = item_columns(items.iter().copied());
    sqlx::query_as(
        "SELECT i.item_code, i.item_version, i.definition::text AS definition FROM item_version i \
         JOIN unnest($1::text[], $2::int4[]) AS w (item_code, item_version) USING (item_code, item_version)",
    )
    .bind(item_codes)
    .bind(item_versions)
    .fetch_all(conn)
    .await
}

fn kinds_text(kinds: &[SubjectKind]) -> String {
    let numbers: Vec<String> = kinds
        .iter()
        .map(|kind| kind_number(*kind).to_string())
        .collect();
    format!("{{{}}}", numbers.join(","))
}

fn class_number(class: RecordClass) -> i16 {
    match class {
        RecordClass::Basic => 1,
        RecordClass::Favourable => 2,
        RecordClass::Adverse => 3,
        RecordClass::Other => 4,
    }
}

/// A check of the table keeps other numbers out; should one get in, it has the strictest class.
fn class_from_number(number: i16) -> RecordClass {
    match number {
        1 => RecordClass::Basic,
        2 => RecordClass::Favourable,
        4 => RecordClass::Other,
        _ => RecordClass::Adverse,
    }
}
