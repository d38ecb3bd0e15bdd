//! Values that requests of every service write as text: civil days, ids and codes. Called by `grpc` of the services.

use legal_clock::parse_day;
use record_ref::{ItemCode, ProviderCode, VersionId};
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

/// The id of a version, as a receipt has it.
///
/// # Errors
/// [`Reason::RecordIdInvalid`].
pub fn decode_record_id(field: &'static str, text: &str) -> Result<VersionId, Refusal> {
    text.parse::<VersionId>().map_err(|malformed| {
        let reason = Reason::RecordIdInvalid;
        Refusal::new(reason, field, malformed.rule, reason.meaning())
    })
}

/// The code of an item, whether or not the catalogue has it.
///
/// # Errors
/// [`Reason::ItemCodeMissing`] for none, [`Reason::ItemCodeInvalid`] for one that no item can have.
pub fn decode_item_code(field: &'static str, text: &str) -> Result<ItemCode, Refusal> {
    text.parse::<ItemCode>().map_err(|malformed| {
        let reason = match text {
            "" => Reason::ItemCodeMissing,
            _ => Reason::ItemCodeInvalid,
        };
        Refusal::new(reason, field, malformed.rule, reason.meaning())
    })
}

/// The code of a provider, whether or not it is registered.
///
/// # Errors
/// [`Reason::ProviderCodeMissing`] for none, [`Reason::CreditCodeInvalid`] for one that no provider can have.
pub fn decode_provider_code(field: &'static str, text: &str) -> Result<ProviderCode, Refusal> {
    text.parse::<ProviderCode>().map_err(|malformed| {
        let reason = match text {
            "" => Reason::ProviderCodeMissing,
            _ => Reason::CreditCodeInvalid,
        };
        Refusal::new(reason, field, malformed.rule, reason.meaning())
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

    #[test]
    fn what_is_missing_and_what_is_malformed_are_two_mistakes() {
        let items = ["", "XZCF", "行政处罚"].map(|text| decode_item_code("code", text));
        assert_eq!(
            items.map(|refused| refused.unwrap_err().reason),
            [
                Reason::ItemCodeMissing,
                Reason::ItemCodeInvalid,
                Reason::ItemCodeInvalid
            ]
        );
        let providers =
            ["", "某局", "11430100006123458R\0"].map(|text| decode_provider_code("code", text));
        assert_eq!(
            providers.map(|refused| refused.unwrap_err().reason),
            [
                Reason::ProviderCodeMissing,
                Reason::CreditCodeInvalid,
                Reason::CreditCodeInvalid
            ]
        );
        let refused = decode_record_id("record_id", "x").unwrap_err();
        assert_eq!(refused.reason, Reason::RecordIdInvalid);
    }
}
