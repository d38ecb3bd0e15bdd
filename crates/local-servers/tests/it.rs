//! Real servers: started, reached, stopped, killed, started again, and removed without a trace.

use anyhow::{Context, Result};
use local_servers::{
    Binaries, DevServers, Nats, NatsOptions, Postgres, PostgresOptions, descendants, is_running,
};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn binaries() -> Result<Binaries> {
    Binaries::locate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// Runs one statement with the `psql` of the same install.
fn sql(binaries: &Binaries, url: &str, statement: &str) -> Result<String> {
    let output = Command::new(binaries.postgres_bin.join("psql"))
        .args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--command",
            statement,
            url,
        ])
        .stdin(Stdio::null())
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Speaks NATS's protocol: sends one line after logging in, gives the first answer that is not `+OK` or `PING`.
fn nats(url: &str, lines: &str) -> Result<String> {
    let rest = url.strip_prefix("nats://").context("scheme")?;
    let (login, address) = rest.split_once('@').context("login")?;
    let (user, password) = login.split_once(':').context("password")?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let options = format!(
        r#"{{"verbose":false,"pedantic":false,"user":"{user}","pass":"{password}","headers":true}}"#
    );
    write!(stream, "CONNECT {options}\r\nSUB inbox 1\r\n{lines}")?;
    loop {
        line.clear();
        anyhow::ensure!(
            reader.read_line(&mut line)? > 0,
            "the server closed the connection"
        );
        if line.starts_with("MSG") {
            line.clear();
            reader.read_line(&mut line)?;
            return Ok(line.trim().to_owned());
        }
        anyhow::ensure!(!line.starts_with("-ERR"), "{line}");
    }
}

fn request(subject: &str, body: &str) -> String {
    format!("PUB {subject} inbox {}\r\n{body}\r\n", body.len())
}

#[test]
fn postgres_keeps_what_was_committed_over_stop_and_kill() -> Result<()> {
    let binaries = binaries()?;
    let mut server = Postgres::temporary(&binaries, PostgresOptions::default())?;
    let (url, port, first) = (
        server.url("postgres"),
        server.port(),
        server.pid().context("pid")?,
    );
    assert!(sql(&binaries, &url, "show server_version")?.starts_with("18."));
    assert_eq!(sql(&binaries, &url, "show fsync")?, "on");
    assert_eq!(sql(&binaries, &url, "show listen_addresses")?, "127.0.0.1");
    assert_eq!(
        sql(&binaries, &url, "select upper('żółw 公示')")?,
        "ŻÓŁW 公示"
    );
    sql(
        &binaries,
        &url,
        "create table kept (n int); insert into kept values (1)",
    )?;

    let family = descendants(first);
    assert!(!family.is_empty(), "PostgreSQL runs background processes");
    server.kill9()?;
    assert_eq!(server.pid(), None);
    assert!(!is_running(first) && family.iter().all(|pid| !is_running(*pid)));
    assert!(sql(&binaries, &url, "select 1").is_err());

    server.restart()?;
    assert_eq!(server.port(), port);
    sql(&binaries, &url, "insert into kept values (2)")?;
    server.stop()?;
    server.restart()?;
    assert_eq!(
        sql(
            &binaries,
            &url,
            "select string_agg(n::text, ',' order by n) from kept"
        )?,
        "1,2"
    );

    let last = server.pid().context("pid")?;
    let folder = server.folder().to_owned();
    let family = descendants(last);
    drop(server);
    assert!(!is_running(last) && family.iter().all(|pid| !is_running(*pid)));
    assert!(!folder.exists(), "{} is left", folder.display());
    Ok(())
}

#[test]
fn postgres_asks_for_the_password() -> Result<()> {
    let binaries = binaries()?;
    let options = PostgresOptions {
        durable: false,
        settings: vec![("work_mem".into(), "7MB".into())],
        ..Default::default()
    };
    let server = Postgres::temporary(&binaries, options)?;
    let refused = sql(
        &binaries,
        &server.url_for("credit_admin", "wrong", "postgres"),
        "select 1",
    )
    .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("password authentication failed"),
        "{refused}"
    );
    assert_eq!(
        sql(&binaries, &server.url("postgres"), "show fsync")?,
        "off"
    );
    assert_eq!(
        sql(&binaries, &server.url("postgres"), "show work_mem")?,
        "7MB"
    );
    Ok(())
}

#[test]
fn a_kept_folder_is_taken_up_again_and_held_by_one() -> Result<()> {
    let binaries = binaries()?;
    let place = local_servers::LockedFolder::temporary()?;
    let (database, bus) = (place.path().join("postgres"), place.path().join("nats"));
    let options = PostgresOptions::default();
    let first = Postgres::start(&binaries, &database, options.clone())?;
    sql(
        &binaries,
        &first.url("postgres"),
        "create table kept (n int)",
    )?;
    let refused = Postgres::start(&binaries, &database, options.clone()).unwrap_err();
    assert!(
        refused.to_string().contains("in use by another run"),
        "{refused}"
    );
    drop(first);
    let second = Postgres::start(&binaries, &database, options)?;
    assert_eq!(
        sql(
            &binaries,
            &second.url("postgres"),
            "select count(*) from kept"
        )?,
        "0"
    );

    let first = Nats::start(&binaries, &bus, NatsOptions::default())?;
    nats(
        &first.url(),
        &request(
            "$JS.API.STREAM.CREATE.S",
            r#"{"name":"S","subjects":["s"]}"#,
        ),
    )?;
    drop(first);
    let second = Nats::start(&binaries, &bus, NatsOptions::default())?;
    assert!(
        nats(&second.url(), &request("$JS.API.STREAM.INFO.S", ""))?.contains(r#""subjects":["s"]"#)
    );
    Ok(())
}

#[test]
fn nats_keeps_its_streams_over_stop_and_kill_and_loses_them_by_wipe() -> Result<()> {
    let mut server = Nats::temporary(&binaries()?, NatsOptions::default())?;
    let (url, port, first) = (server.url(), server.port(), server.pid().context("pid")?);
    let created = nats(
        &url,
        &request(
            "$JS.API.STREAM.CREATE.S",
            r#"{"name":"S","subjects":["s"],"storage":"file"}"#,
        ),
    )?;
    assert!(created.contains(r#""did_create":true"#), "{created}");
    assert!(nats(&url, &request("s", "a secret of nobody"))?.contains(r#""seq":1"#));
    assert!(nats(&url.replace("credit:", "credit:x"), "PING\r\n").is_err());

    server.kill9()?;
    assert!(!is_running(first));
    assert!(nats(&url, "PING\r\n").is_err());
    server.restart()?;
    assert_eq!(server.port(), port);
    assert!(nats(&url, &request("s", "b"))?.contains(r#""seq":2"#));

    server.stop()?;
    let clear = Command::new("grep")
        .args(["-rqa", "a secret of nobody"])
        .arg(server.folder().join("jetstream"))
        .status()?;
    assert_eq!(clear.code(), Some(1), "the store is not encrypted");

    server.wipe_files()?;
    server.restart()?;
    assert!(nats(&url, &request("$JS.API.STREAM.INFO.S", ""))?.contains("stream not found"));

    let (last, folder) = (server.pid().context("pid")?, server.folder().to_owned());
    drop(server);
    assert!(!is_running(last) && !folder.exists());
    Ok(())
}

#[test]
fn development_servers_outlive_their_starter_and_are_stopped_by_folder() -> Result<()> {
    let binaries = binaries()?;
    let place = local_servers::LockedFolder::temporary()?;
    let root = place.path();
    assert_eq!(DevServers::running(root), None);
    let started = DevServers::start(root, &binaries)?;
    assert_eq!(
        DevServers::start(root, &binaries)?,
        started,
        "a second start finds the first"
    );
    assert_eq!(sql(&binaries, &started.database_url, "select 1")?, "1");
    assert!(
        started
            .exports()
            .contains(&format!("export NATS_URL='{}'", started.nats_url))
    );
    assert!(DevServers::stop(root)?);
    assert_eq!(DevServers::running(root), None);
    assert!(sql(&binaries, &started.database_url, "select 1").is_err());
    assert!(!DevServers::stop(root)?);

    // As it is left when the machine is started anew: the numbers are those of other programs.
    let state = root.join(".servers/run/servers.json");
    let mut stale = serde_json::to_value(&started)?;
    stale["pids"] = serde_json::json!([std::process::id(), std::process::id()]);
    std::fs::write(&state, stale.to_string())?;
    assert_eq!(DevServers::running(root), None, "others' numbers");
    assert!(!DevServers::stop(root)?);
    Ok(())
}

/// Not a test of its own: the victim that `servers_die_with_a_killed_parent` starts and kills.
#[test]
fn victim() -> Result<()> {
    if std::env::var_os("LOCAL_SERVERS_VICTIM").is_none() {
        return Ok(());
    }
    let binaries = binaries()?;
    let database = Postgres::temporary(
        &binaries,
        PostgresOptions {
            durable: false,
            ..Default::default()
        },
    )?;
    let bus = Nats::temporary(&binaries, NatsOptions::default())?;
    println!(
        "\nvictim {} {} {}",
        database.pid().context("pid")?,
        bus.pid().context("pid")?,
        bus.folder().display()
    );
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

#[test]
fn servers_die_with_a_killed_parent() -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "victim", "--nocapture"])
        .env("LOCAL_SERVERS_VICTIM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(child.stdout.take().context("stdout")?);
    let line = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("victim ").map(str::to_owned))
        .context("the victim has not started its servers")?;
    let words: Vec<&str> = line.split(' ').collect();
    let mut pids: Vec<u32> = words[..2]
        .iter()
        .map(|word| word.parse())
        .collect::<Result<_, _>>()?;
    assert!(pids.iter().all(|pid| is_running(*pid)));
    pids.extend(descendants(pids[0]));
    assert!(pids.len() > 3, "PostgreSQL has started others");
    child.kill()?;
    child.wait()?;
    until("servers are left", || {
        !pids.iter().any(|pid| is_running(*pid))
    });
    // What the killed one has left is removed by the next that needs a folder; another process may be removing it
    // already.
    until("the folder is left", || {
        local_servers::LockedFolder::temporary().is_ok() && !Path::new(words[2]).exists()
    });
    Ok(())
}

/// Waits for a condition, a minute at most.
fn until(otherwise: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "{otherwise}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn python_knows_the_grpc_libraries() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = local_servers::install_python_clients(&root)?;
    let program = "import grpc, grpc_tools.protoc, sys; print(grpc.__version__, sys.argv[1])";
    let output = Command::new(python)
        .args(["-c", program, "a b"])
        .current_dir("/")
        .output()?;
    assert_eq!(
        String::from_utf8(output.stdout)?.trim(),
        "1.85.1 a b",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
