//! Waits for the verdicts on records that have receipts. Called by `submit`.
//!
//! A record is judged shortly after its receipt; until then the platform does not know a verdict. Waiting ends when no
//! verdict has come for some time: a record that still has none then is reported as pending, never as accepted.

use std::cell::Cell;
use std::time::Duration;

use proto::credit::validation::v1::{GetVerdictRequest, GetVerdictResponse};
use tokio::time::Instant;
use tonic::Code;
use uuid::Uuid;

use super::{CallError, PlatformClient};
use crate::CommandFailure;

/// First and longest pause between two questions about the same record.
const POLL_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The timeout of waiting for verdicts, shared by all records; each verdict resets it.
#[derive(Debug)]
pub struct VerdictTimeout {
    limit: Duration,
    last: Cell<Instant>,
}

impl VerdictTimeout {
    /// Ends when nothing has come for this long.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            last: Cell::new(Instant::now()),
        }
    }

    fn reset(&self) {
        self.last.set(Instant::now());
    }

    fn is_over(&self) -> bool {
        self.last.get().elapsed() >= self.limit
    }
}

/// The verdict on a record; `None` when it did not come in time.
///
/// # Errors
/// The platform is unreachable or refuses the call.
pub async fn await_verdict(
    platform: &PlatformClient,
    record: Uuid,
    waiting: &VerdictTimeout,
) -> Result<Option<GetVerdictResponse>, CommandFailure> {
    let message = GetVerdictRequest {
        record_id: record.to_string(),
    };
    let mut pause = POLL_PAUSES.0;
    loop {
        let asked = platform
            .call_with_retry(message.clone(), async |request| {
                platform.validation().get_verdict(request).await
            })
            .await;
        match asked {
            Ok(verdict) => {
                waiting.reset();
                return Ok(Some(verdict));
            }
            Err(CallError::Status(status)) if status.code() == Code::NotFound => {
                if waiting.is_over() {
                    return Ok(None);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(POLL_PAUSES.1);
            }
            Err(error) => return Err(platform.failure(error)),
        }
    }
}
