//! The code lists and one of them with its versions.

use maud::html;
use proto::credit::catalog::v1::CodeList;

use super::{breadcrumbs, code_list_address};
use crate::{
    pages::{PageContent, Section, parts::empty_panel},
    text::or_none,
};

const TITLE: &str = "代码表";

/// Most earlier versions that are offered beside the newest.
const MAX_EARLIER_VERSIONS: u32 = 20;

/// The newest version of each code list.
pub fn code_lists_content(lists: &[CodeList]) -> PageContent {
    let body = html! {
        div.wrap {
            (breadcrumbs(&[("/catalogue", "信用信息目录")], TITLE))
            h1 { (TITLE) }
            p.page-line { "目录事项中按代码填报的数据项，取值以下列代码表为准。代码表分版本发布，目录事项注明所用的版本。" }
            @if lists.is_empty() {
                (empty_panel("暂无代码表", &[]))
            } @else {
                div.panel.panel-table {
                    table.cards role="table" {
                        caption.sr-only { (TITLE) }
                        thead role="rowgroup" {
                            tr role="row" {
                                @for name in ["名称", "编码", "最新版本", "取值", "来源"] {
                                    th scope="col" role="columnheader" { (name) }
                                }
                            }
                        }
                        tbody role="rowgroup" {
                            @for list in lists {
                                tr role="row" {
                                    th.lead scope="row" role="rowheader" data-label="名称" {
                                        a href={ "/catalogue/lists/" (list.code) } { (list.name) }
                                    }
                                    td role="cell" data-label="编码" { span.code.code-inline { (list.code) } }
                                    td role="cell" data-label="最新版本" { span.unbroken { "第 " (list.version) " 版" @if !list.edition.is_empty() { "（" (list.edition) "）" } } }
                                    td role="cell" data-label="取值" { (in_force(list)) " 个" }
                                    td role="cell" data-label="来源" { (or_none(&list.source)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    PageContent {
        title: TITLE.to_owned(),
        section: Section::Catalogue,
        body,
    }
}

fn in_force(list: &CodeList) -> usize {
    list.values
        .iter()
        .filter(|value| value.replaced_by.is_empty())
        .count()
}

/// One version of a code list.
#[derive(Debug)]
pub struct CodeListPage {
    /// The version shown.
    pub list: CodeList,
    /// The newest version of the same list.
    pub newest: u32,
}

impl CodeListPage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let list = &self.list;
        let body = html! {
            div.wrap {
                (breadcrumbs(
                    &[("/catalogue", "信用信息目录"), ("/catalogue/lists", TITLE)],
                    &format!("{}（第 {} 版）", list.name, list.version),
                ))
                header.record-head {
                    p.kicker { (TITLE) }
                    h1 { (list.name) }
                    dl.facts {
                        div { dt { "编码" } dd { span.code.code-inline { (list.code) } } }
                        div { dt { "版本" } dd { "第 " (list.version) " 版" @if !list.edition.is_empty() { "（" (list.edition) "）" } } }
                        div { dt { "来源" } dd { (or_none(&list.source)) } }
                    }
                }
                @if self.newest > list.version {
                    div.notice {
                        p {
                            strong { "本版已有后续版本。" }
                            "注明使用本版的目录事项仍按本版取值。"
                            a href=(code_list_address(&list.code, self.newest)) { "查看第 " (self.newest) " 版" }
                        }
                    }
                }
                @if self.newest > 1 {
                    nav.tabs aria-label="代码表版本" {
                        ul {
                            // Versions follow each other without gaps from 1 on.
                            @for version in self.newest.saturating_sub(MAX_EARLIER_VERSIONS).max(1)..=self.newest {
                                li {
                                    a href=(code_list_address(&list.code, version))
                                        aria-current=[(version == list.version).then_some("page")] { "第 " (version) " 版" }
                                }
                            }
                        }
                    }
                }
                section.panel.panel-table aria-labelledby="values" {
                    div.panel-head { h2 #values { "取值" } span.muted { "现行 " (in_force(list)) " 个" } }
                    table.cards role="table" {
                        caption.sr-only { (list.name) "的取值" }
                        thead role="rowgroup" {
                            tr role="row" {
                                @for name in ["取值", "含义", "状态"] { th scope="col" role="columnheader" { (name) } }
                            }
                        }
                        tbody role="rowgroup" {
                            @for value in &list.values {
                                tr role="row" {
                                    th.lead scope="row" role="rowheader" data-label="取值" { (value.value) }
                                    td role="cell" data-label="含义" { (or_none(&value.meaning)) }
                                    td role="cell" data-label="状态" {
                                        @if value.replaced_by.is_empty() {
                                            span.mark.mark-green { "现行" }
                                        } @else {
                                            span { span.mark { "旧值" } " 按“" (value.replaced_by) "”处理" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        };
        PageContent {
            title: format!("{}（第{}版）· {TITLE}", list.name, list.version),
            section: Section::Catalogue,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::credit::catalog::v1::CodeListValue;

    use super::*;
    use crate::pages::fixtures::framed_page;

    fn list(version: u32) -> CodeList {
        let value = |value: &str, replaced_by: &str| CodeListValue {
            value: value.to_owned(),
            meaning: "第九条".to_owned(),
            replaced_by: replaced_by.to_owned(),
        };
        CodeList {
            code: "penalty-kind".to_owned(),
            version,
            edition: "2021".to_owned(),
            name: "处罚种类".to_owned(),
            source: "行政处罚法".to_owned(),
            values: vec![value("暂扣许可证件", ""), value("暂扣执照", "暂扣许可证件")],
        }
    }

    #[test]
    fn values_of_earlier_days_lead_to_those_in_force() {
        let shown = framed_page(
            &CodeListPage {
                list: list(2),
                newest: 2,
            }
            .content(),
        );
        assert!(shown.contains("按“暂扣许可证件”处理") && shown.contains("现行 1 个"));
        assert!(shown.contains("href=\"/catalogue/lists/penalty-kind/1\""));
        assert!(!shown.contains("已有后续版本"));
    }

    #[test]
    fn an_older_version_says_so() {
        let old = CodeListPage {
            list: list(1),
            newest: 3,
        };
        assert!(framed_page(&old.content()).contains("查看第 3 版"));
        let only = CodeListPage {
            list: list(1),
            newest: 1,
        };
        assert!(!framed_page(&only.content()).contains("代码表版本"));
    }

    #[test]
    fn the_list_of_lists_leads_to_each() {
        let shown = framed_page(&code_lists_content(&[list(2)]));
        assert!(shown.contains("href=\"/catalogue/lists/penalty-kind\"") && shown.contains("1 个"));
        assert!(framed_page(&code_lists_content(&[])).contains("暂无代码表"));
    }
}
