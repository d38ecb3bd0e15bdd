//! What is wrong with a definition that is tried out. Called by `error`.

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
    let (reason, field, told) = match error {
        ItemError::Inconsistent { faults, .. } => {
            let place = faults.first().map_or("", |fault| fault.place.as_str());
            let told: Vec<String> = faults
                .iter()
                .take(MOST_FAULTS)
                .map(|fault| format!("{}（{} {}）", fault.place, fault.problem, fault.detail))
                .collect();
            let field = match place {
                "" => "definition_toml".to_owned(),
                place => format!("definition_toml.{place}"),
            };
            (Reason::DefinitionInconsistent, field, told.join("；"))
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
        format!("定义不可用：{told}"),
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
        let told = |toml: &str| {
            let error = credit_record::ItemVersion::from_toml(toml).unwrap_err();
            unusable_definition(&error)
        };
        assert_eq!(told("a = [").reason, Reason::DefinitionUnreadable);
        assert_eq!(told("code = 1").reason, Reason::DefinitionUnreadable);
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../crates/credit-record/items/xzcf-3.toml"
        );
        let good = std::fs::read_to_string(path).unwrap();
        let broken = good.replacen("field = \"", "field = \"NO_", 1);
        let told = told(&broken);
        assert_eq!(told.reason, Reason::DefinitionInconsistent, "{told:?}");
        assert!(told.field.starts_with("definition_toml."), "{told:?}");
    }
}
