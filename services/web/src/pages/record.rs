//! One record with all its published fields, or the notice that it was revoked.

use maud::{Markup, html};
use proto::credit::disclosure::v1::{PublicRecord, RevocationNotice};

use super::{
    PageContent, Section,
    parts::{item_mark, notice_name, provider_name, record_name, subject_path},
};
use crate::text::{
    class_name, date_markup, expiry_markup, is_adverse, mask_citizen_numbers, or_none,
    published_value,
};

/// The page of a record. Its fields carry their own names from the catalogue, so that a new edition
/// of a standard needs no change here.
pub fn record_content(record: &PublicRecord) -> PageContent {
    let name = record_name(record);
    let body = html! {
        div.wrap {
            article.record {
                header.record-head.red-edge[is_adverse(record.record_class)] {
                    p.kicker {
                        (item_mark(&record.item_name, record.record_class))
                        span { (class_name(record.record_class)) }
                    }
                    h1 { (name) }
                    p.record-subject {
                        a href=(subject_path(&record.organisation_code)) { (record.organisation_name) }
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
    PageContent {
        title: format!("{name} · {}", record.item_name),
        section: Section::Elsewhere,
        body,
    }
}

/// The page of a record that its provider revoked: that it holds no longer, and why (penalty law art. 48, D-24).
/// Nothing of its content.
pub fn revocation_content(notice: &RevocationNotice) -> PageContent {
    let name = notice_name(notice);
    let body = html! {
        div.wrap {
            article.record {
                header.record-head {
                    p.kicker { "撤回公示说明" }
                    h1 { (name) }
                    p.record-subject {
                        a href=(subject_path(&notice.organisation_code)) { (notice.organisation_name) }
                        span.code { (notice.organisation_code) }
                    }
                    dl.facts {
                        div { dt { "事项" } dd { (or_none(&notice.item_name)) } }
                        div { dt { "提供部门" } dd { (provider_name(notice)) } }
                        div { dt { "撤回日期" } dd { (date_markup(&notice.revoked_on)) } }
                    }
                }
                div.notice role="note" {
                    p {
                        strong { "这条信息已撤回，不再公示。" }
                        "原决定被依法变更、撤销、确认违法或者确认无效的，提供部门撤回公开的信息，并公开说明理由。"
                    }
                }
                section.panel aria-labelledby="reason" {
                    div.panel-head { h2 #reason { "撤回理由" } }
                    p.reason { (mask_citizen_numbers(&notice.reason)) }
                }
            }
            aside.note aria-label="说明" {
                p {
                    "理由由提供部门说明。重新作出决定的，以新公示的内容为准。数据项含义见"
                    a href={ "/catalogue/" (notice.item_code) } { (notice.item_name) "目录" } "。"
                }
            }
        }
    };
    PageContent {
        title: format!("{name} · 已撤回公示"),
        section: Section::Elsewhere,
        body,
    }
}

fn facts(record: &PublicRecord) -> Markup {
    html! {
        dl.facts {
            div { dt { "决定机关" } dd { (or_none(&record.authority)) } }
            div { dt { "决定日期" } dd { (date_markup(&record.decision_date)) } }
            div { dt { "生效日期" } dd { (date_markup(&record.effective_date)) } }
            div { dt { "有效期至" } dd { (expiry_markup(&record.expiry_date)) } }
            @if !record.disclosed_until.is_empty() {
                div { dt { "公示至" } dd { (date_markup(&record.disclosed_until)) } }
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
                                td { (or_none(&published_value(field))) }
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
        let shown = fixtures::framed_page(&record_content(&fixtures::sample_penalty()));
        assert!(shown.contains("违法事实") && shown.contains("未按规定公示&lt;年度报告&gt;"));
        assert!(shown.contains("公示至") && shown.contains("异议处理中"));
        assert!(shown.contains("/catalogue/xzcf"));
    }

    #[test]
    fn d24_a_revoked_record_tells_that_and_why_and_nothing_of_its_content() {
        let shown = fixtures::framed_page(&revocation_content(&fixtures::sample_revocation()));
        for text in [
            "已撤回，不再公示",
            "长市监罚〔2025〕3号",
            "长沙橘洲云帆科技有限公司",
            "长沙市市场监督管理局",
            "2026-03-30",
            "经行政复议&lt;撤销&gt;",
            "行政处罚",
        ] {
            assert!(shown.contains(text), "{text}");
        }
        assert!(
            !shown.contains("430102199003071234"),
            "masked at the last door too"
        );
        assert!(!shown.contains("公示至") && !shown.contains("公示内容"));
    }

    #[test]
    fn a_licence_without_a_term_says_nothing_of_one() {
        let shown = fixtures::framed_page(&record_content(&fixtures::sample_licence()));
        assert!(!shown.contains("公示至") && !shown.contains("异议处理中。"));
        assert!(shown.contains("长期") && shown.contains("没有向社会公开的数据项"));
    }
}
