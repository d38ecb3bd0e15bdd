//! The service's errors and their gRPC statuses. `grpc` turns them at its edge; `start` gives
//! [`StartError`] to the binary.

use std::collections::HashMap;

use service_kit::{
    config::ConfigError,
    db,
    error::{self, DOMAIN, Refusal},
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::domain::{RuleBroken, application::Missing};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The application or answer lacks something (D-4).
    #[error("the request lacks {} things", .0.len())]
    Incomplete(Vec<Missing>),
    /// The rules of the objection do not allow it.
    #[error("a rule of the objection is broken")]
    Rule(#[from] RuleBroken),
    /// No such objection, or none that the caller may see.
    #[error("no objection of this id for the caller")]
    Unknown,
    /// Nobody registered the provider.
    #[error("provider_code is not registered")]
    ProviderUnknown,
    /// The same request id came with other content before.
    #[error("request_id was used for another application")]
    RequestReused,
    /// The token names neither an organisation nor a person.
    #[error("the caller is no subject")]
    NoSubject,
    /// The role sees objections, but which ones is not settled.
    #[error("the caller's view is not settled")]
    NoView,
    /// The page token is not one of ours.
    #[error("page_token is not valid")]
    PageToken,
    /// Somebody else changed it meanwhile, again and again.
    #[error("the objection kept changing")]
    Contended,
    /// The database failed.
    #[error("database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: db::Error,
    },
    /// Stored content does not open, or is not what was handed in.
    #[error("stored content of {place} is damaged")]
    Damaged {
        /// Which content.
        place: &'static str,
    },
}

impl ServiceError {
    /// For `map_err`: a database error with what was being done.
    pub fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Incomplete(lacks) => incomplete(&lacks),
            ServiceError::Rule(broken) => rule(broken).to_status(),
            ServiceError::Unknown => Refusal::field(
                Code::NotFound,
                "OBJECTION_UNKNOWN",
                "objection_id",
                "callers see their own objections (R-18, R-19)",
                "没有该异议申请",
            )
            .to_status(),
            ServiceError::ProviderUnknown => Refusal::field(
                Code::InvalidArgument,
                "PROVIDER_UNKNOWN",
                "provider_code",
                "provider_code is registered in the catalogue (R-3)",
                "没有登记该信用信息提供主体",
            )
            .to_status(),
            ServiceError::RequestReused => Refusal::field(
                Code::AlreadyExists,
                "REQUEST_ID_REUSED",
                "request_id",
                "one request_id, one content",
                "该申请标识已用于内容不同的申请",
            )
            .to_status(),
            ServiceError::NoSubject => Refusal::field(
                Code::PermissionDenied,
                "SUBJECT_MISSING",
                "authorization",
                "a subject's token names an organisation or a person (R-9)",
                "身份令牌未载明信用信息主体",
            )
            .to_status(),
            ServiceError::NoView => Refusal::field(
                Code::PermissionDenied,
                "VIEW_NOT_SETTLED",
                "authorization",
                "objections are handled by the city office (R-18)",
                "异议由市信用办受理，当前身份无查看范围",
            )
            .to_status(),
            ServiceError::PageToken => Refusal::field(
                Code::InvalidArgument,
                "PAGE_TOKEN_INVALID",
                "page_token",
                "page_token comes from next_page_token",
                "分页标识无效",
            )
            .to_status(),
            ServiceError::Contended => Refusal::field(
                Code::Aborted,
                "OBJECTION_CONTENDED",
                "objection_id",
                "one change at a time",
                "该异议正在被处理，请稍后重试",
            )
            .to_status(),
            ServiceError::Database { doing, ref source } => error::database(doing, source),
            ServiceError::Damaged { .. } => error::internal("读取异议材料", &error),
        }
    }
}

fn rule(broken: RuleBroken) -> Refusal {
    let (code, reason, rule, message) = match broken {
        RuleBroken::NotInForce => (
            Code::FailedPrecondition,
            "REGULATION_NOT_IN_FORCE",
            "R-25: nothing is due before 2017-06-20",
            "办法施行前不受理异议申请",
        ),
        RuleBroken::Beginning => (
            Code::FailedPrecondition,
            "OBJECTION_BEGINNING",
            "an objection begins with its filing, once",
            "该异议的办理顺序不正确",
        ),
        RuleBroken::NotTheSubject => (
            Code::PermissionDenied,
            "NOT_THE_SUBJECT",
            "R-18: the subject applies",
            "异议由信用信息主体提出",
        ),
        RuleBroken::NotTheOffice => (
            Code::PermissionDenied,
            "NOT_THE_CREDIT_OFFICE",
            "R-18: the credit office transfers",
            "异议由市信用办转交",
        ),
        RuleBroken::NotTheProvider => (
            Code::PermissionDenied,
            "NOT_THE_PROVIDER",
            "R-19: the provider of the record answers",
            "异议由提供该信息的主体答复",
        ),
        RuleBroken::NotTransferred => (
            Code::FailedPrecondition,
            "OBJECTION_NOT_TRANSFERRED",
            "R-19: the provider answers after the transfer",
            "该异议尚未转交",
        ),
        RuleBroken::AlreadyAnswered => (
            Code::FailedPrecondition,
            "OBJECTION_ANSWERED",
            "R-19: an answer that was given stands",
            "该异议已经答复，答复内容不可更改",
        ),
    };
    Refusal::field(code, reason, "objection_id", rule, message)
}

/// All that is missing in one answer (D-4); the first stands in the error info.
fn incomplete(lacks: &[Missing]) -> Status {
    let first = lacks.first();
    let text = |get: fn(&Missing) -> &str| first.map(get).unwrap_or_default().to_owned();
    let mut details = ErrorDetails::with_error_info(
        "REQUEST_INCOMPLETE",
        DOMAIN,
        HashMap::from([
            ("field".to_owned(), text(|m| &m.field)),
            ("rule".to_owned(), text(|m| m.rule)),
        ]),
    );
    for lack in lacks {
        details.add_bad_request_violation(lack.field.clone(), lack.message.clone());
    }
    let listed: Vec<String> = lacks
        .iter()
        .map(|m| format!("{}: {}", m.field, m.message))
        .collect();
    let message = format!("REQUEST_INCOMPLETE: {}", listed.join("；"));
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("a secret of objection cannot be read")]
    Config(#[from] ConfigError),
    /// The database URL is unusable.
    #[error("database_url of objection is unusable")]
    Database(#[from] db::Error),
    /// The calendar file cannot be read.
    #[error("calendar_file {path} cannot be read")]
    CalendarFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The calendar breaks its format.
    #[error("the working-day calendar is unusable")]
    Calendar(#[from] legal_clock::CalendarError),
}
