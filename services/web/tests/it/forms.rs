//! What a visitor types: the search and the filters of the lists, how they page and what they refuse.

use anyhow::Context;
use http::{StatusCode, header};
use scraper::Selector;
use testkit::TestResult;

use crate::{
    data::{self, CITIZEN_NUMBER, KNOWN},
    fixture::{WebFixture, percent_encoded},
};

#[tokio::test]
async fn a_name_is_searched_and_a_code_goes_to_its_page() -> TestResult {
    let fixture = WebFixture::start().await?;
    let found = fixture.get(&percent_encoded("/search?q=橘洲")).await?;
    assert_eq!(found.links(".result h2 a").len(), 2);
    assert!(found.body.contains("长沙<mark>橘洲</mark>云帆科技有限公司"));
    assert!(found.header("x-robots-tag").contains("noindex"));
    for typed in [
        "91430100MA4Q5W141P",
        "91430100ma4q5w141p",
        "91430100-MA4Q5W14-1P",
        "９１４３０１００ＭＡ４Ｑ５Ｗ１４１Ｐ",
    ] {
        let answer = fixture
            .get(&percent_encoded(&format!("/search?q={typed}")))
            .await?;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{typed}");
        assert_eq!(answer.header(header::LOCATION), format!("/subject/{KNOWN}"));
    }
    let answer = fixture.get("/subject/91430100ma4q5w141p").await?;
    assert_eq!(answer.header(header::LOCATION), format!("/subject/{KNOWN}"));
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_searched_is_explained_beside_the_field() -> TestResult {
    let fixture = WebFixture::start().await?;
    for (typed, message) in [
        ("湘", "请至少输入 2 个字"),
        ("（湘）", "请至少输入 2 个字"),
        ("91430100MA4Q5W142P", "校验未通过"),
        ("有限公司", "范围过大"),
        (CITIZEN_NUMBER, "不提供自然人信息查询"),
    ] {
        let answer = fixture
            .get(&percent_encoded(&format!("/search?q={typed}")))
            .await?;
        let tree = answer.tree();
        let error = tree
            .select(&Selector::parse("#q-error").unwrap())
            .next()
            .context("complaint")?;
        assert!(
            error.text().collect::<String>().contains(message),
            "{typed}"
        );
    }
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn search_pages_by_key() -> TestResult {
    let fixture = WebFixture::start_with(|config| config.page_size = 3).await?;
    let mut path = percent_encoded("/search?q=湖南");
    let mut seen = Vec::new();
    loop {
        let answer = fixture.get(&path).await?;
        assert!(
            answer
                .body
                .contains("共 <strong class=\"number\">4</strong> 个主体"),
            "{path}"
        );
        seen.extend(answer.links(".result h2 a"));
        match answer.links(".pager a[rel=next]").pop() {
            Some(next) => path = next,
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 4);
    let back = fixture.get(&path).await?.links(".pager a:not([rel])");
    assert_eq!(back, [percent_encoded("/search?q=湖南")]);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn filters_reach_the_service_and_stay_in_form_and_links() -> TestResult {
    let fixture = WebFixture::start_with(|config| config.page_size = 2).await?;
    let path = percent_encoded("/penalties?subject=橘洲&number=&from=2025/1/1&to=20261231");
    let first = fixture.get(&path).await?;
    let asked = fixture.disclosure.last_list_request();
    assert_eq!(asked.item_code, "xzcf");
    assert_eq!((asked.subject.as_str(), asked.page_size), ("橘洲", 2));
    assert_eq!(
        (asked.decided_from.as_str(), asked.decided_to.as_str()),
        ("2025-01-01", "2026-12-31")
    );
    for value in [
        "value=\"橘洲\"",
        "value=\"2025-01-01\"",
        "value=\"2026-12-31\"",
    ] {
        assert!(first.body.contains(value), "{value}");
    }
    let next = first
        .links(".pager a[rel=next]")
        .pop()
        .context("a next page")?;
    let second = fixture.get(&next).await?;
    let asked = fixture.disclosure.last_list_request();
    assert_eq!(asked.subject, "橘洲");
    assert_eq!(asked.decided_from, "2025-01-01");
    assert!(!asked.page_token.is_empty() && next.contains(&asked.page_token));
    assert!(
        second.body.contains("value=\"橘洲\""),
        "the form keeps the filters on later pages"
    );
    assert_ne!(first.links("td.lead a"), second.links("td.lead a"));
    let back = second.links(".pager a:not([rel])");
    assert_eq!(
        back,
        [percent_encoded(
            "/penalties?subject=橘洲&from=2025-01-01&to=2026-12-31"
        )]
    );
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_document_number_finds_its_record() -> TestResult {
    let fixture = WebFixture::start().await?;
    let record = data::records()
        .into_iter()
        .find(|r| r.item_code == "xzxk")
        .unwrap();
    let found = fixture
        .get(&percent_encoded(&format!(
            "/licences?number={}",
            record.document_number
        )))
        .await?;
    assert_eq!(
        found.links("td.lead a"),
        [format!("/record/{}", record.record_id)]
    );
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn wrong_filters_are_named_beside_their_fields() -> TestResult {
    let fixture = WebFixture::start().await?;
    let path = percent_encoded("/licences?subject=湘&from=2026-02-30&to=明天");
    let answer = fixture.get(&path).await?;
    let tree = answer.tree();
    for (field, message) in [
        ("subject", "2 个字"),
        ("from", "日期无效"),
        ("to", "日期无效"),
    ] {
        let error = tree
            .select(&Selector::parse(&format!("#{field}-error")).unwrap())
            .next();
        let error: String = error.context(field)?.text().collect();
        assert!(error.contains(message), "{field}: {error}");
        let input = tree
            .select(&Selector::parse(&format!("input#{field}")).unwrap())
            .next();
        assert_eq!(input.context(field)?.attr("aria-invalid"), Some("true"));
    }
    assert!(answer.body.contains("value=\"2026-02-30\"") && answer.body.contains("value=\"明天\""));
    let reversed = fixture
        .get("/licences?from=2026-03-31&to=2026-03-01")
        .await?;
    assert!(reversed.body.contains("结束日期不能早于开始日期"));
    let answer = fixture.get("/licences?from=1901-01-01").await?;
    assert!(
        answer.body.contains("开始日期太早"),
        "the service's own refusal"
    );
    fixture.stop().await?;
    Ok(())
}
