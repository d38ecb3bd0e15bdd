//! Parts that several pages share: tables of records, marks, paging, fields of forms.

use maud::{Markup, html};
use proto::credit::disclosure::v1::{PublicRecord, RevocationNotice};

use crate::{
    query::FormEntry,
    text::{date_markup, format_count, is_adverse, or_none},
};

/// Code of the item 行政许可 in the city's catalogue.
pub const LICENCE_ITEM: &str = "xzxk";
/// Code of the item 行政处罚 in the city's catalogue.
pub const PENALTY_ITEM: &str = "xzcf";

/// Path of the page of a version.
pub fn record_path(record: &PublicRecord) -> String {
    format!("/record/{}", record.record_id)
}

/// Path of the page of an organisation.
pub fn subject_path(code: &str) -> String {
    format!("/subject/{code}")
}

/// What a record is called in a link: its document number, or its item where it has none.
pub fn record_name(record: &PublicRecord) -> &str {
    if record.document_number.is_empty() {
        &record.item_name
    } else {
        &record.document_number
    }
}

/// The same of a record that was revoked.
pub fn notice_name(notice: &RevocationNotice) -> &str {
    if notice.document_number.is_empty() {
        &notice.item_name
    } else {
        &notice.document_number
    }
}

/// The organ that revoked a record: its name, or its code where the name is not known.
pub fn provider_name(notice: &RevocationNotice) -> &str {
    if notice.provider_name.is_empty() {
        &notice.provider_code
    } else {
        &notice.provider_name
    }
}

/// Mark of a record whose objection is being handled (D-5), and nothing else.
pub fn objection_mark(record: &PublicRecord) -> Markup {
    html! { @if record.objection_pending { span.mark.mark-amber { "异议处理中" } } }
}

/// Mark with an item's name; adverse ones in red.
pub fn item_mark(name: &str, record_class: i32) -> Markup {
    html! {
        @if is_adverse(record_class) {
            span.mark.mark-red { (name) }
        } @else {
            span.mark.mark-green { (name) }
        }
    }
}

/// Records as a table that turns into cards on narrow screens. The roles keep it a table for
/// screen readers there.
#[derive(Clone, Copy, Debug)]
pub struct RecordTable<'a> {
    /// What the table holds; read out, not shown.
    pub caption: &'a str,
    /// Rows.
    pub records: &'a [PublicRecord],
    /// Whether the organisation has a column.
    pub with_subject: bool,
}

impl RecordTable<'_> {
    /// The table. The last column depends on the records: adverse ones show how long they are
    /// disclosed, the others how long they are valid.
    pub fn render(&self) -> Markup {
        let adverse = self.records.iter().any(|r| is_adverse(r.record_class));
        let until = if adverse { "公示至" } else { "有效期至" };
        html! {
            table.cards role="table" {
                caption.sr-only { (self.caption) }
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { "决定文书号" }
                        @if self.with_subject {
                            th scope="col" role="columnheader" { "行政相对人" }
                        }
                        th scope="col" role="columnheader" { "决定机关" }
                        th.narrow scope="col" role="columnheader" { "决定日期" }
                        th.narrow scope="col" role="columnheader" { (until) }
                    }
                }
                tbody role="rowgroup" {
                    @for record in self.records {
                        (self.row(record, adverse, until))
                    }
                }
            }
        }
    }

    fn row(&self, record: &PublicRecord, adverse: bool, until: &str) -> Markup {
        html! {
            tr role="row" {
                td.lead role="cell" data-label="决定文书号" {
                    a href=(record_path(record)) { (record_name(record)) }
                    @if record.objection_pending { " " (objection_mark(record)) }
                }
                @if self.with_subject {
                    td role="cell" data-label="行政相对人" {
                        a.quiet href=(subject_path(&record.organisation_code)) {
                            (record.organisation_name)
                        }
                        span.code { (record.organisation_code) }
                    }
                }
                td role="cell" data-label="决定机关" { (or_none(&record.authority)) }
                td.narrow role="cell" data-label="决定日期" { (date_markup(&record.decision_date)) }
                td.narrow role="cell" data-label=(until) {
                    @if adverse {
                        (date_markup(&record.disclosed_until))
                    } @else {
                        (crate::text::expiry_markup(&record.expiry_date))
                    }
                }
            }
        }
    }
}

/// Links to the next page and back to the first. Services page by key, so there is no jumping to a
/// number and no way back by one but the browser's own.
pub fn pager_links(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="分页" {
                @if let Some(address) = first { a.button.button-quiet href=(address) { "回到第一页" } }
                @if let Some(address) = next { a.button href=(address) rel="next" { "下一页" } }
            }
        }
    }
}

/// A line with the total.
pub fn total_line(number: u64, unit: &str) -> Markup {
    html! { span.total { "共 " strong.number { (format_count(number)) } " " (unit) } }
}

/// A field of a form: label, input, hint, error, tied together for screen readers.
#[derive(Clone, Copy, Debug)]
pub struct InputField<'a> {
    /// Parameter and id.
    pub name: &'a str,
    /// Label.
    pub label: &'a str,
    /// `text` or `date`.
    pub kind: &'a str,
    /// Example inside the empty field.
    pub placeholder: &'a str,
    /// What was typed and what is wrong.
    pub entry: &'a FormEntry,
}

impl InputField<'_> {
    /// The field.
    pub fn render(&self) -> Markup {
        let error_id = format!("{}-error", self.name);
        let complaint = self.entry.error.as_ref();
        // A browser shows nothing in a date field that holds no date; the visitor shall see what to mend.
        let kind = if complaint.is_some() && self.kind == "date" {
            "text"
        } else {
            self.kind
        };
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                input id=(self.name) name=(self.name) type=(kind) value=(self.entry.text)
                    placeholder=[(!self.placeholder.is_empty() && kind == "text").then_some(self.placeholder)]
                    maxlength=[(kind == "text").then_some(crate::query::MAX_TEXT)]
                    autocomplete="off"
                    aria-invalid=[complaint.map(|_| "true")]
                    aria-describedby=[complaint.map(|_| error_id.as_str())];
                @if let Some(complaint) = complaint {
                    p.complaint id=(error_id) { (complaint.text()) }
                }
            }
        }
    }
}

/// A list of a form to choose from: label, options, error. The first option means all.
#[derive(Clone, Copy, Debug)]
pub struct SelectField<'a> {
    /// Parameter and id.
    pub name: &'a str,
    /// Label.
    pub label: &'a str,
    /// Values and texts.
    pub options: &'a [(String, String)],
    /// What was chosen and what is wrong.
    pub entry: &'a FormEntry,
}

impl SelectField<'_> {
    /// The field.
    pub fn render(&self) -> Markup {
        let error_id = format!("{}-error", self.name);
        let complaint = self.entry.error.as_ref();
        let chosen = self.entry.text.as_str();
        let listed = self.options.iter().any(|(value, _)| value == chosen);
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                select id=(self.name) name=(self.name)
                    aria-invalid=[complaint.map(|_| "true")]
                    aria-describedby=[complaint.map(|_| error_id.as_str())] {
                    option value="" { "全部" }
                    @for (value, text) in self.options {
                        option value=(value) selected[value == chosen] { (text) }
                    }
                    // An address may name what no item has; the form must not forget it.
                    @if !chosen.is_empty() && !listed { option value=(chosen) selected { (chosen) } }
                }
                @if let Some(complaint) = complaint {
                    p.complaint id=(error_id) { (complaint.text()) }
                }
            }
        }
    }
}

/// Panel for an empty result, with hints why it may be empty.
pub fn empty_panel(title: &str, hints: &[&str]) -> Markup {
    html! {
        div.empty {
            p.empty-title { (title) }
            ul { @for hint in hints { li { (hint) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pages::fixtures, query::FieldError};

    #[test]
    fn a_table_of_adverse_records_tells_how_long_they_are_disclosed() {
        let penalties = [fixtures::sample_penalty()];
        let table = RecordTable {
            caption: "x",
            records: &penalties,
            with_subject: true,
        };
        let shown = table.render().into_string();
        assert!(shown.contains("公示至") && shown.contains("2028-03-17"));
        assert!(shown.contains("异议处理中"));
        let licences = [fixtures::sample_licence()];
        let table = RecordTable {
            caption: "x",
            records: &licences,
            with_subject: false,
        };
        let shown = table.render().into_string();
        assert!(shown.contains("有效期至") && !shown.contains("行政相对人"));
    }

    #[test]
    fn a_record_without_a_document_number_still_has_a_link_with_text() {
        let record = PublicRecord {
            document_number: String::new(),
            ..fixtures::sample_licence()
        };
        assert_eq!(record_name(&record), "行政许可");
    }

    #[test]
    fn a_wrong_date_stays_visible_beside_its_complaint() {
        let entry = FormEntry {
            text: "2026-02-30".to_owned(),
            error: Some(FieldError::NotADate),
        };
        let input = InputField {
            name: "from",
            label: "起",
            kind: "date",
            placeholder: "",
            entry: &entry,
        };
        let shown = input.render().into_string();
        assert!(shown.contains("type=\"text\"") && shown.contains("2026-02-30"));
        assert!(shown.contains("aria-invalid=\"true\"") && shown.contains("from-error"));
        let entry = FormEntry {
            text: "2026-02-28".to_owned(),
            error: None,
        };
        let input = InputField {
            entry: &entry,
            ..input
        };
        assert!(input.render().into_string().contains("type=\"date\""));
    }

    #[test]
    fn one_page_needs_no_pager() {
        assert_eq!(pager_links(None, None).into_string(), "");
        assert!(
            pager_links(None, Some("/x?page=2"))
                .into_string()
                .contains("下一页")
        );
        assert!(
            !pager_links(Some("/x"), None)
                .into_string()
                .contains("下一页")
        );
    }
}
