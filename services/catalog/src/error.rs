//! What can go wrong in catalog, and the gRPC code of each. Called by `app`, `jobs` and `grpc`.

use credit_record::item::ItemError;
use service_kit::{
    config::ConfigError,
    db,
    error::{Refusal, chain, database, internal},
};
use tonic::{Code, Status};

use crate::domain::{Kind, RuleBroken};

/// An error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A command that breaks a rule.
    #[error("refused: {0}")]
    Refused(RuleBroken),
    /// A definition that is too large to travel.
    #[error("the definition has {bytes} bytes, at most {max} are allowed")]
    DefinitionSize {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A definition that is unreadable or contradicts itself.
    #[error("the definition is refused")]
    Definition(#[from] ItemError),
    /// Something published that this release cannot read.
    #[error("the published definition of {code} cannot be read")]
    Stored {
        /// Code of the item or list.
        code: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Contacts that cannot be sealed or opened.
    #[error("the contacts of a provider cannot be {doing}")]
    Contacts {
        /// `sealed` or `opened`.
        doing: &'static str,
    },
    /// The file of an item cannot be made.
    #[error("the file of item {code} cannot be made")]
    Export {
        /// Code of the item.
        code: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database failed.
    #[error("{doing} failed")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: db::Error,
    },
}

impl From<RuleBroken> for CatalogError {
    fn from(broken: RuleBroken) -> Self {
        Self::Refused(broken)
    }
}

impl CatalogError {
    /// For `map_err`: a database error with what was being done.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// Paths and rules of all that is wrong with a definition; none when something else is wrong.
    pub(crate) fn faults(&self) -> Vec<(String, &'static str)> {
        let place = |place: &str| format!("{DEFINITION}.{place}");
        match self {
            Self::Definition(ItemError::Inconsistent { faults, .. }) => faults
                .iter()
                .map(|fault| (place(&fault.place), fault.problem))
                .collect(),
            Self::Definition(ItemError::CodeList { fault, .. }) => {
                vec![(place(&fault.place), fault.problem)]
            }
            Self::Definition(_) => vec![(DEFINITION.to_owned(), READABLE)],
            Self::DefinitionSize { .. } => vec![(DEFINITION.to_owned(), SIZE)],
            Self::Refused(broken) => vec![(broken.field.to_string(), broken.rule)],
            _ => Vec::new(),
        }
    }
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("catalog cannot start: its configuration cannot be used")]
    Config(#[from] ConfigError),
    /// `database_url` is not an address.
    #[error("catalog cannot start: database_url is not a PostgreSQL address")]
    Database(#[from] db::Error),
    /// The calendar file cannot be read.
    #[error("catalog cannot start: calendar_file {path} cannot be read")]
    CalendarFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The calendar breaks its format.
    #[error("catalog cannot start: the working-day calendar is unusable")]
    Calendar(#[from] legal_clock::CalendarError),
}

const DEFINITION: &str = "definition_toml";
const READABLE: &str = "a definition is TOML with the keys of an item version or a code list";
const SIZE: &str = "a definition has at most 262144 bytes";

impl From<CatalogError> for Status {
    fn from(error: CatalogError) -> Self {
        match &error {
            CatalogError::Refused(broken) => refused(broken),
            CatalogError::DefinitionSize { max, .. } => invalid(
                "DEFINITION_TOO_LARGE",
                DEFINITION,
                SIZE,
                format!("定义最多{max}字节"),
            ),
            CatalogError::Definition(cause) => definition(cause, &error),
            CatalogError::Stored { .. } => internal("读取目录项", &error),
            CatalogError::Contacts { .. } => internal("读取联系方式", &error),
            CatalogError::Export { .. } => internal("导出目录项", &error),
            CatalogError::Database { doing, source } => database(doing, source),
        }
    }
}

fn refused(broken: &RuleBroken) -> Status {
    let code = match broken.kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::Denied => Code::PermissionDenied,
        Kind::State => Code::FailedPrecondition,
        Kind::Exists => Code::AlreadyExists,
        Kind::Unknown => Code::NotFound,
        Kind::Changed => Code::Aborted,
    };
    Refusal::field(
        code,
        broken.reason,
        broken.field.as_ref(),
        broken.rule,
        broken.message.as_str(),
    )
    .into()
}

fn invalid(reason: &'static str, field: &str, rule: &'static str, message: String) -> Status {
    Refusal::field(Code::InvalidArgument, reason, field, rule, message).into()
}

/// The path and the rule of the first fault stand in the details, all faults in the message.
fn definition(cause: &ItemError, error: &CatalogError) -> Status {
    let faults = error.faults();
    let (field, rule) = match faults.first() {
        Some((field, rule)) => (field.as_str(), *rule),
        None => (DEFINITION, "a definition fits together"),
    };
    match cause {
        ItemError::Inconsistent { faults, .. } => {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let message = format!("目录项定义自相矛盾：{}", all.join("；"));
            invalid("DEFINITION_INCONSISTENT", field, rule, message)
        }
        ItemError::CodeList { fault, .. } => invalid(
            "DEFINITION_INCONSISTENT",
            field,
            rule,
            format!("代码表定义自相矛盾：{fault}"),
        ),
        ItemError::Toml(_) | ItemError::Json(_) => invalid(
            "DEFINITION_UNREADABLE",
            field,
            rule,
            format!("定义无法读取：{}", chain(cause)),
        ),
    }
}
