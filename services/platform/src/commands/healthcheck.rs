//! `credit healthcheck`: asks the process of this configuration whether it is ready. Compose calls
//! it in each container.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use service_kit::config::Overlay;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::config::PlatformConfig;

/// Arguments of `credit healthcheck`.
#[derive(Debug, Args)]
pub struct HealthcheckCommand {
    /// Asks only whether the process lives, not whether it is ready.
    #[arg(long)]
    live: bool,
}

impl HealthcheckCommand {
    /// Fails with the reasons when not ready.
    pub async fn execute(self, overlay: &Overlay) -> Result<()> {
        let config = PlatformConfig::load(overlay)?;
        let path = if self.live { "/livez" } else { "/readyz" };
        let address = config.admin_listen.replace("0.0.0.0", "127.0.0.1");
        let answer = tokio::time::timeout(Duration::from_secs(5), get(&address, path))
            .await
            .with_context(|| format!("{address}{path} did not answer within 5 s"))??;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            bail!("{status}: {}", body.trim());
        }
        println!("{}", body.trim());
        Ok(())
    }
}

async fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("nothing listens on {address}"))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
