//! `/livez`, `/readyz` and `/metrics` of a process. The platform binary serves it; compose and
//! `credit healthcheck` call it.

use std::fmt::Write as _;

use axum::{
    Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get,
};
use tokio::net::TcpListener;

use crate::{readiness::Readiness, shutdown::Shutdown, telemetry::Telemetry};

#[derive(Clone)]
struct AdminState {
    readiness: Readiness,
    telemetry: Telemetry,
    shutdown: Shutdown,
}

/// Serves until shutdown.
pub async fn serve_admin(
    listener: TcpListener,
    readiness: Readiness,
    telemetry: Telemetry,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let stop = shutdown.clone();
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(AdminState {
            readiness,
            telemetry,
            shutdown,
        });
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.wait_requested().await })
        .await
}

async fn readyz(State(admin): State<AdminState>) -> impl IntoResponse {
    if admin.shutdown.is_requested() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    let complaints = admin.readiness.unready_reasons();
    if complaints.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            complaints.join("\n") + "\n",
        )
    }
}

async fn metrics(State(admin): State<AdminState>) -> impl IntoResponse {
    let mut text = String::from(
        "# HELP credit_lane_age_seconds Age of the oldest unfinished item of the lane.\n\
         # TYPE credit_lane_age_seconds gauge\n",
    );
    for (lane, age) in admin.readiness.ages() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "credit_lane_age_seconds{{lane=\"{lane}\"}} {age}");
    }
    text.push_str(&admin.telemetry.metrics_text());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text)
}
