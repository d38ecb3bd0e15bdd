//! The statements around one batch: one round trip each, however many records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use service_kit::db::{Conn, Error};
use sqlx::Row;
use uuid::Uuid;

use super::{
    digest,
    registry::{items, registration},
    reload, stored, stored_columns, unsigned,
};
use crate::domain::{Batch, Digest, Earlier, Incoming, RecordKey, Registration, Stored};

/// Loads what the submissions are decided on. Locks the ledger of each provider until the end of
/// the transaction, in one order, so that batches of one provider follow one another.
pub async fn load_batch(conn: &mut Conn, submissions: &[Incoming]) -> Result<Batch, Error> {
    let providers: BTreeSet<&str> = submissions
        .iter()
        .map(|s| s.key.provider_code.as_str())
        .collect();
    let providers: Vec<&str> = providers.into_iter().collect();
    let (providers, ledgers) = lock_providers(conn, &providers).await?;
    let mut batch = Batch {
        providers,
        ledgers,
        ..Batch::default()
    };
    let codes: BTreeSet<&str> = submissions
        .iter()
        .map(|s| s.key.item_code.as_str())
        .collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    batch.items = items(conn, Some(&codes)).await?;
    batch.submissions = earlier(conn, submissions).await?;
    batch.heads = heads(conn, submissions).await?;
    reload::load(conn, submissions, &mut batch).await?;
    Ok(batch)
}

/// Registrations and last ledger numbers of providers, the ledgers locked until the end of the transaction. A provider
/// has a ledger since its registration.
async fn lock_providers(
    conn: &mut Conn,
    codes: &[&str],
) -> Result<(HashMap<String, Registration>, HashMap<String, u64>), Error> {
    let rows = sqlx::query(
        "select l.provider_code, l.last_number, p.enabled, p.valid_from, p.valid_until
         from provider_ledger l join provider p on p.code = l.provider_code
         where l.provider_code = any($1) order by l.provider_code for update of l",
    )
    .bind(codes)
    .fetch_all(conn)
    .await?;
    let mut registrations = HashMap::new();
    let mut ledgers = HashMap::new();
    for row in &rows {
        let code: String = row.try_get(0)?;
        ledgers.insert(code.clone(), unsigned(row, 1)?);
        registrations.insert(code, registration(row, 2)?);
    }
    Ok((registrations, ledgers))
}

/// The last ledger numbers, locked until the end of the transaction.
pub async fn lock_ledgers(
    conn: &mut Conn,
    providers: &[&str],
) -> Result<HashMap<String, u64>, Error> {
    let rows = sqlx::query(
        "select provider_code, last_number from provider_ledger
         where provider_code = any($1) order by provider_code for update",
    )
    .bind(providers)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, unsigned(row, 1)?)))
        .collect()
}

async fn earlier(
    conn: &mut Conn,
    submissions: &[Incoming],
) -> Result<HashMap<(String, Digest), Earlier>, Error> {
    let (providers, digests): (Vec<&str>, Vec<&[u8]>) = submissions
        .iter()
        .map(|s| (s.key.provider_code.as_str(), s.submission_digest.as_slice()))
        .unzip();
    let rows = sqlx::query(concat!(
        "select s.provider_code, s.submission_digest, s.request_digest, s.unchanged, ",
        stored_columns!(),
        " from unnest($1::text[], $2::bytea[]) as asked (provider_code, submission_digest)
          join submission s using (provider_code, submission_digest)
          left join original o using (record_id)"
    ))
    .bind(providers)
    .bind(digests)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let earlier = Earlier {
                request_digest: digest(row, 2)?,
                unchanged: row.try_get(3)?,
                // Without an original it is the id of a nil report.
                stored: match row.try_get::<Option<Uuid>, _>(4)? {
                    Some(_) => Some(stored(row, 4)?),
                    None => None,
                },
            };
            Ok(((row.try_get(0)?, digest(row, 1)?), earlier))
        })
        .collect()
}

async fn heads(
    conn: &mut Conn,
    submissions: &[Incoming],
) -> Result<HashMap<RecordKey, Stored>, Error> {
    let keys = KeyColumns::of(submissions.iter().map(|s| &s.key));
    let rows = sqlx::query(concat!(
        "select h.provider_code, h.item_code, h.key_digest, ",
        stored_columns!(),
        " from unnest($1::text[], $2::text[], $3::bytea[]) as asked (provider_code, item_code, key_digest)
          join record_head h using (provider_code, item_code, key_digest)
          join original o using (record_id)"
    ))
    .bind(keys.providers)
    .bind(keys.items)
    .bind(keys.digests)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let key = RecordKey {
                provider_code: row.try_get(0)?,
                item_code: row.try_get(1)?,
                key_digest: digest(row, 2)?,
            };
            Ok((key, stored(row, 3)?))
        })
        .collect()
}

/// Appends the originals of new versions.
pub async fn insert_originals(
    conn: &mut Conn,
    fresh: &[(&Incoming, &Stored)],
) -> Result<(), Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let keys = KeyColumns::of(fresh.iter().map(|(incoming, _)| &incoming.key));
    sqlx::query(
        "insert into original
             (record_id, provider_code, item_code, item_version, key_digest, revision,
              ledger_number, content_type, content_sha256, sealed_content, sealed_labels,
              received_at, operation)
         select * from unnest(
             $1::uuid[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::bigint[],
             $7::bigint[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[],
             $12::timestamptz[], $13::smallint[])",
    )
    .bind(column(fresh, |_, stored| stored.record_id))
    .bind(keys.providers)
    .bind(keys.items)
    .bind(column(fresh, |_, stored| {
        stored.content.item_version as i32
    }))
    .bind(keys.digests)
    .bind(column(fresh, |_, stored| stored.revision as i64))
    .bind(column(fresh, |_, stored| stored.ledger_number as i64))
    .bind(column(fresh, |_, stored| {
        stored.content.content_type.as_str()
    }))
    .bind(column(fresh, |_, stored| stored.content.sha256.as_slice()))
    .bind(column(fresh, |incoming, _| {
        incoming.sealed_content.as_slice()
    }))
    .bind(column(fresh, |incoming, _| {
        incoming.sealed_labels.as_slice()
    }))
    .bind(column(fresh, |_, stored| stored.received_at))
    .bind(column(fresh, |_, stored| stored.content.operation.code()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Remembers the submission ids of new and unchanged ones.
pub async fn insert_submissions(
    conn: &mut Conn,
    named: &[(&Incoming, &Stored, bool)],
) -> Result<(), Error> {
    if named.is_empty() {
        return Ok(());
    }
    let rows = || named.iter().copied();
    let providers: Vec<&str> = rows().map(|(i, ..)| i.key.provider_code.as_str()).collect();
    let ids: Vec<&[u8]> = rows().map(|(i, ..)| &i.submission_digest[..]).collect();
    let requests: Vec<&[u8]> = rows().map(|(i, ..)| &i.request_digest[..]).collect();
    let records: Vec<Uuid> = rows().map(|(_, stored, _)| stored.record_id).collect();
    let unchanged: Vec<bool> = rows().map(|(.., unchanged)| unchanged).collect();
    sqlx::query(
        "insert into submission
             (provider_code, submission_digest, request_digest, record_id, unchanged)
         select * from unnest($1::text[], $2::bytea[], $3::bytea[], $4::uuid[], $5::bool[])",
    )
    .bind(providers)
    .bind(ids)
    .bind(requests)
    .bind(records)
    .bind(unchanged)
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves each key to its newest version of this batch.
pub async fn move_heads(conn: &mut Conn, fresh: &[(&Incoming, &Stored)]) -> Result<(), Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    // A key may have several versions in one batch; a statement may touch a row only once.
    let mut newest: BTreeMap<&RecordKey, &Stored> = BTreeMap::new();
    for (incoming, stored) in fresh {
        newest.insert(&incoming.key, stored);
    }
    let (keys, stored): (Vec<&RecordKey>, Vec<&Stored>) = newest.into_iter().unzip();
    let columns = KeyColumns::of(keys.into_iter());
    sqlx::query(
        "insert into record_head (provider_code, item_code, key_digest, revision, record_id)
         select * from unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::uuid[])
         on conflict (provider_code, item_code, key_digest) do update
             set revision = excluded.revision, record_id = excluded.record_id",
    )
    .bind(columns.providers)
    .bind(columns.items)
    .bind(columns.digests)
    .bind(stored.iter().map(|s| s.revision as i64).collect::<Vec<_>>())
    .bind(stored.iter().map(|s| s.record_id).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the ledgers on.
pub async fn move_ledgers(conn: &mut Conn, ledgers: &HashMap<String, u64>) -> Result<(), Error> {
    let (providers, numbers): (Vec<&str>, Vec<i64>) = ledgers
        .iter()
        .map(|(provider, last)| (provider.as_str(), *last as i64))
        .unzip();
    sqlx::query(
        "update provider_ledger l set last_number = new.last_number
         from unnest($1::text[], $2::bigint[]) as new (provider_code, last_number)
         where l.provider_code = new.provider_code and l.last_number <> new.last_number",
    )
    .bind(providers)
    .bind(numbers)
    .execute(conn)
    .await?;
    Ok(())
}

fn column<'a, T>(
    rows: &'a [(&'a Incoming, &'a Stored)],
    get: impl Fn(&'a Incoming, &'a Stored) -> T,
) -> Vec<T> {
    rows.iter()
        .map(|(incoming, stored)| get(incoming, stored))
        .collect()
}

struct KeyColumns<'a> {
    providers: Vec<&'a str>,
    items: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
}

impl<'a> KeyColumns<'a> {
    fn of(keys: impl Iterator<Item = &'a RecordKey>) -> Self {
        let mut columns = Self {
            providers: Vec::new(),
            items: Vec::new(),
            digests: Vec::new(),
        };
        for key in keys {
            columns.providers.push(&key.provider_code);
            columns.items.push(&key.item_code);
            columns.digests.push(&key.key_digest);
        }
        columns
    }
}
