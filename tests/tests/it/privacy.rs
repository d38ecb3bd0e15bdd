//! no citizen number, person's name or document number is in clear in any file of a running
//! system: tables, write-ahead log, JetStream, logs.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use proto::credit::disclosure::v1::ListOwnRecordsRequest;
use service_kit::identity::PersonClaim;
use testkit::TestResult;

use crate::support::{report_all, settle_and_check, start_platform};

/// Every file below a folder; sockets and what vanishes while we look are passed over.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[tokio::test]
async fn r4_a_search_of_all_files_finds_no_person() -> TestResult {
    let (mut cluster, day) = start_platform(51, 300).await?;
    let since = Instant::now();
    report_all(&cluster, &day).await?;
    settle_and_check(&cluster, &day, since).await?;
    let persons: Vec<_> = day
        .records
        .iter()
        .filter_map(|record| Some((&record.subject_name, record.subject_document.as_ref()?)))
        .take(12)
        .collect();
    assert!(persons.len() == 12, "the day has persons");
    // Reading leaves traces too: the query is one of them.
    let (_, (kind, number)) = persons[0];
    let person = PersonClaim::new(kind, number);
    let request = ListOwnRecordsRequest::default();
    cluster
        .clients()?
        .subject(person)?
        .list_own_records(request)
        .await?;

    let postgres = cluster
        .servers
        .postgres
        .as_ref()
        .context("private PostgreSQL")?;
    let data = postgres.folder().to_owned();
    let nats = cluster.servers.nats.as_ref().context("private NATS")?;
    let streams = nats.folder().to_owned();
    // Everything that is in memory goes to the files.
    let pool = cluster.owner_pool("public")?;
    sqlx::query("checkpoint").execute(&pool).await?;
    pool.close().await;
    cluster.stop_platform().await?;

    let secrets = cluster.folder().join("secrets");
    let mut all = Vec::new();
    for folder in [cluster.folder(), data.as_path(), streams.as_path()] {
        files(folder, &mut all);
    }
    all.sort();
    all.dedup();
    all.retain(|path| !path.starts_with(&secrets));
    let bytes: u64 = all
        .iter()
        .filter_map(|f| fs::metadata(f).ok())
        .map(|m| m.len())
        .sum();
    assert!(bytes > 10_000_000, "only {bytes} bytes looked at");
    let code = day.records.iter().find_map(|r| {
        (r.expected_public)
            .then_some(r.subject_code.as_deref())
            .flatten()
    });
    let code = code.context("the day has an organisation")?;
    let mut organisation_seen = false;
    for path in &all {
        let content = fs::read(path).unwrap_or_default();
        organisation_seen |= contains(&content, code.as_bytes());
        for (name, (_, number)) in &persons {
            assert!(
                !contains(&content, number.as_bytes()),
                "a number in {}",
                path.display()
            );
            // Two-character names occur by chance in Chinese text; three are a name.
            if name.chars().count() > 2 {
                assert!(
                    !contains(&content, name.as_bytes()),
                    "{name} in {}",
                    path.display()
                );
            }
        }
    }
    // The search does find what is kept in clear.
    assert!(organisation_seen, "the search looks at the wrong files");
    Ok(())
}
