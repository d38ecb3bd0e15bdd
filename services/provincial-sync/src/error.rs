//! The service's errors and their gRPC statuses. `grpc` turns them at its edge; `start` gives
//! [`StartError`] to the binary.

use service_kit::{config::ConfigError, db, error};
use tonic::{Code, Status};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The record id is no UUID.
    #[error("record_id is not a UUID")]
    RecordIdInvalid,
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

impl ServiceError {
    /// For `map_err`: a database error with what was being done.
    pub fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        let field = "record_id";
        match error {
            ServiceError::RecordIdInvalid => error::Refusal::field(
                Code::InvalidArgument,
                "RECORD_ID_INVALID",
                field,
                "record_id is a UUID",
                "记录编号格式不正确",
            )
            .to_status(),
            ServiceError::PushUnknown => error::Refusal::field(
                Code::NotFound,
                "PUSH_UNKNOWN",
                field,
                "a push exists for every stored version",
                "没有该记录的上报情况",
            )
            .to_status(),
            ServiceError::Database { doing, source } => error::database(doing, &source),
            ServiceError::Sealed(ref source) => error::internal("读取上报情况", source),
        }
    }
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("a secret of provincial-sync cannot be read")]
    Config(#[from] ConfigError),
    /// The database URL is unusable.
    #[error("database_url of provincial-sync is unusable")]
    Database(#[from] db::Error),
    /// The upstream's address is unusable.
    #[error("upstream_url is no gRPC address")]
    Upstream(#[source] tonic::transport::Error),
    /// A number that makes no sense.
    #[error("{key} breaks the rule: {rule}")]
    Rule {
        /// The key of the configuration.
        key: &'static str,
        /// What must hold.
        rule: &'static str,
    },
}
