//! Storing accepted versions, set-based and guarded. Called by `app::storing` and `app::revoking`.
//!
//! The order of the statements is the proof that order and repetition of deliveries do not matter:
//! 1. [`raise_heads`] locks the head of every record of the batch and lets only a newer revision move it. From here
//!    on no other transaction can touch the `current` flag of these records.
//! 2. [`demote`] takes the flag from the versions that heads have left, in both tables, since a correction may change
//!    the kind of subject.
//! 3. [`unstored`] leaves out what was delivered before; [`insert_organisations`], [`insert_persons`] add the others with
//!    the flag as the head says.
//!
//! So the tables are a function of the set of versions delivered. Tests try permutations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use credit_record::name;
use service_kit::db::{Conn, CopyIn, Error, Row};
use time::OffsetDateTime;
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

/// Where the heads of a batch stand, locked until the end of the transaction.
#[derive(Debug)]
pub struct Standing {
    /// Revision and version of each head by key digest.
    heads: HashMap<Vec<u8>, (i64, Uuid)>,
    /// Whether every head was moved by this batch.
    all_moved: bool,
    /// The versions that heads stood at before.
    pub replaced: Vec<Uuid>,
}

impl Standing {
    /// Whether a version is the current one of its record. Of two versions with one revision, which ingest never gives,
    /// the second has no answer: the column takes none, so the bus parks it and keeps the rest.
    fn is_current(&self, version: &Version) -> Option<bool> {
        let &(revision, record_id) = self.heads.get(&version.key.key_digest[..])?;
        if record_id == version.record_id {
            Some(true)
        } else {
            (revision > version.revision).then_some(false)
        }
    }

    /// Whether it is certain that a version was never stored: a head has just moved to it.
    fn is_new(&self, version: &Version) -> bool {
        self.all_moved && self.is_current(version) == Some(true)
    }
}

/// Moves heads to newer revisions and locks them all.
pub async fn raise_heads(conn: &mut Conn, heads: &Heads<'_>) -> Result<Standing, Error> {
    let moved: Vec<Option<Uuid>> = sqlx::query_scalar(
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
    .fetch_all(&mut *conn)
    .await?;
    let all_moved = moved.len() == heads.key_digests.len();
    let stand = if all_moved {
        let places = heads.revisions.iter().zip(&heads.record_ids);
        let keys = heads.key_digests.iter().map(|digest| digest.to_vec());
        keys.zip(places.map(|(revision, id)| (*revision, *id)))
            .collect()
    } else {
        let rows: Vec<(Vec<u8>, i64, Uuid)> = sqlx::query_as(
            "SELECT key_digest, revision, record_id FROM record_head WHERE key_digest = ANY($1)",
        )
        .bind(&heads.key_digests)
        .fetch_all(conn)
        .await?;
        let places = rows.into_iter();
        places
            .map(|(key, revision, id)| (key, (revision, id)))
            .collect()
    };
    Ok(Standing {
        heads: stand,
        all_moved,
        replaced: moved.into_iter().flatten().collect(),
    })
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

/// The versions of a batch that are not stored yet, each once. Asks only about those that the heads do not tell: older
/// than their head, or delivered again.
pub async fn unstored<'a>(
    conn: &mut Conn,
    versions: &'a [Version],
    standing: &Standing,
) -> Result<Vec<&'a Version>, Error> {
    let mut seen = HashSet::new();
    let mut fresh: Vec<&Version> = versions.iter().collect();
    fresh.retain(|version| seen.insert(version.record_id));
    let doubtful = fresh.iter().filter(|version| !standing.is_new(version));
    let doubtful: Vec<Uuid> = doubtful.map(|version| version.record_id).collect();
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
    fresh.retain(|version| !stored.contains(&version.record_id));
    Ok(fresh)
}

/// Writes the columns that both tables of versions have, `current` and `stored_at` last.
fn put_version<'r>(
    row: Row<'r>,
    version: &Version,
    standing: &Standing,
    stored_at: OffsetDateTime,
) -> Row<'r> {
    row.put(version.record_id)
        .put(version.key.provider_code.as_str())
        .put(version.key.item_code.as_str())
        .put(version.item_version)
        .put(&version.key.key_digest[..])
        .put(version.revision)
        .put(version.decision_date)
        .put(version.effective_date)
        .put(version.expiry_date)
        .put(version.publicity_until)
        .put(version.received_at)
        .put(&version.sealed_record[..])
        .put(standing.is_current(version))
        .put(stored_at)
}

/// Columns of [`put_version`].
macro_rules! version_columns {
    () => {
        "record_id, provider_code, item_code, item_version, key_digest, revision, decision_date, effective_date, \
         expiry_date, publicity_until, received_at, sealed_record, current, stored_at"
    };
}

/// Adds [`unstored`] versions about organisations.
pub async fn insert_organisations(
    conn: &mut Conn,
    versions: &[(&Version, &Organisation)],
    standing: &Standing,
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
        21,
    );
    for (version, organisation) in versions {
        put_version(rows.row(), version, standing, stored_at)
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

/// Adds [`unstored`] versions about natural persons, with the blind index of each.
pub async fn insert_persons(
    conn: &mut Conn,
    versions: &[(&Version, &[u8])],
    standing: &Standing,
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
        15,
    );
    for (version, blind_index) in versions {
        put_version(rows.row(), version, standing, stored_at).put(*blind_index);
    }
    rows.send(conn).await?;
    Ok(())
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
