//! The errors of catalog, and the refusal that a caller gets for each. Called by `app`, `jobs` and `grpc`.

use credit_record::item::{ItemError, LintFault};
use service_kit::{
    blocking::BlockingError,
    db,
    error::{Refusal, cut_text, database_status, error_chain, internal_status},
    reason::Reason,
};
use tonic::Status;

use crate::domain::CatalogRuleViolation;

/// An error of a use case.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A command that breaks a rule.
    #[error("refused: {0}")]
    Refused(CatalogRuleViolation),
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
    /// The service stops before work on the blocking pool was done.
    #[error(transparent)]
    Blocking(#[from] BlockingError),
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

impl From<CatalogRuleViolation> for CatalogError {
    fn from(broken: CatalogRuleViolation) -> Self {
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
        match self {
            Self::Definition(ItemError::Inconsistent { faults, .. }) => faults
                .iter()
                .map(|fault| (definition_path(&fault.path), fault.problem))
                .collect(),
            Self::Definition(ItemError::CodeList { fault, .. }) => {
                vec![(definition_path(&fault.path), fault.problem)]
            }
            Self::Definition(_) => vec![(DEFINITION_FIELD.to_owned(), READABLE_RULE)],
            Self::DefinitionSize { .. } => vec![(DEFINITION_FIELD.to_owned(), SIZE_RULE)],
            Self::Refused(broken) => vec![(broken.field.to_string(), broken.rule)],
            _ => Vec::new(),
        }
    }
}

const DEFINITION_FIELD: &str = "definition_toml";
const READABLE_RULE: &str = "a definition is TOML with the keys of an item version or a code list";
const SIZE_RULE: &str = "a definition has at most 262144 bytes";
const FITS_TOGETHER: &str = "a definition fits together";

/// Most faults of a definition that one refusal lists.
const MAX_LISTED_FAULTS: usize = 20;

/// Most bytes of the path, and of the text, of one fault in a refusal.
const MAX_FAULT_BYTES: usize = 200;

/// Most bytes of all faults in a refusal: so much less than [`Refusal::with_field`] takes that the number of the others fits.
const MOST_FAULTS_BYTES: usize = 1_300;

/// Path of a part of a definition in a request.
fn definition_path(path: &str) -> String {
    format!("{DEFINITION_FIELD}.{path}")
}

impl From<CatalogRuleViolation> for Refusal {
    fn from(broken: CatalogRuleViolation) -> Self {
        Self::new(broken.reason, broken.field, broken.rule, broken.message)
    }
}

impl From<CatalogError> for Status {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Refused(broken) => Refusal::from(broken).into(),
            CatalogError::DefinitionSize { max, .. } => Refusal::new(
                Reason::DefinitionTooLarge,
                DEFINITION_FIELD,
                SIZE_RULE,
                format!("定义最多{max}字节"),
            )
            .into(),
            CatalogError::Definition(cause) => definition_status(&cause).into(),
            CatalogError::Stored { .. } => internal_status("读取目录项", &error),
            CatalogError::Contacts { .. } => internal_status("读取联系方式", &error),
            CatalogError::Blocking(error) => error.into(),
            CatalogError::Export { .. } => internal_status("导出目录项", &error),
            CatalogError::Database { doing, source } => database_status(doing, &source),
        }
    }
}

fn definition_status(cause: &ItemError) -> Refusal {
    match cause {
        ItemError::Inconsistent { faults, .. } => inconsistent(faults),
        ItemError::CodeList { fault, .. } => Refusal::new(
            Reason::DefinitionInconsistent,
            definition_path(&fault.path),
            fault.problem,
            format!("代码表定义自相矛盾：{fault}"),
        ),
        ItemError::Toml(_) | ItemError::Json(_) => Refusal::new(
            Reason::DefinitionUnreadable,
            DEFINITION_FIELD,
            READABLE_RULE,
            format!("定义无法读取：{}", error_chain(cause)),
        ),
    }
}

/// The first faults, each with its path, and how many more there are.
fn inconsistent(faults: &[LintFault]) -> Refusal {
    let reason = Reason::DefinitionInconsistent;
    let Some((first, others)) = faults.split_first() else {
        return Refusal::new(reason, DEFINITION_FIELD, FITS_TOGETHER, reason.meaning());
    };
    let message = format!("目录项定义自相矛盾：{}", fault_text(first));
    let mut bytes = message.len();
    let mut refusal = Refusal::new(reason, definition_path(&first.path), first.problem, message);
    let mut more = others.len();
    for fault in others.iter().take(MAX_LISTED_FAULTS - 1) {
        let field = cut_text(definition_path(&fault.path), MAX_FAULT_BYTES);
        let text = fault_text(fault);
        bytes += field.len() + text.len();
        if bytes > MOST_FAULTS_BYTES {
            break;
        }
        refusal = refusal.with_field(field, text);
        more -= 1;
    }
    match more {
        0 => refusal,
        _ => refusal.with_field(DEFINITION_FIELD, format!("另有{more}处")),
    }
}

/// The rule that is broken, with its detail.
fn fault_text(fault: &LintFault) -> String {
    let text = match fault.detail.as_str() {
        "" => fault.problem.to_owned(),
        detail => format!("{} ({detail})", fault.problem),
    };
    cut_text(text, MAX_FAULT_BYTES)
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn a_refusal_fits_into_the_headers_however_much_is_wrong() {
        let faults = |places: usize, long: &str| -> Vec<LintFault> {
            (0..places)
                .map(|i| LintFault::new(format!("fields.F{i}.{long}"), "a rule").with_detail(long))
                .collect()
        };
        let inconsistent = |faults| {
            CatalogError::from(ItemError::Inconsistent {
                code: "x".to_owned(),
                version: 1,
                faults,
            })
        };
        let unknown = CatalogRuleViolation::new(
            Reason::ItemUnknown,
            "code",
            "the item is published",
            "长".repeat(50_000),
        );
        for error in [
            inconsistent(faults(300, &"长".repeat(5_000))),
            inconsistent(faults(300, &"长".repeat(10))),
            inconsistent(faults(300, "")),
            unknown.into(),
        ] {
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
        let refusal = inconsistent(&faults);
        assert_eq!(
            (refusal.field.as_str(), refusal.rule),
            ("definition_toml.fields.F0", "a rule")
        );
        assert_eq!(refusal.others.len(), MAX_LISTED_FAULTS);
        let other = |i: usize| (refusal.others[i].0.as_str(), refusal.others[i].1.as_str());
        assert_eq!(other(0), ("definition_toml.fields.F1", "a rule"));
        assert_eq!(other(18), ("definition_toml.fields.F19", "a rule"));
        assert_eq!(other(19), ("definition_toml", "另有280处"));
        let status = refusal.to_status();
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations.len(), MAX_LISTED_FAULTS + 1);
        assert!(status.message().ends_with("另有280处"), "{status}");

        let two = inconsistent(&faults[..2]);
        assert_eq!(two.others.len(), 1);
        // However long they are, their number is named.
        let long: Vec<_> = (0..300)
            .map(|i| {
                LintFault::new(format!("fields.F{i}"), "a rule").with_detail("长".repeat(5_000))
            })
            .collect();
        let message = inconsistent(&long).to_status().message().to_owned();
        assert!(message.contains("另有29"), "{message}");
    }

    #[test]
    fn the_table_of_reasons_gives_a_refusal_its_code() {
        let broken = CatalogRuleViolation::new(Reason::DraftChanged, "revision", "a rule", "文");
        let status = Status::from(CatalogError::from(broken));
        assert_eq!(status.code(), Code::Aborted);
        assert_eq!(status.message(), "DRAFT_CHANGED: revision: 文");
        let status = Status::from(CatalogError::from(BlockingError::from(
            service_kit::blocking::Stopping,
        )));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().starts_with("STOPPING"), "{status}");
    }
}
