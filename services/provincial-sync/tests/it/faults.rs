//! The province is away, fails, answers late, refuses; the process dies between push and store.

use std::collections::{BTreeMap, BTreeSet};

use proto::credit::provincialsync::v1::PushState;
use service_kit::shutdown::Shutdown;
use testkit::eventually;
use uuid::Uuid;

use crate::{
    fake_upstream::FakeBehaviour,
    fixture::{ProvincialSyncFixture, WAIT_TIMEOUT, get_push, get_statistics},
};

fn key(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

#[tokio::test]
async fn away_for_long_and_back_everything_arrives_once_and_readiness_tells() {
    let fixture = ProvincialSyncFixture::new().await;
    fixture.upstream.set_behaviour(FakeBehaviour {
        away: true,
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(300).await;
    // Long enough for pauses of five minutes, and past the lane's limit of an hour.
    eventually("many failed attempts", WAIT_TIMEOUT, async || {
        fixture.advance_when_idle(time::Duration::minutes(2)).await;
        let waiting = get_push(&client, 1).await;
        let reported = waiting.last_error.contains("Unavailable");
        (reported && waiting.attempts >= 12)
            .then_some(())
            .ok_or(waiting)
    })
    .await
    .unwrap();
    let ready = &fixture.bed.context.readiness;
    eventually("the lane complains", WAIT_TIMEOUT, async || {
        fixture.advance_when_idle(time::Duration::minutes(10)).await;
        let complaints = ready.unready_reasons();
        let reported = complaints.iter().any(|c| c.starts_with("provincial push:"));
        reported.then_some(()).ok_or(complaints)
    })
    .await
    .unwrap();
    let waiting = get_push(&client, 1).await;
    assert_eq!(waiting.state(), PushState::Due);
    let counts = get_statistics(&client).await;
    assert_eq!((counts.due, counts.acknowledged), (300, 0));
    assert!(counts.oldest_due_seconds > 3600);

    // Past the longest pause at once: second by second it would take as many polls.
    fixture.wait_until_idle().await;
    fixture.upstream.set_behaviour(FakeBehaviour::default());
    fixture.bed.clock.advance(time::Duration::minutes(5));
    fixture.wait_for_acknowledged(&client, 300).await;
    fixture.assert_announced_once(300).await;
    eventually("ready again", WAIT_TIMEOUT, async || {
        let complaints = ready.unready_reasons();
        complaints.is_empty().then_some(()).ok_or(complaints)
    })
    .await
    .unwrap();
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn once_the_province_answers_again_the_waiting_ones_do_not_sit_out_their_pauses() {
    let fixture = ProvincialSyncFixture::new().await;
    fixture.upstream.set_behaviour(FakeBehaviour {
        away: true,
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(50).await;
    eventually("long pauses", WAIT_TIMEOUT, async || {
        fixture.advance_when_idle(time::Duration::minutes(5)).await;
        get_push(&client, 1).await.attempts >= 12
    })
    .await
    .unwrap();
    // A call that failed after the recovery would wait for a clock that stands still.
    fixture.wait_until_idle().await;
    fixture.upstream.set_behaviour(FakeBehaviour::default());
    // The clock stands still now: a new version goes through, and takes the others along.
    fixture
        .bed
        .publish(&[fixture.event(&fixture.version(51, 1))])
        .await
        .unwrap();
    eventually("all of them", WAIT_TIMEOUT, async || {
        let found = get_statistics(&client).await;
        (found.acknowledged == 51).then_some(()).ok_or(found)
    })
    .await
    .unwrap();
    fixture.assert_announced_once(51).await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn failing_calls_are_tried_again_soon() {
    let fixture = ProvincialSyncFixture::new().await;
    fixture.upstream.set_behaviour(FakeBehaviour {
        failures: 3,
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(20).await;
    fixture.wait_for_acknowledged(&client, 20).await;
    fixture.assert_announced_once(20).await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn late_answers_are_given_up_and_the_retry_gets_the_same_acknowledgement() {
    let mut fixture = ProvincialSyncFixture::new().await;
    fixture.config.push_deadline_ms = 150;
    fixture.upstream.set_behaviour(FakeBehaviour {
        hold_after_storing: true,
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(40).await;
    // A call may be given up on before the province has begun with it, so further ones follow.
    eventually(
        "the province has what was given up on",
        WAIT_TIMEOUT,
        async || {
            fixture.advance_when_idle(time::Duration::seconds(1)).await;
            let error = get_push(&client, 1).await.last_error;
            let given_up = ["DeadlineExceeded", "Cancelled"]
                .iter()
                .any(|code| error.contains(code));
            let stored = fixture.upstream.stored();
            (given_up && stored == 40)
                .then_some(())
                .ok_or((error, stored))
        },
    )
    .await
    .unwrap();
    assert_eq!(get_statistics(&client).await.acknowledged, 0);
    fixture.upstream.set_behaviour(FakeBehaviour::default());
    fixture.wait_for_acknowledged(&client, 40).await;
    fixture.assert_announced_once(40).await;
    assert!(fixture.upstream.observe(|seen| seen.repeated) >= 40);
    fixture.bed.finish().await.unwrap();
}

#[test]
fn a_crash_between_push_and_store_leads_to_the_same_acknowledgement_and_no_double() {
    let survivor = tokio::runtime::Runtime::new().unwrap();
    let doomed = tokio::runtime::Runtime::new().unwrap();
    let fixture = survivor.block_on(ProvincialSyncFixture::new());
    fixture.upstream.set_behaviour(FakeBehaviour {
        hold_after_storing: true,
        ..FakeBehaviour::default()
    });
    // A process of its own: its tasks end in the middle of what they do.
    let mut context = fixture.bed.context.clone();
    context.shutdown = Shutdown::new();
    doomed.block_on(fixture.start_with(context));
    survivor.block_on(async {
        fixture.announce_versions(30).await;
        eventually("the province has them", WAIT_TIMEOUT, async || {
            fixture.upstream.stored() == 30
        })
        .await
        .unwrap();
        fixture.bed.wait_until_settled().await.unwrap();
    });
    doomed.shutdown_background();
    survivor.block_on(async {
        eventually("the calls are cut off", WAIT_TIMEOUT, async || {
            fixture.upstream.observe(|seen| seen.in_flight) == 0
        })
        .await
        .unwrap();
        fixture.upstream.set_behaviour(FakeBehaviour::default());
        let client = fixture.start().await;
        let claimed = get_push(&client, 1).await;
        assert_eq!((claimed.state(), claimed.attempts), (PushState::Due, 1));
        fixture.assert_announced_nothing().await;
        // Nobody but the clock frees the leases of the dead; all at once, so that none ends of those that follow.
        fixture.bed.clock.advance(time::Duration::minutes(1));
        fixture.wait_for_acknowledged(&client, 30).await;
        fixture.assert_announced_once(30).await;
        assert_eq!(fixture.upstream.observe(|seen| seen.repeated), 30);
        fixture.bed.finish().await.unwrap();
    });
}

#[tokio::test]
async fn refused_content_is_parked_with_sealed_words_and_the_lane_goes_on() {
    let fixture = ProvincialSyncFixture::new().await;
    // An upstream that quotes a person's number.
    let words = "证件号码 430102199003071234 不存在";
    fixture.upstream.set_behaviour(FakeBehaviour {
        refused: BTreeMap::from([(key(3), words.to_owned())]),
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(10).await;
    eventually("all but one", WAIT_TIMEOUT, async || {
        get_statistics(&client).await.acknowledged == 9
    })
    .await
    .unwrap();
    let parked = get_push(&client, 3).await;
    assert_eq!(parked.state(), PushState::Refused);
    assert_eq!(parked.last_error, words);
    let counts = get_statistics(&client).await;
    assert_eq!((counts.refused, counts.due), (1, 0));
    // Neither is it tried again, nor does the table show the number.
    fixture.bed.clock.advance(time::Duration::days(1));
    let calls = fixture.upstream.observe(|seen| seen.calls);
    fixture
        .bed
        .publish(&[fixture.event(&fixture.version(11, 1))])
        .await
        .unwrap();
    eventually("the next one", WAIT_TIMEOUT, async || {
        get_statistics(&client).await.acknowledged == 10
    })
    .await
    .unwrap();
    assert_eq!(fixture.upstream.observe(|seen| seen.calls), calls + 1);
    let pool = fixture.bed.schema_pool().await.unwrap();
    let clear: i64 = sqlx::query_scalar(
        "select count(*) from push
         where push::text like '%430102199003071234%'
            or position('430102199003071234'::bytea in coalesce(sealed_last_error, '')) > 0",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(clear, 0);
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn one_record_that_spoils_whole_calls_is_found_and_parked_alone() {
    let fixture = ProvincialSyncFixture::new().await;
    fixture.upstream.set_behaviour(FakeBehaviour {
        unreadable_keys: BTreeSet::from([key(77)]),
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(100).await;
    eventually("all but one", WAIT_TIMEOUT, async || {
        let found = get_statistics(&client).await;
        (found.acknowledged == 99 && found.refused == 1)
            .then_some(())
            .ok_or(found)
    })
    .await
    .unwrap();
    let parked = get_push(&client, 77).await;
    assert_eq!(parked.state(), PushState::Refused);
    assert!(parked.last_error.contains("unreadable"));
    fixture.assert_announced_once(99).await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn a_record_without_an_answer_is_pushed_again_by_itself() {
    let fixture = ProvincialSyncFixture::new().await;
    fixture.upstream.set_behaviour(FakeBehaviour {
        left_out: BTreeSet::from([key(5)]),
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(10).await;
    eventually("the others", WAIT_TIMEOUT, async || {
        get_statistics(&client).await.acknowledged == 9
    })
    .await
    .unwrap();
    eventually("left out twice", WAIT_TIMEOUT, async || {
        fixture.advance_when_idle(time::Duration::seconds(1)).await;
        get_push(&client, 5).await.attempts >= 2
    })
    .await
    .unwrap();
    fixture.upstream.set_behaviour(FakeBehaviour::default());
    fixture.wait_for_acknowledged(&client, 10).await;
    fixture.assert_announced_once(10).await;
    assert_eq!(fixture.upstream.observe(|seen| seen.repeated), 0);
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn content_that_no_key_opens_waits_and_content_that_is_no_record_is_parked() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    let mut foreign = fixture.version(1, 1);
    // Sealed for another record: as unreadable as a missing key.
    foreign.sealed_record = fixture.version(2, 1).sealed_record;
    let mut garbage = fixture.version(3, 1);
    let id = Uuid::from_u128(3);
    let sealed = fixture.bed.context.keyring.seal(id.as_bytes(), b"\xff\xff");
    garbage.sealed_record = sealed.into();
    let events = [fixture.event(&foreign), fixture.event(&garbage)];
    fixture.bed.publish(&events).await.unwrap();
    eventually("one waits, one is parked", WAIT_TIMEOUT, async || {
        let found = get_statistics(&client).await;
        let waiting = get_push(&client, 1).await;
        (found.refused == 1 && waiting.last_error.contains("does not open"))
            .then_some(())
            .ok_or(found)
    })
    .await
    .unwrap();
    assert_eq!(get_push(&client, 1).await.state(), PushState::Due);
    assert_eq!(get_push(&client, 3).await.state(), PushState::Refused);
    assert_eq!(fixture.upstream.observe(|seen| seen.calls), 0);
    fixture.bed.finish().await.unwrap();
}
