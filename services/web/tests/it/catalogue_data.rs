//! The catalogue of the tests: all versions of the standard items as catalog answers them, one item of a
//! department with hostile texts, one of a district that has ended, the standard code lists, providers.

use credit_record::{
    CreditCode,
    item::{
        Condition, DisclosureMode, Field, FieldKind, ItemOwner as DataOwner, ItemVersion, MaskRule,
        RecordClass as DataClass, Requirement, SubjectKind as DataKind,
    },
    normalise::format_day,
    standard_code_lists, standard_items,
};
use proto::credit::{
    catalog::v1::{
        Catalogue, CodeList, CodeListValue, Entry, FieldAlias, Item, ItemField, ItemRule,
        ItemVersionInfo, NationalMapping, Owner, Predecessor, Provider, ProviderContacts,
        Retirement, SourceFamily, SubjectDisclosure, Term, VersionState,
    },
    common::v1::{RecordClass, SubjectKind},
};

/// Organ of the department's item.
pub fn organ() -> String {
    let code = CreditCode::with_checks("1143010000612217").unwrap();
    code.as_str().to_owned()
}

/// A contact that a fault leaks into the answer for the public.
pub const CONTACT: &str = "赵六 0731-88666001";
/// Texts of the department's item are markup.
pub const HOSTILE_TEXT: &str = "<img src=x onerror=alert(1)>";

/// All versions of all items, oldest first in each.
pub fn versions() -> Vec<Item> {
    let mut items: Vec<Item> = standard_items().unwrap().iter().map(item).collect();
    items.sort_by(|a, b| (&a.code, a.version).cmp(&(&b.code, b.version)));
    items.push(of_department());
    items.push(of_district());
    items
}

/// Code of the item that has ended.
pub const RETIRED_ITEM: &str = "ylzc";

/// The item with this end.
pub fn retirement(code: &str) -> Option<Retirement> {
    (code == RETIRED_ITEM).then(|| Retirement {
        code: code.to_owned(),
        from_date: "2026-01-01".to_owned(),
        reason: "职能并入市级部门".to_owned(),
        successor_code: "ryxx".to_owned(),
        decided_at: None,
    })
}

/// Versions of an item side by side, as on 2026-04-01; the highest is for days to come when there is a third.
pub fn version_infos(code: &str) -> Vec<ItemVersionInfo> {
    let own: Vec<Item> = versions().into_iter().filter(|i| i.code == code).collect();
    let newest = own.iter().map(|item| item.version).max().unwrap_or(0);
    own.iter()
        .map(|item| ItemVersionInfo {
            code: item.code.clone(),
            version: item.version,
            edition: item.edition.clone(),
            name: item.name.clone(),
            owner: item.owner.clone(),
            effective_from: if item.effective_from.is_empty() {
                "2026-03-02".to_owned()
            } else {
                item.effective_from.clone()
            },
            published_at: None,
            published_by: "data-file".to_owned(),
            state: match item.version {
                version if version < newest => VersionState::Superseded,
                _ if code == RETIRED_ITEM => VersionState::Retired,
                _ => VersionState::InForce,
            }
            .into(),
        })
        .collect()
}

/// Versions in force.
pub fn in_force() -> Vec<Item> {
    let all = versions();
    all.iter()
        .filter(|item| item.code != RETIRED_ITEM)
        .filter(|item| {
            !all.iter()
                .any(|o| o.code == item.code && o.version > item.version)
        })
        .cloned()
        .collect()
}

/// All versions of the code lists.
pub fn code_lists() -> Vec<CodeList> {
    standard_code_lists()
        .unwrap()
        .into_iter()
        .map(|list| CodeList {
            code: list.code,
            version: list.version,
            edition: list.edition,
            name: list.name,
            source: list.source,
            values: list
                .values
                .into_iter()
                .map(|value| CodeListValue {
                    value: value.value,
                    meaning: value.meaning,
                    replaced_by: value.replaced_by.unwrap_or_default(),
                })
                .collect(),
        })
        .collect()
}

/// The registry. The contacts are a fault of the service: the public is never sent any.
pub fn providers() -> Vec<Provider> {
    vec![Provider {
        code: organ(),
        name: "长沙市文化旅游广电局".to_owned(),
        enabled: true,
        contacts: Some(ProviderContacts {
            office: CONTACT.to_owned(),
            person: CONTACT.to_owned(),
            phone: CONTACT.to_owned(),
            email: CONTACT.to_owned(),
        }),
        ..Default::default()
    }]
}

fn of_department() -> Item {
    let of = |item: &Item| item.code == "ryxx";
    let honour = standard_items().unwrap().iter().map(item).find(of).unwrap();
    let mut own = Item {
        code: "wlry".to_owned(),
        name: format!("文旅荣誉{HOSTILE_TEXT}"),
        owner: Some(Owner {
            catalogue: Catalogue::Department.into(),
            organ: organ(),
            district_code: String::new(),
        }),
        legal_basis: vec![HOSTILE_TEXT.to_owned()],
        ..honour
    };
    own.fields[0].note = HOSTILE_TEXT.to_owned();
    own.rules[0].title = HOSTILE_TEXT.to_owned();
    own.rules[0].check = format!("'{HOSTILE_TEXT}' != ''");
    own
}

fn of_district() -> Item {
    Item {
        code: RETIRED_ITEM.to_owned(),
        name: "岳麓区信用修复".to_owned(),
        owner: Some(Owner {
            catalogue: Catalogue::District.into(),
            organ: "11430104006131234X".to_owned(),
            district_code: "430104".to_owned(),
        }),
        ..of_department()
    }
}

fn item(item: &ItemVersion) -> Item {
    Item {
        code: item.code.clone(),
        version: item.version,
        edition: item.edition.clone(),
        name: item.name.clone(),
        record_class: match item.record_class {
            DataClass::Basic => RecordClass::Basic,
            DataClass::Favourable => RecordClass::Favourable,
            DataClass::Adverse => RecordClass::Adverse,
            DataClass::Other => RecordClass::Other,
        }
        .into(),
        legal_basis: item.legal_basis.clone(),
        fields: item.fields.iter().map(|one| field(item, one)).collect(),
        update_cycle: "real_time".to_owned(),
        reporting_deadline_working_days: item.reporting_deadline_working_days,
        effective_from: item.effective_from.map(format_day).unwrap_or_default(),
        owner: Some(match &item.owner {
            DataOwner::City => Owner {
                catalogue: Catalogue::City.into(),
                ..Default::default()
            },
            other => panic!("no standard item of {other:?}"),
        }),
        entry: Some(Entry {
            conduct: item.entry.conduct.clone(),
            source: item.entry.source.clone(),
            channel: item.entry.channel.clone(),
            sharing: item.entry.sharing.clone(),
            retention: item.entry.retention.clone(),
        }),
        rules: item
            .rules
            .iter()
            .map(|rule| ItemRule {
                id: rule.id.clone(),
                version: rule.version,
                title: rule.title.clone(),
                severity: rule.severity.as_str().to_owned(),
                finding: rule.code.as_str().to_owned(),
                field: rule.field.clone(),
                needs: rule.needs.clone(),
                condition: rule.when.clone(),
                check: rule.check.clone(),
                message: rule.message.clone(),
                basis: rule.basis.clone(),
            })
            .collect(),
        natural_key: item.natural_key.clone(),
        subjects: item
            .disclosure
            .iter()
            .map(|(kind, mode)| SubjectDisclosure {
                subject_kind: match kind {
                    DataKind::Organisation => SubjectKind::Organisation,
                    DataKind::IndividualBusiness => SubjectKind::IndividualBusiness,
                    DataKind::NaturalPerson => SubjectKind::NaturalPerson,
                }
                .into(),
                mode: match mode {
                    DisclosureMode::Publish => "publish",
                    DisclosureMode::Query => "query",
                }
                .to_owned(),
            })
            .collect(),
        term: item.term.as_ref().map(|term| Term {
            years: term.years,
            rule: term.rule.clone(),
        }),
        national: item.national.as_ref().map(|national| NationalMapping {
            edition: national.edition.clone(),
            kind: national.kind.clone(),
        }),
        source_families: item
            .source_families
            .iter()
            .map(|family| SourceFamily {
                id: family.id.clone(),
                name: family.name.clone(),
            })
            .collect(),
        predecessor: item.predecessor.as_ref().map(|before| Predecessor {
            version: before.version,
            fields: Vec::new(),
            dropped: before.dropped.clone(),
        }),
    }
}

fn field(item: &ItemVersion, field: &Field) -> ItemField {
    let list = field.code_list.as_ref();
    let named = list.and_then(|list| list.list.clone());
    ItemField {
        code: field.code.clone(),
        name: field.name.clone(),
        kind: match field.kind {
            FieldKind::Text => "text",
            FieldKind::Date => "date",
            FieldKind::Decimal => "decimal",
            FieldKind::Code => "code",
        }
        .to_owned(),
        max_length: field.max_len,
        required: match &field.required {
            Requirement::Always => "always".to_owned(),
            Requirement::Optional => "optional".to_owned(),
            Requirement::When(Condition::Present { field }) => format!("when {field} is given"),
            Requirement::When(Condition::OneOf { field, values }) => {
                format!("when {field} is {}", values.join(" or "))
            }
            Requirement::When(Condition::Includes { field, values }) => {
                format!("when {field} includes {}", values.join(" or "))
            }
        },
        publication: field.publication.label().to_owned(),
        code_list: list.map(|list| list.values.clone()).unwrap_or_default(),
        note: field.note.clone(),
        unit: field.unit.clone().unwrap_or_default(),
        mask: match field.mask {
            MaskRule::None => "",
            MaskRule::Name => "name",
            MaskRule::Document => "document",
        }
        .to_owned(),
        code_list_version: list.and_then(|list| list.version).unwrap_or_default(),
        code_list_code: named.unwrap_or_default(),
        aliases: item
            .source_families
            .iter()
            .flat_map(|family| {
                let own = family.aliases.iter().filter(|(_, to)| **to == field.code);
                own.map(|(alias, _)| FieldAlias {
                    family: family.id.clone(),
                    alias: alias.clone(),
                })
            })
            .collect(),
    }
}
