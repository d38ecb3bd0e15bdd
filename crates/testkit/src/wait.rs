//! Waiting for a condition. Called by every test that waits for another task or process.

use anyhow::{Result, bail};
use std::fmt::Debug;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// The result of a check: done with a value, or not yet, with what was seen instead.
pub trait CheckOutcome {
    /// What the check gives in the end.
    type Value;

    /// The value, or a text for the error of the last try.
    fn settle(self) -> Result<Self::Value, String>;
}

impl CheckOutcome for bool {
    type Value = ();

    fn settle(self) -> Result<(), String> {
        if self {
            Ok(())
        } else {
            Err("false".to_owned())
        }
    }
}

impl<T> CheckOutcome for Option<T> {
    type Value = T;

    fn settle(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, E: Debug> CheckOutcome for Result<T, E> {
    type Value = T;

    fn settle(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// How long a wait may last in all while what is seen goes on changing: less than a test may (`.config/nextest.toml`), so that
/// it still reports what it saw.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(8 * 60);

/// Tries `check` until it succeeds (`true`, `Some`, `Ok`), and gives its value. `Err(seen)` means not yet, and `seen`
/// is part of the error in the end.
///
/// How long work takes depends on the machine, so what counts against `limit` is how long nothing that was seen
/// has changed: work that goes on is waited for, work that stands still is not.
///
/// # Errors
/// When the same was seen for `limit` (or the wait lasted eight minutes in all), saying `what` was waited for and what
/// the last try saw. So what is seen must describe progress and hold no time of day.
pub async fn eventually<O: CheckOutcome>(
    what: &str,
    limit: Duration,
    mut check: impl AsyncFnMut() -> O,
) -> Result<O::Value> {
    let last_end = Instant::now() + TOTAL_TIMEOUT.max(limit);
    let mut end = Instant::now() + limit;
    // Short at first, for what is nearly done; longer later, to leave the two processors to the work waited for.
    let mut pause = Duration::from_millis(5);
    let mut last = "no try has ended".to_owned();
    loop {
        match timeout_at(end, check()).await {
            Ok(outcome) => match outcome.settle() {
                Ok(value) => return Ok(value),
                Err(seen) if seen != last => {
                    last = seen;
                    end = last_end.min(Instant::now() + limit);
                }
                Err(_) => {}
            },
            Err(_) => {
                bail!("waited {limit:?} for {what}; the last try hangs, the one before saw: {last}")
            }
        }
        if Instant::now() + pause >= end {
            bail!(
                "waited for {what}, the last {limit:?} of it without a change; seen last: {last}"
            );
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_value_once_it_is_there() {
        let mut tries = 0;
        let value = eventually("the third try", Duration::from_secs(10), async || {
            tries += 1;
            (tries == 3).then_some(tries)
        });
        assert_eq!(value.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn says_what_was_waited_for_and_what_was_seen() {
        let limit = Duration::from_millis(30);
        let error = eventually("ten rows", limit, async || Err::<(), _>("7 rows"))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("ten rows") && error.contains("7 rows"),
            "{error}"
        );
        let error = eventually("a flag", limit, async || false)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a flag") && error.contains("false"),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_is_waited_for_and_what_stands_still_is_not() {
        let limit = Duration::from_secs(10);
        let start = Instant::now();
        let slow = eventually("a minute", limit, async || {
            let seconds = start.elapsed().as_secs();
            (seconds >= 60).then_some(seconds).ok_or(seconds)
        });
        assert_eq!(slow.await.unwrap(), 60);
        let start = Instant::now();
        let endless = eventually("the end", limit, async || {
            Err::<(), _>(start.elapsed().as_secs())
        });
        assert!(endless.await.is_err());
        assert!(start.elapsed() <= TOTAL_TIMEOUT);
        let start = Instant::now();
        let still = eventually("more", limit, async || Err::<(), _>("7 rows"));
        assert!(still.await.is_err());
        assert!(start.elapsed() <= limit + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_try_that_hangs_does_not_hang_the_test() {
        let hang = eventually("an answer", Duration::from_millis(30), async || {
            std::future::pending::<bool>().await
        });
        assert!(hang.await.unwrap_err().to_string().contains("hangs"));
    }
}
