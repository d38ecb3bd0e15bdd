//! A network to break: a TCP proxy between a client and a server. Called by fault tests.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyMode {
    Flowing,
    /// So many bytes a second, in each direction of each connection.
    Slow(u32),
    Stalled,
    Cut,
}

/// Forwards connections to a target until another mode is set. All connections end when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    mode: watch::Sender<ProxyMode>,
    open: watch::Receiver<usize>,
    acceptor: JoinHandle<()>,
}

impl TcpProxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `target`, a `host:port`.
    pub async fn start(target: impl Into<String>) -> Result<Self> {
        let target = target.into();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("listening for the proxy")?;
        let address = listener
            .local_addr()
            .context("asking for the proxy's port")?;
        let (mode, watched) = watch::channel(ProxyMode::Flowing);
        let (count, open) = watch::channel(0);
        let acceptor = tokio::spawn(accept(listener, target, watched, count));
        Ok(Self {
            address,
            mode,
            open,
            acceptor,
        })
    }

    /// Puts a proxy before the server of a URL; gives the URL that leads through the proxy.
    pub async fn in_front_of(url: &str) -> Result<(Self, String)> {
        let start = url
            .find("://")
            .with_context(|| format!("`{url}` has no scheme"))?
            + 3;
        let end = url[start..]
            .find(['/', '?'])
            .map_or(url.len(), |at| start + at);
        let host = url[start..end]
            .rfind('@')
            .map_or(start, |at| start + at + 1);
        let proxy = Self::start(&url[host..end]).await?;
        let through = format!("{}{}{}", &url[..host], proxy.address, &url[end..]);
        Ok((proxy, through))
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets all connections, and from now on each new one at once. When this returns, none is left.
    pub async fn cut_connections(&self) {
        self.mode.send_replace(ProxyMode::Cut);
        // Fails only when the acceptor has ended, and the connections with it.
        let _ = self.open.clone().wait_for(|open| *open == 0).await;
    }

    /// Lets connections stand and take new ones, but lets no byte through in either direction: a peer that hangs.
    pub fn stall_traffic(&self) {
        self.mode.send_replace(ProxyMode::Stalled);
    }

    /// Lets so many bytes a second through, in each direction of each connection: a line or a disk that is too slow.
    pub fn slow_down(&self, bytes_per_second: u32) {
        self.mode
            .send_replace(ProxyMode::Slow(bytes_per_second.max(1)));
    }

    /// Forwards again; what was held back by [`TcpProxy::stall_traffic`] goes on.
    pub fn restore_traffic(&self) {
        self.mode.send_replace(ProxyMode::Flowing);
    }

    /// The number of connections that are open now.
    pub fn open_connections(&self) -> usize {
        *self.open.borrow()
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: String,
    mode: watch::Receiver<ProxyMode>,
    open: watch::Sender<usize>,
) {
    // Aborts all its tasks when dropped, as this one is aborted.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors, or a client that closed before: the next one may succeed.
                let Ok((client, _)) = accepted else { continue };
                if *mode.borrow() == ProxyMode::Cut {
                    reset_on_close(&client);
                    continue;
                }
                open.send_modify(|count| *count += 1);
                let (target, mode, open) = (target.clone(), mode.clone(), open.clone());
                connections.spawn(async move {
                    connection(client, &target, mode).await;
                    open.send_modify(|count| *count -= 1);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until an end closes it, or the network is cut.
async fn connection(client: TcpStream, target: &str, mode: watch::Receiver<ProxyMode>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return reset_on_close(&client);
    };
    for stream in [&client, &server] {
        // Closing by reset, in whatever way this ends, is what a broken network looks like; an end that has closed in
        // order has been passed on by a shutdown before.
        reset_on_close(stream);
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = mode.clone();
    let both = async {
        // An error of one direction ends the other.
        let _ = tokio::try_join!(
            pump(from_client, to_server, mode.clone()),
            pump(from_server, to_client, mode)
        );
    };
    tokio::select! {
        () = both => {}
        _ = cut.wait_for(|mode| *mode == ProxyMode::Cut) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<ProxyMode>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if mode
            .wait_for(|mode| *mode != ProxyMode::Stalled)
            .await
            .is_err()
        {
            return Ok(());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        let now = *mode.borrow();
        if let ProxyMode::Slow(bytes_per_second) = now {
            // A cut ends the connection from outside; another mode applies from the next chunk on.
            let pause = Duration::from_secs_f64(read as f64 / f64::from(bytes_per_second));
            tokio::time::sleep(pause).await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Makes the closing of this stream a reset instead of an orderly end.
fn reset_on_close(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;
    use tokio::time::Instant;

    /// A server that answers each byte with the next one.
    async fn successor() -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        if stream.write_u8(byte + 1).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        (address, task)
    }

    async fn ask(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
        stream.write_u8(byte).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn forwards_cuts_and_heals() {
        let (target, _server) = successor().await;
        let proxy = TcpProxy::start(target).await.unwrap();
        let mut first = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut first, 1).await.unwrap(), 2);
        assert_eq!(proxy.open_connections(), 1);

        proxy.cut_connections().await;
        assert_eq!(proxy.open_connections(), 0);
        assert!(ask(&mut first, 1).await.is_err());
        let refused = match TcpStream::connect(proxy.address()).await {
            Ok(mut second) => ask(&mut second, 1).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(refused.is_err());

        proxy.restore_traffic();
        let mut third = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut third, 7).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn stalls_and_then_goes_on_without_loss() {
        let (target, _server) = successor().await;
        let proxy = TcpProxy::start(target).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut client, 1).await.unwrap(), 2);
        proxy.stall_traffic();
        client.write_u8(5).await.unwrap();
        let silence = tokio::time::timeout(Duration::from_millis(100), client.read_u8()).await;
        assert!(silence.is_err(), "a byte came through: {silence:?}");
        proxy.restore_traffic();
        assert_eq!(client.read_u8().await.unwrap(), 6);
    }

    #[tokio::test]
    async fn slows_down_without_loss() {
        let (target, _server) = successor().await;
        let proxy = TcpProxy::start(target).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.slow_down(20);
        let start = Instant::now();
        // Two directions, a byte each: at least a tenth of a second, by the pauses' own length.
        assert_eq!(ask(&mut client, 1).await.unwrap(), 2);
        assert!(start.elapsed() >= Duration::from_millis(100));
        proxy.restore_traffic();
        assert_eq!(ask(&mut client, 7).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn passes_an_orderly_end_on_and_forgets_the_connection() {
        let (target, _server) = successor().await;
        let (proxy, url) = TcpProxy::in_front_of(&format!("nats://user:p@{target}/x?y"))
            .await
            .unwrap();
        assert_eq!(url, format!("nats://user:p@{}/x?y", proxy.address()));
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask(&mut client, 1).await.unwrap(), 2);
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        let gone = eventually(
            "no connection",
            Duration::from_secs(10),
            async || match proxy.open_connections() {
                0 => Ok(()),
                open => Err(open),
            },
        );
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn a_target_that_is_away_resets_the_client() {
        let unused = local_servers::Port::reserve().unwrap();
        let target = format!("127.0.0.1:{}", unused.number());
        let proxy = TcpProxy::start(target).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(ask(&mut client, 1).await.is_err());
    }
}
