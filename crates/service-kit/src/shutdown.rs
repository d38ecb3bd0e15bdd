//! Graceful shutdown: a cancellation token and a tracker of the tasks in flight.

use std::{fmt, future::Future, sync::Arc, sync::Mutex, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Default grace period: how long servers still answer after a stop is requested. Well below what Compose
/// waits for a container (`stop_grace_period`) and a process for its tasks (`shutdown_seconds`).
const GRACE_PERIOD: Duration = Duration::from_secs(8);

/// Handed to every task. Cheap to clone; clones share one state.
#[derive(Clone)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
    failure: Arc<Mutex<Option<String>>>,
    /// Names of essential tasks that run, for the message of a stop that hangs.
    running: Arc<Mutex<Vec<String>>>,
    grace_period: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            token: CancellationToken::default(),
            tasks: TaskTracker::default(),
            failure: Arc::default(),
            running: Arc::default(),
            grace_period: GRACE_PERIOD,
        }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("requested", &self.is_requested())
            .field("tasks", &self.tasks.len())
            .finish()
    }
}

impl Shutdown {
    /// A fresh one; nothing is requested.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another grace period.
    pub fn with_grace_period(self, grace_period: Duration) -> Self {
        Self {
            grace_period,
            ..self
        }
    }

    /// The grace period: how long a server still answers after a stop was requested, before it closes its connections.
    pub fn grace_period(&self) -> Duration {
        self.grace_period
    }

    /// Asks everything to stop. Safe to call twice.
    pub fn request_stop(&self) {
        self.token.cancel();
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Completes when a stop is requested.
    pub async fn wait_requested(&self) {
        self.token.cancelled().await;
    }

    /// Runs a task whose end before a stop is a failure of the whole process: its error is kept
    /// and a stop is requested, so that a half-dead process never stays up.
    pub fn spawn_essential<F, E>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let (name, this) = (name.into(), self.clone());
        let running = tokio::spawn(task);
        if let Ok(mut names) = self.running.lock() {
            names.push(name.clone());
        }
        self.tasks.spawn(async move {
            let outcome = running.await;
            if let Ok(mut names) = this.running.lock()
                && let Some(at) = names.iter().position(|one| *one == name)
            {
                names.swap_remove(at);
            }
            let why = match outcome {
                Ok(Ok(())) if this.is_requested() => return,
                Ok(Ok(())) => "ended early".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic.to_string(),
            };
            tracing::error!(task = %name, error = %why, "essential task failed");
            if let Ok(mut failure) = this.failure.lock() {
                failure.get_or_insert(format!("{name}: {why}"));
            }
            this.request_stop();
        });
    }

    /// Runs a task that may end whenever it likes, but is waited for at the stop.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Waits until every task has ended after a stop was requested; the first failure, if any.
    /// Tasks that do not end within `timeout_after` are abandoned and named as a failure.
    pub async fn wait_finished(&self, timeout_after: Duration) -> Result<(), String> {
        self.token.cancelled().await;
        self.tasks.close();
        if tokio::time::timeout(timeout_after, self.tasks.wait())
            .await
            .is_err()
        {
            let names = self.running.lock().map(|names| names.join(", "));
            return Err(format!(
                "{} tasks did not end within {} s: {}",
                self.tasks.len(),
                timeout_after.as_secs(),
                names.unwrap_or_default()
            ));
        }
        match self.failure.lock() {
            Ok(mut failure) => failure.take().map_or(Ok(()), Err),
            Err(_) => Err("a task panicked while reporting".to_owned()),
        }
    }

    /// Sleeps, but wakes at once when a stop is requested; true when it was.
    pub async fn sleep(&self, pause: Duration) -> bool {
        tokio::time::timeout(pause, self.token.cancelled())
            .await
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Paused time, which advances only when every task is idle: a slow machine cannot run into the timeout.
    #[tokio::test(start_paused = true)]
    async fn an_essential_task_that_fails_stops_the_process() {
        let shutdown = Shutdown::new();
        shutdown.spawn_essential("relay", async { Err::<(), _>("cut off") });
        let outcome = shutdown.wait_finished(Duration::from_secs(5)).await;
        assert_eq!(outcome, Err("relay: cut off".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_in_hand_are_waited_for() {
        let shutdown = Shutdown::new();
        let inner = shutdown.clone();
        shutdown.spawn_essential("server", async move {
            inner.wait_requested().await;
            Ok::<_, String>(())
        });
        shutdown.request_stop();
        assert_eq!(shutdown.wait_finished(Duration::from_secs(5)).await, Ok(()));
    }
}
