//! Services that are unavailable, hang or refuse the token, and the end of the site.

use std::time::Duration;

use anyhow::Context;
use http::{StatusCode, header};
use service_kit::{
    config::Secret,
    error::error_chain,
    identity::{DevelopmentIssuer, Role},
};
use testkit::{TestResult, clock::ManualClock, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    accessibility::accessibility_faults,
    data::KNOWN,
    fixture::{NOW, WebFixture, public_token, service_context},
};

const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_service_away_is_told_and_its_return_is_noticed() -> TestResult {
    let mut fixture = WebFixture::start().await?;
    assert_eq!(fixture.get("/licences").await?.status, StatusCode::OK);
    let server = fixture.disclosure_server.take().context("disclosure")?;
    server.stop().await?;
    for path in [
        "/",
        "/search?q=abc",
        "/licences",
        "/penalties",
        &format!("/subject/{KNOWN}"),
        "/record/0197c5a4-7f54-7c3e-8f21-0d6a4b1c2d3e",
    ] {
        let answer = fixture.get(path).await?;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header(header::RETRY_AFTER), "30", "{path}");
        assert!(answer.body.contains("服务暂时不可用"), "{path}");
        assert_eq!(
            accessibility_faults(&answer.body),
            Vec::<String>::new(),
            "{path}"
        );
    }
    for path in ["/about", "/catalogue", "/search?q="] {
        assert_eq!(
            fixture.get(path).await?.status,
            StatusCode::OK,
            "{path} needs no disclosure"
        );
    }
    fixture.restart_disclosure().await?;
    eventually("the lists are back", WAIT_TIMEOUT, async || {
        fixture
            .get("/licences")
            .await
            .is_ok_and(|answer| answer.status == StatusCode::OK)
    })
    .await?;
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_catalogue_away_leaves_the_records() -> TestResult {
    let mut fixture = WebFixture::start().await?;
    fixture
        .catalog_server
        .take()
        .context("catalog")?
        .stop()
        .await?;
    for path in [
        "/catalogue",
        "/catalogue/xzxk",
        "/catalogue/xzxk/1",
        "/catalogue/xzxk/1/template.xlsx",
        "/catalogue/lists",
        "/catalogue/lists/penalty-kind",
    ] {
        let answer = fixture.get(path).await?;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.header(header::RETRY_AFTER), "30", "{path}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "private, no-cache");
        assert_eq!(
            accessibility_faults(&answer.body),
            Vec::<String>::new(),
            "{path}"
        );
    }
    assert_eq!(fixture.get("/").await?.status, StatusCode::OK);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_service_that_hangs_costs_a_visitor_the_deadline_and_no_more() -> TestResult {
    // Accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let address = silent.local_addr()?;
    let fixture = WebFixture::start_with(|config| {
        config.disclosure_url = format!("http://{address}");
        config.backend_timeout_ms = 200;
    })
    .await?;
    let answer = tokio::time::timeout(WAIT_TIMEOUT, fixture.get("/licences")).await??;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_renewed_token_is_taken_up_without_a_restart() -> TestResult {
    let fixture = WebFixture::start().await?;
    fixture.clock.advance(time::Duration::days(2));
    let expired = fixture.get("/licences").await?;
    assert_eq!(
        expired.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "the token's day is over"
    );
    let expires = NOW + time::Duration::days(9);
    let fresh = fixture
        .issuer
        .token("web", "", &[Role::Public], None, expires)?;
    std::fs::write(&fixture.token_file, fresh)?;
    assert_eq!(fixture.get("/licences").await?.status, StatusCode::OK);
    fixture.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_site_that_cannot_work_does_not_start() -> TestResult {
    let issuer = DevelopmentIssuer::generate("https://id.changsha.example", "credit");
    let clock = ManualClock::at(NOW);
    let good = web::Config {
        listen: "127.0.0.1:0".to_owned(),
        disclosure_url: "http://127.0.0.1:1".to_owned(),
        catalog_url: "http://127.0.0.1:1".to_owned(),
        token: Secret::Plain(public_token(&issuer)?),
        page_size: 20,
        backend_timeout_ms: 5000,
    };
    let cases = [
        (
            web::Config {
                disclosure_url: "not an address".to_owned(),
                ..good.clone()
            },
            "disclosure_url",
        ),
        (
            web::Config {
                token: Secret::Plain("a\nb".to_owned()),
                ..good.clone()
            },
            "token",
        ),
        (
            web::Config {
                page_size: 1000,
                ..good.clone()
            },
            "page_size",
        ),
        (
            web::Config {
                token: Secret::File {
                    file: "/nowhere/token".into(),
                },
                ..good
            },
            "/nowhere/token",
        ),
    ];
    for (config, sign) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let error = web::start(config, listener, service_context(&issuer, &clock)?)
            .await
            .unwrap_err();
        let named = error_chain(&error);
        assert!(named.contains(sign), "{named}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_in_hand_is_answered_before_the_end() -> TestResult {
    // A grace period so long that only the test decides when the request ends.
    let fixture = WebFixture::start_with_grace_period(Duration::from_secs(3600)).await?;
    let mut visitor = TcpStream::connect(fixture.site.address).await?;
    // Half of a request: it is in flight when the stop is requested.
    visitor
        .write_all(b"GET /about HTTP/1.1\r\nHost: x\r\n")
        .await?;
    assert_eq!(fixture.get("/about").await?.status, StatusCode::OK);
    let address = fixture.site.address;
    let stopping = tokio::spawn(fixture.stop());
    eventually("the door is closed", WAIT_TIMEOUT, async || {
        TcpStream::connect(address).await.is_err()
    })
    .await?;
    visitor.write_all(b"\r\n").await?;
    let mut answer = String::new();
    visitor.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopping.await??;
    Ok(())
}
