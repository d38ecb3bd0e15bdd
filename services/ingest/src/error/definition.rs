//! Refusals for a definition that is tried out and cannot be used. Called by `error`.

use credit_record::item::ItemError;
use record_ref::Malformed;
use service_kit::{
    error::{Refusal, error_chain},
    reason::Reason,
};

/// Most faults of a definition that an answer names.
const MOST_FAULTS: usize = 20;

/// A definition that cannot be used: the first fault names the field, the text all of them.
pub(super) fn unusable_definition(error: &ItemError) -> Refusal {
    let (reason, field, message) = match error {
        ItemError::Inconsistent { faults, .. } => {
            let path = faults.first().map_or("", |fault| fault.path.as_str());
            let message: Vec<String> = faults
                .iter()
                .take(MOST_FAULTS)
                .map(|fault| format!("{}（{} {}）", fault.path, fault.problem, fault.detail))
                .collect();
            let field = match path {
                "" => "definition_toml".to_owned(),
                path => format!("definition_toml.{path}"),
            };
            (Reason::DefinitionInconsistent, field, message.join("；"))
        }
        ItemError::CodeList { .. } => (
            Reason::DefinitionInconsistent,
            "definition_toml".to_owned(),
            error_chain(error),
        ),
        ItemError::Toml(_) | ItemError::Json(_) => (
            Reason::DefinitionUnreadable,
            "definition_toml".to_owned(),
            error_chain(error),
        ),
    };
    Refusal::new(
        reason,
        field,
        "a complete and consistent definition of an item",
        format!("定义不可用：{message}"),
    )
}

/// A definition whose item no original could be pinned to.
pub(super) fn unnamed_definition(malformed: Malformed) -> Refusal {
    let field = match malformed.field {
        "item_version" => "definition_toml.version",
        _ => "definition_toml.code",
    };
    Refusal::new(
        Reason::DefinitionInconsistent,
        field,
        malformed.rule,
        "定义不可用：事项代码或者版本号不合格式",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_definition_is_told_by_its_reason() {
        let refusal_of = |toml: &str| {
            let error = credit_record::ItemVersion::from_toml(toml).unwrap_err();
            unusable_definition(&error)
        };
        assert_eq!(refusal_of("a = [").reason, Reason::DefinitionUnreadable);
        assert_eq!(refusal_of("code = 1").reason, Reason::DefinitionUnreadable);
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../crates/credit-record/items/xzcf-3.toml"
        );
        let good = std::fs::read_to_string(path).unwrap();
        let broken = good.replacen("field = \"", "field = \"NO_", 1);
        let refusal = refusal_of(&broken);
        assert_eq!(
            refusal.reason,
            Reason::DefinitionInconsistent,
            "{refusal:?}"
        );
        assert!(refusal.field.starts_with("definition_toml."), "{refusal:?}");
    }
}
