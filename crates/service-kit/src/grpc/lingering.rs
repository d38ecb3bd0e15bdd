//! A connection of a server that stays open until its client has hung up ("lingering close"). Called by `serve_grpc`.
//!
//! A kernel answers what still comes to a closed socket by a reset, and a client that meets a reset drops what it has not
//! read yet. A gRPC client always has something to send behind the last answer, if only the news that it has read it. So
//! our end is closed first, and what comes is read and dropped until the client closes its end, or for so long.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

/// A server's TCP stream with lingering close, see the module.
#[derive(Debug)]
pub(super) struct LingeringStream {
    stream: TcpStream,
    longest: Duration,
    /// Runs once our end is closed.
    limit: Option<Pin<Box<Sleep>>>,
}

impl LingeringStream {
    /// Waits for the client's end for `longest` at most.
    pub(super) fn new(stream: TcpStream, longest: Duration) -> Self {
        Self {
            stream,
            longest,
            limit: None,
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Connected for LingeringStream {
    type ConnectInfo = <TcpStream as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for LingeringStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for LingeringStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.limit.is_none() {
            ready!(self.as_mut().stream().poll_shutdown(cx))?;
            self.limit = Some(Box::pin(sleep(self.longest)));
        }
        let mut dropped = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut dropped);
            match self.as_mut().stream().poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                // The client's end is closed, or broken: nothing more comes.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        match &mut self.limit {
            Some(limit) => limit.as_mut().poll(cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    async fn pair(longest: Duration) -> io::Result<(TcpStream, LingeringStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?);
        let (client, accepted) = tokio::try_join!(client, listener.accept())?;
        Ok((client, LingeringStream::new(accepted.0, longest)))
    }

    #[tokio::test]
    async fn the_last_answer_is_read_though_the_client_writes_behind_it() -> io::Result<()> {
        let (mut client, mut server) = pair(Duration::from_secs(60)).await?;
        server.write_all(b"the last answer").await?;
        let closing = tokio::spawn(async move { server.shutdown().await });
        // Each of these would be answered by a reset if the server's socket were closed.
        let mut answer = vec![0; 15];
        for _ in 0..3 {
            client.write_all(b"read it").await?;
            tokio::task::yield_now().await;
        }
        client.read_exact(&mut answer).await?;
        assert_eq!(answer, b"the last answer");
        assert_eq!(client.read(&mut answer).await?, 0, "our end is closed");
        client.write_all(b"still taken").await?;
        assert!(!closing.is_finished(), "until the client hangs up");
        drop(client);
        closing.await??;
        Ok(())
    }

    #[tokio::test]
    async fn a_client_that_never_hangs_up_is_left() -> io::Result<()> {
        let (client, mut server) = pair(Duration::from_millis(20)).await?;
        server.shutdown().await?;
        drop(client);
        Ok(())
    }
}
