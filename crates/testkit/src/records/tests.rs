//! Every record must get exactly the verdict that the generator promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use credit_record::{
    CheckContext, CompiledItem, ContentForm, CreditCode, FindingCode, NoCalendar, Severity,
    SubjectKind, Verdict, WorkingDays, check_record, check_record_as, compiled_standard_items,
};
use time::{Date, Duration, Month};

use super::content::{OLDEST_DAYS, years_on};
use super::{FictionalLevel, Generator};

mod texts;

fn today() -> Date {
    Date::from_calendar_date(2026, Month::July, 1).unwrap()
}

fn item<'a>(items: &'a [CompiledItem], code: &str, version: u32) -> &'a CompiledItem {
    let is = |item: &&CompiledItem| item.item().code == code && item.item().version == version;
    items.iter().find(is).unwrap()
}

#[test]
fn records_are_written_by_the_version_in_force() {
    let items = compiled_standard_items().unwrap();
    for record in Generator::new(2, today()).records(100) {
        let versions = items.iter().map(CompiledItem::item);
        let newest = versions
            .filter(|item| item.code == record.item_code)
            .map(|item| item.version)
            .max();
        assert_eq!(Some(record.item_version), newest, "{}", record.item_code);
    }
}

#[test]
fn every_verdict_is_the_promised_one() {
    let items = compiled_standard_items().unwrap();
    // Most of these records are older than the deadline of reporting, which is another test's matter.
    let working_days: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
    let mut planted_codes = BTreeSet::new();
    let mut deadlines = 0;
    for seed in [0, 1, 7, 42, u64::MAX] {
        for record in Generator::new(seed, today()).records(3_000) {
            let ctx = CheckContext {
                received_on: today(),
                provider_code: &record.provider_code,
                working_days: &working_days,
                attestations: &[],
            };
            let item = item(&items, &record.item_code, record.item_version);
            let verdict = check_record(item, &record.content, &ctx);
            let content = String::from_utf8_lossy(&record.content).into_owned();
            match (record.planted, verdict) {
                (None, Verdict::Accepted(accepted)) => {
                    assert_eq!(accepted.subject.kind, record.subject_kind);
                    assert_eq!(accepted.subject.name, record.subject_name, "{content}");
                    let code = accepted.subject.credit_code.map(|c| c.to_string());
                    assert_eq!(code, record.subject_code);
                    let document = accepted.subject.person_document.as_ref();
                    let document = document.map(|d| (d.kind().to_owned(), d.number().to_owned()));
                    assert_eq!(document, record.subject_document);
                    assert_eq!(
                        accepted.changes.is_empty(),
                        !record.harmless_dirt,
                        "{content}"
                    );
                    let warned: Vec<_> = accepted.warnings.iter().map(|w| w.code).collect();
                    // A deadline that has passed would make `expected_public` a lie.
                    assert!(
                        accepted.publicity_until.is_none_or(|day| day > today()),
                        "{content}"
                    );
                    deadlines += usize::from(accepted.publicity_until.is_some());
                    let harmless = [FindingCode::ExpiryPassed];
                    assert!(
                        warned.iter().all(|w| harmless.contains(w)),
                        "{warned:?} {content}"
                    );
                }
                (Some(code), Verdict::Returned(findings)) => {
                    let errors: BTreeSet<_> = findings
                        .iter()
                        .filter(|f| f.severity == Severity::Error)
                        .map(|f| f.code)
                        .collect();
                    assert_eq!(errors, BTreeSet::from([code]), "{content}");
                    planted_codes.insert(code);
                }
                (planted, verdict) => panic!("{planted:?}, but {verdict:?}: {content}"),
            }
            let person = record.subject_kind == SubjectKind::NaturalPerson;
            assert_eq!(record.expected_public, record.planted.is_none() && !person);
        }
    }
    assert!(
        planted_codes.len() >= 32,
        "many kinds of dirt: {planted_codes:?}"
    );
    assert!(deadlines > 2_000, "many have a deadline: {deadlines}");
}

#[test]
fn a_record_says_the_same_as_json_and_as_csv() {
    let items = compiled_standard_items().unwrap();
    let working_days: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
    let (mut alike, mut other) = (0, BTreeSet::new());
    for record in Generator::new(11, today()).records(4_000) {
        let ctx = CheckContext {
            received_on: today(),
            provider_code: &record.provider_code,
            working_days: &working_days,
            attestations: &[],
        };
        let compiled = item(&items, &record.item_code, record.item_version);
        let Some(row) = record.csv() else {
            other.insert(record.planted.unwrap());
            continue;
        };
        let said = |form, content: &[u8]| check_record_as(form, compiled, content, &ctx);
        assert_eq!(
            said(ContentForm::CsvRow, &row),
            said(ContentForm::Json, &record.content),
            "{}",
            String::from_utf8_lossy(&row)
        );
        alike += 1;
    }
    assert!(alike > 3_950, "{alike}");
    // Faults of JSON itself have no counterpart in CSV.
    let forms = [
        FindingCode::FormNotUtf8,
        FindingCode::FormNotJson,
        FindingCode::FormNotObject,
        FindingCode::ValueType,
    ];
    assert_eq!(other, BTreeSet::from(forms));
}

#[test]
fn d9_no_deadline_of_publicity_has_passed_on_any_day() {
    let mut today = Date::from_calendar_date(2023, Month::January, 1).unwrap();
    // Through a leap year: 29 February as the day of decision, of the generator and of the deadline.
    while today.year() < 2030 {
        let oldest = today - Duration::days(OLDEST_DAYS - 1);
        assert!(years_on(oldest, 1) > today, "{today}");
        today += Duration::DAY;
    }
}

#[test]
fn shares_are_as_planned() {
    let n = 10_000;
    let (mut licences, mut persons, mut shops, mut planted, mut soiled) = (0, 0, 0, 0, 0);
    let mut subjects: BTreeMap<String, u32> = BTreeMap::new();
    let mut providers = BTreeSet::new();
    for record in Generator::new(3, today()).records(n) {
        licences += u32::from(record.item_code == "xzxk");
        persons += u32::from(record.subject_kind == SubjectKind::NaturalPerson);
        shops += u32::from(record.subject_kind == SubjectKind::IndividualBusiness);
        planted += u32::from(record.planted.is_some());
        soiled += u32::from(record.harmless_dirt);
        *subjects.entry(record.subject_name).or_default() += 1;
        providers.insert(record.provider_code);
    }
    assert!((5_300..5_700).contains(&licences), "{licences}");
    assert!((1_200..1_800).contains(&persons), "{persons}");
    assert!((1_000..1_900).contains(&shops), "{shops}");
    assert!((420..580).contains(&planted), "{planted}");
    assert!((800..1_100).contains(&soiled), "{soiled}");
    assert_eq!(providers.len(), 12);
    let most = subjects.values().max().unwrap();
    assert!(*most >= 50, "a large subject has many records: {most}");
    assert!(
        subjects.len() < n / 2,
        "subjects repeat: {}",
        subjects.len()
    );
}

#[test]
fn another_share_of_bad_records_leaves_the_good_ones_as_they_are() {
    let n = 2_000;
    let usual: Vec<_> = Generator::new(3, today()).records(n).collect();
    let clean = Generator::new(3, today()).with_planted_percent(0);
    for (usual, clean) in usual.iter().zip(clean.records(n)) {
        assert_eq!(clean.planted, None);
        assert_eq!(usual.submission_id, clean.submission_id);
        if usual.planted.is_none() {
            assert_eq!(usual.content, clean.content);
        }
    }
    let bad = Generator::new(3, today()).with_planted_percent(100);
    assert!(bad.records(n).all(|record| record.planted.is_some()));
    let half = Generator::new(3, today()).with_planted_percent(50);
    let planted = half.records(n).filter(|r| r.planted.is_some()).count();
    assert!((850..1_150).contains(&planted), "{planted}");
}

#[test]
fn keys_and_submissions_are_unique() {
    let mut keys = BTreeSet::new();
    let mut submissions = BTreeSet::new();
    for record in Generator::new(5, today()).records(5_000) {
        let key = (record.provider_code, record.item_code, record.record_key);
        assert!(keys.insert(key.clone()), "{key:?}");
        assert!(submissions.insert(record.submission_id));
    }
}

#[test]
fn the_same_seed_makes_the_same_records() {
    let text = |seed, n| -> Vec<_> {
        let generator = Generator::new(seed, today());
        generator
            .records(n)
            .map(|r| (r.submission_id, r.record_key, r.content))
            .collect()
    };
    assert_eq!(text(9, 200), text(9, 200));
    assert_eq!(
        text(9, 200)[..50],
        text(9, 50)[..],
        "a longer run begins with the shorter one"
    );
    assert_ne!(text(9, 50), text(10, 50));
}

#[test]
fn providers_are_organs_with_right_codes() {
    let generator = Generator::new(1, today());
    let mut codes = BTreeSet::new();
    for provider in generator.providers() {
        let code = CreditCode::parse(&provider.code).unwrap();
        assert_eq!(code.category_prefix(), "11");
        assert!(codes.insert(code));
        assert_eq!(
            provider.district.is_some(),
            provider.level == FictionalLevel::District
        );
    }
    assert_eq!(codes.len(), 12);
}

#[test]
fn amounts_in_ten_thousands() {
    use super::content::ten_thousands;
    for (yuan, text) in [
        (2_000, "0.2"),
        (10_000, "1"),
        (123_456, "12.3456"),
        (60, "0.006"),
    ] {
        assert_eq!(ten_thousands(yuan), text);
    }
}
