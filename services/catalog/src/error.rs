//! What can go wrong in catalog, and the gRPC code of each. Called by `app`, `jobs` and `grpc`.

use credit_record::item::{ItemError, LintFault};
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
    /// Work beside the tasks that serve calls did not come to its end.
    #[error("reading a definition ended early")]
    Ended(#[source] tokio::task::JoinError),
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

/// Most faults of a definition that one refusal lists.
const MOST_FAULTS: usize = 20;

/// Most bytes of one fault in a refusal.
const MOST_FAULT_BYTES: usize = 200;

/// Most bytes of the text of a refusal for people.
const MOST_MESSAGE_BYTES: usize = 1_500;

/// Most bytes of the path in a refusal.
const MOST_FIELD_BYTES: usize = 256;

const SIZE: &str = "a definition has at most 262144 bytes";

impl From<CatalogError> for Status {
    fn from(error: CatalogError) -> Self {
        match &error {
            CatalogError::Refused(broken) => refused(broken),
            CatalogError::DefinitionSize { max, .. } => invalid(
                "DEFINITION_TOO_LARGE",
                DEFINITION,
                SIZE,
                &format!("定义最多{max}字节"),
            ),
            CatalogError::Definition(cause) => definition(cause, &error),
            CatalogError::Stored { .. } => internal("读取目录项", &error),
            CatalogError::Contacts { .. } => internal("读取联系方式", &error),
            CatalogError::Ended(_) => internal("读取定义", &error),
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
    told(
        code,
        broken.reason,
        &broken.field,
        broken.rule,
        &broken.message,
    )
}

fn invalid(reason: &'static str, field: &str, rule: &'static str, message: &str) -> Status {
    told(Code::InvalidArgument, reason, field, rule, message)
}

/// A refusal that reaches the caller: a status travels in headers, which have at most 16 KiB together, and its
/// message stands in them three times (as text with three bytes for each byte of Chinese, and twice as base64).
fn told(
    code: Code,
    reason: &'static str,
    field: &str,
    rule: &'static str,
    message: &str,
) -> Status {
    let field = cut(field, MOST_FIELD_BYTES);
    Refusal::field(code, reason, field, rule, cut(message, MOST_MESSAGE_BYTES)).into()
}

/// At most so many bytes of a text, and a mark where something was left out.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// The first faults, and how many more there are.
fn some_of(faults: &[LintFault]) -> String {
    let mut text = String::new();
    let mut shown = 0;
    for fault in faults.iter().take(MOST_FAULTS) {
        let line = cut(&fault.to_string(), MOST_FAULT_BYTES);
        if text.len() + line.len() > MOST_MESSAGE_BYTES - MOST_FAULT_BYTES {
            break;
        }
        if shown > 0 {
            text.push('；');
        }
        text.push_str(&line);
        shown += 1;
    }
    match faults.len() - shown {
        0 => text,
        more => format!("{text}；另有{more}处"),
    }
}

/// The path and the rule of the first fault stand in the details, the first faults in the message.
fn definition(cause: &ItemError, error: &CatalogError) -> Status {
    let faults = error.faults();
    let (field, rule) = match faults.first() {
        Some((field, rule)) => (field.as_str(), *rule),
        None => (DEFINITION, "a definition fits together"),
    };
    match cause {
        ItemError::Inconsistent { faults, .. } => {
            let message = format!("目录项定义自相矛盾：{}", some_of(faults));
            invalid("DEFINITION_INCONSISTENT", field, rule, &message)
        }
        ItemError::CodeList { fault, .. } => invalid(
            "DEFINITION_INCONSISTENT",
            field,
            rule,
            &format!("代码表定义自相矛盾：{fault}"),
        ),
        ItemError::Toml(_) | ItemError::Json(_) => invalid(
            "DEFINITION_UNREADABLE",
            field,
            rule,
            &format!("定义无法读取：{}", chain(cause)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_fits_into_the_headers_however_much_is_wrong() {
        let faults = (0..300)
            .map(|i| {
                let long = "长".repeat(5_000);
                LintFault::new(format!("fields.F{i}.{long}"), "a rule").with(long)
            })
            .collect();
        let inconsistent = ItemError::Inconsistent {
            code: "x".to_owned(),
            version: 1,
            faults,
        };
        let unknown = RuleBroken::new(
            Kind::Unknown,
            "ITEM_UNKNOWN",
            "code",
            "the item is published",
            "长".repeat(50_000),
        );
        for error in [CatalogError::from(inconsistent), unknown.into()] {
            let status = Status::from(error);
            // As tonic writes them: the message in percent code, the details in base64.
            let headers = status.message().len() * 3 + status.details().len() * 4 / 3;
            assert!(headers < 14 * 1024, "{headers}");
        }
    }

    #[test]
    fn some_faults_are_told_and_how_many_more_there_are() {
        let faults: Vec<_> = (0..300)
            .map(|i| LintFault::new(format!("fields.F{i}"), "a rule"))
            .collect();
        let told = some_of(&faults);
        assert!(told.starts_with("fields.F0: a rule；fields.F1: a rule；"));
        assert!(told.ends_with("fields.F19: a rule；另有280处"), "{told}");
        assert_eq!(
            some_of(&faults[..2]),
            "fields.F0: a rule；fields.F1: a rule"
        );
        assert_eq!(cut("长长", 6), "长长");
        assert_eq!(cut("长长长", 8), "长…");
    }
}
