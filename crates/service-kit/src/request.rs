//! Values that requests of every service write as text: civil days and ids. Called by `grpc` of the services.

use legal_clock::parse_day;
use time::Date;
use uuid::Uuid;

use crate::{error::Refusal, reason::Reason};

/// A civil day.
///
/// # Errors
/// [`Reason::DateInvalid`]: it is not written `YYYY-MM-DD`, or no day of the calendar.
pub fn decode_day(field: &'static str, text: &str) -> Result<Date, Refusal> {
    parse_day(text).ok_or_else(|| {
        Refusal::new(
            Reason::DateInvalid,
            field,
            "a day is written YYYY-MM-DD",
            "日期应写作YYYY-MM-DD，且为真实日期",
        )
    })
}

/// A civil day that may be left out.
///
/// # Errors
/// As [`decode_day`].
pub fn decode_optional_day(field: &'static str, text: &str) -> Result<Option<Date>, Refusal> {
    match text {
        "" => Ok(None),
        text => decode_day(field, text).map(Some),
    }
}

/// An id that this platform gave: 36 characters with hyphens, since one id has one text.
///
/// # Errors
/// `reason`: it is no UUID, or written in another way.
pub fn decode_id(reason: Reason, field: &'static str, text: &str) -> Result<Uuid, Refusal> {
    let id = (text.len() == 36).then(|| Uuid::try_parse(text).ok());
    id.flatten().ok_or_else(|| {
        let rule = "a UUID, 36 characters with hyphens";
        Refusal::new(reason, field, rule, reason.meaning())
    })
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_day_has_one_text() {
        assert_eq!(
            decode_day("from", "2026-02-28").unwrap(),
            date!(2026 - 02 - 28)
        );
        for bad in [
            "2026-02-29",
            "2026-2-28",
            "20260228",
            " 2026-02-28",
            "0000-01-01",
            "+2026-02-28",
            "12026-02-28",
            "-2026-02-28",
            "",
        ] {
            let refused = decode_day("from", bad).unwrap_err();
            assert_eq!(
                (refused.reason, refused.field.as_str()),
                (Reason::DateInvalid, "from"),
                "{bad}"
            );
            let optional = decode_optional_day("from", bad);
            assert_eq!(optional.is_ok(), bad.is_empty(), "{bad}");
        }
    }

    #[test]
    fn an_id_has_one_text() {
        let id = "0190a584-6778-71bc-9de7-70513ca6edf0";
        let reason = Reason::CaseIdInvalid;
        assert_eq!(
            decode_id(reason, "case_id", id).unwrap().to_string(),
            id,
            "as it was given"
        );
        for bad in [
            "",
            "x",
            &id.replace('-', ""),
            &format!("{{{id}}}"),
            &format!("urn:uuid:{id}"),
            &format!("{id} "),
        ] {
            assert_eq!(
                decode_id(reason, "case_id", bad).unwrap_err().reason,
                reason,
                "{bad}"
            );
        }
    }
}
