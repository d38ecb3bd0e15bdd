//! One organisation: who it is, how much is disclosed of it, its records by item, and what was lately revoked.

use maud::{Markup, html};
use proto::credit::disclosure::v1::{OrganisationSummary, PublicRecord, RevocationNotice};

use super::{
    PageContent, Section,
    parts::{
        LICENCE_ITEM, PENALTY_ITEM, RecordTable, empty_panel, notice_name, pager_links,
        provider_name, subject_path,
    },
};
use crate::{
    query::address_with_query,
    text::{class_name, date_markup, format_count, is_adverse, mask_citizen_numbers},
};

/// Which records are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// All items, in sections.
    All,
    /// Licences.
    Licences,
    /// Penalties.
    Penalties,
}

impl Tab {
    /// From the parameter `item`; anything else shows all.
    pub fn parse(item: &str) -> Self {
        match item {
            LICENCE_ITEM => Self::Licences,
            PENALTY_ITEM => Self::Penalties,
            _ => Self::All,
        }
    }

    /// Code of its item; empty for all.
    pub fn item(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Licences => LICENCE_ITEM,
            Self::Penalties => PENALTY_ITEM,
        }
    }
}

/// What the page of an organisation shows.
#[derive(Debug)]
pub struct SubjectPage {
    /// The organisation.
    pub organisation: OrganisationSummary,
    /// Which records.
    pub tab: Tab,
    /// One page of them.
    pub records: Vec<PublicRecord>,
    /// What was lately revoked; with the first page.
    pub revocations: Vec<RevocationNotice>,
    /// Token of the next page; empty on the last.
    pub next_page: String,
    /// Whether this is a later page.
    pub later_page: bool,
}

impl SubjectPage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let organisation = &self.organisation;
        let body = html! {
            div.wrap {
                (self.overview())
                (self.tabs())
                @if self.records.is_empty() {
                    (empty_panel("目前没有公示的记录", &[
                        "没有公示记录不等于没有发生过：不良信用信息公示期满后转为档案，不再公示。",
                    ]))
                } @else {
                    @for (name, record_class, records) in sections(&self.records) {
                        (record_section(&name, record_class, &records))
                    }
                }
                (self.pages())
                (self.revoked())
                aside.note aria-label="说明" {
                    p {
                        "以上为查询时正在公示的记录。认为记录有误的，信用信息主体可"
                        a href="/about#objection" { "提出异议" } "。"
                    }
                }
            }
        };
        PageContent {
            title: organisation.name.clone(),
            section: Section::Elsewhere,
            body,
        }
    }

    fn overview(&self) -> Markup {
        let organisation = &self.organisation;
        html! {
            header.subject-head {
                p.kicker { "信用信息主体" }
                h1 { (organisation.name) }
                dl.facts {
                    div { dt { "统一社会信用代码" } dd { span.code.code-large { (organisation.credit_code) } } }
                    div { dt { "行政许可" } dd { strong.number { (format_count(organisation.licence_count)) } " 条" } }
                    div.red-text[organisation.penalty_count > 0] {
                        dt { "行政处罚" } dd { strong.number { (format_count(organisation.penalty_count)) } " 条" }
                    }
                    div { dt { "其他信息" } dd { strong.number { (format_count(organisation.other_count)) } " 条" } }
                }
            }
        }
    }

    /// Notices of the tab's item: they are no records, so they follow after them and are not counted.
    fn revoked(&self) -> Markup {
        let item = self.tab.item();
        let shown: Vec<&RevocationNotice> = self
            .revocations
            .iter()
            .filter(|notice| item.is_empty() || notice.item_code == item)
            .collect();
        html! {
            @if !shown.is_empty() {
                section.panel aria-labelledby="revoked" {
                    div.panel-head { h2 #revoked { "近期撤回公示的信息" } }
                    p.muted.term-line {
                        "原决定被依法变更、撤销、确认违法或者确认无效，以下信息已撤回，不再公示。"
                    }
                    ul.revoked {
                        @for notice in shown {
                            li {
                                p {
                                    a href={ "/record/" (notice.record_id) } { (notice_name(notice)) }
                                    " · " (notice.item_name) " · " (provider_name(notice))
                                    " · " (date_markup(&notice.revoked_on)) "撤回"
                                }
                                p.reason { "理由：" (mask_citizen_numbers(&notice.reason)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn tabs(&self) -> Markup {
        let organisation = &self.organisation;
        let all =
            organisation.licence_count + organisation.penalty_count + organisation.other_count;
        let tabs = [
            (Tab::All, "全部", all),
            (Tab::Licences, "行政许可", organisation.licence_count),
            (Tab::Penalties, "行政处罚", organisation.penalty_count),
        ];
        html! {
            nav.tabs aria-label="按事项查看" {
                ul {
                    @for (tab, name, number) in tabs {
                        li {
                            a href=(self.address(tab, "")) aria-current=[(tab == self.tab).then_some("page")] {
                                (name) " " span.tab-count { (format_count(number)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn pages(&self) -> Markup {
        let first = self.later_page.then(|| self.address(self.tab, ""));
        let next = (!self.next_page.is_empty()).then(|| self.address(self.tab, &self.next_page));
        pager_links(first.as_deref(), next.as_deref())
    }

    fn address(&self, tab: Tab, page: &str) -> String {
        let path = subject_path(&self.organisation.credit_code);
        address_with_query(&path, &[("item", tab.item()), ("page", page)])
    }
}

/// Records by item, adverse ones first, else in the order in which they came.
fn sections(records: &[PublicRecord]) -> Vec<(String, i32, Vec<PublicRecord>)> {
    let mut sections: Vec<(String, i32, Vec<PublicRecord>)> = Vec::new();
    for record in records {
        match sections
            .iter_mut()
            .find(|(_, _, rows)| rows[0].item_code == record.item_code)
        {
            Some((_, _, rows)) => rows.push(record.clone()),
            None => sections.push((
                record.item_name.clone(),
                record.record_class,
                vec![record.clone()],
            )),
        }
    }
    sections.sort_by_key(|(_, record_class, _)| !is_adverse(*record_class));
    sections
}

fn record_section(name: &str, record_class: i32, records: &[PublicRecord]) -> Markup {
    let id = format!("item-{}", records[0].item_code);
    let caption = format!("{name}记录");
    html! {
        section.panel.red-edge[is_adverse(record_class)] aria-labelledby=(id) {
            div.panel-head {
                h2 id=(id) { (name) }
                span.muted { (class_name(record_class)) }
            }
            @if is_adverse(record_class) {
                p.muted.term-line { "不良信用信息自生效之日起公示三年，法律另有规定的除外；期满不再公示。" }
            }
            (RecordTable { caption: &caption, records, with_subject: false }.render())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixtures;

    fn subject() -> SubjectPage {
        SubjectPage {
            organisation: fixtures::sample_organisation(),
            tab: Tab::All,
            records: vec![
                fixtures::sample_licence(),
                fixtures::sample_penalty(),
                fixtures::sample_licence(),
            ],
            revocations: vec![fixtures::sample_revocation()],
            next_page: "n".to_owned(),
            later_page: true,
        }
    }

    #[test]
    fn d24_what_was_revoked_stands_apart_from_the_records_with_its_reason() {
        let shown = fixtures::framed_page(&subject().content());
        let (records, revoked) = shown.split_once("近期撤回公示的信息").unwrap();
        assert!(!records.contains("行政复议"));
        assert!(revoked.contains("经行政复议&lt;撤销&gt;") && revoked.contains("2026-03-30"));
        assert!(!shown.contains("430102199003071234"));
        let of_licences = SubjectPage {
            tab: Tab::Licences,
            ..subject()
        };
        assert!(!fixtures::framed_page(&of_licences.content()).contains("近期撤回"));
        let none = SubjectPage {
            revocations: Vec::new(),
            ..subject()
        };
        assert!(!fixtures::framed_page(&none.content()).contains("近期撤回"));
    }

    #[test]
    fn records_stand_by_item_adverse_first() {
        let sections = sections(&subject().records);
        let counts: Vec<_> = sections
            .iter()
            .map(|(name, _, rows)| (name.as_str(), rows.len()))
            .collect();
        assert_eq!(counts, [("行政处罚", 1), ("行政许可", 2)]);
    }

    #[test]
    fn adverse_records_tell_their_last_day_and_the_objection() {
        let shown = fixtures::framed_page(&subject().content());
        for text in ["2028-03-17", "异议处理中", "91430100MA4Q5W141P", "公示三年"] {
            assert!(shown.contains(text), "{text}");
        }
    }

    #[test]
    fn paging_stays_in_the_tab() {
        let shown = fixtures::framed_page(
            &SubjectPage {
                tab: Tab::Penalties,
                ..subject()
            }
            .content(),
        );
        assert!(shown.contains("/subject/91430100MA4Q5W141P?item=xzcf&amp;page=n"));
        assert_eq!(Tab::parse("xzxk"), Tab::Licences);
        assert_eq!(Tab::parse("<script>"), Tab::All);
    }
}
