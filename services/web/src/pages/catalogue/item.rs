//! One version of an item: what is collected and on what ground, its fields, its rules, its versions.

use std::collections::BTreeMap;

use maud::{Markup, html};
use proto::credit::catalog::v1::{
    CodeList, Item, ItemVersionInfo, ListItemVersionsResponse, Predecessor, VersionState,
};

use super::{
    FILES, breadcrumbs, fields, item_address,
    list::{public_fields, reporting_facts},
    rules,
    versions::VersionTable,
};
use crate::{
    client::OrganNames,
    pages::{PageContent, Section, parts::item_mark},
    text::{
        catalogue::{
            disclosure_mode_name, field_name, natural_key, owner_name, subject_kind_name, term_rule,
        },
        class_name, date_markup, or_none,
    },
};

/// Code lists by code and version.
pub type ItemCodeLists = BTreeMap<(String, u32), CodeList>;

/// What the page of a version shows.
#[derive(Debug)]
pub struct ItemPage {
    /// The version.
    pub item: Item,
    /// All versions and the retirement.
    pub versions: ListItemVersionsResponse,
    /// Name of the item that takes the place of a retired one.
    pub successor: Option<String>,
    /// Names of organs.
    pub organs: OrganNames,
    /// The code lists that the fields name, as far as catalog has them.
    pub lists: ItemCodeLists,
}

impl ItemPage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let item = &self.item;
        let body = html! {
            div.wrap {
                (breadcrumbs(&[("/catalogue", "信用信息目录")], &format!("{}（第 {} 版）", item.name, item.version)))
                (self.head())
                (self.notices())
                (self.downloads())
                (self.entry())
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
                    (fields::fields_table(item, &self.lists))
                }
                section.panel aria-labelledby="item-rules" {
                    div.panel-head {
                        h2 #item-rules { "校验规则" }
                        span.muted { "共 " (item.rules.len()) " 条" }
                    }
                    p.muted { "标“退回”的规则不符合时记录退回报送单位更正；标“提示”的记录照常接收并告知报送单位。" }
                    @if item.rules.is_empty() { p { "没有跨数据项的规则。" } } @else { (rules::rules_list(item)) }
                }
                @if let Some(predecessor) = &item.predecessor { (self.predecessor(predecessor)) }
                section.panel.panel-table aria-labelledby="item-versions" {
                    div.panel-head {
                        h2 #item-versions { "版本" }
                        span.muted { "共 " (self.versions.versions.len()) " 版" }
                    }
                    p.muted { "记录按接收当日适用的版本校验，并始终按该版本展示。已发布的版本不再修改。" }
                    (self.version_table().table(item.version))
                }
            }
        };
        PageContent {
            title: format!("{}目录（第{}版）", item.name, item.version),
            section: Section::Catalogue,
            body,
        }
    }

    fn version_table(&self) -> VersionTable<'_> {
        VersionTable {
            all: &self.versions.versions,
            retirement: self.versions.retirement.as_ref(),
            organs: &self.organs,
        }
    }

    /// The entry of the shown version in the list of versions.
    fn info(&self) -> Option<&ItemVersionInfo> {
        self.versions
            .versions
            .iter()
            .find(|version| version.version == self.item.version)
    }

    fn head(&self) -> Markup {
        let item = &self.item;
        let state = self.info().map_or(0, |info| info.state);
        html! {
            header.record-head {
                p.kicker {
                    (item_mark(class_name(item.record_class), item.record_class))
                    (owner_name(item.owner.as_ref(), &self.organs))
                    (super::versions::version_state_mark(state))
                }
                h1 { (item.name) }
                dl.facts {
                    div { dt { "编码" } dd { span.code.code-inline { (item.code) } } }
                    div { dt { "版本" } dd { "第 " (item.version) " 版" } }
                    div { dt { "依据标准" } dd { (or_none(&item.edition)) } }
                    div { dt { "适用于接收日期" } dd { (date_markup(self.info().map_or(item.effective_from.as_str(), |info| &info.effective_from))) " 起" } }
                    (reporting_facts(item))
                    @if let Some(national) = &item.national {
                        div { dt { "国家基础目录（" (national.edition) " 年版）" } dd { (national.kind) } }
                    }
                }
            }
        }
    }

    /// What a reader must know before the rest: another version is in force, or the item has ended.
    fn notices(&self) -> Markup {
        let code = self.item.code.as_str();
        let state = self.info().map(ItemVersionInfo::state);
        let current = self
            .version_table()
            .current_version()
            .map(|version| version.version);
        html! {
            @match (state, current) {
                (Some(VersionState::Superseded), Some(current)) => div.notice {
                    p {
                        strong { "本版已被第 " (current) " 版替代。" }
                        "按本版接收的记录仍按本版校验和展示。"
                        a href=(item_address(code, current)) { "查看第 " (current) " 版" }
                    }
                },
                (Some(VersionState::Upcoming), _) => div.notice {
                    p {
                        strong { "本版尚未生效。" }
                        "自 " (date_markup(self.info().map_or("", |info| &info.effective_from))) " 起接收的记录适用本版。"
                        @if let Some(current) = current.filter(|current| *current != self.item.version) {
                            a href=(item_address(code, current)) { "查看第 " (current) " 版" }
                        }
                    }
                },
                _ => {},
            }
            @if let Some(end) = &self.versions.retirement {
                div.notice {
                    p {
                        strong {
                            @if self.versions.versions.iter().any(|v| v.state() == VersionState::Retired) {
                                "本事项已停用，自 " (date_markup(&end.from_date)) " 起不再归集。"
                            } @else {
                                "本事项将自 " (date_markup(&end.from_date)) " 起停用，不再归集。"
                            }
                        }
                        @if !end.reason.is_empty() { "原因：" (end.reason) @if !end.reason.ends_with('。') { "。" } }
                        @if !end.successor_code.is_empty() {
                            "由" a href=(item_address(&end.successor_code, 0)) {
                                (self.successor.as_deref().unwrap_or(&end.successor_code))
                            } "替代。"
                        }
                        "已归集的记录仍按原版本展示。"
                    }
                }
            }
        }
    }

    fn downloads(&self) -> Markup {
        let item = &self.item;
        html! {
            section.panel aria-labelledby="downloads" {
                div.panel-head { h2 #downloads { "下载" } span.muted { "第 " (item.version) " 版" } }
                ul.files.files-row {
                    @for (file, name) in FILES {
                        li { a.button.button-quiet href={ (item_address(&item.code, item.version)) "/" (file) } { (name) } }
                    }
                }
                p.muted { "JSON Schema 供系统对接校验一条记录；CSV 表头和 Excel 填报模板供没有接口的单位整理数据。" }
            }
        }
    }

    fn entry(&self) -> Markup {
        let item = &self.item;
        let entry = item.entry.clone().unwrap_or_default();
        let term = item.term.as_ref();
        html! {
            section.panel.panel-table aria-labelledby="entry" {
                div.panel-head { h2 #entry { "目录条目" } }
                table.sheet {
                    caption.sr-only { (item.name) "的目录条目" }
                    tbody {
                        @for (name, text) in [
                            ("归集内容", &entry.conduct),
                            ("信息来源", &entry.source),
                            ("归集渠道", &entry.channel),
                            ("共享范围", &entry.sharing),
                            ("保存期限", &entry.retention),
                        ] {
                            tr { th scope="row" { (name) } td { (or_none(text)) } }
                        }
                        tr {
                            th scope="row" { "适用主体" }
                            td {
                                @if item.subjects.is_empty() { (or_none("")) }
                                @for subject in &item.subjects {
                                    div { (subject_kind_name(subject.subject_kind)) "：" (disclosure_mode_name(&subject.mode)) }
                                }
                            }
                        }
                        tr {
                            th scope="row" { "披露期限" }
                            td {
                                @match term {
                                    Some(term) => {
                                        "自生效之日起 " (term.years) " 年"
                                        @if !term.rule.is_empty() { "（" (term_rule(&term.rule)) "）" }
                                    },
                                    None => "有效期内",
                                }
                            }
                        }
                        tr { th scope="row" { "同一事实的识别" } td { (or_none(&natural_key(item))) } }
                    }
                }
            }
        }
    }

    fn predecessor(&self, before: &Predecessor) -> Markup {
        let item = &self.item;
        let renamed: Vec<_> = before.fields.iter().filter(|m| m.from != m.to).collect();
        html! {
            section.panel aria-labelledby="predecessor" {
                div.panel-head { h2 #predecessor { "与第 " (before.version) " 版的衔接" } }
                @if renamed.is_empty() && before.dropped.is_empty() {
                    p { "数据项与第 " (before.version) " 版相同，记录可按本版阅读。" }
                } @else {
                    p { "第 " (before.version) " 版的记录按下列对应关系可按本版阅读，其余数据项不变。" }
                    ul.basis {
                        @for mapping in renamed {
                            li { span.code.code-inline { (mapping.from) } " → " (field_name(item, &mapping.to)) " " span.code.code-inline { (mapping.to) } }
                        }
                        @for code in &before.dropped {
                            li { span.code.code-inline { (code) } " 不再归集" }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::credit::catalog::v1::Retirement;

    use super::*;
    use crate::pages::fixtures::{framed_page, sample_item};

    fn shown(states: &[VersionState], at: u32) -> ItemPage {
        let versions = states
            .iter()
            .zip(1..)
            .map(|(state, version)| ItemVersionInfo {
                code: "xzxk".to_owned(),
                version,
                effective_from: format!("20{}-01-01", 15 + version),
                state: (*state).into(),
                ..Default::default()
            });
        ItemPage {
            item: Item {
                version: at,
                ..sample_item()
            },
            versions: ListItemVersionsResponse {
                versions: versions.collect(),
                retirement: None,
            },
            successor: None,
            organs: OrganNames::new(),
            lists: ItemCodeLists::from([(
                ("licence-kind".to_owned(), 2),
                CodeList {
                    name: "许可类别".to_owned(),
                    values: vec![
                        value("普通", "行政许可法第十二条第一项", ""),
                        value("旧普通", "", "普通"),
                    ],
                    ..Default::default()
                },
            )]),
        }
    }

    fn value(
        value: &str,
        meaning: &str,
        replaced_by: &str,
    ) -> proto::credit::catalog::v1::CodeListValue {
        proto::credit::catalog::v1::CodeListValue {
            value: value.to_owned(),
            meaning: meaning.to_owned(),
            replaced_by: replaced_by.to_owned(),
        }
    }

    #[test]
    fn a_version_tells_all_that_an_entry_must_say() {
        let page = framed_page(&shown(&[VersionState::InForce], 1).content());
        for text in [
            "归集甲",
            "来源乙",
            "渠道丙",
            "共享丁",
            "保存戊",
            "行政许可法第四十条",
            "名XK_WSH + 信用主体",
            "自生效之日起 3 年（长政办发〔2017〕26号第16条）",
            "国家基础目录（2024 年版）",
            "数值（万元）",
            "姓名只显示首字",
            "“名XK_LB”为其他时必填",
            "旧值“旧普通”按“普通”处理",
            "行政许可法第十二条第一项",
            "xy010101",
            "信用陕西",
            "href=\"/catalogue/lists/licence-kind/2\"",
            "其他-补充说明",
            "href=\"/catalogue/xzxk/1/template.xlsx\"",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("class=\"notice\""));
    }

    #[test]
    fn rules_stand_in_words_with_their_expression_escaped_and_folded() {
        let page = framed_page(&shown(&[VersionState::InForce], 1).content());
        for text in [
            "退回</span> 有效期不早于决定日期",
            "不符合时告知：有效期早于决定日期",
            "名XK_WSH、名XK_LB",
            "size(XK_WSH) &lt; 9 &amp;&amp; XK_LB != 'x'",
        ] {
            assert!(page.contains(text), "{text}");
        }
        let (_, folded) = page.split_once("规则表达式（CEL）").unwrap();
        assert!(folded.contains("size(XK_WSH)"));
    }

    #[test]
    fn other_versions_than_the_one_in_force_are_marked() {
        use VersionState::{InForce, Retired, Superseded, Upcoming};
        let states = [Superseded, InForce, Upcoming];
        let old = framed_page(&shown(&states, 1).content());
        assert!(old.contains("本版已被第 2 版替代") && old.contains("href=\"/catalogue/xzxk/2\""));
        let coming = framed_page(&shown(&states, 3).content());
        assert!(coming.contains("本版尚未生效") && coming.contains("2018-01-01"));
        let mut ended = shown(&[Superseded, Retired], 2);
        ended.versions.retirement = Some(Retirement {
            from_date: "2026-03-01".to_owned(),
            reason: "职能并入<市场监管局>".to_owned(),
            successor_code: "djzc".to_owned(),
            ..Default::default()
        });
        ended.successor = Some("企业登记基础信息".to_owned());
        let ended = framed_page(&ended.content());
        assert!(ended.contains("本事项已停用") && ended.contains("职能并入&lt;市场监管局&gt;。"));
        assert!(ended.contains("href=\"/catalogue/djzc\"") && ended.contains("企业登记基础信息"));
        let mut ending = shown(&[InForce], 1);
        ending.versions.retirement = Some(Retirement::default());
        assert!(framed_page(&ending.content()).contains("本事项将自"));
    }

    #[test]
    fn what_catalog_no_longer_tells_leaves_codes_and_values() {
        let mut bare = shown(&[VersionState::InForce], 1);
        bare.lists.clear();
        bare.versions.versions.clear();
        let page = framed_page(&bare.content());
        assert!(page.contains("代码表：licence-kind") && page.contains("普通"));
    }
}
