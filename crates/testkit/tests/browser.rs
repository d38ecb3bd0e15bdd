//! A real browser against a page of a few lines; the process has ended afterwards.
#![cfg(feature = "browser")]

use anyhow::Context;
use std::time::Duration;
use testkit::{TestResult, browser::Locator, eventually, start_browser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PAGE: &str = "<!doctype html><html lang=zh-CN><meta charset=utf-8><title>信用</title>\
    <p id=out>未按</p><button onclick=\"out.textContent='已按'\">按</button>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_opens_a_page_and_presses_a_button() -> TestResult {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}",
                    PAGE.len()
                );
                let _ = stream
                    .write_all(format!("{head}\r\nConnection: close\r\n\r\n{PAGE}").as_bytes())
                    .await;
            });
        }
    });
    let browser = start_browser().await?;
    browser.goto(&format!("http://{address}/")).await?;
    assert_eq!(browser.title().await?, "信用");
    assert_eq!(browser.text("#out").await?, "未按");
    browser.find(Locator::Css("button")).await?.click().await?;
    assert_eq!(browser.text("#out").await?, "已按");

    let driver = browser.driver_pid().context("driver")?;
    let family = local_servers::descendants(driver);
    assert!(family.len() > 1, "the browser is the driver's child");
    drop(browser);
    // A killed process ends a moment after its signal, later on a busy machine.
    eventually(
        "driver and browser are gone",
        Duration::from_secs(20),
        async || {
            let left: Vec<_> = family
                .iter()
                .chain([&driver])
                .filter(|pid| local_servers::is_running(**pid))
                .collect();
            left.is_empty().then_some(()).ok_or(left)
        },
    )
    .await?;
    Ok(())
}
