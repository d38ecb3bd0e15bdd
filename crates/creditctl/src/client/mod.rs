//! The platform's client: connection, token, single calls with retries. Called by the commands.
//!
//! - [`upload`]: many records, resumed after every break;
//! - [`verdicts`]: waiting for verdicts, with an end.

pub mod upload;
pub mod verdicts;

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use proto::credit::ingest::v1::ingest_service_client::IngestServiceClient;
use proto::credit::validation::v1::validation_service_client::ValidationServiceClient;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Uri};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::cli::ConnectionOptions;
use crate::commands::OutputStyle;
use crate::exit::Exit;
use crate::failure::FailureMessage;
use crate::language::{Language, say};
use crate::{CommandContext, CommandFailure};

/// A single call that takes longer than this is tried again.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Keepalive: silence on a connection after which a ping is sent, and the timeout of its answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// First and longest pause between two tries.
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Largest answer: a page of feedback.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// The platform.
#[derive(Debug, Clone)]
pub struct PlatformClient {
    /// Address as given, without the scheme's default added.
    pub endpoint: String,
    /// How long an unreachable platform is retried.
    pub retry_timeout: Duration,
    language: Language,
    ingest: Channel,
    feedback: Channel,
    token: TokenSource,
}

#[derive(Clone)]
enum TokenSource {
    /// From the environment.
    Given(String),
    /// Read for each call, so that a long run takes up a renewed token.
    File(PathBuf),
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Runs what talks to the platform.
///
/// # Errors
/// Those of the work, or no runtime can be had.
pub fn run_online<T>(
    work: impl Future<Output = Result<T, CommandFailure>>,
) -> Result<T, CommandFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandFailure::cannot_run(error.to_string()))?;
    let done = runtime.block_on(work);
    // What still runs is a connection that nobody needs.
    runtime.shutdown_background();
    done
}

impl PlatformClient {
    /// Prepares the connections; the first call opens them. Within [`run_online`] only.
    ///
    /// # Errors
    /// No address, no token, or a certificate that cannot be read.
    pub fn open(
        connection: &ConnectionOptions,
        output_style: OutputStyle,
        command_context: &CommandContext<'_>,
    ) -> Result<Self, CommandFailure> {
        let language = output_style.language;
        let variable = |name: &str| (command_context.environment)(name).filter(|v| !v.is_empty());
        let given = connection.endpoint.clone();
        let Some(endpoint) = given.or_else(|| variable("CREDIT_ENDPOINT")) else {
            return Err(CommandFailure::cannot_run(language.choose_text(
                "缺少平台地址：请用 --endpoint 或环境变量 CREDIT_ENDPOINT 给出",
                "no address of the platform: give --endpoint or the variable CREDIT_ENDPOINT",
            )));
        };
        let feedback = (connection.feedback_endpoint.clone())
            .or_else(|| variable("CREDIT_FEEDBACK_ENDPOINT"))
            .unwrap_or_else(|| endpoint.clone());
        let token = match &connection.token_file {
            Some(path) => TokenSource::File(path.clone()),
            None => TokenSource::Given(variable("CREDIT_TOKEN").ok_or_else(|| {
                CommandFailure::with_exit(
                    Exit::Unavailable,
                    language.choose_text(
                        "缺少访问令牌：请用 --token-file 或环境变量 CREDIT_TOKEN 给出",
                        "no access token: give --token-file or the variable CREDIT_TOKEN",
                    ),
                )
            })?),
        };
        let ca = match &connection.ca {
            Some(path) => {
                let pem =
                    fs::read(path).map_err(|e| CommandFailure::cannot_read(language, path, &e))?;
                Some(Certificate::from_pem(pem))
            }
            None => None,
        };
        let ingest = channel(&endpoint, ca.as_ref(), connection.plaintext, language)?;
        let feedback = if feedback == endpoint {
            ingest.clone()
        } else {
            channel(&feedback, ca.as_ref(), connection.plaintext, language)?
        };
        let platform = Self {
            endpoint,
            retry_timeout: Duration::from_secs(connection.patience),
            language,
            ingest,
            feedback,
            token,
        };
        // Read once here, so that a missing file is reported before anything else is done.
        platform.token()?;
        Ok(platform)
    }

    /// Where records go.
    pub fn ingest(&self) -> IngestServiceClient<Channel> {
        IngestServiceClient::new(self.ingest.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// Where verdicts come from.
    pub fn validation(&self) -> ValidationServiceClient<Channel> {
        ValidationServiceClient::new(self.feedback.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// A request with the caller's token.
    ///
    /// # Errors
    /// The token cannot be read.
    pub fn request<T>(&self, message: T) -> Result<Request<T>, CommandFailure> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.token()?);
        Ok(request)
    }

    fn token(&self) -> Result<MetadataValue<Ascii>, CommandFailure> {
        let token = match &self.token {
            TokenSource::Given(token) => token.clone(),
            TokenSource::File(path) => fs::read_to_string(path)
                .map_err(|error| CommandFailure::cannot_read(self.language, path, &error))?,
        };
        let value = format!("Bearer {}", token.trim());
        let mut value: MetadataValue<Ascii> = value.parse().map_err(|_| {
            CommandFailure::with_exit(
                Exit::Unavailable,
                self.language.choose_text(
                    "访问令牌含有不允许的字符",
                    "the access token holds characters that are not allowed",
                ),
            )
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// One call, tried again while the platform is away.
    ///
    /// # Errors
    /// The status that remained, or no token.
    pub async fn call_with_retry<T: Clone, R>(
        &self,
        message: T,
        call: impl AsyncFn(Request<T>) -> Result<Response<R>, Status>,
    ) -> Result<R, CallError> {
        let mut tries = RetryTimer::new(self.retry_timeout);
        loop {
            let mut request = self.request(message.clone())?;
            request.set_timeout(CALL_TIMEOUT);
            match call(request).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) if is_transient(&status) && tries.wait_before_retry().await => {}
                Err(status) => return Err(CallError::Status(Box::new(status))),
            }
        }
    }

    /// The message of a failed call.
    pub fn failure(&self, error: CallError) -> CommandFailure {
        match error {
            CallError::Failure(failure) => failure,
            CallError::Status(status) => status_failure(self.language, &self.endpoint, &status),
        }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum CallError {
    /// The platform's message, or that it gave none.
    Status(Box<Status>),
    /// Something on this side.
    Failure(CommandFailure),
}

impl From<CommandFailure> for CallError {
    fn from(failure: CommandFailure) -> Self {
        Self::Failure(failure)
    }
}

impl CallError {
    /// The gRPC code, where the platform answered.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Status(status) => Some(status.code()),
            Self::Failure(_) => None,
        }
    }
}

/// Exponential backoff up to a timeout.
#[derive(Debug)]
pub struct RetryTimer {
    until: Instant,
    timeout: Duration,
    pause: Duration,
}

impl RetryTimer {
    /// Begins to count.
    pub fn new(timeout: Duration) -> Self {
        Self {
            until: Instant::now() + timeout,
            timeout,
            pause: RETRY_PAUSES.0,
        }
    }

    /// Something went well: counting begins anew.
    pub fn reset(&mut self) {
        self.until = Instant::now() + self.timeout;
        self.pause = RETRY_PAUSES.0;
    }

    /// Waits before the next retry; false when the timeout is reached.
    pub async fn wait_before_retry(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.until {
            return false;
        }
        tokio::time::sleep_until((now + self.pause).min(self.until)).await;
        self.pause = (self.pause * 2).min(RETRY_PAUSES.1);
        true
    }
}

/// Whether a retry of the same call can have another status.
pub fn is_transient(status: &Status) -> bool {
    use std::error::Error as _;
    match status.code() {
        code if is_transient_code(code) => true,
        // The connection broke; a status that the platform sent has no source.
        Code::Unknown | Code::Cancelled | Code::Internal => status.source().is_some(),
        _ => false,
    }
}

/// As [`is_transient`], of a code that the platform gave.
pub fn is_transient_code(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::DeadlineExceeded
    )
}

/// The message of a status, with its exit code.
pub fn status_failure(language: Language, endpoint: &str, status: &Status) -> CommandFailure {
    let details = status.get_error_details();
    let info = details.error_info();
    let reason = info.map_or_else(
        || code_name(status.code()).to_owned(),
        |info| info.reason.clone(),
    );
    let field = info.and_then(|info| info.metadata.get("field").cloned());
    let said = status.message();
    let (exit, text) = match status.code() {
        Code::Unauthenticated => (
            Exit::Unavailable,
            say!(
                language,
                "平台不认可访问令牌（{said}）；令牌可能已过期，换用新令牌后重新运行即从中断处继续",
                "the platform does not accept the token ({said}); with a new one the same command goes on where it was"
            ),
        ),
        Code::PermissionDenied => (
            Exit::Unavailable,
            say!(language, "没有权限：{said}", "not permitted: {said}"),
        ),
        code if is_transient(status) => {
            let code = code_name(code);
            let cause = cause(status);
            (
                Exit::Unavailable,
                say!(
                    language,
                    "平台 {endpoint} 连接不上（{code}：{said}{cause}）；已取得回执的不会丢失，稍后重新运行即从中断处继续",
                    "the platform at {endpoint} cannot be reached ({code}: {said}{cause}); receipts are not lost, and the same command goes on where it was"
                ),
            )
        }
        Code::Unimplemented => (
            Exit::Unavailable,
            say!(
                language,
                "平台 {endpoint} 不提供这项功能：{said}",
                "the platform at {endpoint} does not offer this: {said}"
            ),
        ),
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Cancelled => (
            Exit::Unavailable,
            say!(
                language,
                "平台内部出错：{said}",
                "the platform failed: {said}"
            ),
        ),
        _ => (
            Exit::Findings,
            say!(
                language,
                "平台拒绝：{said}",
                "refused by the platform: {said}"
            ),
        ),
    };
    CommandFailure::Message(Box::new(FailureMessage {
        exit,
        reason,
        field: field.unwrap_or_default(),
        text,
    }))
}

/// The innermost cause of a broken connection, such as "connection refused".
fn cause(status: &Status) -> String {
    use std::error::Error as _;
    let mut text = String::new();
    let mut source = status.source();
    while let Some(error) = source {
        text = format!("；{error}");
        source = error.source();
    }
    text
}

/// gRPC's own name of a code.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn channel(
    address: &str,
    ca: Option<&Certificate>,
    plaintext: bool,
    language: Language,
) -> Result<Channel, CommandFailure> {
    let full = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let unusable = || {
        CommandFailure::cannot_run(say!(
            language,
            "平台地址不可用：{address}（应为 主机:端口、http://… 或 https://…）",
            "no usable address: {address} (host:port, http://… or https://…)"
        ))
    };
    let uri: Uri = full.parse().map_err(|_| unusable())?;
    let host = uri.host().ok_or_else(unusable)?.to_owned();
    let encrypted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(unusable()),
    };
    if !encrypted && !plaintext && !is_this_computer(&host) {
        return Err(CommandFailure::cannot_run(say!(
            language,
            "到 {address} 的连接不加密，令牌和记录会以明文经过网络：请使用 https:// 地址，确在专网内时可加 --plaintext",
            "the connection to {address} is not encrypted, token and records would pass in clear: use https://, or --plaintext within a private network"
        )));
    }
    let mut endpoint = Endpoint::from(uri)
        .connect_timeout(Duration::from_secs(10))
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    if encrypted {
        let tls = ClientTlsConfig::new();
        let tls = match ca {
            Some(ca) => tls.ca_certificate(ca.clone()),
            None => tls.with_native_roots(),
        };
        endpoint = endpoint.tls_config(tls).map_err(|error| {
            CommandFailure::cannot_run(say!(
                language,
                "TLS 无法使用：{error}",
                "TLS cannot be used: {error}"
            ))
        })?;
    }
    Ok(endpoint.connect_lazy())
}

fn is_this_computer(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
