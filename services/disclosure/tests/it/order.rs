//! Order and repetition of deliveries do not matter: the tables, and what the views of revocations read from them, are a
//! function of the set of versions, those that end their record (D-24) among them.

use std::sync::Arc;

use anyhow::Result;
use disclosure::handlers::RecordHandler;
use event_bus::{BatchHandler, Delivery};
use proptest::{prelude::*, test_runner::TestRunner};
use prost::{Message, Name};
use proto::credit::common::v1::Operation;
use service_kit::db::Conn;
use testkit::{TestResult, choose_extent, print_figures};
use time::macros::datetime;
use tokio::runtime::Handle;
use uuid::Uuid;
use vault::Keyring;

use crate::fixture::*;

/// An event of validation as it is on the bus.
#[derive(Clone)]
struct EncodedEvent {
    event_type: String,
    payload: bytes::Bytes,
}

fn announced<M: Message + Name>(event: &M) -> EncodedEvent {
    EncodedEvent {
        event_type: M::full_name(),
        payload: event.encode_to_vec().into(),
    }
}

/// Versions of eight records; one changes its organisation and its deadline, one its kind of subject twice. One is
/// revoked, one reported again after that, one withdrawn and then revoked, one of a person revoked.
fn versions(keyring: &Keyring) -> Vec<EncodedEvent> {
    let day = "2026-03-02";
    [
        penalty_record(1, HOSPITAL, "长沙市第一医院", day),
        penalty_record(1, SOCIETY, "某某协会", day)
            .revision(2)
            .until("2027-03-02"),
        penalty_record(1, SOCIETY, "某某协会（新名）", day)
            .revision(3)
            .until("2027-09-02"),
        penalty_record(2, HOSPITAL, "长沙市第一医院", day),
        person_penalty(2, day).revision(2),
        penalty_record(2, HOSPITAL, "长沙市第一医院", day).revision(3),
        person_penalty(3, day).until("2027-03-02"),
        person_penalty(3, "2026-03-03").revision(2),
        licence_record(4, STALL, "老王粉店", day).about(DisclosureTestSubject::Individual(
            STALL.into(),
            "老王粉店".into(),
        )),
        penalty_record(5, HOSPITAL, "长沙市第一医院", day),
        penalty_record(6, SOCIETY, "某某协会", day),
        penalty_record(6, SOCIETY, "某某协会", day).revision(3),
        penalty_record(7, SOCIETY, "某某协会", day),
        penalty_record(7, SOCIETY, "某某协会（新名）", day).revision(2),
        person_penalty(8, day),
    ]
    .iter()
    .map(|record| announced(&record.accepted_event(keyring)))
    .chain(
        [
            (5, 2, Operation::Revoke),
            (6, 2, Operation::Revoke),
            (7, 3, Operation::Withdraw),
            (7, 4, Operation::Revoke),
            (8, 2, Operation::Revoke),
        ]
        .map(|(key, revision, operation)| {
            let ending = penalty_record(key, "", "", day).revision(revision);
            announced(&ending.revoked_event(keyring, operation, "原处罚决定经行政复议撤销"))
        }),
    )
    .collect()
}

fn delivery(event: &EncodedEvent) -> Delivery {
    Delivery {
        event_id: Uuid::new_v4(),
        event_type: event.event_type.clone(),
        occurred_at: datetime!(2026-11-20 10:00 +8),
        traceparent: String::new(),
        payload: event.payload.clone(),
    }
}

/// All rows of the service's tables and views as text.
async fn tables(conn: &mut Conn) -> Result<Vec<String>> {
    let rows = sqlx::query_scalar(
        "SELECT 'o ' || t::text FROM organisation_version t UNION ALL SELECT 'p ' || t::text FROM person_version t \
         UNION ALL SELECT 'h ' || t::text FROM record_head t UNION ALL SELECT 'n ' || t::text FROM organisation_name t \
         UNION ALL SELECT 'r ' || t::text FROM revocation t \
         UNION ALL SELECT 'v ' || t::text FROM organisation_revocation t \
         UNION ALL SELECT 'v ' || t::text FROM person_revocation t ORDER BY 1",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_permutation_and_repetition_of_deliveries_gives_the_same_tables() -> TestResult {
    let bed = start_bed().await?;
    let pool = service_kit::db::connect_lazy(&bed.database_url, disclosure::SCHEMA, 2)?;
    let handler = RecordHandler::new(bed.context.clone());
    let versions = versions(&bed.context.keyring);
    let deliver = async |order: &[usize], cuts: &[usize]| -> Result<Vec<String>> {
        let mut tx = pool.begin().await?;
        let (mut rest, mut cuts) = (order, cuts.iter().cycle());
        while !rest.is_empty() {
            let (batch, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            let batch: Vec<Delivery> = batch.iter().map(|i| delivery(&versions[*i])).collect();
            let poison = handler.handle(&mut tx, &batch).await?;
            anyhow::ensure!(poison.is_empty(), "{poison:?}");
            rest = later;
        }
        let state = tables(&mut tx).await?;
        tx.rollback().await?;
        Ok(state)
    };
    let in_order: Vec<usize> = (0..versions.len()).collect();
    let expected = deliver(&in_order, &[1]).await?;
    let stored = |letter: &[char]| {
        expected
            .iter()
            .filter(|row| row.starts_with(letter))
            .count()
    };
    assert_eq!(
        stored(&['o', 'p', 'r']),
        versions.len(),
        "stored once each: {expected:#?}"
    );
    let current = expected
        .iter()
        .filter(|row| row.starts_with(['o', 'p']) && row.contains(",t,"))
        .count();
    assert_eq!(
        current, 5,
        "one current version a record that has not ended: {expected:#?}"
    );
    assert_eq!(
        stored(&['v']),
        3,
        "records 5, 7 and 8 are revoked: {expected:#?}"
    );

    let shuffled = prop::collection::vec(0..versions.len(), 0..8)
        .prop_map(move |again| [in_order.clone(), again].concat())
        .prop_shuffle();
    let cases = (shuffled, prop::collection::vec(1_usize..8, 1..4));
    let orders = choose_extent(60, 1_000);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: orders,
        failure_persistence: None,
        ..Default::default()
    });
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&cases, |(order, cuts)| {
            let state = Handle::current()
                .block_on(deliver(&order, &cuts))
                .map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
            prop_assert_eq!(&state, &expected);
            Ok(())
        })
    });
    outcome?;
    print_figures(&format!("{orders} orders of {} deliveries", versions.len()));
    bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_the_service_that_store_at_once_agree() -> TestResult {
    let bed = start_bed().await?;
    let pool = service_kit::db::connect_lazy(&bed.database_url, disclosure::SCHEMA, 8)?;
    let handler = Arc::new(RecordHandler::new(bed.context.clone()));
    let keyring = &bed.context.keyring;
    // Forty revisions of ten records, dealt out so that four writers meet on every record.
    let ends = |revision: u64, key: u32| (revision + u64::from(key)).is_multiple_of(7);
    let events: Vec<EncodedEvent> = (1..=40_u64)
        .flat_map(|revision| {
            (0..10).map(move |key| {
                let record =
                    penalty_record(key, &credit_code(key), "湖南测试有限公司", "2026-03-02")
                        .revision(revision);
                if ends(revision, key) {
                    announced(&record.revoked_event(keyring, Operation::Revoke, "决定已撤销"))
                } else if (revision + u64::from(key)).is_multiple_of(3) {
                    let person = record.about(DisclosureTestSubject::Person(CITIZEN.to_owned()));
                    announced(&person.accepted_event(keyring))
                } else {
                    announced(&record.accepted_event(keyring))
                }
            })
        })
        .collect();
    let revocations = (1..=40)
        .flat_map(|revision| (0..10).filter(move |key| ends(revision, *key)))
        .count() as i64;
    let ended = (0..10).filter(|key| ends(40, *key)).count() as i64;
    assert!(revocations > 50 && ended > 0, "{revocations} {ended}");
    let mut writers = Vec::new();
    for writer in 0..4_usize {
        let (pool, handler) = (pool.clone(), Arc::clone(&handler));
        let mut mine: Vec<Delivery> = events
            .iter()
            .skip(writer)
            .step_by(2)
            .map(delivery)
            .collect();
        if writer.is_multiple_of(2) {
            mine.reverse();
        }
        writers.push(tokio::spawn(async move {
            for batch in mine.chunks(7) {
                let mut tx = pool.begin().await?;
                handler.handle(&mut tx, batch).await?;
                tx.commit().await?;
            }
            Ok::<_, anyhow::Error>(())
        }));
    }
    for writer in writers {
        writer.await??;
    }
    let heads: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT h.revision, (SELECT count(*) FROM organisation_version v WHERE v.current AND v.record_id = h.record_id) \
         + (SELECT count(*) FROM person_version v WHERE v.current AND v.record_id = h.record_id) \
         + (SELECT count(*) FROM revocation r WHERE r.record_id = h.record_id) FROM record_head h",
    )
    .fetch_all(&pool)
    .await?;
    assert_eq!(
        heads,
        vec![(40, 1); 10],
        "the head of each record, and only it, is current or ends it"
    );
    let (stored, current): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE current) FROM \
         (SELECT current FROM organisation_version UNION ALL SELECT current FROM person_version) v",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!((stored, current), (400 - revocations, 10 - ended));
    bed.finish().await?;
    Ok(())
}
