//! The service's errors and their gRPC statuses, in one exhaustive match. `grpc` answers with the statuses.

use service_kit::{
    db,
    error::{self, Refusal},
    reason::Reason,
};
use tonic::Status;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ProvincialSyncError {
    /// No such version was stored.
    #[error("no push of this record_id")]
    PushUnknown,
    /// The database failed.
    #[error("database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: db::Error,
    },
    /// A stored text does not open with the keys of this installation.
    #[error("a sealed text does not open")]
    Sealed(#[source] vault::OpenError),
}

impl ProvincialSyncError {
    /// For `map_err`: a database error with what was being done.
    pub fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<ProvincialSyncError> for Status {
    fn from(error: ProvincialSyncError) -> Self {
        match error {
            ProvincialSyncError::PushUnknown => Refusal::new(
                Reason::PushUnknown,
                "record_id",
                "a push exists for every stored version",
                "没有该记录的上报情况",
            )
            .into(),
            ProvincialSyncError::Database { doing, source } => {
                error::database_status(doing, &source)
            }
            ProvincialSyncError::Sealed(source) => error::internal_status("读取上报情况", &source),
        }
    }
}
