//! A record has one address for life, over all its versions, and it is in every answer and row that names a version.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use proto::credit::{
    common::v1::Operation,
    ingest::v1::{
        GetSubmissionStatusRequest, ListLedgerRequest, Outcome, ReadOriginalRequest, Receipt,
        StreamRecordsRequest, stream_records_response::Answer,
    },
};
use record_ref::{RecordAddress, RecordVersion, VersionId};
use sqlx::Executor;
use testkit::TestResult;
use uuid::Uuid;

use crate::{
    fixture::{
        IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, ending, receipt_of, submission,
        submit,
    },
    reload::ReloadSteps,
};

/// The address of the record whose first version is that of this receipt.
fn address_of(first: &Receipt) -> Result<String> {
    let first: VersionId = first.record_id.parse()?;
    Ok(RecordAddress::of_first_version(first).to_string())
}

async fn stream_one(client: &mut IngestTestClient, id: &str, content: &[u8]) -> Result<Receipt> {
    let request = StreamRecordsRequest {
        submission: Some(submission(id, "k", content)),
        ..StreamRecordsRequest::default()
    };
    let answers = client.stream_records(tokio_stream::iter([request])).await?;
    let answer = answers.into_inner().message().await?.context("an answer")?;
    match answer.answer {
        Some(Answer::Receipt(receipt)) => Ok(receipt),
        other => anyhow::bail!("{other:?}"),
    }
}

/// Versions of one record by every way that there is, a revocation, a withdrawal and a revival among them; the receipt
/// of each submission.
async fn live(client: &mut IngestTestClient) -> Result<Vec<Receipt>> {
    let mut receipts = vec![
        submit(client, submission("1", "k", b"{\"v\":1}")).await?,
        submit(client, submission("2", "k", b"{\"v\":1}")).await?,
        stream_one(client, "3", b"{\"v\":2}").await?,
    ];
    let revoke = ending("4", "k", Operation::Revoke, "法院判决撤销");
    receipts.push(submit(client, revoke).await?);
    receipts.push(submit(client, submission("5", "k", b"{\"v\":2}")).await?);
    let withdraw = ending("6", "k", Operation::Withdraw, "误报，予以撤回");
    receipts.push(submit(client, withdraw).await?);
    // A reload revives it, and another one repeats the same content.
    for id in ["r1", "r2"] {
        let reload = ReloadSteps::new(id, &[("k", "{\"v\":1}")]).end(1);
        let answered = reload.run(client).await?.receipts;
        let receipt = answered.into_iter().next().context("a receipt")?;
        receipts.push(receipt.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?);
    }
    Ok(receipts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_record_has_one_address_for_life_in_receipts_events_and_rows() -> TestResult {
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let receipts = live(&mut client).await?;
    let revisions: Vec<u64> = receipts.iter().map(|receipt| receipt.revision).collect();
    assert_eq!(revisions, [1, 1, 2, 3, 4, 5, 6, 6]);
    let unchanged = |receipt: &&Receipt| receipt.outcome() == Outcome::Unchanged;
    assert_eq!(receipts.iter().filter(unchanged).count(), 2);
    let address = address_of(&receipts[0])?;
    for receipt in &receipts {
        assert_eq!(receipt.record_address, address, "{receipt:?}");
    }
    // The same key of another item, or of another provider, is another record.
    let mut licence = submission("licence", "k", b"{}");
    licence.item_code = "xzxk".to_owned();
    let mut other = fixture.client(PROVIDERS[1])?;
    for other in [
        submit(&mut client, licence).await?,
        submit(&mut other, submission("1", "k", b"{\"v\":1}")).await?,
    ] {
        assert_ne!(other.record_address, address);
        assert_eq!(other.record_address, address_of(&other)?);
    }

    // Asked for later, of another process.
    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;
    for receipt in &receipts {
        let id = receipt.submission_id.as_str();
        assert_eq!(&receipt_of(&mut client, id).await?, receipt);
        let status = client.get_submission_status(GetSubmissionStatusRequest {
            submission_id: id.to_owned(),
        });
        let status = status.await?.into_inner();
        assert_eq!(status.receipt.as_ref(), Some(receipt));
        let original = client.read_original(ReadOriginalRequest {
            record_id: receipt.record_id.clone(),
            reason: String::new(),
        });
        let original = original.await?.into_inner();
        let version = RecordVersion::from_wire(original.version.as_ref())?;
        assert_eq!(version.id.to_string(), receipt.record_id);
        assert_eq!(version.address.to_string(), address);
        let own = original.receipt.unwrap_or_default();
        assert_eq!(own.record_address, address);
    }
    let ledger = client.list_ledger(ListLedgerRequest::default()).await?;
    let listed = ledger.into_inner().receipts;
    let of_record = listed.iter().filter(|r| r.record_address == address);
    assert_eq!(of_record.count(), 6);

    let mut announced = BTreeMap::new();
    for event in fixture.received_events().await? {
        let version = RecordVersion::from_wire(event.version.as_ref())?;
        announced.insert(version.id, version.address);
    }
    let kept: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select record_id, record_address from original order by record_id")
            .fetch_all(&fixture.owner)
            .await?;
    let announced: Vec<_> = announced
        .into_iter()
        .map(|(id, address)| (id.as_uuid(), address.as_uuid()))
        .collect();
    assert_eq!(announced, kept);
    fixture.finish().await?;
    Ok(())
}

/// Version, address, key and revision.
type KeptVersion = (Uuid, Uuid, Vec<u8>, i64);

/// The migration's SQL computes what the program computes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_versions_get_the_address_that_new_ones_would_have() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    live(&mut client).await?;
    // Many records: whatever the bits of their hashes.
    let keys: Vec<String> = (0..300).map(|n| format!("k{n}")).collect();
    for content in ["{}", "{ }"] {
        let lines: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), content)).collect();
        let reload = ReloadSteps::new(&format!("all {content}"), &lines);
        reload.run(&mut client).await?;
    }
    fixture.received_events().await?;
    let rows = async || -> Result<Vec<KeptVersion>> {
        let rows = sqlx::query_as(
            "select record_id, record_address, key_digest, revision from original order by record_id",
        );
        Ok(rows.fetch_all(&fixture.owner).await?)
    };
    let before = rows().await?;
    let mut firsts = BTreeMap::new();
    for (id, _, key, revision) in &before {
        if *revision == 1 {
            let address = RecordAddress::of_first_version(VersionId::try_from(*id)?);
            firsts.insert(key.clone(), address.as_uuid());
        }
    }
    assert_eq!((before.len(), firsts.len()), (6 + 600, 301));

    let migrator = ingest::migrations();
    let migration = migrator.iter().find(|m| m.version == 11);
    let sql = &migration.context("the migration")?.sql;
    fixture
        .owner
        .execute("alter table original drop column record_address")
        .await?;
    fixture.owner.execute(sqlx::raw_sql(sql.clone())).await?;
    let after = rows().await?;
    assert_eq!(after, before);
    for (id, address, key, _) in &after {
        assert_eq!(Some(address), firsts.get(key), "{id}");
    }
    fixture.finish().await?;
    Ok(())
}
