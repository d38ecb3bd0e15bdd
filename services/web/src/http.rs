//! Middleware for every response: security headers, cache rules, request counts and durations. The layer
//! around the router, called by `routes`. Addresses are counted by their pattern only: what a
//! visitor searched for never reaches metrics or logs.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};
use service_kit::telemetry::Telemetry;

/// Own style sheet and pictures, forms to the site itself, no script at all, no frame around it.
const POLICY: &str = "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

const SECURITY: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Other sites do not learn whom a visitor looked up.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    route: String,
    status: u16,
}

/// Counts of responses by route and status, and their durations.
#[derive(Clone, Debug)]
pub struct Metrics {
    answers: Family<AnswerLabels, Counter>,
    seconds: Arc<Histogram>,
}

impl Metrics {
    /// Registers them with the process.
    pub fn new(telemetry: &Telemetry) -> Self {
        let answers = Family::<AnswerLabels, Counter>::default();
        let seconds = Histogram::new([0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        telemetry.register(|registry| {
            registry.register(
                "credit_web_answers",
                "Answers of the public site by route and status",
                answers.clone(),
            );
            registry.register(
                "credit_web_answer_seconds",
                "Duration of the public site's answers in seconds",
                seconds.clone(),
            );
        });
        Self {
            answers,
            seconds: Arc::new(seconds),
        }
    }
}

/// Middleware: measures the response and sets the security and cache headers.
pub async fn secure_and_measure(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let start = Instant::now();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let seconds = start.elapsed().as_secs_f64();
    tracing::debug!(route, status, seconds, "answered");
    metrics.seconds.observe(seconds);
    metrics
        .answers
        .get_or_create(&AnswerLabels { route, status })
        .inc();
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What may be shown is decided anew for each reader at each reading: no cache between.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
    response
}
