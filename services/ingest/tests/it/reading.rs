//! an original is read by its provider, by the credit office for a reason and by auditors, and every reading
//! is logged first; what was sealed before a rotation of keys opens after it.

use anyhow::{Context, Result};
use proto::credit::{
    common::v1::Operation,
    ingest::v1::{ReadOriginalRequest, ReadOriginalResponse},
};
use service_kit::identity::Role;
use sqlx::{Executor, Row};
use testkit::{Reason, TestResult, service::RefusalDetails};
use tonic::{Code, Status};
use uuid::Uuid;
use vault::Keyring;

use crate::fixture::{
    IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, ending, receipt_of, submission, submit,
};

const OFFICE: &str = "11430000006122439E";
const WHY: &str = "核查异议申请";

async fn read(
    client: &mut IngestTestClient,
    record_id: &str,
    reason: &str,
) -> Result<ReadOriginalResponse, Status> {
    let request = ReadOriginalRequest {
        record_id: record_id.to_owned(),
        reason: reason.to_owned(),
    };
    Ok(client.read_original(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_the_original_is_read_as_received_by_those_who_may() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    // Not even text: the stored bytes are those that came.
    let content = b"{ \"a\" : 1 }\r\n\xff\x00";
    let receipt = submit(&mut client, submission("编号1", "〔2026〕1号", content)).await?;
    let reason = "法院判决撤销原处罚决定。";
    let revoke = ending("2", "〔2026〕1号", Operation::Revoke, reason);
    let revoked = submit(&mut client, revoke).await?;

    let mut office = fixture.client_as(OFFICE, Role::CreditOffice)?;
    let mut auditor = fixture.client_as(OFFICE, Role::Auditor)?;
    for (reader, why) in [(&mut client, ""), (&mut office, WHY), (&mut auditor, "")] {
        let original = read(reader, &receipt.record_id, why).await?;
        assert_eq!(original.content.as_ref(), content);
        assert_eq!(original.receipt.as_ref(), Some(&receipt));
        assert_eq!(original.record_key, "〔2026〕1号");
        assert_eq!(original.content_type, "application/json");
        assert_eq!(original.operation(), Operation::Upsert);
        let version = original.version.unwrap_or_default();
        assert_eq!((version.item_version, version.revision), (2, 1));
        assert_eq!(&*version.provider_code, PROVIDER);
    }
    let original = read(&mut client, &revoked.record_id, "").await?;
    assert_eq!(original.operation(), Operation::Revoke);
    assert_eq!(original.content.as_ref(), reason.as_bytes());

    // Another provider's looks as if it did not exist.
    let mut other = fixture.client(PROVIDERS[1])?;
    let nowhere = Uuid::now_v7().to_string();
    let theirs = read(&mut other, &receipt.record_id, WHY).await.unwrap_err();
    let nobodys = read(&mut other, &nowhere, WHY).await.unwrap_err();
    assert_eq!(theirs.code(), Code::NotFound);
    assert_eq!(
        (theirs.message(), RefusalDetails::from_status(&theirs)),
        (nobodys.message(), RefusalDetails::from_status(&nobodys))
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_every_reading_is_logged_with_who_when_and_why() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let receipt = submit(&mut client, submission("1", "k", b"{}")).await?;
    let mut office = fixture.client_as(OFFICE, Role::CreditOffice)?;
    let mut other = fixture.client(PROVIDERS[1])?;
    // What is refused for its form is no reading.
    for (record_id, why, field) in [
        (receipt.record_id.as_str(), "", "reason"),
        (&receipt.record_id, "因", "reason"),
        (&receipt.record_id, "\u{3000}\n", "reason"),
        ("x", WHY, "record_id"),
        (&receipt.record_id.replace('-', ""), WHY, "record_id"),
        ("00000000-0000-0000-0000-000000000000", WHY, "record_id"),
    ] {
        let status = read(&mut office, record_id, why).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let reason = match field {
            "reason" => Reason::ReasonInvalid,
            _ => Reason::RecordIdInvalid,
        };
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (reason, field));
    }
    let mut operator = fixture.client_as(OFFICE, Role::Operator)?;
    let status = read(&mut operator, &receipt.record_id, WHY)
        .await
        .unwrap_err();
    let refusal = RefusalDetails::from_status(&status);
    assert_eq!(refusal.reason, Reason::RoleNotAllowed);
    assert_eq!(fixture.count("original_read").await?, 0);

    let original = read(&mut office, &receipt.record_id, WHY).await?;
    read(&mut client, &receipt.record_id, "").await?;
    // Trying to read another's is logged too.
    read(&mut other, &receipt.record_id, "").await.unwrap_err();
    let rows = sqlx::query(
        "select access_id, organisation, reader, record_id, sealed_account, sealed_reason, accessed_at
         from original_read order by access_id",
    )
    .fetch_all(&fixture.owner)
    .await?;
    let keyring = &fixture.bed.context.keyring;
    let mut log = Vec::new();
    for row in &rows {
        let id: Uuid = row.try_get(0)?;
        let open = |at: usize| -> Result<String> {
            let sealed: Vec<u8> = row.try_get(at)?;
            Ok(String::from_utf8(keyring.open(id.as_bytes(), &sealed)?)?)
        };
        let of: Uuid = row.try_get(3)?;
        assert_eq!(of.to_string(), receipt.record_id);
        assert_eq!(open(4)?, "tester");
        let at: time::OffsetDateTime = row.try_get(6)?;
        assert_eq!(at, fixture.bed.context.clock.now());
        let (organisation, reader): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        log.push((organisation, reader, open(5)?));
    }
    let line = |organisation: &str, reader: &str, why: &str| {
        (organisation.to_owned(), reader.to_owned(), why.to_owned())
    };
    assert_eq!(
        log,
        [
            line(OFFICE, "credit-office", WHY),
            line(PROVIDER, "provider", ""),
            line(PROVIDERS[1], "provider", "")
        ]
    );
    let first: Uuid = rows[0].try_get(0)?;
    assert_eq!(original.access_id, first.to_string());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_when_the_log_cannot_be_written_nothing_is_read() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let receipt = submit(&mut client, submission("1", "k", b"{}")).await?;
    let mut auditor = fixture.client_as(OFFICE, Role::Auditor)?;
    // Counted by the database: whether the original is looked for at all.
    let scans = async || -> Result<i64> {
        fixture
            .owner
            .execute("select pg_stat_force_next_flush()")
            .await?;
        Ok(sqlx::query_scalar(
            "select coalesce(sum(idx_scan), 0)::bigint from pg_stat_all_indexes
             where relname = 'original' and schemaname = current_schema()
                 and indexrelname = 'original_pkey'",
        )
        .fetch_one(&fixture.owner)
        .await?)
    };
    fixture
        .owner
        .execute("revoke insert on original_read from ingest")
        .await?;
    let before = scans().await?;
    for reader in [&mut client, &mut auditor] {
        let status = read(reader, &receipt.record_id, WHY).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("{}"));
    }
    assert_eq!(scans().await?, before, "the original was not looked for");
    assert_eq!(fixture.count("original_read").await?, 0);
    // The other way round: the log is committed, though the original cannot be read.
    fixture
        .owner
        .execute("grant insert on original_read to ingest")
        .await?;
    fixture
        .owner
        .execute("revoke select on original from ingest")
        .await?;
    let status = read(&mut auditor, &receipt.record_id, WHY)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(fixture.count("original_read").await?, 1, "committed before");
    fixture
        .owner
        .execute("grant select on original to ingest")
        .await?;
    read(&mut auditor, &receipt.record_id, WHY).await?;
    assert_eq!(fixture.count("original_read").await?, 2);
    fixture.finish().await?;
    Ok(())
}

/// The keyring with a new active master, and the old one kept.
fn rotated(old: &str) -> Result<String> {
    let fresh = Keyring::generate();
    let master = |text: &str| -> Result<String> {
        let line = text.lines().find(|line| line.starts_with("master"));
        Ok(line.context("a master")?.to_owned())
    };
    let blind = old.lines().find(|line| line.starts_with("blind"));
    let retired = master(old)?.replace(" active", "");
    Ok(format!(
        "{}\n{retired}\n{}\n",
        master(&fresh)?,
        blind.context("a blind key")?
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_after_a_rotation_of_keys_old_originals_open_and_new_ones_are_under_the_new_key()
-> TestResult {
    let text = Keyring::generate();
    let mut fixture = IngestFixture::start_with_keyring(&text).await?;
    let mut client = fixture.client(PROVIDER)?;
    let old = submit(&mut client, submission("1", "k", b"{\"v\":1}")).await?;
    let masters = async |fixture: &IngestFixture| -> Result<Vec<String>> {
        let keyring = &fixture.bed.context.keyring;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "select sealed_content, sealed_labels from original order by ledger_number",
        )
        .fetch_all(&fixture.owner)
        .await?;
        let under = |sealed: &[u8]| keyring.sealed_under(sealed).map(str::to_owned);
        rows.iter()
            .map(|(content, labels)| {
                assert_eq!(under(content), under(labels));
                under(content).context("a sealed blob")
            })
            .collect()
    };
    let first = fixture.bed.context.keyring.active_master().to_owned();
    assert_eq!(masters(&fixture).await?, std::slice::from_ref(&first));
    fixture.received_events().await?;

    let both = rotated(&text)?;
    fixture.restart_with_keyring(&both).await?;
    let mut client = fixture.client(PROVIDER)?;
    // Ids and keys are found by the same hashes: the receipt is the old one, and the record's versions go on.
    let again = submit(&mut client, submission("1", "k", b"{\"v\":1}")).await?;
    assert_eq!(again, old);
    assert_eq!(receipt_of(&mut client, "1").await?, old);
    let new = submit(&mut client, submission("2", "k", b"{\"v\":2}")).await?;
    assert_eq!(new.revision, 2);
    let second = fixture.bed.context.keyring.active_master().to_owned();
    assert_ne!(first, second);
    assert_eq!(masters(&fixture).await?, [first.clone(), second]);
    for (receipt, content) in [(&old, &b"{\"v\":1}"[..]), (&new, b"{\"v\":2}")] {
        let original = read(&mut client, &receipt.record_id, "").await?;
        assert_eq!(original.content.as_ref(), content);
        assert_eq!(original.record_key, "k");
    }
    fixture.received_events().await?;

    // Without the retired key, what it sealed is lost, and nothing else.
    let only_new = both
        .lines()
        .filter(|line| !line.starts_with("master") || line.ends_with("active"));
    let only_new = only_new.collect::<Vec<_>>().join("\n");
    fixture.restart_with_keyring(&only_new).await?;
    let mut client = fixture.client(PROVIDER)?;
    let status = read(&mut client, &old.record_id, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let original = read(&mut client, &new.record_id, "").await?;
    assert_eq!(original.content.as_ref(), b"{\"v\":2}");
    fixture.finish().await?;
    Ok(())
}
