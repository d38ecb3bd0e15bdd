//! `creditctl feedback list` and `watch`: pages, changes, breaks, cursors.

use proto::credit::common::v1::RecordVersion;
use proto::credit::validation::v1::{
    CaseChange, CaseKind, CaseState, FeedbackCase, Finding, Severity, WatchFeedbackResponse,
};

use crate::fake_platform::FakePlatform;
use crate::support::{CreditctlFolder, run_on_thread, run_until, text};

fn case(number: u64, state: CaseState) -> FeedbackCase {
    FeedbackCase {
        case_id: format!("case-{number}"),
        version: Some(RecordVersion {
            record_id: uuid::Uuid::from_u128(u128::from(number))
                .as_bytes()
                .to_vec()
                .into(),
            item_code: "xzcf".to_owned(),
            item_version: 3,
            ..RecordVersion::default()
        }),
        ledger_number: number,
        record_key: format!("key-{number}"),
        state: state.into(),
        kind: CaseKind::Returned.into(),
        due_on: "2026-07-08".to_owned(),
        overdue: number == 1,
        findings: vec![Finding {
            code: "USCC_CHECK".to_owned(),
            severity: Severity::Error.into(),
            field: "CF_XDR_SHXYM".to_owned(),
            message: "校验位不符".to_owned(),
            suggestion: "91430100MA4Q5W141P".to_owned(),
            ..Finding::default()
        }],
        ..FeedbackCase::default()
    }
}

fn change(number: u64, change: CaseChange) -> WatchFeedbackResponse {
    WatchFeedbackResponse {
        case: Some(case(number, CaseState::Open)),
        change: change.into(),
        changed_at: Some(prost_types::Timestamp {
            seconds: 1_782_864_000,
            nanos: 0,
        }),
        cursor: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_all_pages_are_listed_and_what_is_open_is_1() {
    let fake = FakePlatform::start("11430100006123458R").await;
    fake.inner().cases = (1..=5)
        .map(|number| {
            let state = if number > 3 {
                CaseState::ClosedByRereport
            } else {
                CaseState::Open
            };
            case(number, state)
        })
        .collect();
    let list = ["feedback", "list", "--endpoint", &*fake.address];
    let said = run_on_thread(&[&list[..], &["--json"]].concat()).await;
    assert_eq!(said.code, 1, "{said:?}");
    let objects = said.objects();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0]["type"], "case");
    assert_eq!(objects[0]["kind"], "returned");
    assert_eq!(
        objects[2]["record_id"],
        uuid::Uuid::from_u128(3).to_string()
    );
    let all = run_on_thread(&[&list[..], &["--json", "--all"]].concat()).await;
    assert_eq!(all.objects().len(), 5);
    let some = run_on_thread(&[&list[..], &["--json", "--limit=2"]].concat()).await;
    assert_eq!(some.objects().len(), 2);
    let read = run_on_thread(&list).await;
    assert!(
        read.out.contains("逾期未改正") && read.out.contains("期限 2026-07-08"),
        "{}",
        read.out
    );
    assert!(
        read.out.contains("建议：91430100MA4Q5W141P"),
        "{}",
        read.out
    );
    fake.inner().cases.clear();
    let none = run_on_thread(&list).await;
    assert_eq!((none.code, none.out.as_str()), (0, "没有待处理的反馈\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_goes_on_behind_the_last_change_whatever_breaks() {
    let fake = FakePlatform::start("11430100006123458R").await;
    fake.append_change(change(1, CaseChange::Opened));
    fake.append_change(change(2, CaseChange::Opened));
    fake.append_change(change(1, CaseChange::Overdue));
    fake.change_behaviour(|mood| mood.breaks = [1, 0].into());
    let folder = CreditctlFolder::new();
    let cursor = text(&folder.path("cursor"));
    let watch = [
        "feedback",
        "watch",
        "--endpoint",
        &*fake.address,
        "--json",
        "--cursor-file",
        &*cursor,
    ];
    // The cursor is stored after printing.
    let at = |place: &str| std::fs::read_to_string(&cursor).is_ok_and(|kept| kept == place);
    let said = run_until(&folder, &watch, |_| at("3")).await;
    let changes: Vec<String> = (said.objects().iter())
        .map(|o| {
            format!(
                "{} {}",
                o["change"].as_str().unwrap(),
                o["case"]["ledger_number"]
            )
        })
        .collect();
    assert_eq!(changes, ["opened 1", "opened 2", "overdue 1"]);
    assert!(said.err.contains("正在重试"), "{}", said.err);
    // The next call begins behind them.
    fake.append_change(change(2, CaseChange::Closed));
    let said = run_until(&folder, &watch, |_| at("4")).await;
    assert_eq!(said.objects().len(), 1, "{said:?}");
    assert_eq!(said.objects()[0]["cursor"], "4");
    // Nothing comes any more: it ends by itself as requested.
    let said = run_on_thread(&[&watch[..], &["--idle=1"]].concat()).await;
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
    let from = [
        "feedback",
        "watch",
        "--endpoint",
        &*fake.address,
        "--cursor=2",
        "--lang=en",
    ];
    let said = run_until(&folder, &from, |out| {
        out.contains("overdue") && out.contains("closed") && out.matches("case-").count() == 2
    })
    .await;
    assert!(
        !said.out.contains(
            "case-2 returned, open: xzcf key-2 (ledger number 2), due 2026-07-08\ncase-1"
        )
    );
}
