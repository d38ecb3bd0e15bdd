//! One record with all its published fields.

use maud::{Markup, html};
use proto::credit::disclosure::v1::PublicRecord;

use super::{
    Page, Section,
    parts::{item_mark, record_name, subject_address},
};
use crate::text::{class, date, expiry, is_adverse, or_none, published};

/// The page of a record. Its fields carry their own names from the catalogue, so that a new edition
/// of a standard needs no change here.
pub fn page(record: &PublicRecord) -> Page {
    let name = record_name(record);
    let body = html! {
        div.wrap {
            article.record {
                header.record-head.red-edge[is_adverse(record.record_class)] {
                    p.kicker {
                        (item_mark(&record.item_name, record.record_class))
                        span { (class(record.record_class)) }
                    }
                    h1 { (name) }
                    p.record-subject {
                        a href=(subject_address(&record.organisation_code)) { (record.organisation_name) }
                        span.code { (record.organisation_code) }
                    }
                    (facts(record))
                }
                @if record.objection_pending { (objection()) }
                (fields(record))
            }
            aside.note aria-label="说明" {
                p {
                    "公示内容由决定机关提供。认为记录有误的，信用信息主体可"
                    a href="/about#objection" { "提出异议" } "。"
                    "数据项含义见" a href={ "/catalogue/" (record.item_code) } { (record.item_name) "目录" } "。"
                }
            }
        }
    };
    Page {
        title: format!("{name} · {}", record.item_name),
        section: Section::Elsewhere,
        body,
    }
}

fn facts(record: &PublicRecord) -> Markup {
    html! {
        dl.facts {
            div { dt { "决定机关" } dd { (or_none(&record.authority)) } }
            div { dt { "决定日期" } dd { (date(&record.decision_date)) } }
            div { dt { "生效日期" } dd { (date(&record.effective_date)) } }
            div { dt { "有效期至" } dd { (expiry(&record.expiry_date)) } }
            @if !record.disclosed_until.is_empty() {
                div { dt { "公示至" } dd { (date(&record.disclosed_until)) } }
            }
        }
    }
}

fn objection() -> Markup {
    html! {
        div.notice role="note" {
            p {
                strong { "异议处理中。" }
                "信用信息主体对这条记录提出了异议，提供部门正在核查，内容以核查结果为准。"
            }
        }
    }
}

fn fields(record: &PublicRecord) -> Markup {
    html! {
        section.panel.panel-table aria-labelledby="fields" {
            div.panel-head { h2 #fields { "公示内容" } }
            @if record.fields.is_empty() {
                p.muted { "该记录没有向社会公开的数据项。" }
            } @else {
                table.sheet {
                    caption.sr-only { (record.item_name) "的全部公示数据项" }
                    thead.sr-only {
                        tr { th scope="col" { "数据项" } th scope="col" { "内容" } }
                    }
                    tbody {
                        @for field in &record.fields {
                            tr {
                                th scope="row" {
                                    @if field.name.is_empty() { (field.code) } @else { (field.name) }
                                }
                                td { (or_none(&published(field))) }
                            }
                        }
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

    #[test]
    fn all_published_fields_are_shown_escaped() {
        let shown = fixtures::framed(&page(&fixtures::penalty()));
        assert!(shown.contains("违法事实") && shown.contains("未按规定公示&lt;年度报告&gt;"));
        assert!(shown.contains("公示至") && shown.contains("异议处理中"));
        assert!(shown.contains("/catalogue/xzcf"));
    }

    #[test]
    fn a_licence_without_a_term_says_nothing_of_one() {
        let shown = fixtures::framed(&page(&fixtures::licence()));
        assert!(!shown.contains("公示至") && !shown.contains("异议处理中。"));
        assert!(shown.contains("长期") && shown.contains("没有向社会公开的数据项"));
    }
}
