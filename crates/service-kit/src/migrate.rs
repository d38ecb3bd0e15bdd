//! Preparing a schema: roles, rights and forward-only migrations, run by the owner of the
//! database. `credit migrate` calls it for every service, `testkit` for a test's.

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, migrate::Migrator,
    postgres::PgConnectOptions,
};

use crate::db::Error;

/// A login role that a service uses.
#[derive(Clone)]
pub struct Login {
    /// Name of the role.
    pub role: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.role)
    }
}

/// What a service has in the database.
#[derive(Debug)]
pub struct SchemaPlan {
    /// Name of the schema; the service's main role has the same name.
    pub schema: String,
    /// Its roles; only they may use the schema.
    pub logins: Vec<Login>,
    /// Migrations of the bus, then the service's own.
    pub migrators: Vec<(&'static str, Migrator)>,
}

/// Why a schema could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Connecting, roles or rights.
    #[error("schema {schema}: {doing}")]
    Database {
        /// The schema.
        schema: String,
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Error,
    },
    /// A migration.
    #[error("schema {schema}: migrations {set}")]
    Migration {
        /// The schema.
        schema: String,
        /// Which set.
        set: &'static str,
        /// The cause.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
}

/// Role and password of a database URL, for `Login`.
pub fn login_from_url(url: &str) -> Result<Login, Error> {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let login = rest.and_then(|rest| rest.rsplit_once('@')?.0.split_once(':'));
    let Some((role, password)) = login else {
        let what = "the URL has no role:password@ part";
        return Err(Error::Configuration(what.into()));
    };
    Ok(Login {
        role: role.to_owned(),
        password: decode_percent(password),
    })
}

fn decode_percent(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let hex = (byte == b'%').then(|| [ahead.next(), ahead.next()]);
        if let Some([Some(high), Some(low)]) = hex
            && let Ok(pair) = std::str::from_utf8(&[high, low])
            && let Ok(value) = u8::from_str_radix(pair, 16)
        {
            out.push(value);
            bytes = ahead;
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Prepares one schema as the owner of `owner_url`. Running it again changes nothing but
/// passwords.
pub async fn migrate_schema(owner_url: &str, plan: SchemaPlan) -> Result<(), MigrateError> {
    let failed = |doing| {
        let schema = plan.schema.clone();
        move |source| MigrateError::Database {
            schema,
            doing,
            source,
        }
    };
    let options: PgConnectOptions = owner_url.parse().map_err(failed("owner URL"))?;
    let options = options.options([("search_path", plan.schema.as_str())]);
    let mut conn = options.connect().await.map_err(failed("connecting"))?;
    for login in &plan.logins {
        ensure_role(&mut conn, login)
            .await
            .map_err(failed("creating its roles"))?;
    }
    ensure_schema(&mut conn, &plan)
        .await
        .map_err(failed("creating it"))?;
    for (set, mut migrator) in plan.migrators {
        migrator.dangerous_set_table_name(format!("_{set}_migrations"));
        migrator
            .run(&mut conn)
            .await
            .map_err(|source| MigrateError::Migration {
                schema: plan.schema.clone(),
                set,
                source,
            })?;
    }
    // Everything is committed; a failed close changes nothing.
    let _ = conn.close().await;
    Ok(())
}

async fn ensure_role(conn: &mut PgConnection, login: &Login) -> Result<(), Error> {
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
            .bind(&login.role)
            .fetch_one(&mut *conn)
            .await?;
    let verb = if exists { "alter" } else { "create" };
    // The server quotes name and password itself.
    let statement: String =
        sqlx::query_scalar("select format($1 || ' role %I login password %L', $2::text, $3::text)")
            .bind(verb)
            .bind(&login.role)
            .bind(&login.password)
            .fetch_one(&mut *conn)
            .await?;
    conn.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

async fn ensure_schema(conn: &mut PgConnection, plan: &SchemaPlan) -> Result<(), Error> {
    let create: String =
        sqlx::query_scalar("select format('create schema if not exists %I', $1::text)")
            .bind(&plan.schema)
            .fetch_one(&mut *conn)
            .await?;
    conn.execute(AssertSqlSafe(create)).await?;
    for login in &plan.logins {
        let grant: String = sqlx::query_scalar(
            "select format('grant usage on schema %I to %I', $1::text, $2::text)",
        )
        .bind(&plan.schema)
        .bind(&login.role)
        .fetch_one(&mut *conn)
        .await?;
        conn.execute(AssertSqlSafe(grant)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_a_url() {
        let login = login_from_url("postgres://ingest:p%40ss%3A@db:5432/credit").unwrap();
        assert_eq!(
            (login.role.as_str(), login.password.as_str()),
            ("ingest", "p@ss:")
        );
        assert!(login_from_url("postgres://db/credit").is_err());
        assert!(!format!("{login:?}").contains("p@ss"));
    }
}
