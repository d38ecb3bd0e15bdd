//! Items, their versions and ends as messages. Called by `grpc`.

use credit_record::{
    DisclosureMode, Rule, SubjectKind,
    item::{
        CodeList, Condition, Field, FieldKind, ItemVersion, MaskRule, RecordClass, Requirement,
        UpdateCycle,
    },
};
use legal_clock::format_day;
use prost::Message;
use proto::credit::{
    catalog::v1::{
        Entry, FieldAlias, FieldMapping, Item, ItemField, ItemRule, ItemVersionInfo,
        NationalMapping, Predecessor, Retirement, SourceFamily, SubjectDisclosure, Term,
        VersionState,
    },
    common::v1::{RecordClass as WireClass, SubjectKind as WireKind},
};
use service_kit::grpc::{MAX_MESSAGE_BYTES, to_timestamp};
use time::Date;

use super::encode_owner;
use crate::domain::version::{self, ItemHistory, ItemVersionState, PublishedItemVersion};

/// A version with all that it says.
pub(in crate::grpc) fn encode_item(item: &ItemVersion) -> Item {
    let entry = &item.entry;
    Item {
        code: item.code.clone(),
        version: item.version,
        edition: item.edition.clone(),
        name: item.name.clone(),
        record_class: class(item.record_class).into(),
        legal_basis: item.legal_basis.clone(),
        fields: item.fields.iter().map(|f| field(item, f)).collect(),
        update_cycle: cycle(item.update_cycle).to_owned(),
        reporting_deadline_working_days: item.reporting_deadline_working_days,
        effective_from: item.effective_from.map(format_day).unwrap_or_default(),
        owner: Some(encode_owner(&item.owner)),
        entry: Some(Entry {
            conduct: entry.conduct.clone(),
            source: entry.source.clone(),
            channel: entry.channel.clone(),
            sharing: entry.sharing.clone(),
            retention: entry.retention.clone(),
        }),
        rules: item.rules.iter().map(rule).collect(),
        natural_key: item.natural_key.clone(),
        subjects: item
            .subject_kinds
            .iter()
            .map(|kind| subject(item, *kind))
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
            fields: before
                .fields
                .iter()
                .map(|mapping| FieldMapping {
                    from: mapping.from.clone(),
                    to: mapping.to.clone(),
                })
                .collect(),
            dropped: before.dropped.clone(),
        }),
    }
}

/// Most bytes of the lines of a list: below what one message may hold.
const MAX_LIST_BYTES: usize = MAX_MESSAGE_BYTES / 8 * 7;

/// Most characters of each text of a line.
const MAX_LINE_TEXT_CHARS: usize = 200;

/// Most laws of a line.
const MAX_LINE_LAWS: usize = 5;

/// The lines of a list: each version without what only its own page shows (rules, values and other names of its
/// fields, natural key, mapping to the version before), long texts cut. So 400 items fit into a message; where
/// they would not, the last ones have no fields either.
pub(in crate::grpc) fn encode_item_list(items: &[ItemVersion]) -> Vec<Item> {
    let mut lines: Vec<Item> = items.iter().map(encode_item_line).collect();
    // With key and length of each line.
    let mut bytes: usize = lines.iter().map(|line| line.encoded_len() + 8).sum();
    for line in lines.iter_mut().rev() {
        if bytes <= MAX_LIST_BYTES {
            break;
        }
        bytes -= line.encoded_len();
        line.fields.clear();
        bytes += line.encoded_len();
    }
    lines
}

fn encode_item_line(item: &ItemVersion) -> Item {
    let mut line = Item {
        rules: Vec::new(),
        natural_key: Vec::new(),
        source_families: Vec::new(),
        predecessor: None,
        ..encode_item(item)
    };
    for field in &mut line.fields {
        *field = ItemField {
            code: std::mem::take(&mut field.code),
            name: truncate_text(&field.name),
            kind: std::mem::take(&mut field.kind),
            required: truncate_text(&field.required),
            publication: std::mem::take(&mut field.publication),
            ..ItemField::default()
        };
    }
    line.name = truncate_text(&line.name);
    line.edition = truncate_text(&line.edition);
    line.legal_basis.truncate(MAX_LINE_LAWS);
    for basis in &mut line.legal_basis {
        *basis = truncate_text(basis);
    }
    if let Some(entry) = &mut line.entry {
        for text in [
            &mut entry.conduct,
            &mut entry.source,
            &mut entry.channel,
            &mut entry.sharing,
            &mut entry.retention,
        ] {
            *text = truncate_text(text);
        }
    }
    if let Some(term) = &mut line.term {
        term.rule = truncate_text(&term.rule);
    }
    if let Some(national) = &mut line.national {
        national.edition = truncate_text(&national.edition);
        national.kind = truncate_text(&national.kind);
    }
    line
}

/// A text, with a mark where it is cut.
fn truncate_text(text: &str) -> String {
    match text.char_indices().nth(MAX_LINE_TEXT_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// All versions side by side. Without `officers`, only the organisation of an officer is named.
pub(in crate::grpc) fn encode_item_versions(
    history: &ItemHistory,
    today: Date,
    officers: bool,
) -> Vec<ItemVersionInfo> {
    let states = history.states(today);
    let line = |(published, state): (&PublishedItemVersion, ItemVersionState)| {
        let organisation = published.by.split('/').next().unwrap_or_default();
        ItemVersionInfo {
            code: published.item.code.clone(),
            version: published.item.version,
            edition: published.item.edition.clone(),
            name: published.item.name.clone(),
            owner: Some(encode_owner(&published.item.owner)),
            effective_from: format_day(published.starts_on()),
            published_at: Some(to_timestamp(published.at)),
            published_by: if officers {
                &published.by
            } else {
                organisation
            }
            .to_owned(),
            state: match state {
                ItemVersionState::Upcoming => VersionState::Upcoming,
                ItemVersionState::InForce => VersionState::InForce,
                ItemVersionState::Superseded => VersionState::Superseded,
                ItemVersionState::Retired => VersionState::Retired,
            }
            .into(),
        }
    };
    history.versions.iter().zip(states).map(line).collect()
}

/// The end of an item.
pub(in crate::grpc) fn encode_retirement(end: &version::RetirementDecision) -> Retirement {
    Retirement {
        code: end.code.as_str().to_owned(),
        from_date: format_day(end.from),
        reason: end.reason.clone(),
        successor_code: end.successor.clone().map(String::from).unwrap_or_default(),
        decided_at: Some(to_timestamp(end.at)),
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
        UpdateCycle::HalfYearly => "half_yearly",
        UpdateCycle::Yearly => "yearly",
    }
}

fn subject(item: &ItemVersion, kind: SubjectKind) -> SubjectDisclosure {
    let wire = match kind {
        SubjectKind::Organisation => WireKind::Organisation,
        SubjectKind::IndividualBusiness => WireKind::IndividualBusiness,
        SubjectKind::NaturalPerson => WireKind::NaturalPerson,
    };
    let mode = match item.disclosure_mode(kind) {
        DisclosureMode::Publish => "publish",
        DisclosureMode::Query => "query",
    };
    SubjectDisclosure {
        subject_kind: wire.into(),
        mode: mode.to_owned(),
    }
}

fn rule(rule: &Rule) -> ItemRule {
    ItemRule {
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
    }
}

fn field(item: &ItemVersion, field: &Field) -> ItemField {
    let kind = match field.kind {
        FieldKind::Text => "text",
        FieldKind::Date => "date",
        FieldKind::Decimal => "decimal",
        FieldKind::Code => "code",
    };
    let mask = match field.mask {
        MaskRule::None => "",
        MaskRule::Name => "name",
        MaskRule::Document => "document",
    };
    let list = field.code_list.as_ref();
    let aliases = item.source_families.iter().flat_map(|family| {
        let named = family.aliases.iter();
        let named = named.filter(|(_, code)| **code == field.code);
        named.map(|(alias, _)| FieldAlias {
            family: family.id.clone(),
            alias: alias.clone(),
        })
    });
    ItemField {
        code: field.code.clone(),
        name: field.name.clone(),
        kind: kind.to_owned(),
        max_length: field.max_len,
        required: requirement(&field.required),
        publication: field.publication.label().to_owned(),
        code_list: list.map(code_list).unwrap_or_default(),
        note: field.note.clone(),
        unit: field.unit.clone().unwrap_or_default(),
        mask: mask.to_owned(),
        code_list_code: list.and_then(|l| l.list.clone()).unwrap_or_default(),
        code_list_version: list.and_then(|l| l.version).unwrap_or(0),
        aliases: aliases.collect(),
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
    fn a_list_of_400_items_fits_into_a_message() {
        let mut items = standard_items().unwrap();
        items.retain(|item| item.code == "xzcf" && item.version == 3);
        let penalty = items.remove(0);
        let shown = encode_item_list(std::slice::from_ref(&penalty)).remove(0);
        let public = |item: &Item| {
            let of = item.fields.iter().map(|field| field.publication.clone());
            of.collect::<Vec<_>>()
        };
        // What the list page shows is as on the item's own page.
        let own = encode_item(&penalty);
        assert_eq!(public(&shown), public(&own));
        assert_eq!(
            (&shown.name, &shown.subjects, &shown.national, &shown.owner),
            (&own.name, &own.subjects, &own.national, &own.owner)
        );
        assert!(shown.rules.is_empty() && shown.fields.iter().all(|f| f.code_list.is_empty()));

        let bytes = |lines: &[Item]| -> usize { lines.iter().map(|l| l.encoded_len() + 8).sum() };
        let usual = encode_item_list(&vec![penalty.clone(); 400]);
        assert!(bytes(&usual) < MAX_MESSAGE_BYTES);
        assert!(usual.iter().all(|line| !line.fields.is_empty()));

        let mut large = penalty;
        large.entry.conduct = "长".repeat(50_000);
        large.legal_basis = vec!["长".repeat(500); 100];
        let field = large.fields[0].clone();
        large.fields = vec![field; 400];
        let shown = encode_item_list(&vec![large; 400]);
        assert!(bytes(&shown) < MAX_MESSAGE_BYTES);
        assert_eq!(shown.len(), 400);
        let entry = shown[399].entry.as_ref().unwrap();
        assert_eq!(entry.conduct.chars().count(), MAX_LINE_TEXT_CHARS + 1);
        assert_eq!((shown[0].fields.len(), shown[399].fields.len()), (400, 0));
    }

    #[test]
    fn the_standard_items_show_all_that_an_entry_has_to_say() {
        let items = standard_items().unwrap();
        let shown: Vec<Item> = items.iter().map(encode_item).collect();
        assert!(shown.len() >= 11);
        for (shown, item) in shown.iter().zip(&items) {
            let what = format!("{} v{}", shown.code, shown.version);
            assert_eq!(shown.fields.len(), item.fields.len(), "{what}");
            assert_eq!(shown.rules.len(), item.rules.len(), "{what}");
            assert_eq!(shown.subjects.len(), item.subject_kinds.len(), "{what}");
            let entry = shown.entry.as_ref().unwrap();
            let texts = [
                &entry.conduct,
                &entry.source,
                &entry.channel,
                &entry.sharing,
                &entry.retention,
            ];
            assert!(texts.iter().all(|text| !text.is_empty()), "{what}");
            let aliases: usize = shown.fields.iter().map(|f| f.aliases.len()).sum();
            let known: usize = item.source_families.iter().map(|f| f.aliases.len()).sum();
            assert_eq!(aliases, known, "{what}");
        }
        for field in shown.iter().flat_map(|item| &item.fields) {
            let known = ["社会公开", "政务共享", "授权查询"];
            assert!(known.contains(&field.publication.as_str()), "{field:?}");
            let required = field.required.as_str();
            let known = matches!(required, "always" | "optional") || required.starts_with("when ");
            assert!(
                known && field.max_length > 0 && !field.name.is_empty(),
                "{field:?}"
            );
            assert_eq!(
                field.code_list_code.is_empty(),
                field.code_list_version == 0
            );
        }
        let penalty = shown
            .iter()
            .find(|item| item.code == "xzcf" && item.version == 3)
            .unwrap();
        assert_eq!(penalty.record_class(), WireClass::Adverse);
        assert_eq!(
            penalty.predecessor.as_ref().map(|before| before.version),
            Some(2)
        );
    }
}
