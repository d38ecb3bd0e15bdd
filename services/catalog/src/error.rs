//! What can go wrong in catalog, and the gRPC code of each. Called by `app`, `jobs` and `grpc`.

use credit_record::item::ItemError;
use service_kit::{
    db,
    error::{Refusal, chain, database, internal},
};
use tonic::{Code, Status};

use crate::domain::{RuleBroken, VersionFault};

/// An error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A registration that breaks a rule.
    #[error("the registration of a provider is refused")]
    Registration(#[from] RuleBroken),
    /// A definition that is too large to travel.
    #[error("the definition has {bytes} bytes, at most {max} are allowed")]
    DefinitionSize {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A definition that is unreadable or contradicts itself.
    #[error("the definition of an item is refused")]
    Definition(#[from] ItemError),
    /// A version that would change a published one or leave a gap.
    #[error("the version of an item is refused")]
    Version(#[from] VersionFault),
    /// No such item, or no such version of it.
    #[error("item {code} version {version} does not exist (version 0 means the one in force)")]
    ItemUnknown {
        /// Code asked for.
        code: String,
        /// Version asked for; 0 means the one in force.
        version: u32,
    },
    /// A published definition that this release cannot read.
    #[error("the published definition of item {code} cannot be read")]
    Stored {
        /// Code of the item.
        code: String,
        /// Why.
        #[source]
        source: serde_json::Error,
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

impl CatalogError {
    /// For `map_err`: a database error with what was being done.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<CatalogError> for Status {
    fn from(error: CatalogError) -> Self {
        match &error {
            CatalogError::Registration(broken) => invalid(
                broken.reason,
                broken.field,
                broken.rule,
                broken.message.clone(),
            ),
            CatalogError::DefinitionSize { max, .. } => invalid(
                "DEFINITION_TOO_LARGE",
                "definition_toml",
                "a definition has at most 262144 bytes",
                format!("目录项定义最多{max}字节"),
            ),
            CatalogError::Definition(cause) => definition(cause),
            CatalogError::Version(fault @ VersionFault::Immutable { code, version }) => {
                version_refused(
                    Code::AlreadyExists,
                    "ITEM_VERSION_IMMUTABLE",
                    "a published version never changes",
                    format!("目录项{code}第{version}版已发布且内容不同，已发布的版本不可更改"),
                    fault,
                )
            }
            CatalogError::Version(
                fault @ VersionFault::Gap {
                    code,
                    version,
                    next,
                },
            ) => version_refused(
                Code::FailedPrecondition,
                "ITEM_VERSION_GAP",
                "the version is the current one plus 1, or 1 for a new item",
                format!("目录项{code}的下一版应为第{next}版，不能发布第{version}版"),
                fault,
            ),
            CatalogError::ItemUnknown { code, version } => {
                let (field, rule, message) = if *version == 0 {
                    ("code", "the item is published", format!("没有目录项{code}"))
                } else {
                    let message = format!("没有目录项{code}的第{version}版");
                    ("version", "the version of the item is published", message)
                };
                Refusal::field(Code::NotFound, "ITEM_UNKNOWN", field, rule, message).into()
            }
            CatalogError::Stored { .. } => internal("读取目录项", &error),
            CatalogError::Database { doing, source } => database(doing, source),
        }
    }
}

fn invalid(reason: &'static str, field: &str, rule: &'static str, message: String) -> Status {
    Refusal::field(Code::InvalidArgument, reason, field, rule, message).into()
}

fn version_refused(
    code: Code,
    reason: &'static str,
    rule: &'static str,
    message: String,
    fault: &VersionFault,
) -> Status {
    tracing::info!(%fault, "publication refused");
    Refusal::field(code, reason, "definition_toml.version", rule, message).into()
}

/// The path and the rule of the first fault stand in the details, all faults in the message.
fn definition(cause: &ItemError) -> Status {
    match cause {
        ItemError::Inconsistent { faults, .. } => {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let message = format!("目录项定义自相矛盾：{}", all.join("；"));
            match faults.first() {
                Some(first) => {
                    let field = format!("definition_toml.{}", first.place);
                    invalid("DEFINITION_INCONSISTENT", &field, first.problem, message)
                }
                None => invalid(
                    "DEFINITION_INCONSISTENT",
                    "definition_toml",
                    "a definition fits together",
                    message,
                ),
            }
        }
        ItemError::Toml(_) | ItemError::Json(_) => invalid(
            "DEFINITION_UNREADABLE",
            "definition_toml",
            "a definition is TOML with the keys of an item version",
            format!("目录项定义无法读取：{}", chain(cause)),
        ),
    }
}
