//! Storing accepted versions, set-based and guarded. Called by `app::storing` and `app::revoking`.
//!
//! The order of the statements is the proof that order and repetition of deliveries do not matter:
//! 1. [`advance_heads`] locks the head of every record of the batch and lets only a newer revision move it. From here
//!    on no other transaction can touch the `current` flag of these records.
//! 2. [`clear_current`] clears the flag of the versions that heads have left, in both tables, since a correction may
//!    change the kind of subject.
//! 3. [`find_unstored`] leaves out what was delivered before; [`insert_organisations`], [`insert_persons`] add the
//!    others with the flag as the head says.
//!
//! So the tables are a function of the set of versions delivered. Tests try permutations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use credit_record::name;
use record_ref::{KeyDigest, RecordVersion, Revision, VersionId};
use service_kit::db::{Conn, CopyIn, CopyRow, Error};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;
use vault::keyed_hash::KeyedHash;

use crate::domain::{
    query::{document_key, name_key},
    version::{AcceptedVersion, Organisation, kind_number},
};

/// The newest version of each record in a batch, in the order of the keys: every transaction locks in this order.
#[derive(Debug, Default)]
pub struct BatchHeads<'a>(BTreeMap<&'a KeyDigest, (Revision, VersionId)>);

impl<'a> BatchHeads<'a> {
    /// Of these versions.
    pub fn newest_of(versions: impl IntoIterator<Item = &'a RecordVersion>) -> Self {
        // The digest of a key covers its provider and item.
        let mut newest = BTreeMap::new();
        for version in versions {
            let candidate = (version.revision, version.id);
            let known = newest.entry(&version.key_digest).or_insert(candidate);
            *known = candidate.max(*known);
        }
        Self(newest)
    }
}

/// A head as the table has it.
#[derive(FromRow)]
struct HeadRow {
    #[sqlx(try_from = "Vec<u8>")]
    key_digest: KeyDigest,
    #[sqlx(try_from = "i64")]
    revision: Revision,
    #[sqlx(rename = "record_id", try_from = "Uuid")]
    version_id: VersionId,
}

/// Revision and version of the heads of a batch, locked until the end of the transaction.
#[derive(Debug)]
pub struct HeadPositions {
    /// Revision and version of each head by key digest.
    heads: HashMap<KeyDigest, (Revision, VersionId)>,
    /// Whether every head was moved by this batch.
    all_moved: bool,
    /// The versions that the heads named before, as the table has them.
    pub replaced: Vec<Uuid>,
}

impl HeadPositions {
    /// Whether a version is the current one of its record. Of two versions with one revision, which ingest never gives,
    /// the second has no answer: the column takes none, so the bus parks it and keeps the rest.
    fn is_current(&self, version: &RecordVersion) -> Option<bool> {
        let &(revision, id) = self.heads.get(&version.key_digest)?;
        if id == version.id {
            Some(true)
        } else {
            (revision > version.revision).then_some(false)
        }
    }

    /// Whether it is certain that a version was never stored: a head has just moved to it.
    fn is_new(&self, version: &RecordVersion) -> bool {
        self.all_moved && self.is_current(version) == Some(true)
    }
}

/// Moves heads to newer revisions and locks them all.
pub async fn advance_heads(
    conn: &mut Conn,
    heads: &BatchHeads<'_>,
) -> Result<HeadPositions, Error> {
    let newest = &heads.0;
    let key_digests: Vec<&[u8]> = newest.keys().map(|digest| digest.as_ref()).collect();
    let revisions: Vec<i64> = newest.values().map(|head| head.0.as_i64()).collect();
    let record_ids: Vec<Uuid> = newest.values().map(|head| head.1.as_uuid()).collect();
    let moved: Vec<Option<Uuid>> = sqlx::query_scalar(
        "INSERT INTO record_head AS h (key_digest, revision, record_id) \
         SELECT * FROM unnest($1::bytea[], $2::int8[], $3::uuid[]) \
         ON CONFLICT (key_digest) DO UPDATE \
         SET revision = EXCLUDED.revision, record_id = EXCLUDED.record_id \
         WHERE h.revision < EXCLUDED.revision \
         RETURNING old.record_id",
    )
    .bind(&key_digests)
    .bind(revisions)
    .bind(record_ids)
    .fetch_all(&mut *conn)
    .await?;
    let all_moved = moved.len() == newest.len();
    let heads = if all_moved {
        newest.iter().map(|(key, head)| (**key, *head)).collect()
    } else {
        let rows: Vec<HeadRow> = sqlx::query_as(
            "SELECT key_digest, revision, record_id FROM record_head WHERE key_digest = ANY($1)",
        )
        .bind(&key_digests)
        .fetch_all(conn)
        .await?;
        let rows = rows.into_iter();
        rows.map(|row| (row.key_digest, (row.revision, row.version_id)))
            .collect()
    };
    Ok(HeadPositions {
        heads,
        all_moved,
        replaced: moved.into_iter().flatten().collect(),
    })
}

/// Clears the flag of versions that a newer one has replaced.
pub async fn clear_current(conn: &mut Conn, replaced: &[Uuid]) -> Result<(), Error> {
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

/// The versions of a batch that are not stored yet, each once. Queries only those that the heads do not decide: older
/// than their head, or delivered again.
pub async fn find_unstored<'a>(
    conn: &mut Conn,
    versions: &'a [AcceptedVersion],
    heads: &HeadPositions,
) -> Result<Vec<&'a AcceptedVersion>, Error> {
    let mut seen = HashSet::new();
    let mut fresh: Vec<&AcceptedVersion> = versions.iter().collect();
    fresh.retain(|version| seen.insert(version.record.id));
    let doubtful = fresh.iter().map(|version| &version.record);
    let doubtful = doubtful.filter(|record| !heads.is_new(record));
    let doubtful: Vec<Uuid> = doubtful.map(|record| record.id.as_uuid()).collect();
    if doubtful.is_empty() {
        return Ok(fresh);
    }
    let stored: Vec<Uuid> = sqlx::query_scalar(
        "SELECT record_id FROM organisation_version WHERE record_id = ANY($1) \
         UNION ALL SELECT record_id FROM person_version WHERE record_id = ANY($1)",
    )
    .bind(&doubtful)
    .fetch_all(conn)
    .await?;
    let stored: HashSet<Uuid> = stored.into_iter().collect();
    fresh.retain(|version| !stored.contains(&version.record.id.as_uuid()));
    Ok(fresh)
}

/// Writes the columns that both tables of versions have, `current` and `stored_at` last.
fn put_version<'r>(
    row: CopyRow<'r>,
    version: &AcceptedVersion,
    heads: &HeadPositions,
    stored_at: OffsetDateTime,
) -> CopyRow<'r> {
    let record = &version.record;
    row.put(record.id.as_uuid())
        .put(record.address.as_uuid())
        .put(record.provider.as_str())
        .put(record.item.code.as_str())
        .put(record.item.version_column())
        .put(record.key_digest.as_ref())
        .put(record.revision.as_i64())
        .put(version.decision_date)
        .put(version.effective_date)
        .put(version.expiry_date)
        .put(version.publicity_until)
        .put(version.received_at)
        .put(&version.sealed_record[..])
        .put(heads.is_current(record))
        .put(stored_at)
}

/// Columns of [`put_version`].
macro_rules! version_columns {
    () => {
        "record_id, record_address, provider_code, item_code, item_version, key_digest, revision, decision_date, \
         effective_date, expiry_date, publicity_until, received_at, sealed_record, current, stored_at"
    };
}

/// Adds [`find_unstored`] versions about organisations.
pub async fn insert_organisations(
    conn: &mut Conn,
    versions: &[(&AcceptedVersion, &Organisation)],
    heads: &HeadPositions,
    stored_at: OffsetDateTime,
) -> Result<(), Error> {
    if versions.is_empty() {
        return Ok(());
    }
    let mut rows = CopyIn::new(
        concat!(
            "COPY organisation_version (",
            version_columns!(),
            ", subject_kind, organisation_code, organisation_name, name_key, document_number, document_key, authority) \
             FROM STDIN (FORMAT binary)"
        ),
        22,
    );
    for (version, organisation) in versions {
        put_version(rows.row(), version, heads, stored_at)
            .put(kind_number(organisation.kind))
            .put(organisation.code.as_str())
            .put(organisation.name.as_str())
            .put(name_key(&organisation.name))
            .put(organisation.document_number.as_str())
            .put(document_key(&organisation.document_number))
            .put(organisation.authority.as_str());
    }
    rows.send(conn).await?;
    Ok(())
}

/// Adds [`find_unstored`] versions about natural persons, with the blind index of each.
pub async fn insert_persons(
    conn: &mut Conn,
    versions: &[(&AcceptedVersion, &KeyedHash)],
    heads: &HeadPositions,
    stored_at: OffsetDateTime,
) -> Result<(), Error> {
    if versions.is_empty() {
        return Ok(());
    }
    let mut rows = CopyIn::new(
        concat!(
            "COPY person_version (",
            version_columns!(),
            ", blind_index) FROM STDIN (FORMAT binary)"
        ),
        16,
    );
    for (version, blind_index) in versions {
        put_version(rows.row(), version, heads, stored_at).put(blind_index.as_slice());
    }
    rows.send(conn).await?;
    Ok(())
}

/// Adds the names under which organisations with a credit code can be found.
pub async fn insert_names<'a>(
    conn: &mut Conn,
    organisations: impl Iterator<Item = &'a Organisation>,
) -> Result<(), Error> {
    // In order, so that two transactions cannot deadlock.
    let names: BTreeSet<(&str, String, String)> = organisations
        .filter(|organisation| !organisation.code.is_empty())
        .map(|o| {
            (
                o.code.as_str(),
                name_key(&o.name),
                name::name_bigrams(&o.name).join(" "),
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
