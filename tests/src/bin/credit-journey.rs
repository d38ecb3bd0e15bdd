//! The program `credit` with fault points, for the journeys: `CREDIT_JOURNEY_FAULT=point:count`
//! aborts the process when the point is reached for the count-th time, as a power cut would.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
};

use event_bus::{FaultInjection, FaultPoint};

fn main() -> ExitCode {
    let wanted = std::env::var("CREDIT_JOURNEY_FAULT").unwrap_or_default();
    if wanted.is_empty() {
        return platform::run_command_line(FaultInjection::none());
    }
    let Some((point, count)) = parse(&wanted) else {
        eprintln!("CREDIT_JOURNEY_FAULT={wanted}: expected point:count");
        return ExitCode::FAILURE;
    };
    let reached = AtomicU64::new(0);
    platform::run_command_line(FaultInjection::with_callback(move |at| {
        if at == point && reached.fetch_add(1, Ordering::SeqCst) + 1 == count {
            std::process::abort();
        }
    }))
}

fn parse(text: &str) -> Option<(FaultPoint, u64)> {
    let (name, count) = text.split_once(':')?;
    let point = FaultPoint::ALL
        .into_iter()
        .find(|point| point.name() == name)?;
    Some((point, count.parse().ok()?))
}
