//! The copies of catalogue facts that ingest decides on.

use std::collections::HashMap;

use proto::credit::catalog::events::v1::{ItemVersionPublished, ProviderRegistered};
use service_kit::db::{Conn, Error};

/// Adds item versions; a version never changes once published.
pub async fn add_items(conn: &mut Conn, items: &[ItemVersionPublished]) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into item_version (code, version, name)
         select * from unnest($1::text[], $2::int[], $3::text[]) on conflict do nothing",
    )
    .bind(items.iter().map(|i| i.code.as_str()).collect::<Vec<_>>())
    .bind(items.iter().map(|i| i.version as i32).collect::<Vec<_>>())
    .bind(items.iter().map(|i| i.name.as_str()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the newest revision of each provider, and opens the ledgers of new ones.
pub async fn upsert_providers(
    conn: &mut Conn,
    providers: &[ProviderRegistered],
) -> Result<(), Error> {
    if providers.is_empty() {
        return Ok(());
    }
    // One row a provider: a statement may touch a row only once.
    let mut newest: HashMap<&str, &ProviderRegistered> = HashMap::new();
    for provider in providers {
        let kept = newest.entry(&provider.code).or_insert(provider);
        if provider.revision > kept.revision {
            *kept = provider;
        }
    }
    let newest: Vec<_> = newest.into_values().collect();
    sqlx::query(
        "insert into provider (code, name, enabled, revision)
         select * from unnest($1::text[], $2::text[], $3::bool[], $4::bigint[])
         on conflict (code) do update
             set name = excluded.name, enabled = excluded.enabled, revision = excluded.revision
             where provider.revision < excluded.revision",
    )
    .bind(newest.iter().map(|p| p.code.as_str()).collect::<Vec<_>>())
    .bind(newest.iter().map(|p| p.name.as_str()).collect::<Vec<_>>())
    .bind(newest.iter().map(|p| p.enabled).collect::<Vec<_>>())
    .bind(newest.iter().map(|p| p.revision as i64).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    // A ledger is opened with the registration: a refused submission leaves no trace.
    sqlx::query(
        "insert into provider_ledger (provider_code, last_number)
         select code, 0 from unnest($1::text[]) code on conflict do nothing",
    )
    .bind(newest.iter().map(|p| p.code.as_str()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
