//! Each page over HTTP: what it shows, how it pages, what it refuses, its headers.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use http::{Method, StatusCode, header};
use scraper::Selector;
use testkit::TestResult;

use crate::{
    accessibility::accessibility_faults,
    data::{self, CITIZEN_NUMBER, HOSTILE, KNOWN, UNKNOWN},
    fixture::{WebFixture, percent_encoded},
};

fn record_of(item: &str) -> String {
    let record = data::records()
        .into_iter()
        .find(|r| r.item_code == item && r.organisation_code == KNOWN);
    format!("/record/{}", record.unwrap().record_id)
}

/// Every kind of page, error pages among them.
fn all_pages() -> Vec<(String, u16)> {
    [
        ("/", 200),
        ("/search", 200),
        ("/search?q=橘洲", 200),
        ("/search?q=不存在的名字", 200),
        ("/search?q=湘", 400),
        ("/search?q=有限公司", 400),
        ("/search?q=430102199003071234", 400),
        ("/search?q=91430100MA4Q5W142P", 400),
        ("/search?q=公司&page=junk", 400),
        ("/subject/91430100MA4Q5W141P", 200),
        ("/subject/91430100MA4Q5W141P?item=xzcf", 200),
        ("/subject/914403001922038216", 404),
        ("/subject/12345", 404),
        ("/subject/%FF%FE", 404),
        ("/licences", 200),
        ("/penalties?subject=橘洲&from=2025-01-01&to=2026-12-31", 200),
        ("/penalties?from=2026-02-30&to=x&subject=湘&number=", 400),
        ("/penalties?from=1901-01-01", 400),
        ("/penalties?subject=不存在的名字", 200),
        ("/record/0197c5a4-7f54-7c3e-8f21-0d6a4b1c2d3e", 404),
        ("/record/xyz", 404),
        ("/record/0197c5a47f547c3e8f210d6a4b1c2d3e", 404),
        ("/catalogue", 200),
        ("/catalogue/xzcf", 200),
        ("/catalogue?catalogue=department&class=favourable", 200),
        ("/catalogue?catalogue=district", 200),
        ("/catalogue?class=x&organ=y&district=z&catalogue=w", 400),
        ("/catalogue/xzcf/1", 200),
        ("/catalogue/xzxk", 200),
        ("/catalogue/wlry", 200),
        ("/catalogue/ylzc", 200),
        ("/catalogue/lists", 200),
        ("/catalogue/lists/penalty-kind", 200),
        ("/catalogue/lists/penalty-kind/1", 200),
        ("/catalogue/lists/penalty-kind/9", 404),
        ("/catalogue/lists/nothing", 404),
        ("/catalogue/nothing", 404),
        ("/catalogue/XZCF", 404),
        ("/catalogue/%E4%B8%AD", 404),
        ("/catalogue/xzcf/9", 404),
        ("/catalogue/xzcf/9/schema.json", 404),
        ("/catalogue/xzcf/1/template.exe", 404),
        ("/about", 200),
        ("/nowhere", 404),
        ("/static/site.css", 404),
    ]
    .into_iter()
    .map(|(path, status)| (path.to_owned(), status))
    .chain([
        (record_of("xzxk"), 200),
        (record_of("xzcf"), 200),
        (format!("/record/{}", data::revocation().record_id), 200),
    ])
    .map(|(path, status)| (percent_encoded(&path), status))
    .collect()
}

#[tokio::test]
async fn every_page_is_accessible_and_guarded() -> TestResult {
    let fixture = WebFixture::start().await?;
    for (path, status) in all_pages() {
        let answer = fixture.get(&path).await?;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(
            accessibility_faults(&answer.body),
            Vec::<String>::new(),
            "{path}"
        );
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.starts_with("default-src 'self'; script-src 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(
            answer.header(header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{path}"
        );
        assert_eq!(
            answer.header(header::REFERRER_POLICY),
            "same-origin",
            "{path}"
        );
        assert_eq!(answer.header(header::X_FRAME_OPTIONS), "DENY", "{path}");
        assert_eq!(
            answer.header(header::CACHE_CONTROL),
            "private, no-cache",
            "{path}"
        );
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "text/html; charset=utf-8",
            "{path}"
        );
        assert!(answer.headers.get(header::SET_COOKIE).is_none(), "{path}");
        // whatever a service leaks, no citizen number is on a page.
        assert!(!answer.body.contains(CITIZEN_NUMBER), "{path}");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn home_tells_totals_and_the_latest() -> TestResult {
    let fixture = WebFixture::start().await?;
    let home = fixture.get("/").await?;
    assert!(home.body.contains(">140<") && home.body.contains(">53<"));
    assert_eq!(home.links("ul.latest .latest-line a").len(), 10);
    assert!(
        home.body.contains("2026-04-01 09:30"),
        "time of reading, from the clock"
    );
    assert!(home.header("x-robots-tag").is_empty());
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_subject_shows_its_records_by_item() -> TestResult {
    let fixture = WebFixture::start_with(|config| config.page_size = 100).await?;
    let page = fixture.get(&format!("/subject/{KNOWN}")).await?;
    for text in [
        "长沙橘洲云帆科技有限公司",
        KNOWN,
        "异议处理中",
        "公示至",
        "有效期至",
        "长期",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
    let tree = page.tree();
    let heads: Vec<String> = tree
        .select(&Selector::parse("section h2").unwrap())
        .map(|h2| h2.text().collect())
        .collect();
    assert_eq!(
        heads,
        ["行政处罚", "行政许可", "近期撤回公示的信息"],
        "adverse records first, what was revoked after all records"
    );
    let tab = fixture.get(&format!("/subject/{KNOWN}?item=xzcf")).await?;
    let heads = tab
        .tree()
        .select(&Selector::parse("section h2").unwrap())
        .count();
    assert_eq!(heads, 2, "its records, and what was revoked of it");
    assert_eq!(fixture.disclosure.last_list_request().subject, KNOWN);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_subjects_pages_stay_in_their_tab() -> TestResult {
    let fixture = WebFixture::start().await?;
    for tab in ["", "?item=xzxk"] {
        let mut path = format!("/subject/{KNOWN}{tab}");
        let mut seen = Vec::new();
        loop {
            let answer = fixture.get(&path).await?;
            seen.extend(answer.links("td.lead a"));
            match answer.links(".pager a[rel=next]").pop() {
                Some(next) => path = next,
                None => break,
            }
        }
        let expected = data::records()
            .iter()
            .filter(|r| r.organisation_code == KNOWN && (tab.is_empty() || r.item_code == "xzxk"))
            .count();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), expected, "{tab}");
        assert_eq!(path.contains("item=xzxk"), !tab.is_empty());
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn nothing_disclosed_is_told_apart_from_a_wrong_code() -> TestResult {
    let fixture = WebFixture::start().await?;
    let none = fixture.get(&format!("/subject/{UNKNOWN}")).await?;
    assert!(none.body.contains("没有该主体的公示信息"));
    let wrong = fixture.get("/subject/91430100MA4Q5W142P").await?;
    assert!(wrong.body.contains("统一社会信用代码不正确"));
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_record_shows_all_its_published_fields() -> TestResult {
    let fixture = WebFixture::start().await?;
    let path = record_of("xzcf");
    let answer = fixture.get(&path).await?;
    let record = data::records()
        .into_iter()
        .find(|r| path.ends_with(&r.record_id))
        .unwrap();
    let tree = answer.tree();
    let rows: Vec<(String, String)> = tree
        .select(&Selector::parse("table.sheet tbody tr").unwrap())
        .map(|row| {
            let cell = |name: &str| {
                let selector = Selector::parse(name).unwrap();
                row.select(&selector)
                    .map(|c| c.text().collect::<String>())
                    .collect::<String>()
            };
            (cell("th"), cell("td"))
        })
        .collect();
    assert_eq!(rows.len(), record.fields.len());
    for (field, (name, value)) in record.fields.iter().zip(&rows) {
        assert_eq!(&field.name, name);
        if field.value.contains(CITIZEN_NUMBER) {
            assert!(
                value.contains("<b>加粗</b>") && value.contains('*'),
                "masked, else as it is"
            );
        } else {
            assert_eq!(&field.value, value);
        }
    }
    for text in [
        &record.disclosed_until,
        &record.organisation_name,
        "异议处理中。",
    ] {
        assert!(answer.body.contains(text), "{text}");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn d24_art48_a_revoked_record_shows_why_and_stands_in_no_list() -> TestResult {
    let fixture = WebFixture::start_with(|config| config.page_size = 100).await?;
    let notice = data::revocation();
    let address = format!("/record/{}", notice.record_id);
    let page = fixture.get(&address).await?;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.header("x-robots-tag"), "noindex, noarchive");
    let text: String = page.tree().root_element().text().collect();
    for expected in [
        "已撤回，不再公示",
        "原处罚决定经行政复议撤销。<b>申请人</b>",
        notice.document_number.as_str(),
        &notice.organisation_name,
        &notice.provider_name,
        &notice.revoked_on,
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    assert!(page.body.contains("/catalogue/xzcf") && !page.body.contains("table"));

    // The page of its organisation shows it apart from the records, on the first page of the fitting tabs.
    for (tab, shown) in [("", true), ("?item=xzcf", true), ("?item=xzxk", false)] {
        let page = fixture.get(&format!("/subject/{KNOWN}{tab}")).await?;
        assert!(!page.links("td.lead a").contains(&address), "no record");
        let links = page.links("ul.revoked a");
        assert_eq!(links.contains(&address), shown, "{tab}");
    }
    for list in ["/", "/penalties", "/search?q=橘洲"] {
        let page = fixture.get(&percent_encoded(list)).await?;
        assert!(!page.body.contains(&notice.record_id), "{list}");
        assert!(!page.body.contains(&notice.document_number), "{list}");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_hostile_name_is_text_everywhere() -> TestResult {
    let fixture = WebFixture::start_with(|config| config.page_size = 100).await?;
    let (code, _) = data::organisations()
        .into_iter()
        .find(|(_, name)| name == HOSTILE)
        .unwrap();
    let record = data::records()
        .into_iter()
        .find(|r| r.organisation_code == code)
        .unwrap();
    let pages = [
        "/search?q=湘江".to_owned(),
        "/search?q=<script>alert('x')</script>".to_owned(),
        format!("/subject/{code}"),
        "/licences".to_owned(),
        "/penalties?subject=\"><script>alert(1)</script>&number='\"><img src=x onerror=y>"
            .to_owned(),
        format!("/record/{}", record.record_id),
    ];
    for path in pages {
        let path = percent_encoded(&path)
            .replace('<', "%3C")
            .replace('>', "%3E")
            .replace('"', "%22")
            .replace(' ', "+");
        let answer = fixture.get(&path).await?;
        assert!(
            !answer.body.contains("<script") && !answer.body.contains("<img"),
            "{path}"
        );
        assert_eq!(
            accessibility_faults(&answer.body),
            Vec::<String>::new(),
            "{path}"
        );
    }
    let subject = fixture.get(&format!("/subject/{code}")).await?;
    let tree = subject.tree();
    let h1 = tree
        .select(&Selector::parse("h1").unwrap())
        .next()
        .context("h1")?;
    assert_eq!(h1.text().collect::<String>(), HOSTILE);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn about_tells_that_persons_never_appear_and_how_to_object() -> TestResult {
    let fixture = WebFixture::start().await?;
    let about = fixture.get("/about").await?;
    //
    for text in [
        "自然人的信用信息不在本站公开",
        "3 年",
        "3 个工作日内",
        "7 个工作日内",
    ] {
        assert!(about.body.contains(text), "{text}");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn search_engines_are_kept_from_records() -> TestResult {
    let fixture = WebFixture::start().await?;
    let robots = fixture.get("/robots.txt").await?;
    assert!(
        robots
            .header(header::CONTENT_TYPE)
            .starts_with("text/plain")
    );
    for path in [
        "/search",
        "/subject/",
        "/record/",
        "/licences",
        "/penalties",
    ] {
        assert!(
            robots.body.contains(&format!("Disallow: {path}\n")),
            "{path}"
        );
    }
    let record = fixture.get(&record_of("xzcf")).await?;
    assert_eq!(record.header("x-robots-tag"), "noindex, noarchive");
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_ever_under_its_digest() -> TestResult {
    let fixture = WebFixture::start().await?;
    let home = fixture.get("/").await?;
    for selector in ["link[rel=stylesheet]", "link[rel=icon]"] {
        let path = home.links(selector).pop().context("a link")?;
        let asset = fixture.get(&path).await?;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        assert!(asset.header(header::CACHE_CONTROL).contains("immutable"));
        assert_eq!(asset.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_site_is_read_only() -> TestResult {
    let fixture = WebFixture::start().await?;
    let posted = fixture.send(Method::POST, "/search").await?;
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(accessibility_faults(&posted.body), Vec::<String>::new());
    let head = fixture.send(Method::HEAD, "/about").await?;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn answers_are_counted_by_route_and_never_by_what_was_asked() -> TestResult {
    let fixture = WebFixture::start().await?;
    fixture.get(&percent_encoded("/search?q=橘洲")).await?;
    fixture.get(&format!("/subject/{KNOWN}")).await?;
    let metrics = fixture.telemetry.metrics_text();
    assert!(
        metrics.contains("credit_web_answers_total{route=\"/subject/{code}\",status=\"200\"} 1"),
        "{metrics}"
    );
    assert!(!metrics.contains("橘洲") && !metrics.contains(KNOWN));
    fixture.stop().await?;
    Ok(())
}

/// Captures the log.
#[derive(Clone, Default)]
struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_visitor_types_is_not_logged() -> TestResult {
    let log = CapturedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // The test's runtime has one thread, so the subscriber of this thread sees site and services.
    let guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);
    let mut fixture = WebFixture::start().await?;
    let paths = [
        "/search?q=秘密的名字".to_owned(),
        format!("/search?q={CITIZEN_NUMBER}"),
        "/licences?subject=秘密的名字&number=秘密的文号".to_owned(),
        format!("/subject/{KNOWN}"),
    ];
    for path in &paths {
        fixture.get(&percent_encoded(path)).await?;
    }
    fixture
        .disclosure_server
        .take()
        .context("disclosure")?
        .stop()
        .await?;
    for path in &paths {
        fixture.get(&percent_encoded(path)).await?;
    }
    fixture.stop().await?;
    drop(guard);
    let logged = String::from_utf8(log.0.lock().unwrap().clone())?;
    assert!(
        logged.contains("answered") && logged.contains("a service is away"),
        "{logged}"
    );
    for secret in ["秘密", &percent_encoded("秘密"), CITIZEN_NUMBER, KNOWN] {
        assert!(!logged.contains(secret), "{secret} stands in the log");
    }
    Ok(())
}
