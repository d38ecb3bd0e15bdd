//! Work for a processor, off the threads that serve calls. Called by services that compile definitions, open and check
//! records in batches, or make files.

use tonic::Status;

use crate::{
    error::{Refusal, internal_status},
    reason::Reason,
};

/// The process is stopping, so the work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the process is stopping")]
pub struct Stopping;

/// Runs `work` on a thread for blocking work. A panic goes on to the caller.
///
/// # Errors
/// [`Stopping`] when the runtime ends.
pub async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stopping> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Stopping),
    }
}

/// Why work came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockingError {
    /// See [`Stopping`].
    #[error(transparent)]
    Stopping(#[from] Stopping),
    /// It panicked; the log has the message and the line.
    #[error("work for a processor panicked")]
    Panicked,
}

/// The same, with a panic as an error: for work on what people wrote, such as definitions, that must end neither a job
/// nor a process.
///
/// # Errors
/// [`BlockingError`].
pub async fn try_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => Err(BlockingError::Panicked),
        Err(_) => Err(Stopping.into()),
    }
}

impl From<BlockingError> for Status {
    fn from(error: BlockingError) -> Self {
        match error {
            BlockingError::Stopping(stopping) => stopping.into(),
            BlockingError::Panicked => internal_status("计算", &error),
        }
    }
}

impl From<Stopping> for Refusal {
    fn from(_: Stopping) -> Self {
        Self::new(
            Reason::Stopping,
            "",
            "a stopping service takes nothing new",
            "服务正在停止，请用同一标识重试",
        )
    }
}

impl From<Stopping> for Status {
    fn from(stopping: Stopping) -> Self {
        Refusal::from(stopping).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_reaches_the_caller() {
        assert_eq!(run_blocking(|| 7).await, Ok(7));
        let panic = tokio::spawn(run_blocking(|| panic!("on purpose"))).await;
        assert!(panic.unwrap_err().is_panic());
        assert_eq!(try_blocking(|| 7).await, Ok(7));
        let panic: Result<(), _> = try_blocking(|| panic!("on purpose")).await;
        assert_eq!(panic, Err(BlockingError::Panicked));
    }
}
