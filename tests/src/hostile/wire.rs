//! gRPC by its frames: what a client library would never send. Called by the hostile suite and `bench hostile`.

use anyhow::{Context, Result};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use tokio::{net::TcpStream, task::JoinHandle};
use tonic::Status;

/// One request, byte by byte.
#[derive(Clone, Debug)]
pub struct RawCall {
    /// `/package.Service/Method`.
    pub path: String,
    /// Headers besides those that HTTP/2 itself needs.
    pub headers: Vec<(&'static str, String)>,
    /// The body as it is sent, frames included.
    pub body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub struct RawAnswer {
    /// Status of HTTP.
    pub http: u16,
    /// gRPC status, from headers or trailers.
    pub status: Option<Status>,
    /// Messages of the answer, without their prefixes.
    pub messages: Vec<Bytes>,
}

/// A connection to one server.
#[derive(Debug)]
pub struct RawConnection {
    send: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Drop for RawConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl RawConnection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = h2::client::handshake(stream).await?;
        let driver = tokio::spawn(async move {
            // Its end shows in the calls.
            let _ = connection.await;
        });
        Ok(Self { send, driver })
    }

    /// Sends one request and reads its answer to the end.
    ///
    /// # Errors
    /// When the server ends connection or call without an answer.
    pub async fn perform(&mut self, address: &str, call: &RawCall) -> Result<RawAnswer> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{address}{}", call.path));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut send = self.send.clone().ready().await?;
        let (response, mut body) = send.send_request(request.body(())?, false)?;
        // The server may answer before it has read everything, and then ends the sending: no error of ours.
        let _ = body.send_data(call.body.clone(), true);
        let response = response.await?;
        let http = response.status().as_u16();
        let mut status = Status::from_header_map(response.headers());
        let mut incoming = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = incoming.data().await {
            let chunk = chunk?;
            incoming.flow_control().release_capacity(chunk.len())?;
            bytes.put(chunk);
        }
        if status.is_none() {
            let trailers: Option<HeaderMap> = incoming.trailers().await?;
            status = trailers.and_then(|trailers| Status::from_header_map(&trailers));
        }
        Ok(RawAnswer {
            http,
            status,
            messages: split_frames(bytes.freeze())?,
        })
    }
}

/// A message in its frame: no compression, length, bytes.
pub fn frame_message(message: &[u8]) -> Bytes {
    frame_with_prefix(0, u32::try_from(message.len()).unwrap_or(u32::MAX), message)
}

/// A frame with a false header.
pub fn frame_with_prefix(compressed: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(compressed);
    frame.put_u32(length);
    frame.put_slice(message);
    frame.freeze()
}

fn split_frames(mut bytes: Bytes) -> Result<Vec<Bytes>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let prefix = bytes.get(1..5).context("an answer's frame")?;
        let length = u32::from_be_bytes(prefix.try_into()?) as usize;
        anyhow::ensure!(bytes.len() >= 5 + length, "an answer's frame is cut off");
        messages.push(bytes.slice(5..5 + length));
        bytes = bytes.slice(5 + length..);
    }
    Ok(messages)
}

/// Protobuf by hand: a field with a wire type of one's own choice.
pub fn put_tag(out: &mut Vec<u8>, field: u32, wire_type: u8) {
    put_varint(out, u64::from(field << 3) | u64::from(wire_type));
}

/// A number in base 128.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of bytes.
pub fn put_bytes_field(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_tag(out, field, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
