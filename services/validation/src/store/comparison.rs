//! The state that records are compared with, and what a batch adds to it: claims, accepted revisions, the base
//! register, positions of providers. Called by `app::comparison`.

use std::collections::HashSet;

use record_ref::{LedgerNumber, ProviderCode, RecordKey, Revision, VersionId};
use service_kit::db::{Conn, Error, checked_column};
use sqlx::postgres::PgRow;
use time::Date;
use uuid::Uuid;
use vault::keyed_hash::KeyedHash;

use super::{KeyColumns, Versions, column, key, malformed, version};
use crate::domain::{
    comparison::{BaseSubject, ComparisonState, NaturalKeyClaim},
    competence::{OrganPosition, OrganRegistry},
    registration::SubjectRegistration,
};

/// What the comparison of a batch queries.
#[derive(Debug, Default)]
pub struct ComparisonQuery {
    /// Ids of its versions.
    pub versions: Vec<VersionId>,
    /// Keys of its versions.
    pub keys: Vec<RecordKey>,
    /// What its records are about.
    pub identities: Vec<KeyedHash>,
    /// Versions of keys that were reported before, with their revisions.
    pub later_versions: Vec<(RecordKey, Revision)>,
}

/// Locks the base register for the transaction: two batches that register the same code must see each other.
pub async fn lock_register(conn: &mut Conn) -> Result<(), Error> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('base register ' || current_schema(), 0))",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads claims and accepted revisions into `state`. Returns the ids that have a verdict already.
pub async fn load_state(
    conn: &mut Conn,
    query: &ComparisonQuery,
    state: &mut ComparisonState,
) -> Result<HashSet<VersionId>, Error> {
    let ids: Vec<Uuid> = query.versions.iter().map(|id| id.as_uuid()).collect();
    let keys = KeyColumns::from_keys(query.keys.iter());
    let later = KeyColumns::from_keys(query.later_versions.iter().map(|(key, _)| key));
    let revisions: Vec<i64> = query
        .later_versions
        .iter()
        .map(|(_, revision)| revision.as_i64())
        .collect();
    let identities: Vec<&[u8]> = query.identities.iter().map(|digest| &digest[..]).collect();
    // One round trip. `before` is the newest accepted version below each later one. Each look-up is lateral with a limit,
    // so that it goes by its index whatever the planner knows of tables that grow: a join planned while they are small
    // would read them whole later.
    let rows = sqlx::query(
        "WITH before AS MATERIALIZED (
             SELECT l.provider_code, l.item_code, l.key_digest, b.revision, b.identity
             FROM unnest($6::text[], $7::text[], $8::bytea[], $9::bigint[])
                  AS l (provider_code, item_code, key_digest, revision)
             CROSS JOIN LATERAL (
                 SELECT v.revision, coalesce(v.identity, k.identity) AS identity
                 FROM verdict AS v
                 LEFT JOIN confirmation AS k ON k.record_id = v.record_id AND k.accepts
                 WHERE v.provider_code = l.provider_code AND v.item_code = l.item_code
                   AND v.key_digest = l.key_digest AND v.revision < l.revision
                   AND (v.outcome = 'accepted' OR k.record_id IS NOT NULL)
                 ORDER BY v.revision DESC LIMIT 1) AS b)
         SELECT 'known' AS what, v.record_id, NULL::text AS provider_code, NULL::text AS item_code,
                NULL::bytea AS key_digest, NULL::bytea AS digest, NULL::bigint AS revision,
                NULL::bigint AS ledger_number, NULL::bool AS active
         FROM unnest($1::uuid[]) AS q (record_id)
         CROSS JOIN LATERAL (SELECT record_id FROM verdict WHERE record_id = q.record_id LIMIT 1) AS v
         UNION ALL
         SELECT 'head', NULL, provider_code, item_code, key_digest, NULL, accepted_revision, NULL, NULL
         FROM unnest($2::text[], $3::text[], $4::bytea[]) AS q (provider_code, item_code, key_digest)
         CROSS JOIN LATERAL (
             SELECT accepted_revision FROM rereport_head AS h
             WHERE h.provider_code = q.provider_code AND h.item_code = q.item_code
               AND h.key_digest = q.key_digest LIMIT 1) AS h
         UNION ALL
         SELECT 'before', NULL, provider_code, item_code, key_digest, identity, revision, NULL, NULL
         FROM before
         UNION ALL
         SELECT 'claim', NULL, c.provider_code, c.item_code, c.key_digest, c.digest, c.revision,
                c.ledger_number, c.active
         FROM (SELECT digest FROM unnest($5::bytea[]) AS i (digest)
               UNION ALL SELECT identity FROM before) AS asked
         CROSS JOIN LATERAL (SELECT * FROM natural_claim WHERE digest = asked.digest LIMIT 1) AS c",
    )
    .bind(ids)
    .bind(keys.providers)
    .bind(keys.items)
    .bind(keys.digests)
    .bind(identities)
    .bind(later.providers)
    .bind(later.items)
    .bind(later.digests)
    .bind(revisions)
    .fetch_all(conn)
    .await?;
    let mut known = HashSet::new();
    for row in &rows {
        match column::<&str>(row, "what")? {
            "known" => {
                known.insert(checked_column::<Uuid, _>(row, "record_id")?);
            }
            "claim" => {
                let claim = NaturalKeyClaim {
                    key: key(row)?,
                    revision: checked_column::<i64, _>(row, "revision")?,
                    ledger_number: Some(checked_column::<i64, _>(row, "ledger_number")?),
                    active: column(row, "active")?,
                };
                if let Some(digest) = digest(row)? {
                    state.claims.insert(digest, claim);
                }
            }
            what => {
                // 0 while none was accepted.
                let Ok(revision) = column::<i64>(row, "revision")?.try_into() else {
                    continue;
                };
                let versions = state.accepted.entry(key(row)?).or_default();
                if what == "before" {
                    versions.insert(revision, digest(row)?);
                } else {
                    versions.entry(revision).or_insert(None);
                }
            }
        }
    }
    Ok(known)
}

/// Loads rows of the base register into `state`: those of these codes, and those that these keys filled.
pub async fn load_register(
    conn: &mut Conn,
    codes: &[&str],
    keys: &[RecordKey],
    state: &mut ComparisonState,
) -> Result<(), Error> {
    let keys = KeyColumns::from_keys(keys.iter());
    let rows = sqlx::query(
        "SELECT s.* FROM unnest($1::text[]) AS q (code)
         CROSS JOIN LATERAL (SELECT * FROM base_subject AS b WHERE b.code = q.code LIMIT 1) AS s
         UNION
         SELECT s.* FROM unnest($2::text[], $3::text[], $4::bytea[]) AS q (provider_code, item_code, key_digest)
         JOIN base_subject AS s USING (provider_code, item_code, key_digest)",
    )
    .bind(codes)
    .bind(keys.providers)
    .bind(keys.items)
    .bind(keys.digests)
    .fetch_all(conn)
    .await?;
    for row in &rows {
        let subject = base_subject(row)?;
        state.subjects.insert(subject.code.clone(), subject);
    }
    Ok(())
}

fn base_subject(row: &PgRow) -> Result<BaseSubject, Error> {
    Ok(BaseSubject {
        code: column(row, "code")?,
        registration: SubjectRegistration {
            name: column(row, "name")?,
            normalised_name: column(row, "name_core")?,
            status: column(row, "status")?,
            ended_on: column(row, "ended_on")?,
            since: column(row, "since")?,
        },
        former_names: column(row, "former_cores")?,
        version: version(row)?,
        ledger_number: Some(checked_column::<i64, _>(row, "ledger_number")?),
        sealed_record_key: column::<Vec<u8>>(row, "sealed_record_key")?.into(),
        active: column(row, "active")?,
    })
}

/// The positions of these providers and of all organs above them.
pub async fn load_organ_positions(
    conn: &mut Conn,
    providers: &[ProviderCode],
) -> Result<OrganRegistry, Error> {
    let codes: Vec<&str> = providers.iter().map(ProviderCode::as_str).collect();
    let rows = sqlx::query(
        "WITH RECURSIVE up AS (
             SELECT code, parent_code, district_code FROM provider WHERE code = ANY($1)
             UNION
             SELECT p.code, p.parent_code, p.district_code FROM provider AS p JOIN up ON p.code = up.parent_code)
         SELECT code, parent_code, district_code FROM up",
    )
    .bind(codes)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let position = OrganPosition {
                parent: optional_code(row, "parent_code")?,
                district_code: column(row, "district_code")?,
            };
            Ok((checked_column::<&str, _>(row, "code")?, position))
        })
        .collect()
}

/// Writes claims, new ones and released ones. False when another transaction has claimed one meanwhile: then the state
/// that was decided on is out of date.
pub async fn write_claims(
    conn: &mut Conn,
    claims: &[(&KeyedHash, &NaturalKeyClaim)],
) -> Result<bool, Error> {
    let keys = KeyColumns::from_keys(claims.iter().map(|(_, claim)| &claim.key));
    let digests: Vec<&[u8]> = claims.iter().map(|(digest, _)| &digest[..]).collect();
    let revisions: Vec<i64> = claims
        .iter()
        .map(|(_, claim)| claim.revision.as_i64())
        .collect();
    let ledger: Vec<Option<i64>> = claims
        .iter()
        .map(|(_, claim)| claim.ledger_number.map(LedgerNumber::as_i64))
        .collect();
    let active: Vec<bool> = claims.iter().map(|(_, claim)| claim.active).collect();
    // In one order, so that there is no deadlock.
    let written = sqlx::query(
        "INSERT INTO natural_claim AS c
                (digest, provider_code, item_code, key_digest, revision, ledger_number, active)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bool[])
              AS n (digest, provider_code, item_code, key_digest, revision, ledger_number, active)
         ORDER BY digest
         ON CONFLICT (digest) DO UPDATE SET provider_code = excluded.provider_code,
                item_code = excluded.item_code, key_digest = excluded.key_digest,
                revision = excluded.revision, ledger_number = excluded.ledger_number, active = excluded.active
         WHERE NOT c.active OR (c.provider_code, c.item_code, c.key_digest)
                           = (excluded.provider_code, excluded.item_code, excluded.key_digest)",
    )
    .bind(digests)
    .bind(keys.providers)
    .bind(keys.items)
    .bind(keys.digests)
    .bind(revisions)
    .bind(ledger)
    .bind(active)
    .execute(conn)
    .await?
    .rows_affected();
    Ok(written == claims.len() as u64)
}

/// Writes rows of the base register. Must run under [`lock_register`].
pub async fn write_register(conn: &mut Conn, subjects: &[&BaseSubject]) -> Result<(), Error> {
    let versions = Versions::from_versions(subjects.iter().map(|subject| &subject.version));
    let all = |text: fn(&BaseSubject) -> &str| -> Vec<&str> {
        subjects.iter().map(|s| text(s)).collect()
    };
    // Arrays of arrays would have to be rectangular; normal forms of names hold no control character.
    let former: Vec<String> = subjects
        .iter()
        .map(|s| s.former_names.join("\u{1F}"))
        .collect();
    let status: Vec<Option<&str>> = subjects
        .iter()
        .map(|s| s.registration.status.as_deref())
        .collect();
    let ended: Vec<Option<Date>> = subjects.iter().map(|s| s.registration.ended_on).collect();
    let since: Vec<Date> = subjects.iter().map(|s| s.registration.since).collect();
    let ledger: Vec<Option<i64>> = subjects
        .iter()
        .map(|s| s.ledger_number.map(LedgerNumber::as_i64))
        .collect();
    let sealed: Vec<&[u8]> = subjects.iter().map(|s| &s.sealed_record_key[..]).collect();
    let active: Vec<bool> = subjects.iter().map(|s| s.active).collect();
    sqlx::query(
        "INSERT INTO base_subject (code, name, name_core, former_cores, status, ended_on, since, record_id,
                provider_code, item_code, item_version, key_digest, revision, ledger_number,
                sealed_record_key, active, record_address)
         SELECT code, name, name_core, string_to_array(former, chr(31)), status, ended_on, since, record_id,
                provider_code, item_code, item_version, key_digest, revision, ledger_number,
                sealed_record_key, active, record_address
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::date[],
                $8::uuid[], $9::text[], $10::text[], $11::int[], $12::bytea[], $13::bigint[],
                $14::bigint[], $15::bytea[], $16::bool[], $17::uuid[])
              AS n (code, name, name_core, former, status, ended_on, since, record_id, provider_code,
                item_code, item_version, key_digest, revision, ledger_number, sealed_record_key, active,
                record_address)
         ORDER BY code
         ON CONFLICT (code) DO UPDATE SET name = excluded.name, name_core = excluded.name_core,
                former_cores = excluded.former_cores, status = excluded.status,
                ended_on = excluded.ended_on, since = excluded.since, record_id = excluded.record_id,
                provider_code = excluded.provider_code, item_code = excluded.item_code,
                item_version = excluded.item_version, key_digest = excluded.key_digest,
                revision = excluded.revision, ledger_number = excluded.ledger_number,
                sealed_record_key = excluded.sealed_record_key, active = excluded.active,
                record_address = excluded.record_address",
    )
    .bind(all(|s| &s.code))
    .bind(all(|s| &s.registration.name))
    .bind(all(|s| &s.registration.normalised_name))
    .bind(former)
    .bind(status)
    .bind(ended)
    .bind(since)
    .bind(versions.ids)
    .bind(versions.keys.providers)
    .bind(versions.keys.items)
    .bind(versions.item_versions)
    .bind(versions.keys.digests)
    .bind(versions.revisions)
    .bind(ledger)
    .bind(sealed)
    .bind(active)
    .bind(versions.addresses)
    .execute(conn)
    .await?;
    Ok(())
}

/// A credit code of an organ; empty: none.
fn optional_code(row: &PgRow, name: &str) -> Result<Option<ProviderCode>, Error> {
    match column::<&str>(row, name)? {
        "" => Ok(None),
        code => code.parse().map(Some).map_err(malformed),
    }
}

/// The table holds digests of 32 bytes only.
fn digest(row: &PgRow) -> Result<Option<KeyedHash>, Error> {
    let bytes: Option<&[u8]> = column(row, "digest")?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
}
