//! Versions of code lists. Called by `app`.

use service_kit::db::{Conn, Error};
use time::OffsetDateTime;

/// Definition of one version; version 0 means the newest.
pub async fn load_list_definition(
    conn: &mut Conn,
    code: &str,
    version: u32,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar(
        "SELECT definition FROM code_list_version WHERE code = $1 AND (version = $2 OR $2 = 0) \
         ORDER BY version DESC LIMIT 1",
    )
    .bind(code)
    .bind(i64::from(version))
    .fetch_optional(conn)
    .await
}

/// Highest version of a list; 0 when there is none.
pub async fn highest_version(conn: &mut Conn, code: &str) -> Result<u32, Error> {
    let highest: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM code_list_version WHERE code = $1")
            .bind(code)
            .fetch_one(conn)
            .await?;
    Ok(highest.map_or(0, |version| version as u32))
}

/// Code and definition of the newest version of each list, by code.
pub async fn list_newest_definitions(conn: &mut Conn) -> Result<Vec<(String, String)>, Error> {
    sqlx::query_as(
        "SELECT DISTINCT ON (code COLLATE \"C\") code, definition FROM code_list_version \
         ORDER BY code COLLATE \"C\", version DESC",
    )
    .fetch_all(conn)
    .await
}

/// Code and definition of these versions, by code and version; what does not exist is left out.
pub async fn load_list_definitions(
    conn: &mut Conn,
    codes: &[String],
    versions: &[i64],
) -> Result<Vec<(String, String)>, Error> {
    sqlx::query_as(
        "SELECT l.code, l.definition FROM code_list_version l \
         JOIN (SELECT DISTINCT code, version FROM unnest($1::text[], $2::bigint[]) AS w (code, version)) w \
           ON w.code = l.code AND w.version = l.version \
         ORDER BY l.code, l.version",
    )
    .bind(codes)
    .bind(versions)
    .fetch_all(conn)
    .await
}

/// Adds a version.
pub async fn insert_list_version(
    conn: &mut Conn,
    code: &str,
    version: u32,
    definition: &str,
    at: OffsetDateTime,
    by: &str,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO code_list_version (code, version, definition, published_at, published_by) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(code)
    .bind(i64::from(version))
    .bind(definition)
    .bind(at)
    .bind(by)
    .execute(conn)
    .await?;
    Ok(())
}
