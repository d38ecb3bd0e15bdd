//! The layer before every gRPC service: token, roles, span. `serve_grpc` installs it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use opentelemetry::trace::SpanKind;
use tonic::body::Body;
use tower::{Layer, Service};

use super::{AccessTable, OPEN_PREFIXES, Principal, TokenError, TokenVerifier};
use crate::{
    clock::Clock,
    error::Refusal,
    reason::Reason,
    telemetry::{Telemetry, TraceParent},
};

/// Puts a [`Principal`] and a [`TraceParent`] into the extensions of each request that may pass.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    access: Arc<AccessTable>,
    verifier: Arc<TokenVerifier>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
}

impl AuthLayer {
    /// The layer of one server.
    pub fn new(
        access: AccessTable,
        verifier: Arc<TokenVerifier>,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            access: Arc::new(access),
            verifier,
            clock,
            telemetry,
        }
    }

    fn admit(&self, path: &str, headers: &http::HeaderMap) -> Result<Arc<Principal>, Refusal> {
        let Some(allowed) = self.access.roles(path) else {
            return Err(refusal(
                Reason::RpcUnknown,
                "the RPC is one of the proto files",
                "没有这个接口",
            ));
        };
        let token = headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| {
                refusal(
                    Reason::TokenMissing,
                    "every call carries a signed token",
                    "缺少身份令牌（authorization: Bearer …）",
                )
            })?;
        let principal = self
            .verifier
            .verify(token, self.clock.now())
            .map_err(refuse_token)?;
        if allowed.iter().any(|role| principal.has_role(*role)) {
            return Ok(principal);
        }
        tracing::info!(account = %principal.account, path, "call refused by role");
        Err(refusal(
            Reason::RoleNotAllowed,
            "the option (credit.common.v1.allowed) of the RPC names the roles",
            "当前身份无权调用该接口",
        ))
    }
}

/// Whether the request has gRPC's content type, as the protocol demands. Routes themselves do not look: a form of a web
/// page, for instance, would be taken for a call.
fn is_grpc(headers: &http::HeaderMap) -> bool {
    let value = headers.get(http::header::CONTENT_TYPE);
    value.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn refusal(reason: Reason, rule: &'static str, message: &str) -> Refusal {
    Refusal::new(reason, "authorization", rule, message)
}

fn refuse_token(error: TokenError) -> Refusal {
    let (reason, message) = match error {
        TokenError::Invalid => (Reason::TokenInvalid, "身份令牌无效"),
        TokenError::Expired => (Reason::TokenExpired, "身份令牌已过期，请重新获取"),
        TokenError::NotYet => (Reason::TokenNotYetValid, "身份令牌尚未生效"),
        TokenError::Foreign => (Reason::TokenForeign, "身份令牌不是签发给本平台的"),
    };
    refusal(
        reason,
        "tokens are signed by the configured issuer for this platform and in time",
        message,
    )
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService {
            inner,
            layer: self.clone(),
        }
    }
}

/// What [`AuthLayer`] wraps around a server.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    layer: AuthLayer,
}

type ResponseFuture<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for AuthService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if !is_grpc(request.headers()) {
            // No gRPC status: a client of another protocol would not understand it.
            let mut response = http::Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Box::pin(async move { Ok(response) });
        }
        let path = request.uri().path().to_owned();
        if OPEN_PREFIXES.iter().any(|open| path.starts_with(open)) {
            return Box::pin(self.inner.call(request));
        }
        let principal = match self.layer.admit(&path, request.headers()) {
            Ok(principal) => principal,
            Err(refusal) => {
                let response = refusal.to_status().into_http();
                return Box::pin(async move { Ok(response) });
            }
        };
        let parent = request
            .headers()
            .get("traceparent")
            .and_then(|value| value.to_str().ok())
            .and_then(TraceParent::parse);
        let mut span = self
            .layer
            .telemetry
            .span("grpc", SpanKind::Server, parent.as_ref());
        span.set("rpc.path", path);
        request
            .extensions_mut()
            .insert(Principal::clone(&principal));
        request.extensions_mut().insert(span.context());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await;
            drop(span);
            response
        })
    }
}
