//! Items and providers as the messages of `credit.catalog.v1` show them. Called by `grpc`.

use credit_record::item::{
    CodeList, Condition, Field, FieldKind, ItemVersion, RecordClass, Requirement, UpdateCycle,
};
use proto::credit::{
    catalog::v1::{Item, ItemField, Provider, ProviderLevel},
    common::v1::RecordClass as WireClass,
};

use crate::domain;

pub(super) fn item(item: &ItemVersion) -> Item {
    Item {
        code: item.code.clone(),
        version: item.version,
        edition: item.edition.clone(),
        name: item.name.clone(),
        record_class: class(item.record_class).into(),
        legal_basis: item.legal_basis.clone(),
        fields: item.fields.iter().map(field).collect(),
        update_cycle: cycle(item.update_cycle).to_owned(),
        reporting_deadline_working_days: item.reporting_deadline_working_days,
    }
}

pub(super) fn provider(provider: &domain::Provider) -> Provider {
    let level = match provider.level.kind() {
        domain::LevelKind::City => ProviderLevel::City,
        domain::LevelKind::District => ProviderLevel::District,
    };
    Provider {
        code: provider.code.to_string(),
        name: provider.name.clone(),
        level: level.into(),
        district_code: provider.level.district_code().to_owned(),
        enabled: provider.enabled,
        revision: provider.revision,
    }
}

fn class(class: RecordClass) -> WireClass {
    match class {
        RecordClass::Basic => WireClass::Basic,
        RecordClass::Favourable => WireClass::Favourable,
        RecordClass::Adverse => WireClass::Adverse,
        RecordClass::Other => WireClass::Other,
    }
}

fn cycle(cycle: UpdateCycle) -> &'static str {
    match cycle {
        UpdateCycle::RealTime => "real_time",
        UpdateCycle::Daily => "daily",
        UpdateCycle::Weekly => "weekly",
        UpdateCycle::Monthly => "monthly",
        UpdateCycle::Quarterly => "quarterly",
        UpdateCycle::Yearly => "yearly",
    }
}

fn field(field: &Field) -> ItemField {
    let kind = match field.kind {
        FieldKind::Text => "text",
        FieldKind::Date => "date",
        FieldKind::Decimal => "decimal",
        FieldKind::Code => "code",
    };
    ItemField {
        code: field.code.clone(),
        name: field.name.clone(),
        kind: kind.to_owned(),
        max_length: field.max_len,
        required: requirement(&field.required),
        publication: field.publication.label().to_owned(),
        code_list: field.code_list.as_ref().map(code_list).unwrap_or_default(),
        note: field.note.clone(),
    }
}

/// The values; an open list ends with the beginning of a value of one's own.
fn code_list(list: &CodeList) -> Vec<String> {
    let other = list.open.then(|| CodeList::OTHER.to_owned());
    list.values.iter().cloned().chain(other).collect()
}

fn requirement(requirement: &Requirement) -> String {
    match requirement {
        Requirement::Always => "always".to_owned(),
        Requirement::Optional => "optional".to_owned(),
        Requirement::When(condition) => format!("when {}", condition_text(condition)),
    }
}

fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::OneOf { field, values } => format!("{field} is {}", values.join(" or ")),
        Condition::Includes { field, values } => {
            format!("{field} includes {}", values.join(" or "))
        }
        Condition::Present { field } => format!("{field} is given"),
    }
}

#[cfg(test)]
mod tests {
    use credit_record::item::standard_items;

    use super::*;

    #[test]
    fn the_standard_items_show_all_their_fields() {
        let shown: Vec<Item> = standard_items().unwrap().iter().map(item).collect();
        assert_eq!(shown[0].fields.len(), 28);
        assert_eq!(shown[1].fields.len(), 30);
        assert_eq!(shown[1].record_class(), WireClass::Adverse);
        for field in shown.iter().flat_map(|item| &item.fields) {
            let known = ["社会公开", "政务共享", "授权查询"];
            assert!(known.contains(&field.publication.as_str()), "{field:?}");
            let required = field.required.as_str();
            let known = matches!(required, "always" | "optional") || required.starts_with("when ");
            assert!(
                known && field.max_length > 0 && !field.name.is_empty(),
                "{field:?}"
            );
        }
    }
}
