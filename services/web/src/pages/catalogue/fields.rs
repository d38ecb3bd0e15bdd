//! The table of an item's fields.

use maud::{Markup, html};
use proto::credit::catalog::v1::{CodeList, Item, ItemField};

use super::{PUBLIC_RANGE, code_list_address, item::ItemCodeLists};
use crate::text::{
    catalogue::{kind_with_unit, mask_name},
    or_none, requirement_text,
};

/// Beginning of a value of one's own, as open lists end with it.
const OTHER: &str = credit_record::item::CodeList::OTHER;

/// Most values that are shown in the table itself; more are folded.
const MAX_INLINE_VALUES: usize = 4;

/// The table.
pub(super) fn fields_table(item: &Item, lists: &ItemCodeLists) -> Markup {
    html! {
        table.cards.fields role="table" {
            caption.sr-only { (item.name) "的数据项" }
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["数据项", "代码", "类型", "填报要求", "公开范围", "说明"] {
                        th scope="col" role="columnheader" { (name) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for field in &item.fields { (row(item, field, lists)) }
            }
        }
    }
}

fn row(item: &Item, field: &ItemField, lists: &ItemCodeLists) -> Markup {
    let name_of = |code: &str| {
        item.fields
            .iter()
            .find(|other| other.code == code)
            .map(|other| other.name.as_str())
    };
    html! {
        tr role="row" {
            th.lead scope="row" role="rowheader" data-label="数据项" { (field.name) }
            td role="cell" data-label="代码" { span.code.code-inline { (field.code) } }
            td role="cell" data-label="类型" {
                span.unbroken {
                    (kind_with_unit(field))
                    @if field.max_length > 0 && field.kind != "date" { span.muted { " ≤ " (field.max_length) " 字" } }
                }
            }
            td role="cell" data-label="填报要求" { (requirement_text(&field.required, name_of)) }
            td role="cell" data-label="公开范围" {
                @if field.publication == PUBLIC_RANGE {
                    span.mark.mark-green { (field.publication) }
                } @else {
                    span.mark { (field.publication) }
                }
                @if !field.mask.is_empty() { div.muted { (mask_name(&field.mask)) } }
            }
            td role="cell" data-label="说明" { (remarks(item, field, lists)) }
        }
    }
}

fn remarks(item: &Item, field: &ItemField, lists: &ItemCodeLists) -> Markup {
    let list = lists.get(&(field.code_list_code.clone(), field.code_list_version));
    let bare = field.note.is_empty() && field.code_list.is_empty() && field.aliases.is_empty();
    html! {
        @if bare { (or_none("")) }
        @if !field.note.is_empty() { div { (field.note) } }
        @if !field.code_list.is_empty() { (values(field, list)) }
        @if !field.aliases.is_empty() {
            details.fold {
                summary { "其他系统中的名称" }
                ul {
                    @for alias in &field.aliases {
                        li {
                            span.code.code-inline { (alias.alias) }
                            @if let Some(name) = family(item, &alias.family) { span.muted { " " (name) } }
                        }
                    }
                }
            }
        }
    }
}

fn family<'a>(item: &'a Item, id: &'a str) -> Option<&'a str> {
    let known = item.source_families.iter().find(|family| family.id == id);
    known
        .map(|family| family.name.as_str())
        .or((!id.is_empty()).then_some(id))
}

fn values(field: &ItemField, list: Option<&CodeList>) -> Markup {
    let meant = field
        .code_list
        .iter()
        .any(|value| !meaning(list, value).is_empty());
    html! {
        @if field.code_list.len() <= MAX_INLINE_VALUES && !meant {
            div.muted {
                "取值："
                @for (at, value) in field.code_list.iter().enumerate() {
                    @if at > 0 { "、" }
                    (value_text(value))
                }
            }
        } @else {
            details.fold {
                summary { "取值 " (field.code_list.len()) " 个" }
                ul {
                    @for value in &field.code_list {
                        @let meaning = meaning(list, value);
                        li { (value_text(value)) @if !meaning.is_empty() { span.muted { " " (meaning) } } }
                    }
                    @for old in list.iter().flat_map(|list| &list.values).filter(|v| !v.replaced_by.is_empty()) {
                        li.muted { "旧值“" (old.value) "”按“" (old.replaced_by) "”处理" }
                    }
                }
            }
        }
        @if !field.code_list_code.is_empty() {
            a href=(code_list_address(&field.code_list_code, field.code_list_version)) {
                "代码表：" (list.map_or(field.code_list_code.as_str(), |list| list.name.as_str()))
            }
        }
    }
}

/// The open end of a list in words.
fn value_text(value: &str) -> Markup {
    html! { (value) @if value == OTHER { "补充说明" } }
}

/// What a value means; empty when it says so itself.
fn meaning<'a>(list: Option<&'a CodeList>, value: &str) -> &'a str {
    list.and_then(|list| list.values.iter().find(|known| known.value == value))
        .map(|known| known.meaning.as_str())
        .filter(|meaning| *meaning != value)
        .unwrap_or_default()
}
