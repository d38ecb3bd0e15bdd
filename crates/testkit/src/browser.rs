//! A headless Chromium for tests of pages (feature `browser`). Called by the tests of `web` and by journeys.

use anyhow::{Context, Result, ensure};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use local_servers::{LockedFolder, Program};
use serde_json::json;
use std::ops::Deref;

pub use fantoccini::{Locator, key::Key};

/// A browser with an empty profile. Use it as a [`fantoccini::Client`]; it is killed when dropped.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    driver: Program,
    _profile: LockedFolder,
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Browser {
    /// The process of the driver, parent of all the browser's.
    pub fn driver_pid(&self) -> Option<u32> {
        self.driver.pid()
    }

    /// Text of an element that the page must have, by a CSS selector.
    pub async fn text(&self, selector: &str) -> Result<String> {
        let element = self.client.find(Locator::Css(selector)).await;
        element
            .with_context(|| format!("finding {selector}"))?
            .text()
            .await
            .with_context(|| format!("reading {selector}"))
    }

    /// Closes the session in order, as dropping does not.
    pub async fn close(self) -> Result<()> {
        self.client
            .clone()
            .close()
            .await
            .context("closing the browser")
    }
}

/// Starts a browser of its own, by `chromedriver` and `chromium` of the machine.
///
/// # Errors
/// When they are missing, with the line that installs them.
pub async fn start_browser() -> Result<Browser> {
    let ((driver, port), profile) = tokio::task::spawn_blocking(|| {
        let started = Program::start("chromedriver", &["--port=0".to_owned()], driver_port)
            .context("no browser: `apt-get install chromium chromium-driver fonts-noto-cjk`")?;
        anyhow::Ok((started, LockedFolder::temporary()?))
    })
    .await
    .context("starting chromedriver")??;
    let profile_argument = format!(
        "--user-data-dir={}",
        profile.path().join("profile").display()
    );
    let capabilities = json!({
        "goog:chromeOptions": { "args": [
            "--headless",
            // Chromium's sandbox does not work for root, nor in most containers; it only sees our own pages.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--lang=zh-CN",
            "--window-size=1280,900",
            // Spoken to by a pipe, Chromium ends by itself when a killed test takes the driver with it.
            "--remote-debugging-pipe",
            profile_argument,
        ] }
    });
    let capabilities = capabilities
        .as_object()
        .context("capabilities are an object")?
        .clone();
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .context("opening a session of Chromium")?;
    ensure!(driver.pid().is_some(), "chromedriver has ended");
    Ok(Browser {
        client,
        driver,
        _profile: profile,
    })
}

/// The port from chromedriver's line `ChromeDriver was started successfully on port 41337.`
fn driver_port(output: &str) -> Option<u16> {
    let (_, rest) = output.split_once("started successfully on port ")?;
    rest.split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_drivers_greeting() {
        assert_eq!(
            driver_port("Starting\nChromeDriver was started successfully on port 41337.\n"),
            Some(41337)
        );
        assert_eq!(
            driver_port("ChromeDriver was started successfully on port 413"),
            None
        );
        assert_eq!(driver_port("Starting ChromeDriver on port 0\n"), None);
    }
}
