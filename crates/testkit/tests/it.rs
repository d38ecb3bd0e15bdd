//! The kit itself, against real servers: databases by template, and clients of servers that are killed.

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{TestDb, TestResult, eventually, private_nats, private_postgres, proxy::TcpProxy};

async fn run(url: &str, statement: &'static str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn count(url: &str, query: &'static str) -> Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    Ok(sqlx::query_scalar(query).fetch_one(&mut connection).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_come_from_one_template_and_know_nothing_of_each_other() -> TestResult {
    let server = private_postgres().await?;
    let prepared = AtomicUsize::new(0);
    let prepare = async |url: &str| {
        prepared.fetch_add(1, Ordering::SeqCst);
        run(url, "CREATE TABLE things (n int); INSERT INTO things VALUES (1); CREATE ROLE teller LOGIN PASSWORD 'a/b'; GRANT INSERT ON things TO teller").await
    };
    let (first, second, third) = tokio::join!(
        TestDb::on_server(server.url(), "key", prepare),
        TestDb::on_server(server.url(), "key", prepare),
        TestDb::on_server(server.url(), "key", prepare),
    );
    let (first, second, third) = (first?, second?, third?);
    assert_eq!(prepared.load(Ordering::SeqCst), 1);
    assert!(first.name() != second.name() && second.name() != third.name());

    let teller = first.url_for("teller", "a/b")?;
    run(&teller, "INSERT INTO things VALUES (2)").await?;
    let refused = run(&teller, "DELETE FROM things")
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("permission denied"), "{refused}");
    assert_eq!(
        count(&first.url()?, "SELECT count(*) FROM things").await?,
        2
    );
    assert_eq!(
        count(&second.url()?, "SELECT count(*) FROM things").await?,
        1
    );

    let other = TestDb::on_server(server.url(), "other", async |url| {
        run(url, "CREATE TABLE others ()").await
    })
    .await?;
    assert_eq!(
        count(&other.url()?, "SELECT count(*) FROM others").await?,
        0
    );

    // Dropped with open sessions, by value and by name.
    let pool = second.pool().await?;
    drop((first, second));
    other.finish().await?;
    assert!(sqlx::query("SELECT 1").execute(&pool).await.is_err());
    assert_eq!(
        count(
            server.url(),
            "SELECT count(*) FROM pg_database WHERE datname LIKE 't\\_%'"
        )
        .await?,
        1
    );
    drop(third);
    assert_eq!(
        count(
            server.url(),
            "SELECT count(*) FROM pg_database WHERE datname LIKE 't\\_%'"
        )
        .await?,
        0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_whose_preparation_failed_is_made_anew_and_old_leftovers_go() -> TestResult {
    let server = private_postgres().await?;
    run(server.url(), "CREATE DATABASE t_1000000000_left").await?;
    run(server.url(), "CREATE DATABASE tpl_old").await?;
    run(server.url(), "COMMENT ON DATABASE tpl_old IS '1000000000'").await?;
    run(server.url(), "CREATE DATABASE t_shirts").await?;
    let failed = TestDb::on_server(server.url(), "key", async |url| {
        run(url, "CREATE TABLE half ()").await?;
        anyhow::bail!("no further")
    });
    let error = failed.await.err().context("the preparation fails")?;
    assert!(format!("{error:#}").contains("no further"), "{error:#}");
    let whole = TestDb::on_server(server.url(), "key", async |url| {
        run(url, "CREATE TABLE whole ()").await
    })
    .await?;
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename IN ('half', 'whole')";
    assert_eq!(count(&whole.url()?, tables).await?, 1);
    let left = "SELECT count(*) FROM pg_database WHERE datname IN ('t_1000000000_left', 'tpl_old', 't_shirts')";
    assert_eq!(count(server.url(), left).await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_postgres_comes_back_with_what_it_had() -> TestResult {
    let server = private_postgres().await?;
    let (proxy, through) = TcpProxy::in_front_of(server.url()).await?;
    run(
        &through,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)",
    )
    .await?;
    server.kill9().await?;
    assert!(count(&through, "SELECT count(*) FROM kept").await.is_err());
    server.restart().await?;
    assert_eq!(count(&through, "SELECT count(*) FROM kept").await?, 1);
    proxy.cut_connections().await;
    assert!(count(&through, "SELECT count(*) FROM kept").await.is_err());
    proxy.restore_traffic();
    assert_eq!(count(&through, "SELECT count(*) FROM kept").await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_nats_is_found_again_by_its_client_and_a_wiped_one_is_empty() -> TestResult {
    let server = private_nats().await?;
    // The client library does not log in with what stands in the URL by itself.
    let address: async_nats::ServerAddr = server.url().parse()?;
    let (user, password) = (
        address.username().context("user")?,
        address.password().context("password")?,
    );
    let client =
        async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
            .connect(&address)
            .await?;
    let jetstream = async_nats::jetstream::new(client);
    let stream = async_nats::jetstream::stream::Config {
        name: "KEPT".to_owned(),
        subjects: vec!["kept".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(stream).await?;
    jetstream.publish("kept", "1".into()).await?.await?;
    server.kill9().await?;
    server.restart().await?;
    let limit = Duration::from_secs(30);
    let messages = async || {
        jetstream
            .get_stream("KEPT")
            .await
            .map(|stream| stream.cached_info().state.messages)
    };
    assert_eq!(eventually("the stream", limit, messages).await?, 1);
    server.wipe_files().await?;
    server.restart().await?;
    let error = eventually("an answer that it is not found", limit, async || {
        jetstream
            .get_stream("KEPT")
            .await
            .err()
            .filter(|error| error.to_string().contains("10059"))
    });
    error.await?;
    Ok(())
}
