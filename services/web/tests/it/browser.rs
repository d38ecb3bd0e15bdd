//! The site in a real Chromium: a visitor's way through it, by mouse and by keyboard alone, and its
//! width on a phone.

use std::time::Duration;

use anyhow::{Context, Result};
use testkit::{
    TestResult,
    browser::{Browser, Key, Locator},
    eventually, start_browser,
};

use crate::{data::KNOWN, fixture::WebFixture};

const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

async fn wait_for_path(browser: &Browser, path: &str) -> Result<()> {
    eventually(&format!("the page {path}"), WAIT_TIMEOUT, async || {
        let url = browser.current_url().await.map_err(|e| e.to_string())?;
        if url.path() == path {
            Ok(())
        } else {
            Err(url.to_string())
        }
    })
    .await
}

/// The element that has the focus: its id, else its text.
async fn focused_element(browser: &Browser) -> Result<String> {
    let script = "const e = document.activeElement; return e.id || e.textContent.trim();";
    let value = browser.execute(script, Vec::new()).await?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

async fn press(browser: &Browser, key: Key) -> Result<()> {
    let active = browser.active_element().await?;
    active.send_keys(&char::from(key).to_string()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_searches_and_reads_a_record() -> TestResult {
    let fixture = WebFixture::start().await?;
    let browser = start_browser().await?;
    browser.goto(&fixture.url("/")).await?;
    assert_eq!(browser.title().await?, "信用长沙 · 长沙市公共信用信息公示");
    let field = browser.find(Locator::Id("q")).await?;
    field.send_keys("橘洲云帆").await?;
    browser
        .find(Locator::Css(".hero-search button"))
        .await?
        .click()
        .await?;
    wait_for_path(&browser, "/search").await?;
    assert_eq!(
        browser.text(".result h2").await?,
        "长沙橘洲云帆科技有限公司"
    );
    browser
        .find(Locator::Css(".result h2 a"))
        .await?
        .click()
        .await?;
    wait_for_path(&browser, &format!("/subject/{KNOWN}")).await?;
    assert_eq!(browser.text("h1").await?, "长沙橘洲云帆科技有限公司");
    browser
        .find(Locator::Css(".tabs a[href*=xzcf]"))
        .await?
        .click()
        .await?;
    eventually("the tab of penalties", WAIT_TIMEOUT, async || {
        browser
            .text(".tabs a[aria-current]")
            .await
            .is_ok_and(|text| text.starts_with("行政处罚"))
    })
    .await?;
    browser
        .find(Locator::Css("td.lead a"))
        .await?
        .click()
        .await?;
    eventually("the record", WAIT_TIMEOUT, async || {
        browser
            .text("table.sheet")
            .await
            .is_ok_and(|text| text.contains("违法事实"))
    })
    .await?;
    assert!(browser.text(".record-head").await?.contains("公示至"));
    browser.close().await?;
    fixture.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_is_enough() -> TestResult {
    let fixture = WebFixture::start().await?;
    let browser = start_browser().await?;
    browser.goto(&fixture.url("/")).await?;
    press(&browser, Key::Tab).await?;
    assert_eq!(
        focused_element(&browser).await?,
        "跳到主要内容",
        "the first stop is the skip link"
    );
    let skip = browser.find(Locator::Css(".skip")).await?;
    let (_, top, _, height) = skip.rectangle().await?;
    assert!(
        top >= 0.0 && height > 20.0,
        "the skip link is to be seen when it has the focus"
    );
    press(&browser, Key::Enter).await?;
    eventually("the focus is in main", WAIT_TIMEOUT, async || {
        focused_element(&browser).await.is_ok_and(|id| id == "main")
    })
    .await?;
    press(&browser, Key::Tab).await?;
    assert_eq!(
        focused_element(&browser).await?,
        "q",
        "next after the skip link is the search field"
    );
    let outline = browser
        .execute(
            "return getComputedStyle(document.activeElement).outlineStyle;",
            Vec::new(),
        )
        .await?;
    assert_eq!(outline.as_str(), Some("solid"), "the focus is to be seen");
    let typed = format!("橘洲云帆{}", char::from(Key::Enter));
    browser.active_element().await?.send_keys(&typed).await?;
    wait_for_path(&browser, "/search").await?;
    for _ in 0..30 {
        if focused_element(&browser).await? == "长沙橘洲云帆科技有限公司" {
            break;
        }
        press(&browser, Key::Tab).await?;
    }
    press(&browser, Key::Enter).await?;
    wait_for_path(&browser, &format!("/subject/{KNOWN}")).await?;
    browser.close().await?;
    fixture.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_wider_than_a_phone() -> TestResult {
    let fixture = WebFixture::start().await?;
    let browser = start_browser().await?;
    let record = crate::data::records()
        .into_iter()
        .find(|r| r.item_code == "xzcf")
        .context("a penalty")?;
    let pages = [
        "/".to_owned(),
        "/search?q=%E6%A9%98%E6%B4%B2".to_owned(),
        format!("/subject/{KNOWN}"),
        "/licences".to_owned(),
        "/penalties?from=x".to_owned(),
        format!("/record/{}", record.record_id),
        format!("/record/{}", crate::data::revocation().record_id),
        "/catalogue".to_owned(),
        "/catalogue/xzcf".to_owned(),
        "/catalogue/ylzc/1".to_owned(),
        "/catalogue/lists".to_owned(),
        "/catalogue/lists/penalty-kind/2".to_owned(),
        "/about".to_owned(),
        "/nowhere".to_owned(),
    ];
    for page in &pages {
        browser.goto(&fixture.url(page)).await?;
        for width in [320_u64, 375, 768, 1280] {
            // A window cannot be as narrow as a phone; a frame can, and media queries follow it.
            let script = "const [width, done] = arguments; \
                const page = new XMLHttpRequest(); page.open('GET', location.href, false); page.send(); \
                const frame = document.createElement('iframe'); frame.width = width; frame.height = 800; \
                frame.onload = () => { const d = frame.contentDocument.documentElement; \
                  const wide = [...d.querySelectorAll('body *')].filter(e => \
                    e.getBoundingClientRect().right > width + 1 && getComputedStyle(e).position !== 'absolute'); \
                  const seen = [d.clientWidth, d.scrollWidth, wide.slice(0, 3).map(e => e.outerHTML.slice(0, 80))]; \
                  frame.remove(); done(seen); }; \
                frame.srcdoc = page.responseText; document.body.append(frame);";
            let seen = browser.execute_async(script, vec![width.into()]).await?;
            let (client, scroll) = (seen[0].as_u64(), seen[1].as_u64());
            // A scroll bar may take a little of the frame.
            assert!(
                client.is_some_and(|c| c <= width && c + 20 >= width),
                "{page} at {width}: {seen}"
            );
            assert!(scroll <= client, "{page} at {width}: {seen}");
        }
    }
    browser.close().await?;
    fixture.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_goes_from_the_catalogue_to_the_template() -> TestResult {
    let fixture = WebFixture::start().await?;
    let browser = start_browser().await?;
    browser.goto(&fixture.url("/")).await?;
    browser
        .find(Locator::Css(".site-nav a[href='/catalogue']"))
        .await?
        .click()
        .await?;
    wait_for_path(&browser, "/catalogue").await?;
    browser
        .find(Locator::Css("#class option[value=adverse]"))
        .await?
        .click()
        .await?;
    browser
        .find(Locator::Css(".filter button"))
        .await?
        .click()
        .await?;
    eventually("the filter is in the address", WAIT_TIMEOUT, async || {
        let url = browser.current_url().await.map_err(|e| e.to_string())?;
        match url.query() {
            Some(query) if query.contains("class=adverse") => Ok(()),
            _ => Err(url.to_string()),
        }
    })
    .await?;
    assert!(
        browser
            .find(Locator::Css("a[href='/catalogue/xzxk']"))
            .await
            .is_err(),
        "licences are no adverse records"
    );
    browser
        .find(Locator::Css("li.item a[href='/catalogue/xzcf']"))
        .await?
        .click()
        .await?;
    wait_for_path(&browser, "/catalogue/xzcf").await?;
    assert_eq!(browser.text("h1").await?, "行政处罚");
    // The expression is there for who opens it, and only then.
    let rule = browser.find(Locator::Css(".rule details")).await?;
    assert!(
        !browser
            .find(Locator::Css(".rule pre"))
            .await?
            .is_displayed()
            .await?
    );
    rule.find(Locator::Css("summary")).await?.click().await?;
    assert!(
        browser
            .find(Locator::Css(".rule pre"))
            .await?
            .is_displayed()
            .await?
    );
    let link = browser
        .find(Locator::Css(".files-row a[href$='template.xlsx']"))
        .await?;
    let path = link.attr("href").await?.context("an address")?;
    assert_eq!(path, "/catalogue/xzcf/3/template.xlsx");
    link.click().await?;
    eventually("the file was asked for", WAIT_TIMEOUT, async || {
        let asked = fixture.catalog.export_requests();
        match asked.as_slice() {
            [one] if one.code == "xzcf" && one.version == 3 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    // A download leaves the visitor where it was.
    wait_for_path(&browser, "/catalogue/xzcf").await?;
    browser.close().await?;
    fixture.stop().await?;
    Ok(())
}
