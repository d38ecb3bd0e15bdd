//! Organisations found by part of their name, or why nothing can be searched for.

use maud::{Markup, html};
use proto::credit::disclosure::v1::{OrganisationSummary, SearchOrganisationsResponse};

use super::{
    PageContent, Section,
    parts::{empty_panel, pager_links, subject_path, total_line},
};
use crate::{
    query::{FieldError, MAX_TEXT, address_with_query},
    text::{format_count, highlight_part},
};

/// What the search page shows.
#[derive(Debug)]
pub struct SearchPage {
    /// What was typed, to be shown again.
    pub typed: String,
    /// What is wrong with it.
    pub error: Option<FieldError>,
    /// What was found; `None` when nothing was asked.
    pub found: Option<SearchOrganisationsResponse>,
    /// Whether this is a later page.
    pub later_page: bool,
}

impl SearchPage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let title = if self.found.is_some() {
            format!("查询结果：{}", self.typed)
        } else {
            "信用信息查询".to_owned()
        };
        let body = html! {
            div.wrap.narrow-page {
                h1 { (title) }
                (self.form())
                @if let Some(found) = &self.found { (self.results(found)) }
            }
        };
        PageContent {
            title,
            section: Section::Search,
            body,
        }
    }

    fn form(&self) -> Markup {
        html! {
            form.search-form role="search" action="/search" method="get" aria-label="信用信息查询" {
                label for="q" { "企业或组织名称、统一社会信用代码" }
                div.search-row {
                    input #q type="search" name="q" value=(self.typed) maxlength=(MAX_TEXT)
                        autocomplete="off" spellcheck="false" enterkeyhint="search"
                        aria-invalid=[self.error.as_ref().map(|_| "true")]
                        aria-describedby=[self.error.as_ref().map(|_| "q-error")];
                    button.button type="submit" { "查询" }
                }
                @if let Some(complaint) = &self.error {
                    p.complaint #q-error role="alert" { (complaint.text()) }
                }
            }
        }
    }

    fn results(&self, found: &SearchOrganisationsResponse) -> Markup {
        let first = self
            .later_page
            .then(|| address_with_query("/search", &[("q", &self.typed)]));
        let next = (!found.next_page_token.is_empty()).then(|| {
            address_with_query(
                "/search",
                &[("q", &self.typed), ("page", &found.next_page_token)],
            )
        });
        html! {
            @if found.organisations.is_empty() {
                (empty_panel("没有找到名称包含这些字的企业或组织", &[
                    "请核对名称用字，或只输入名称中的关键字。",
                    "如有统一社会信用代码，可直接输入 18 位代码查询。",
                    "未查到不代表该主体不存在，只表示本站目前没有其公示信息。",
                ]))
            } @else {
                p.result-line {
                    (total_line(found.total, "个主体"))
                    span.muted { "名称相近的主体可能互不相关，请以统一社会信用代码为准。" }
                }
                ul.results {
                    @for organisation in &found.organisations { (self.result(organisation)) }
                }
                (pager_links(first.as_deref(), next.as_deref()))
            }
        }
    }

    fn result(&self, organisation: &OrganisationSummary) -> Markup {
        html! {
            li.result {
                h2 {
                    a href=(subject_path(&organisation.credit_code)) {
                        (highlight_part(&organisation.name, &self.typed))
                    }
                }
                p.result-code {
                    "统一社会信用代码 " span.code { (organisation.credit_code) }
                }
                p.result-counts {
                    span { "行政许可 " strong.number { (format_count(organisation.licence_count)) } }
                    span.red-text[organisation.penalty_count > 0] {
                        "行政处罚 " strong.number { (format_count(organisation.penalty_count)) }
                    }
                    @if organisation.other_count > 0 {
                        span { "其他 " strong.number { (format_count(organisation.other_count)) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixtures;

    fn search() -> SearchPage {
        SearchPage {
            typed: "橘洲".to_owned(),
            error: None,
            found: Some(SearchOrganisationsResponse {
                organisations: vec![fixtures::sample_organisation()],
                next_page_token: "t+1".to_owned(),
                total: 41,
            }),
            later_page: false,
        }
    }

    #[test]
    fn results_show_the_code_and_the_counts() {
        let shown = fixtures::framed_page(&search().content());
        assert!(shown.contains("长沙<mark>橘洲</mark>云帆科技有限公司"));
        assert!(shown.contains("91430100MA4Q5W141P") && shown.contains("41"));
        assert!(shown.contains("/search?q=%E6%A9%98%E6%B4%B2&amp;page=t%2B1"));
        assert!(!shown.contains("回到第一页"));
        let later = SearchPage {
            later_page: true,
            ..search()
        };
        assert!(fixtures::framed_page(&later.content()).contains("回到第一页"));
    }

    #[test]
    fn a_complaint_stands_beside_the_field_and_no_result_is_claimed() {
        let search = SearchPage {
            typed: "湘".to_owned(),
            error: Some(FieldError::TooShort),
            found: None,
            later_page: false,
        };
        let shown = fixtures::framed_page(&search.content());
        assert!(
            shown.contains("请至少输入 2 个字") && shown.contains("aria-describedby=\"q-error\"")
        );
        assert!(!shown.contains("没有找到"));
    }

    #[test]
    fn nothing_found_says_what_that_means() {
        let search = SearchPage {
            found: Some(SearchOrganisationsResponse::default()),
            ..search()
        };
        assert!(fixtures::framed_page(&search.content()).contains("未查到不代表该主体不存在"));
    }
}
