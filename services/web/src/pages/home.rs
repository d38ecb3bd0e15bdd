//! The home page: search, how much is disclosed, the latest records, where to go.

use maud::{Markup, html};
use proto::credit::disclosure::v1::{ListPublicRecordsResponse, PublicRecord};

use super::{
    PageContent, Section,
    parts::{objection_mark, record_name, record_path, subject_path},
};
use crate::{
    query::MAX_TEXT,
    text::{date_markup, format_count},
};

/// Records of each kind on the home page.
pub const LATEST_RECORDS: u32 = 5;

/// What the home page shows.
#[derive(Debug)]
pub struct HomePage {
    /// Licences: total and the latest.
    pub licences: ListPublicRecordsResponse,
    /// Penalties: total and the latest.
    pub penalties: ListPublicRecordsResponse,
}

impl HomePage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let body = html! {
            (hero())
            div.wrap.home {
                (self.counts())
                div.columns {
                    (latest(Section::Licences, "行政许可", &self.licences.records))
                    (latest(Section::Penalties, "行政处罚", &self.penalties.records))
                }
                (guide())
            }
        };
        PageContent {
            title: "首页".to_owned(),
            section: Section::Home,
            body,
        }
    }

    fn counts(&self) -> Markup {
        html! {
            section.counts aria-labelledby="counts" {
                h2.sr-only #counts { "公示总量" }
                a.count href="/licences" {
                    span.count-label { "行政许可" }
                    span.count-number { (format_count(self.licences.total)) }
                    span.count-unit { "条正在公示" }
                }
                a.count.count-red href="/penalties" {
                    span.count-label { "行政处罚" }
                    span.count-number { (format_count(self.penalties.total)) }
                    span.count-unit { "条正在公示" }
                }
            }
        }
    }
}

fn hero() -> Markup {
    html! {
        div.hero {
            div.wrap {
                h1 { "查询企业和组织的公共信用信息" }
                p.hero-line { "行政许可、行政处罚等信息由长沙市各部门归集，依法向社会公示。" }
                form.hero-search role="search" action="/search" method="get" aria-label="信用信息查询" {
                    label for="q" { "企业或组织名称、统一社会信用代码" }
                    div.hero-row {
                        input #q type="search" name="q" maxlength=(MAX_TEXT) required autocomplete="off"
                            spellcheck="false" enterkeyhint="search" aria-describedby="q-hint"
                            placeholder="例如：长沙某某有限公司";
                        button type="submit" { "查询" }
                    }
                    p #q-hint .hero-hint {
                        "名称至少输入 2 个字，代码输入完整的 18 位。自然人的信用信息不在本站公开。"
                    }
                }
            }
        }
    }
}

fn latest(section: Section, name: &str, records: &[PublicRecord]) -> Markup {
    let adverse = section == Section::Penalties;
    let (id, address) = if adverse {
        ("latest-penalties", "/penalties")
    } else {
        ("latest-licences", "/licences")
    };
    html! {
        section.panel.red-edge[adverse] aria-labelledby=(id) {
            div.panel-head {
                h2 id=(id) { "最新" (name) }
                a href=(address) { "全部" (name) }
            }
            @if records.is_empty() {
                p.muted { "暂无公示信息。" }
            } @else {
                ul.latest {
                    @for record in records {
                        li {
                            div.latest-head {
                                a href=(subject_path(&record.organisation_code)) {
                                    (record.organisation_name)
                                }
                                (date_markup(&record.decision_date))
                            }
                            div.latest-line {
                                a.quiet href=(record_path(record)) { (record_name(record)) }
                                @if !record.authority.is_empty() { span { (record.authority) } }
                                (objection_mark(record))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn guide() -> Markup {
    html! {
        section.guide aria-labelledby="guide" {
            h2 #guide { "了解公示" }
            ul.guide-cards {
                li {
                    h3 { a href="/catalogue" { "公示哪些内容" } }
                    p { "信用信息目录列出每一事项的数据项、公开范围和法律依据。" }
                }
                li {
                    h3 { a href="/about#term" { "公示多长时间" } }
                    p { "不良信用信息自生效之日起公示三年，期满转为档案，不再向社会公示。" }
                }
                li {
                    h3 { a href="/about#objection" { "对记录有异议" } }
                    p { "信用信息主体可书面提出异议：三个工作日内转办，七个工作日内答复。" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixtures;

    #[test]
    fn totals_and_latest_records_are_shown() {
        let home = HomePage {
            licences: ListPublicRecordsResponse {
                records: vec![fixtures::sample_licence()],
                total: 12_345,
                ..Default::default()
            },
            penalties: ListPublicRecordsResponse::default(),
        };
        let shown = fixtures::framed_page(&home.content());
        assert!(shown.contains("12,345"));
        assert!(shown.contains("/subject/91430100MA4Q5W141P"));
        assert!(shown.contains("暂无公示信息"));
        assert!(!shown.contains("site-q"), "one search box is enough");
    }
}
