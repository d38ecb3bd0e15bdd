//! An own database per test, cloned from a template. Called by tests of everything that has tables.
//!
//! Making schemas, roles and tables takes seconds; cloning a prepared database takes milliseconds. Tests run in many
//! processes at once, so an advisory lock of the cluster decides who prepares a template, and all others wait and clone.
//!
//! What a clone does not take over from its template, since PostgreSQL keeps it outside the database: privileges on the
//! database itself (`GRANT … ON DATABASE`) and settings by `ALTER DATABASE … SET`. Roles belong to the whole cluster:
//! `prepare` must bear that they exist already.

use crate::servers::test_servers;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use std::time::{SystemTime, UNIX_EPOCH};

/// Any number, as long as no other advisory lock in the cluster has the same.
const LOCK: i64 = 0x0063_7265_6469_7431;

/// Seconds after which a test's database without sessions is taken for left behind by a killed process.
const DATABASE_LIFETIME: u64 = 30 * 60;

/// Seconds after which a template is made anew; long enough for a day's work, short enough that old ones do not pile up.
const TEMPLATE_LIFETIME: u64 = 24 * 60 * 60;

/// A database that one test has for itself. Dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    admin_url: String,
    name: String,
}

impl TestDb {
    /// A database on the shared server, see [`TestDb::on_server`].
    pub async fn new(
        template_key: &str,
        prepare: impl AsyncFnOnce(&str) -> Result<()>,
    ) -> Result<Self> {
        Self::on_server(&test_servers()?.database_url, template_key, prepare).await
    }

    /// A database on the server of `admin_url` (a superuser's), cloned from the template of `template_key`.
    ///
    /// `prepare` is given the superuser's address of an empty database and fills it; it runs once per key and server,
    /// and never twice at the same time on one server. So `template_key` must hold all that the result depends on,
    /// such as the text of the migrations (only its digest is kept).
    pub async fn on_server(
        admin_url: &str,
        template_key: &str,
        prepare: impl AsyncFnOnce(&str) -> Result<()>,
    ) -> Result<Self> {
        let mut admin = connect(admin_url).await?;
        let template = format!("tpl_{}", &hex::encode(Sha256::digest(template_key))[..24]);
        execute(
            &mut admin,
            &format!("SELECT pg_advisory_lock_shared({LOCK})"),
        )
        .await?;
        if !is_ready(&mut admin, &template).await? {
            // Two sharers that both wanted the exclusive lock would wait for each other.
            execute(
                &mut admin,
                &format!("SELECT pg_advisory_unlock_shared({LOCK})"),
            )
            .await?;
            execute(&mut admin, &format!("SELECT pg_advisory_lock({LOCK})")).await?;
            drop_stale_databases(&mut admin).await?;
            if !is_ready(&mut admin, &template).await? {
                make_template(&mut admin, admin_url, &template, prepare).await?;
            }
        }
        let name = format!("t_{}_{}", now(), uuid::Uuid::new_v4().simple());
        execute(
            &mut admin,
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
        .await
        .context("cloning the template")?;
        // Closing the session lifts its locks.
        admin
            .close()
            .await
            .context("closing the superuser's session")?;
        Ok(Self {
            admin_url: admin_url.to_owned(),
            name,
        })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The superuser's address of this database.
    pub fn url(&self) -> Result<String> {
        rewrite(&self.admin_url, None, &self.name)
    }

    /// The address of this database for another role.
    pub fn url_for(&self, role: &str, password: &str) -> Result<String> {
        rewrite(&self.admin_url, Some((role, password)), &self.name)
    }

    /// A superuser's pool of this database, to read results and to prepare data.
    pub async fn pool(&self) -> Result<PgPool> {
        PgPoolOptions::new()
            .max_connections(4)
            .connect(&self.url()?)
            .await
            .context("connecting to the test's database")
    }

    /// Drops the database, as dropping this value does, but returns the error.
    pub async fn finish(mut self) -> Result<()> {
        let name = std::mem::take(&mut self.name);
        drop_database(&self.admin_url, &name).await
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (url, name) = (self.admin_url.clone(), self.name.clone());
        // A thread, since the test's runtime cannot be waited for from within. A server that has ended (a private one
        // that was dropped first) has taken the database along; any other failure is repaired by
        // [`drop_stale_databases`].
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(drop_database(&url, &name))
        });
        let _ = dropping.join();
    }
}

async fn drop_database(admin_url: &str, name: &str) -> Result<()> {
    let mut admin = connect(admin_url).await?;
    execute(
        &mut admin,
        &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await?;
    admin
        .close()
        .await
        .context("closing the superuser's session")
}

/// A template is ready when it has been closed to sessions: the last step of its making.
async fn is_ready(admin: &mut PgConnection, template: &str) -> Result<bool> {
    let found: Option<bool> =
        sqlx::query_scalar("SELECT NOT datallowconn FROM pg_database WHERE datname = $1")
            .bind(template)
            .fetch_optional(admin)
            .await
            .context("looking for the template")?;
    Ok(found == Some(true))
}

async fn make_template(
    admin: &mut PgConnection,
    admin_url: &str,
    template: &str,
    prepare: impl AsyncFnOnce(&str) -> Result<()>,
) -> Result<()> {
    execute(
        admin,
        &format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)"),
    )
    .await?;
    execute(admin, &format!("CREATE DATABASE {template}")).await?;
    execute(
        admin,
        &format!("COMMENT ON DATABASE {template} IS '{}'", now()),
    )
    .await?;
    prepare(&rewrite(admin_url, None, template)?)
        .await
        .context("preparing the template of the tests' databases")?;
    execute(
        admin,
        &format!("ALTER DATABASE {template} ALLOW_CONNECTIONS false"),
    )
    .await?;
    // Sessions that `prepare` has left open would forbid cloning.
    sqlx::query("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1")
        .bind(template)
        .execute(admin)
        .await
        .context("closing the template's sessions")?;
    Ok(())
}

/// Drops what killed test processes have left. Runs under the exclusive lock.
async fn drop_stale_databases(admin: &mut PgConnection) -> Result<()> {
    let rows = sqlx::query(
        "SELECT datname, shobj_description(oid, 'pg_database') AS made FROM pg_database d \
         WHERE (datname LIKE 't\\_%' OR datname LIKE 'tpl\\_%') \
         AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)",
    )
    .fetch_all(&mut *admin)
    .await
    .context("listing databases")?;
    for row in rows {
        let name: String = row
            .try_get("datname")
            .context("reading a database's name")?;
        let made: Option<String> = row
            .try_get("made")
            .context("reading a database's comment")?;
        if is_left_behind(&name, made.as_deref(), now()) {
            execute(
                admin,
                &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            )
            .await?;
        }
    }
    Ok(())
}

/// Whether a database is one of ours and too old. `made` is a template's comment, the second of its making.
fn is_left_behind(name: &str, made: Option<&str>, now: u64) -> bool {
    let older = |made: Option<u64>, life| made.is_some_and(|made| made + life < now);
    if let Some(rest) = name.strip_prefix("t_") {
        return older(
            rest.split('_')
                .next()
                .and_then(|second| second.parse().ok()),
            DATABASE_LIFETIME,
        );
    }
    name.starts_with("tpl_")
        && older(
            made.and_then(|second| second.parse().ok()),
            TEMPLATE_LIFETIME,
        )
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

async fn connect(url: &str) -> Result<PgConnection> {
    PgConnection::connect(url)
        .await
        .context("connecting to PostgreSQL as the superuser of DATABASE_URL")
}

/// Runs one statement. Only names and numbers made in this file go into it: these statements take no parameters.
async fn execute(connection: &mut PgConnection, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .with_context(|| format!("running `{statement}`"))?;
    Ok(())
}

/// The same server, another database and, where given, another role.
fn rewrite(url: &str, login: Option<(&str, &str)>, database: &str) -> Result<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        bail!("DATABASE_URL is not a postgres:// address")
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (rest, String::new()),
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    let (old_login, host) = match authority.rsplit_once('@') {
        Some((login, host)) => (format!("{login}@"), host),
        None => (String::new(), authority),
    };
    let login = match login {
        Some((role, password)) => format!("{}:{}@", escape(role), escape(password)),
        None => old_login,
    };
    Ok(format!("{scheme}://{login}{host}/{database}{query}"))
}

/// Percent-encoding of everything that is not unreserved in RFC 3986.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_change_only_in_the_part_asked_for() {
        let url = "postgres://admin:p%40ss@db.example:5433/postgres?sslmode=require";
        assert_eq!(
            rewrite(url, None, "t_1").unwrap(),
            "postgres://admin:p%40ss@db.example:5433/t_1?sslmode=require"
        );
        assert_eq!(
            rewrite(url, Some(("ingest", "a/b@c")), "t_1").unwrap(),
            "postgres://ingest:a%2Fb%40c@db.example:5433/t_1?sslmode=require"
        );
        assert_eq!(
            rewrite("postgres://h:1", Some(("r", "p")), "d").unwrap(),
            "postgres://r:p@h:1/d"
        );
        assert!(rewrite("host=localhost", None, "d").is_err());
    }

    #[test]
    fn only_our_old_databases_are_left_behind() {
        let now = 1_800_000_000;
        assert!(is_left_behind("t_1700000000_ab", None, now));
        assert!(!is_left_behind("t_1799999999_ab", None, now));
        assert!(!is_left_behind("t_shirts", None, now));
        assert!(!is_left_behind("tpl_ab", None, now));
        assert!(!is_left_behind("tpl_ab", Some("1799999999"), now));
        assert!(is_left_behind("tpl_ab", Some("1700000000"), now));
        assert!(!is_left_behind("postgres", Some("1700000000"), now));
    }
}
