//! The lists of licences and of penalties with their filters.

use maud::{Markup, html};
use proto::credit::disclosure::v1::ListPublicRecordsResponse;

use super::{
    PageContent, Section,
    parts::{
        InputField, LICENCE_ITEM, PENALTY_ITEM, RecordTable, empty_panel, pager_links, total_line,
    },
};
use crate::query::RecordFilter;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordListKind {
    /// Licences.
    Licences,
    /// Penalties.
    Penalties,
}

impl RecordListKind {
    /// Code of its item.
    pub fn item(self) -> &'static str {
        match self {
            Self::Licences => LICENCE_ITEM,
            Self::Penalties => PENALTY_ITEM,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Licences => "/licences",
            Self::Penalties => "/penalties",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Licences => "行政许可公示",
            Self::Penalties => "行政处罚公示",
        }
    }

    fn section(self) -> Section {
        match self {
            Self::Licences => Section::Licences,
            Self::Penalties => Section::Penalties,
        }
    }

    fn line(self) -> &'static str {
        match self {
            Self::Licences => "行政机关作出的许可决定，按决定日期从新到旧排列。",
            Self::Penalties => {
                "行政机关作出的处罚决定，按决定日期从新到旧排列；公示期满的记录不再列出。"
            }
        }
    }
}

/// What a list shows.
#[derive(Debug)]
pub struct RecordListPage {
    /// Which list.
    pub kind: RecordListKind,
    /// Filters as typed.
    pub filter: RecordFilter,
    /// One page of records; `None` when the filters are wrong.
    pub found: Option<ListPublicRecordsResponse>,
    /// Whether this is a later page.
    pub later_page: bool,
}

impl RecordListPage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let body = html! {
            div.wrap {
                h1 { (self.kind.title()) }
                p.page-line { (self.kind.line()) }
                (self.form())
                @match &self.found {
                    Some(found) => (self.results(found)),
                    None => p.complaint.complaint-wide role="alert" { "筛选条件有误，请按提示修改后重新查询。" },
                }
            }
        };
        PageContent {
            title: self.kind.title().to_owned(),
            section: self.kind.section(),
            body,
        }
    }

    fn form(&self) -> Markup {
        let text = InputField {
            name: "subject",
            label: "名称或统一社会信用代码",
            kind: "text",
            placeholder: "名称至少 2 个字，或 18 位代码",
            entry: &self.filter.subject_entry,
        };
        let number = InputField {
            name: "number",
            label: "决定文书号",
            placeholder: "完整的文书号",
            entry: &self.filter.document_number,
            ..text
        };
        let from = InputField {
            name: "from",
            label: "决定日期起",
            kind: "date",
            placeholder: "2026-01-31",
            entry: &self.filter.from,
        };
        let to = InputField {
            name: "to",
            label: "决定日期止",
            entry: &self.filter.to,
            ..from
        };
        html! {
            form.filter role="search" action=(self.kind.path()) method="get" aria-label="筛选" {
                div.filter-fields {
                    (text.render()) (number.render()) (from.render()) (to.render())
                }
                div.filter-actions {
                    button.button type="submit" { "查询" }
                    @if !self.filter.is_empty() {
                        a.button.button-quiet href=(self.kind.path()) { "清除条件" }
                    }
                }
            }
        }
    }

    fn results(&self, found: &ListPublicRecordsResponse) -> Markup {
        let path = self.kind.path();
        let first = self.later_page.then(|| self.filter.address(path, None));
        let next = (!found.next_page_token.is_empty())
            .then(|| self.filter.address(path, Some(&found.next_page_token)));
        html! {
            @if found.records.is_empty() {
                (empty_panel("没有符合条件的记录", &[
                    "请减少筛选条件，或核对名称、代码和文书号。",
                    "公示期满或已撤下的记录不再列出。",
                ]))
            } @else {
                p.result-line { (total_line(found.total, "条记录")) }
                div.panel.panel-table {
                    (RecordTable {
                        caption: self.kind.title(),
                        records: &found.records,
                        with_subject: true,
                    }.render())
                }
            }
            (pager_links(first.as_deref(), next.as_deref()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pages::fixtures, query::QueryParams};

    fn list(query: &str) -> RecordListPage {
        RecordListPage {
            kind: RecordListKind::Penalties,
            filter: RecordFilter::parse(&QueryParams::parse(Some(query))),
            found: Some(ListPublicRecordsResponse {
                records: vec![fixtures::sample_penalty()],
                next_page_token: "k9".to_owned(),
                total: 3,
            }),
            later_page: false,
        }
    }

    #[test]
    fn filters_stay_in_the_form_and_in_the_links() {
        let shown = fixtures::framed_page(&list("subject=橘洲&from=2026/1/2").content());
        assert!(shown.contains("value=\"橘洲\"") && shown.contains("value=\"2026-01-02\""));
        assert!(shown.contains("&amp;from=2026-01-02&amp;page=k9"));
        assert!(shown.contains("清除条件"));
    }

    #[test]
    fn wrong_filters_show_no_records() {
        let list = RecordListPage {
            found: None,
            ..list("from=2026-13-01")
        };
        let shown = fixtures::framed_page(&list.content());
        assert!(shown.contains("日期无效") && shown.contains("筛选条件有误"));
        assert!(!shown.contains("没有符合条件"));
    }

    #[test]
    fn an_empty_later_page_still_leads_back() {
        let list = RecordListPage {
            found: Some(ListPublicRecordsResponse::default()),
            later_page: true,
            ..list("subject=橘洲")
        };
        let shown = fixtures::framed_page(&list.content());
        assert!(shown.contains("没有符合条件") && shown.contains("回到第一页"));
    }
}
