//! The rules of an item in words, with their expressions folded away.

use maud::{Markup, html};
use proto::credit::catalog::v1::{Item, ItemRule};

use crate::text::catalogue::{field_name, severity_name};

/// The list of rules.
pub(super) fn rules_list(item: &Item) -> Markup {
    html! { ol.rules { @for rule in &item.rules { (entry(item, rule)) } } }
}

fn entry(item: &Item, rule: &ItemRule) -> Markup {
    let mut fields: Vec<&str> = rule.needs.iter().map(String::as_str).collect();
    if !rule.field.is_empty() && !fields.contains(&rule.field.as_str()) {
        fields.push(&rule.field);
    }
    html! {
        li.rule {
            h3 {
                @if rule.severity == "error" {
                    span.mark.mark-red { (severity_name(&rule.severity)) }
                } @else {
                    span.mark.mark-amber { (severity_name(&rule.severity)) }
                }
                " " (rule.title)
            }
            p { "不符合时告知：" (rule.message) }
            dl.facts {
                div { dt { "规则编号" } dd { span.code.code-inline { (rule.id) } " 第 " (rule.version) " 版" } }
                @if !fields.is_empty() {
                    div {
                        dt { "涉及数据项" }
                        dd { @for (at, code) in fields.iter().enumerate() { @if at > 0 { "、" } (field_name(item, code)) } }
                    }
                }
                @if !rule.basis.is_empty() { div { dt { "依据" } dd { (rule.basis) } } }
                @if !rule.finding.is_empty() {
                    div { dt { "反馈代码" } dd { span.code.code-inline { (rule.finding) } } }
                }
            }
            details.fold {
                summary { "规则表达式（CEL）" }
                @if !rule.condition.is_empty() {
                    p { "适用条件" }
                    pre { code { (rule.condition) } }
                }
                p { "须成立" }
                pre { code { (rule.check) } }
            }
        }
    }
}
