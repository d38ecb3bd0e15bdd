//! The pages of the catalogue, its files and the code lists over HTTP.

use anyhow::Context;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use proto::credit::catalog::v1::ExportFormat;
use scraper::Selector;
use testkit::TestResult;

use crate::{
    accessibility::accessibility_faults,
    catalogue_data::{self as data, CONTACT, HOSTILE_TEXT, RETIRED_ITEM},
    fake_catalog::exported_bytes,
    fixture::{FetchedPage, WebFixture, percent_encoded},
};

fn texts(answer: &FetchedPage, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let tree = answer.tree();
    tree.select(&selector)
        .map(|element| element.text().collect::<String>())
        .collect()
}

#[tokio::test]
async fn r6_the_list_has_every_item_in_force_under_its_catalogue() -> TestResult {
    let fixture = WebFixture::start().await?;
    let list = fixture.get("/catalogue").await?;
    let mut shown = list.links("li.item h3 a");
    let mut expected: Vec<String> = data::in_force()
        .iter()
        .map(|item| format!("/catalogue/{}", item.code))
        .collect();
    shown.sort();
    expected.sort();
    assert_eq!(shown, expected);
    assert!(!shown.contains(&format!("/catalogue/{RETIRED_ITEM}")));
    assert_eq!(
        list.links("section[aria-labelledby=of-department] h3 a"),
        ["/catalogue/wlry"]
    );
    for text in [
        "市级目录",
        "部门目录 · 长沙市文化旅游广电局",
        "第 3 版",
        "7 个工作日",
        "行政管理信息",
        "依法查询，不公示",
    ] {
        assert!(list.body.contains(text), "{text}");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn filters_narrow_the_list_and_stay_in_the_form() -> TestResult {
    let fixture = WebFixture::start().await?;
    for (query, some, none) in [
        ("catalogue=department", "wlry", "xzcf"),
        ("catalogue=city&class=adverse", "xzcf", "xzxk"),
        ("class=favourable", "ryxx", "xzcf"),
    ] {
        let shown = fixture.get(&format!("/catalogue?{query}")).await?;
        let links = shown.links("li.item h3 a");
        assert!(links.contains(&format!("/catalogue/{some}")), "{query}");
        assert!(!links.contains(&format!("/catalogue/{none}")), "{query}");
    }
    let organ = fixture
        .get(&format!("/catalogue?organ={}", data::organ()))
        .await?;
    assert_eq!(organ.links("li.item h3 a"), ["/catalogue/wlry"]);
    assert_eq!(
        texts(&organ, "#organ option[selected]"),
        ["长沙市文化旅游广电局"]
    );
    let district = fixture.get("/catalogue?district=430104").await?;
    assert!(district.body.contains("没有符合条件的事项"));
    let wrong = fixture.get("/catalogue?class=%3Cb%3E").await?;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        texts(&wrong, "#class-error"),
        ["没有这个选项，请重新选择。"]
    );
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn r6_an_item_tells_all_that_its_entry_must_say() -> TestResult {
    let fixture = WebFixture::start().await?;
    let page = fixture.get("/catalogue/xzcf").await?;
    let item = data::in_force()
        .into_iter()
        .find(|item| item.code == "xzcf")
        .context("the item")?;
    let entry = item.entry.clone().context("an entry")?;
    let all = texts(&page, "main").concat();
    for text in [
        &entry.conduct,
        &entry.source,
        &entry.channel,
        &entry.sharing,
        &entry.retention,
    ]
    .into_iter()
    .chain(&item.legal_basis)
    .chain(
        item.rules
            .iter()
            .flat_map(|r| [&r.title, &r.message, &r.check]),
    )
    .chain(item.fields.iter().flat_map(|f| [&f.name, &f.code, &f.note]))
    {
        assert!(all.contains(text.as_str()), "{text}");
    }
    assert_eq!(texts(&page, "table.fields tbody tr").len(), 30);
    assert_eq!(texts(&page, "li.rule").len(), item.rules.len());
    for text in [
        "自生效之日起 3 年（长政办发〔2017〕26号第16条）",
        "“处罚类别”含暂扣或吊销时必填",
        "数值（万元）",
        "旧值“暂扣执照”按“暂扣许可证件”处理",
        "行政处罚法第九条第五项",
        "号码只显示首尾",
        "信用陕西",
        "行政处罚决定书文号 + 处罚机关统一社会信用代码 + 信用主体",
    ] {
        assert!(all.contains(text), "{text}");
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn versions_stand_side_by_side_and_each_has_its_page() -> TestResult {
    let fixture = WebFixture::start().await?;
    let newest = fixture.get("/catalogue/xzcf").await?;
    assert_eq!(
        newest.links("table.versions th a"),
        [1, 2, 3].map(|version| format!("/catalogue/xzcf/{version}"))
    );
    assert!(!newest.body.contains("已被第"));
    assert_eq!(texts(&newest, "table.versions [aria-current]"), ["第 3 版"]);
    let rows = texts(&newest, "table.versions tbody tr");
    assert!(rows[1].contains("至 2021-07-14"), "{}", rows[1]);
    assert!(rows[2].contains("2021-07-15 起"), "{}", rows[2]);
    let old = fixture.get("/catalogue/xzcf/1").await?;
    assert!(
        texts(&old, ".notice")
            .concat()
            .contains("本版已被第 3 版替代")
    );
    assert_eq!(old.links(".notice a"), ["/catalogue/xzcf/3"]);
    // Its own fields, by its own code lists.
    assert_ne!(
        texts(&old, "table.fields tbody th"),
        texts(&newest, "table.fields tbody th")
    );
    assert!(
        !old.links("a[href^='/catalogue/lists/penalty-kind-2015/1']")
            .is_empty()
    );
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_item_that_has_ended_is_reachable_and_marked() -> TestResult {
    let fixture = WebFixture::start().await?;
    for path in [
        format!("/catalogue/{RETIRED_ITEM}"),
        format!("/catalogue/{RETIRED_ITEM}/1"),
    ] {
        let page = fixture.get(&path).await?;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let notice = texts(&page, ".notice").concat();
        for text in [
            "本事项已停用，自 2026-01-01 起不再归集",
            "职能并入市级部门",
            "荣誉信息",
        ] {
            assert!(notice.contains(text), "{text}: {notice}");
        }
        assert_eq!(page.links(".notice a"), ["/catalogue/ryxx"]);
        assert!(page.body.contains("区县目录 · 岳麓区"));
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn files_go_through_untouched_under_safe_names() -> TestResult {
    let fixture = WebFixture::start().await?;
    for (name, format, media_type, plain) in [
        (
            "schema.json",
            ExportFormat::JsonSchema,
            "application/schema+json",
            "xzcf-v2.schema.json",
        ),
        (
            "template.csv",
            ExportFormat::CsvHeader,
            "text/csv; charset=utf-8; header=present",
            "xzcf-v2.csv",
        ),
        (
            "template.xlsx",
            ExportFormat::Xlsx,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "xzcf-v2.xlsx",
        ),
    ] {
        let path = format!("/catalogue/xzcf/2/{name}");
        let answer = fixture.get(&path).await?;
        let asked = fixture
            .catalog
            .export_requests()
            .pop()
            .context("a request")?;
        assert_eq!((asked.version, asked.format()), (2, format), "{path}");
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(
            answer.bytes == exported_bytes(&asked),
            "{path}: other bytes"
        );
        assert_eq!(answer.header(header::CONTENT_TYPE), media_type);
        let disposition = answer.header(header::CONTENT_DISPOSITION);
        let expected = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''%E8%A1%8C");
        assert!(disposition.starts_with(&expected), "{disposition}");
        assert!(!disposition.contains("evil"), "{disposition}");
        assert_eq!(
            answer.header(header::CACHE_CONTROL),
            "public, max-age=86400"
        );
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert!(
            answer
                .header(header::CONTENT_SECURITY_POLICY)
                .starts_with("default-src 'self'; script-src 'none'")
        );
        assert_eq!(answer.header(header::X_FRAME_OPTIONS), "DENY");
        assert!(answer.headers.get(header::SET_COOKIE).is_none());

        let mark = answer.header(header::ETAG).to_owned();
        assert!(mark.starts_with('"') && mark.len() > 30, "{mark}");
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(&mark)?)]);
        let calls = fixture.catalog.calls();
        let again = fixture.send_with(Method::GET, &path, known).await?;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        assert_eq!(fixture.catalog.calls(), calls, "{path}: catalog was asked");
        assert!(again.bytes.is_empty());
        assert_eq!(again.header(header::ETAG), mark);
        let head = fixture.send(Method::HEAD, &path).await?;
        assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
        assert_eq!(head.header(header::ETAG), mark);
    }
    // Any file will do for a reader who says so, but there has to be one.
    let any = || HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("*"))]);
    for (version, status) in [(2, StatusCode::NOT_MODIFIED), (99, StatusCode::NOT_FOUND)] {
        let path = format!("/catalogue/xzcf/{version}/template.xlsx");
        let answer = fixture.send_with(Method::GET, &path, any()).await?;
        assert_eq!(answer.status, status, "{path}");
    }
    let other = fixture.get("/catalogue/xzcf/3/template.xlsx").await?;
    let own = fixture.get("/catalogue/xzcf/2/template.xlsx").await?;
    assert_ne!(other.header(header::ETAG), own.header(header::ETAG));
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn code_lists_show_versions_and_replaced_values() -> TestResult {
    let fixture = WebFixture::start().await?;
    let all = fixture.get("/catalogue/lists").await?;
    let links = all.links("td a, th a");
    assert!(links.contains(&"/catalogue/lists/penalty-kind".to_owned()));
    let newest = fixture.get("/catalogue/lists/penalty-kind").await?;
    for text in [
        "第九条第三项",
        "按“吊销许可证件”处理",
        "2021年7月15日起施行",
    ] {
        assert!(newest.body.contains(text), "{text}");
    }
    assert_eq!(
        newest.links(".tabs a"),
        [1, 2].map(|version| format!("/catalogue/lists/penalty-kind/{version}"))
    );
    let old = fixture.get("/catalogue/lists/penalty-kind/1").await?;
    assert_eq!(old.links(".notice a"), ["/catalogue/lists/penalty-kind/2"]);
    assert!(old.body.contains("吊销执照"));
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn hostile_addresses_are_answered_as_missing_and_reach_no_service() -> TestResult {
    let fixture = WebFixture::start().await?;
    let long = "x".repeat(65);
    for path in [
        "/catalogue/..%2f..%2fetc%2fpasswd".to_owned(),
        "/catalogue/xzcf%00".to_owned(),
        "/catalogue/%FF%FE".to_owned(),
        "/catalogue/xzcf%0d%0aset-cookie:a=b".to_owned(),
        "/catalogue/%3Cscript%3E".to_owned(),
        format!("/catalogue/{long}"),
        "/catalogue/xzcf/0".to_owned(),
        "/catalogue/xzcf/03".to_owned(),
        "/catalogue/xzcf/-1".to_owned(),
        "/catalogue/xzcf/+3".to_owned(),
        "/catalogue/xzcf/4294967296".to_owned(),
        "/catalogue/xzcf/3'%20or%201=1".to_owned(),
        percent_encoded("/catalogue/xzcf/３"),
        "/catalogue/xzcf/0/template.xlsx".to_owned(),
        "/catalogue/xzcf/3/..%2ftemplate.xlsx".to_owned(),
        "/catalogue/xzcf/3/template.xlsx%00".to_owned(),
        "/catalogue/xzcf/3/TEMPLATE.XLSX".to_owned(),
        "/catalogue/x%22y/3/template.xlsx".to_owned(),
        "/catalogue/%FF/3/schema.json".to_owned(),
        "/catalogue/lists/..%2f".to_owned(),
        "/catalogue/lists/penalty-kind/0".to_owned(),
        "/catalogue/lists/penalty-kind/x".to_owned(),
        "/catalogue/lists/%FF/1".to_owned(),
        "/catalogue/xzcf/3/schema.json/more".to_owned(),
    ] {
        let answer = fixture.get(&path).await?;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(
            accessibility_faults(&answer.body),
            Vec::<String>::new(),
            "{path}"
        );
        assert!(answer.headers.get(header::SET_COOKIE).is_none(), "{path}");
        assert_eq!(
            answer.header(header::CACHE_CONTROL),
            "private, no-cache",
            "{path}: a missing file is not kept"
        );
    }
    assert_eq!(fixture.catalog.export_requests(), []);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn texts_of_a_definition_are_shown_as_texts() -> TestResult {
    let fixture = WebFixture::start().await?;
    for path in ["/catalogue", "/catalogue/wlry", "/catalogue/wlry/1"] {
        let page = fixture.get(path).await?;
        assert_eq!(
            accessibility_faults(&page.body),
            Vec::<String>::new(),
            "{path}"
        );
        assert!(!page.body.contains("<img"), "{path}");
        assert!(
            texts(&page, "main").concat().contains(HOSTILE_TEXT),
            "{path}"
        );
    }
    let template = fixture.get("/catalogue/wlry/1/template.xlsx").await?;
    let disposition = template.header(header::CONTENT_DISPOSITION);
    assert!(
        disposition.is_ascii() && !disposition.contains('<'),
        "{disposition}"
    );
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn contacts_of_organs_never_reach_a_page() -> TestResult {
    let fixture = WebFixture::start().await?;
    for path in ["/catalogue", "/catalogue/wlry", "/catalogue/xzcf"] {
        let page = fixture.get(path).await?;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.body.contains(CONTACT), "{path}");
        assert!(!page.body.contains("0731"), "{path}");
    }
    fixture.stop().await?;
    Ok(())
}
