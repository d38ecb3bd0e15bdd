//! Whether the disclosure of a record has ended before it came (R-16, D-7 to D-9). Called by
//! [`super::check_record_as`]. The record is taken, goes to the archive, and the provider gets a notice; `disclosure`
//! decides by the same days.

use super::RecordValues;
use super::finding::{Finding, FindingCode};
use crate::rule::years_later;

/// The warning for a record whose last day of disclosure is before the day of receipt.
pub(super) fn expired_on_arrival(record_values: &RecordValues<'_>) -> Option<Finding> {
    let item = record_values.item();
    let roles = &item.roles;
    let received = record_values.ctx().received_on;
    let decided = record_values.date(&roles.decision_date)?;
    let (from, effective) = match &roles.effective_date {
        // Given and at fault: the start of the term is unknown.
        Some(code) if record_values.has_fault(code) => return None,
        Some(code) => match record_values.date(code) {
            Some(day) => (code, day),
            None => (&roles.decision_date, decided),
        },
        None => (&roles.decision_date, decided),
    };
    let until = roles.publicity_until.as_ref();
    // A publicity that ends before the decision is another mistake.
    let asked = until.and_then(|code| Some((code, record_values.date(code)?)));
    let asked = asked.filter(|(_, day)| *day > decided && *day < received);
    let (field, why) = if let Some(term) = &item.term
        && years_later(effective, i64::from(term.years)) < received
    {
        let years = term.years;
        (from, format!("自该日起{years}年的披露期限"))
    } else if let Some((code, _)) = asked {
        (code, "所填的公示截止期".to_owned())
    } else {
        return None;
    };
    let name = item
        .field(field)
        .map_or(field.as_str(), |f| f.name.as_str());
    let message = format!("按字段“{name}”，{why}在接收日前已届满；记录予以接收并归档，不再披露");
    let code = FindingCode::ExpiredOnArrival;
    Some(Finding::warning(code, "disclosure-term", field, message))
}
