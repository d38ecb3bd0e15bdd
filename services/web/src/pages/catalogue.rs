//! The catalogue: which items are collected, and of each the fields with their publication
//! range and the legal basis.

use maud::{Markup, html};
use proto::credit::catalog::v1::{Item, ItemField};

use super::{Page, Section, parts::nothing};
use crate::text::{class, field_kind, or_none, required, update_cycle};

/// The publication range of fields that everybody may see.
const PUBLIC: &str = "社会公开";

/// All items in force.
pub fn list(items: &[Item]) -> Page {
    let body = html! {
        div.wrap {
            h1 { "信用信息目录" }
            p.page-line { "各部门按目录归集信用信息。每一事项列明数据项、公开范围、更新周期和法律依据。" }
            @if items.is_empty() {
                (nothing("目录中暂无生效的事项", &[]))
            } @else {
                ul.items { @for item in items { (entry(item)) } }
            }
        }
    };
    Page {
        title: "信用信息目录".to_owned(),
        section: Section::Catalogue,
        body,
    }
}

fn entry(item: &Item) -> Markup {
    html! {
        li.panel.item {
            h2 { a href={ "/catalogue/" (item.code) } { (item.name) } }
            p.muted {
                (class(item.record_class)) " · 编码 " span.code.code-inline { (item.code) }
                " · 第 " (item.version) " 版" @if !item.edition.is_empty() { "（" (item.edition) "）" }
            }
            dl.facts {
                div { dt { "数据项" } dd { strong.number { (item.fields.len()) } " 个" } }
                div { dt { "向社会公开" } dd { strong.number { (public_fields(item)) } " 个" } }
                (reporting(item))
            }
        }
    }
}

fn reporting(item: &Item) -> Markup {
    html! {
        div { dt { "更新周期" } dd { (or_none(update_cycle(&item.update_cycle))) } }
        @if item.reporting_deadline_working_days > 0 {
            div { dt { "报送时限" } dd { (item.reporting_deadline_working_days) " 个工作日" } }
        }
    }
}

fn public_fields(item: &Item) -> usize {
    item.fields
        .iter()
        .filter(|field| field.publication == PUBLIC)
        .count()
}

/// One item with its fields.
pub fn item(item: &Item) -> Page {
    let body = html! {
        div.wrap {
            nav.crumbs aria-label="当前位置" {
                ol { li { a href="/catalogue" { "信用信息目录" } } li aria-current="page" { (item.name) } }
            }
            header.record-head {
                p.kicker { (class(item.record_class)) }
                h1 { (item.name) }
                dl.facts {
                    div { dt { "编码" } dd { span.code.code-inline { (item.code) } } }
                    div { dt { "版本" } dd { "第 " (item.version) " 版" } }
                    div { dt { "依据标准" } dd { (or_none(&item.edition)) } }
                    (reporting(item))
                }
            }
            section.panel aria-labelledby="basis" {
                div.panel-head { h2 #basis { "法律依据" } }
                @if item.legal_basis.is_empty() {
                    p.muted { "未登记。" }
                } @else {
                    ul.basis { @for basis in &item.legal_basis { li { (basis) } } }
                }
            }
            section.panel.panel-table aria-labelledby="item-fields" {
                div.panel-head {
                    h2 #item-fields { "数据项" }
                    span.muted { "共 " (item.fields.len()) " 个，向社会公开 " (public_fields(item)) " 个" }
                }
                (field_table(item))
            }
        }
    };
    Page {
        title: format!("{}目录", item.name),
        section: Section::Catalogue,
        body,
    }
}

fn field_table(item: &Item) -> Markup {
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
                @for field in &item.fields { (field_row(item, field)) }
            }
        }
    }
}

fn field_row(item: &Item, field: &ItemField) -> Markup {
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
                    (field_kind(&field.kind))
                    @if field.max_length > 0 && field.kind != "date" { span.muted { " ≤ " (field.max_length) " 字" } }
                }
            }
            td role="cell" data-label="填报要求" { (required(&field.required, name_of)) }
            td role="cell" data-label="公开范围" {
                @if field.publication == PUBLIC {
                    span.mark.mark-green { (field.publication) }
                } @else {
                    span.mark { (field.publication) }
                }
            }
            td role="cell" data-label="说明" {
                @if field.note.is_empty() && field.code_list.is_empty() { (or_none("")) }
                @if !field.note.is_empty() { div { (field.note) } }
                @if !field.code_list.is_empty() {
                    div.muted { "取值：" (field.code_list.join("、")) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixtures;

    fn licence() -> Item {
        let field = |code: &str, publication: &str| ItemField {
            code: code.to_owned(),
            name: format!("名{code}"),
            kind: "text".to_owned(),
            max_length: 200,
            required: "always".to_owned(),
            publication: publication.to_owned(),
            code_list: vec!["普通".to_owned(), "特许".to_owned()],
            note: String::new(),
        };
        Item {
            code: "xzxk".to_owned(),
            version: 2,
            edition: "2018".to_owned(),
            name: "行政许可".to_owned(),
            record_class: 1,
            legal_basis: vec!["行政许可法第四十条".to_owned()],
            fields: vec![field("XK_NR", "社会公开"), field("BZ", "政务共享")],
            update_cycle: "real_time".to_owned(),
            reporting_deadline_working_days: 7,
        }
    }

    #[test]
    fn an_item_tells_range_and_basis_of_its_fields() {
        let shown = fixtures::framed(&item(&licence()));
        for text in [
            "行政许可法第四十条",
            "名XK_NR",
            "社会公开",
            "政务共享",
            "必填",
            "普通、特许",
            "实时",
            "7 个工作日",
        ] {
            assert!(shown.contains(text), "{text}");
        }
        assert!(shown.contains("共 2 个，向社会公开 1 个"));
    }

    #[test]
    fn the_list_leads_to_each_item() {
        let shown = fixtures::framed(&list(&[licence()]));
        assert!(shown.contains("href=\"/catalogue/xzxk\"") && shown.contains("第 2 版"));
        assert!(fixtures::framed(&list(&[])).contains("暂无生效的事项"));
    }
}
