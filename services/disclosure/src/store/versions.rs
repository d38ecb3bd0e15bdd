//! Storing accepted versions, set-based and guarded. Called by `app::record`.
//!
//! The order of the statements is the proof that order and repetition of deliveries do not matter:
//! 1. [`raise_heads`] locks the head of every record of the batch and lets only a newer revision move it. From here
//!    on no other transaction can touch the `current` flag of these records.
//! 2. [`demote`] takes the flag from the versions that heads have left, in both tables, since a correction may change
//!    the kind of subject.
//! 3. [`insert_organisations`], [`insert_persons`] add the versions with the flag as the head says.
//!
//! So the tables are a function of the set of versions delivered. Tests try permutations.

use std::collections::{BTreeMap, BTreeSet};

use credit_record::name;
use service_kit::db::{Conn, Error};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::{
    query::{document_key, name_key},
    version::{Organisation, Place, Version, kind_number},
};

/// Records by key as parallel columns, in key order: every transaction locks in this order.
#[derive(Debug, Default)]
pub struct Heads<'a> {
    key_digests: Vec<&'a [u8]>,
    revisions: Vec<i64>,
    record_ids: Vec<Uuid>,
}

impl<'a> Heads<'a> {
    /// The newest version of each record in a batch.
    pub fn of(versions: impl IntoIterator<Item = Place<'a>>) -> Self {
        // The digest of a key covers its provider and item.
        let mut newest: BTreeMap<&[u8], (i64, Uuid)> = BTreeMap::new();
        for (key, revision, record_id) in versions {
            let candidate = (revision, record_id);
            let known = newest.entry(&key.key_digest).or_insert(candidate);
            *known = candidate.max(*known);
        }
        let mut heads = Self::default();
        for (key_digest, (revision, record_id)) in newest {
            heads.key_digests.push(key_digest);
            heads.revisions.push(revision);
            heads.record_ids.push(record_id);
        }
        heads
    }
}

/// Moves heads to newer revisions and locks them all; the versions that they stood at before.
pub async fn raise_heads(conn: &mut Conn, heads: &Heads<'_>) -> Result<Vec<Uuid>, Error> {
    let replaced: Vec<Option<Uuid>> = sqlx::query_scalar(
        "INSERT INTO record_head AS h (key_digest, revision, record_id) \
         SELECT * FROM unnest($1::bytea[], $2::int8[], $3::uuid[]) \
         ON CONFLICT (key_digest) DO UPDATE \
         SET revision = EXCLUDED.revision, record_id = EXCLUDED.record_id \
         WHERE h.revision < EXCLUDED.revision \
         RETURNING old.record_id",
    )
    .bind(&heads.key_digests)
    .bind(&heads.revisions)
    .bind(&heads.record_ids)
    .fetch_all(conn)
    .await?;
    Ok(replaced.into_iter().flatten().collect())
}

/// Takes the flag from versions that a newer one has replaced.
pub async fn demote(conn: &mut Conn, replaced: &[Uuid]) -> Result<(), Error> {
    if replaced.is_empty() {
        return Ok(());
    }
    for statement in [
        "UPDATE organisation_version SET current = false WHERE record_id = ANY($1) AND current",
        "UPDATE person_version SET current = false WHERE record_id = ANY($1) AND current",
    ] {
        sqlx::query(statement)
            .bind(replaced)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Columns that both tables of versions have.
#[derive(Default)]
struct Columns<'a> {
    record_ids: Vec<Uuid>,
    provider_codes: Vec<&'a str>,
    item_codes: Vec<&'a str>,
    item_versions: Vec<i32>,
    key_digests: Vec<&'a [u8]>,
    revisions: Vec<i64>,
    decision_dates: Vec<Date>,
    effective_dates: Vec<Date>,
    expiry_dates: Vec<Option<Date>>,
    publicity_until: Vec<Option<Date>>,
    received_at: Vec<OffsetDateTime>,
    sealed_records: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn of(versions: impl Iterator<Item = &'a Version>) -> Self {
        let mut columns = Self::default();
        for version in versions {
            columns.record_ids.push(version.record_id);
            columns.provider_codes.push(&version.key.provider_code);
            columns.item_codes.push(&version.key.item_code);
            columns.item_versions.push(version.item_version);
            columns.key_digests.push(&version.key.key_digest);
            columns.revisions.push(version.revision);
            columns.decision_dates.push(version.decision_date);
            columns.effective_dates.push(version.effective_date);
            columns.expiry_dates.push(version.expiry_date);
            columns.publicity_until.push(version.publicity_until);
            columns.received_at.push(version.received_at);
            columns.sealed_records.push(&version.sealed_record);
        }
        columns
    }
}

macro_rules! bind_columns {
    ($query:expr, $columns:expr) => {
        $query
            .bind(&$columns.record_ids)
            .bind(&$columns.provider_codes)
            .bind(&$columns.item_codes)
            .bind(&$columns.item_versions)
            .bind(&$columns.key_digests)
            .bind(&$columns.revisions)
            .bind(&$columns.decision_dates)
            .bind(&$columns.effective_dates)
            .bind(&$columns.expiry_dates)
            .bind(&$columns.publicity_until)
            .bind(&$columns.received_at)
            .bind(&$columns.sealed_records)
    };
}

/// Whether version `i` is the current one of its record, as the head `h` says. Of two versions with one revision, which
/// ingest never gives, the second has no answer: the column takes none, so the bus parks it and keeps the rest.
macro_rules! current_sql {
    () => {
        "CASE WHEN h.record_id = i.record_id THEN true WHEN h.revision > i.revision THEN false END"
    };
}

/// Adds versions about organisations that are not there yet; gives how many those were.
pub async fn insert_organisations(
    conn: &mut Conn,
    versions: &[(&Version, &Organisation)],
    stored_at: OffsetDateTime,
) -> Result<usize, Error> {
    if versions.is_empty() {
        return Ok(0);
    }
    let columns = Columns::of(versions.iter().map(|(version, _)| *version));
    let text = |of: fn(&Organisation) -> &str| -> Vec<&str> {
        versions
            .iter()
            .map(|(_, organisation)| of(organisation))
            .collect()
    };
    let names = text(|o| &o.name);
    let numbers = text(|o| &o.document_number);
    let kinds: Vec<i16> = versions.iter().map(|(_, o)| kind_number(o.kind)).collect();
    let name_keys: Vec<String> = names.iter().map(|name| name_key(name)).collect();
    let document_keys: Vec<String> = numbers.iter().map(|number| document_key(number)).collect();
    let query = sqlx::query(concat!(
        "INSERT INTO organisation_version (record_id, provider_code, item_code, item_version, key_digest, revision, \
         decision_date, effective_date, expiry_date, publicity_until, received_at, sealed_record, subject_kind, \
         organisation_code, organisation_name, name_key, document_number, document_key, authority, stored_at, current) \
         SELECT i.*, $20, ",
        current_sql!(),
        " \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int4[], $5::bytea[], $6::int8[], $7::date[], \
         $8::date[], $9::date[], $10::date[], $11::timestamptz[], $12::bytea[], $13::int2[], $14::text[], \
         $15::text[], $16::text[], $17::text[], $18::text[], $19::text[]) \
         AS i (record_id, provider_code, item_code, item_version, key_digest, revision, decision_date, \
         effective_date, expiry_date, publicity_until, received_at, sealed_record, subject_kind, organisation_code, \
         organisation_name, name_key, document_number, document_key, authority) \
         JOIN record_head h ON h.key_digest = i.key_digest \
         ON CONFLICT (record_id) DO NOTHING",
    ));
    let done = bind_columns!(query, columns)
        .bind(&kinds)
        .bind(text(|o| &o.code))
        .bind(&names)
        .bind(&name_keys)
        .bind(&numbers)
        .bind(&document_keys)
        .bind(text(|o| &o.authority))
        .bind(stored_at)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() as usize)
}

/// Adds versions about natural persons (with the blind index of each) that are not there yet; gives how many those were.
pub async fn insert_persons(
    conn: &mut Conn,
    versions: &[(&Version, &[u8])],
    stored_at: OffsetDateTime,
) -> Result<usize, Error> {
    if versions.is_empty() {
        return Ok(0);
    }
    let columns = Columns::of(versions.iter().map(|(version, _)| *version));
    let blind_indexes: Vec<&[u8]> = versions.iter().map(|(_, blind)| *blind).collect();
    let query = sqlx::query(concat!(
        "INSERT INTO person_version (record_id, provider_code, item_code, item_version, key_digest, revision, \
         decision_date, effective_date, expiry_date, publicity_until, received_at, sealed_record, blind_index, \
         stored_at, current) \
         SELECT i.*, $14, ",
        current_sql!(),
        " \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int4[], $5::bytea[], $6::int8[], $7::date[], \
         $8::date[], $9::date[], $10::date[], $11::timestamptz[], $12::bytea[], $13::bytea[]) \
         AS i (record_id, provider_code, item_code, item_version, key_digest, revision, decision_date, \
         effective_date, expiry_date, publicity_until, received_at, sealed_record, blind_index) \
         JOIN record_head h ON h.key_digest = i.key_digest \
         ON CONFLICT (record_id) DO NOTHING",
    ));
    let done = bind_columns!(query, columns)
        .bind(&blind_indexes)
        .bind(stored_at)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() as usize)
}

/// Adds the names under which organisations with a credit code can be found.
pub async fn insert_names<'a>(
    conn: &mut Conn,
    organisations: impl Iterator<Item = &'a Organisation>,
) -> Result<(), Error> {
    // In order, so that two transactions never wait for each other.
    let names: BTreeSet<(&str, String, String)> = organisations
        .filter(|organisation| !organisation.code.is_empty())
        .map(|o| {
            (
                o.code.as_str(),
                name_key(&o.name),
                name::bigrams(&o.name).join(" "),
            )
        })
        .filter(|(_, key, _)| !key.is_empty())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let codes: Vec<&str> = names.iter().map(|(code, _, _)| *code).collect();
    let keys: Vec<&str> = names.iter().map(|(_, key, _)| key.as_str()).collect();
    let bigrams: Vec<&str> = names
        .iter()
        .map(|(_, _, bigrams)| bigrams.as_str())
        .collect();
    sqlx::query(
        // An array of arrays would be flattened; bigrams hold no blanks.
        "INSERT INTO organisation_name (credit_code, name_key, bigrams) \
         SELECT n.code, n.key, string_to_array(n.bigrams, ' ') \
         FROM unnest($1::text[], $2::text[], $3::text[]) AS n (code, key, bigrams) \
         ON CONFLICT (credit_code, name_key) DO NOTHING",
    )
    .bind(&codes)
    .bind(&keys)
    .bind(&bigrams)
    .execute(conn)
    .await?;
    Ok(())
}
