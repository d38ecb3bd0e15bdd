//! What can be read of a record that is returned: for those who count, since nothing is decided by it. Filled by
//! [`super::check_with_content()`].

use std::fmt;

use time::Date;

use super::RecordValues;
use crate::item::SubjectKind;

/// What can be read of a returned record.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnedContent {
    /// Kind of the subject, where the record gives it.
    pub subject_kind: Option<SubjectKind>,
    /// Day of the decision, unless its field is at fault by itself.
    pub decision_date: Option<Date>,
    /// Normalised number of the decision, unless its field is at fault by itself. It can name a person.
    pub document_number: Option<String>,
    /// Of each field of the item, in its order, whether it has a value, right or wrong.
    pub filled: Vec<bool>,
}

impl ReturnedContent {
    pub(super) fn from_values(record_values: &RecordValues<'_>) -> Self {
        let item = record_values.item();
        let number = item.roles.document_number.as_deref();
        let number = number.and_then(|field| record_values.text(field));
        Self {
            subject_kind: record_values.kind(),
            decision_date: record_values.date(&item.roles.decision_date),
            document_number: number.map(str::to_owned),
            filled: (0..item.fields.len())
                .map(|index| record_values.has_value_at(index))
                .collect(),
        }
    }
}

impl fmt::Debug for ReturnedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturnedContent")
            .field("subject_kind", &self.subject_kind)
            .field("decision_date", &self.decision_date)
            .field(
                "document_number",
                &self.document_number.as_ref().map(|_| "…"),
            )
            .field("filled", &self.filled.iter().filter(|f| **f).count())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::date;

    use super::*;
    use crate::check::{CheckContext, ContentForm, Verdict, check_with_content};
    use crate::rule::{CompiledItem, compiled_standard_items};
    use legal_clock::{NoCalendar, WorkingDays};

    fn penalties() -> CompiledItem {
        let items = compiled_standard_items().unwrap();
        let mut penalties = items.into_iter().filter(|item| item.item().code == "xzcf");
        penalties.next_back().unwrap()
    }

    fn run(item: &CompiledItem, content: &str) -> (Verdict, Option<ReturnedContent>) {
        let working_days: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
        let context = CheckContext {
            received_on: date!(2026 - 11 - 20),
            provider_code: "11430100006123458R",
            working_days: &working_days,
            attestations: &[],
        };
        check_with_content(ContentForm::Json, item, content.as_bytes(), &context)
    }

    #[test]
    fn r21_a_returned_record_says_what_can_be_read_of_it() {
        let item = penalties();
        // The kind is right; the credit code is wrong, and most fields have no finding.
        let (verdict, content) = run(
            &item,
            r#"{"CF_XDR_LB":"法人及非法人组织","CF_XDR_SHXYM":"91430102MA4PX7RC65","CF_FRDB":"",
                "CF_WSH":"长市监罚决[2026]17号","CF_JDRQ":"2026/6/10","CF_NR_FK":true}"#,
        );
        assert!(matches!(verdict, Verdict::Returned(_)));
        let content = content.unwrap();
        assert_eq!(content.subject_kind, Some(SubjectKind::Organisation));
        assert_eq!(content.decision_date, Some(date!(2026 - 06 - 10)));
        assert_eq!(
            content.document_number.as_deref(),
            Some("长市监罚决〔2026〕17号")
        );
        let fields = item.item().fields.iter().zip(&content.filled);
        let mut filled: Vec<&str> = fields
            .filter(|(_, filled)| **filled)
            .map(|(field, _)| field.code.as_str())
            .collect();
        filled.sort_unstable();
        // A mandatory field without a value is at fault, and not filled; so is one whose value is no text.
        assert_eq!(filled, ["CF_JDRQ", "CF_WSH", "CF_XDR_LB", "CF_XDR_SHXYM"]);
        let shown = format!("{content:?}");
        assert!(!shown.contains("17"), "{shown}");
    }

    #[test]
    fn r21_what_is_at_fault_or_not_said_is_not_read() {
        let item = penalties();
        let (_, content) = run(&item, r#"{"CF_XDR_LB":"别的","CF_JDRQ":"2026-02-30"}"#);
        let content = content.unwrap();
        assert_eq!(content.subject_kind, None);
        assert_eq!(content.decision_date, None);
        assert_eq!(content.document_number, None);
        assert_eq!(content.filled.iter().filter(|filled| **filled).count(), 2);
    }

    #[test]
    fn r21_of_bytes_that_are_no_record_nothing_is_read() {
        assert_eq!(run(&penalties(), "{").1, None);
    }
}
