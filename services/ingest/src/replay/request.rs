//! What a replay is asked for, checked for form before anything is looked up. Called by `replay`.

use credit_record::item::ItemError;
use legal_clock::{end_of_day, shanghai_date, start_of_day};
use proto::credit::ingest::v1::{
    PublishedVersion, ReplayRulesRequest, replay_rules_request::Offered as Asked,
};
use service_kit::error::{Refusal, chain};
use time::{Date, OffsetDateTime, macros::format_description};
use tonic::Code;

/// Largest text of a definition, bytes: thirty times the longest of the standard ones.
const MAX_DEFINITION_BYTES: usize = 1024 * 1024;
/// Most faults of a definition that an answer names.
const MAX_FAULTS: usize = 20;

/// The definition that is tried out.
#[derive(Debug)]
pub(super) enum Offered {
    /// Text of a data file.
    Toml(String),
    /// A version of the catalogue.
    Published(PublishedVersion),
}

/// Which originals, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Why they are read.
    pub reason: String,
    /// Of this provider only; empty: of all.
    pub provider_code: String,
    /// First day of receipt, as given.
    pub received_from: Option<Date>,
    /// Last day of receipt, as given.
    pub received_to: Option<Date>,
    /// Received at this instant or later; `None`: from the beginning.
    pub not_before: Option<OffsetDateTime>,
    /// Received at this instant or earlier: what arrives while it runs is not read.
    pub not_after: OffsetDateTime,
    /// Pinned to one of these versions; empty: to any.
    pub pinned_versions: Vec<i32>,
    /// Most originals to read.
    pub limit: Option<u64>,
}

/// Takes a request apart.
///
/// # Errors
/// The first field that does not fit, and its rule.
pub(super) fn check(
    request: ReplayRulesRequest,
    now: OffsetDateTime,
) -> Result<(Offered, Scope), Refusal> {
    let offered = match request.offered {
        Some(Asked::DefinitionToml(text)) => {
            if text.trim().is_empty() || text.len() > MAX_DEFINITION_BYTES {
                return Err(invalid(
                    "DEFINITION_LENGTH",
                    "definition_toml",
                    "1 byte to 1 MiB (1048576 bytes)",
                    "定义文本不得为空，也不得超过 1 MiB",
                ));
            }
            Offered::Toml(text)
        }
        Some(Asked::Published(version)) => Offered::Published(version),
        None => {
            return Err(invalid(
                "DEFINITION_MISSING",
                "offered",
                "definition_toml or published",
                "请提交定义文本，或者指明已发布的事项版本",
            ));
        }
    };
    let reason = request.reason.trim();
    let length = reason.chars().take(501).count();
    if !(2..=500).contains(&length)
        || !reason.chars().any(char::is_alphabetic)
        || reason.chars().any(char::is_control)
    {
        return Err(invalid(
            "REASON_MISSING",
            "reason",
            "2 to 500 characters that say why, without control characters",
            "请填写查阅原始记录的理由（2 至 500 个字符）",
        ));
    }
    let received_from = day(&request.received_from, "received_from")?;
    let received_to = day(&request.received_to, "received_to")?;
    if received_from
        .zip(received_to)
        .is_some_and(|(from, to)| to < from)
    {
        return Err(invalid(
            "RECEIVED_ORDER",
            "received_to",
            "not before received_from",
            "接收日期的止日不得早于起日",
        ));
    }
    let pinned_versions = request
        .pinned_versions
        .iter()
        .map(|version| i32::try_from(*version).ok().filter(|v| *v > 0))
        .collect::<Option<Vec<_>>>()
        .filter(|versions| versions.len() <= 100)
        .ok_or_else(|| {
            invalid(
                "PINNED_VERSIONS",
                "pinned_versions",
                "at most 100 numbers from 1",
                "版本号须为正整数，最多 100 个",
            )
        })?;
    let last = received_to.filter(|to| *to < shanghai_date(now));
    let scope = Scope {
        reason: reason.to_owned(),
        provider_code: request.provider_code,
        received_from,
        received_to,
        not_before: received_from.map(start_of_day),
        not_after: last.map_or(now, end_of_day),
        pinned_versions,
        limit: Some(request.limit).filter(|limit| *limit > 0),
    };
    Ok((offered, scope))
}

/// A definition that cannot be used: the first fault names the field, the text all of them.
pub(super) fn unusable(error: &ItemError) -> Refusal {
    let (place, told) = match error {
        ItemError::Inconsistent { faults, .. } => {
            let place = faults.first().map_or("", |fault| fault.place.as_str());
            let told: Vec<String> = faults
                .iter()
                .take(MAX_FAULTS)
                .map(|fault| format!("{}（{} {}）", fault.place, fault.problem, fault.detail))
                .collect();
            (place, told.join("；"))
        }
        other => ("", chain(other)),
    };
    let field = match place {
        "" => "definition_toml".to_owned(),
        place => format!("definition_toml.{place}"),
    };
    Refusal::field(
        Code::InvalidArgument,
        "DEFINITION_INVALID",
        field,
        "a complete and consistent definition of an item",
        format!("定义不可用：{told}"),
    )
}

fn day(text: &str, field: &'static str) -> Result<Option<Date>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        .filter(|day| (1900..=9999).contains(&day.year()))
        .map(Some)
        .ok_or_else(|| {
            invalid(
                "DAY_FORM",
                field,
                "YYYY-MM-DD, or empty",
                "日期应写作 YYYY-MM-DD，且为真实日期",
            )
        })
}

fn invalid(
    reason: &'static str,
    field: &'static str,
    rule: &'static str,
    message: &'static str,
) -> Refusal {
    Refusal::field(Code::InvalidArgument, reason, field, rule, message)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 10:00 +8);

    fn good() -> ReplayRulesRequest {
        ReplayRulesRequest {
            offered: Some(Asked::DefinitionToml("code = 'xzcf'".to_owned())),
            reason: "新版目录施行前试算".to_owned(),
            ..ReplayRulesRequest::default()
        }
    }

    #[test]
    fn every_field_that_does_not_fit_is_named() {
        type Spoil = fn(&mut ReplayRulesRequest);
        let table: [(&str, &str, Spoil); 11] = [
            ("offered", "DEFINITION_MISSING", |r| r.offered = None),
            ("definition_toml", "DEFINITION_LENGTH", |r| {
                r.offered = Some(Asked::DefinitionToml(" ".to_owned()));
            }),
            ("definition_toml", "DEFINITION_LENGTH", |r| {
                let long = "x".repeat(MAX_DEFINITION_BYTES + 1);
                r.offered = Some(Asked::DefinitionToml(long));
            }),
            ("reason", "REASON_MISSING", |r| r.reason.clear()),
            ("reason", "REASON_MISSING", |r| {
                r.reason = "\u{3000} \n".to_owned();
            }),
            ("reason", "REASON_MISSING", |r| r.reason = "123…".to_owned()),
            ("reason", "REASON_MISSING", |r| {
                r.reason = "因".repeat(501);
            }),
            ("received_from", "DAY_FORM", |r| {
                r.received_from = "2026-02-30".to_owned();
            }),
            ("received_to", "DAY_FORM", |r| {
                r.received_to = "昨天".to_owned();
            }),
            ("received_to", "RECEIVED_ORDER", |r| {
                r.received_from = "2026-02-02".to_owned();
                r.received_to = "2026-02-01".to_owned();
            }),
            ("pinned_versions", "PINNED_VERSIONS", |r| {
                r.pinned_versions = vec![1, 0];
            }),
        ];
        for (field, reason, spoil) in table {
            let mut request = good();
            spoil(&mut request);
            let refusal = check(request, NOW).unwrap_err();
            assert_eq!((&refusal.field[..], refusal.reason), (field, reason));
        }
    }

    #[test]
    fn days_of_receipt_are_those_of_changsha_and_end_now() {
        let scope = check(good(), NOW).unwrap().1;
        assert_eq!((scope.not_before, scope.not_after), (None, NOW));
        let mut request = good();
        request.received_from = "2026-11-01".to_owned();
        request.received_to = "2026-11-19".to_owned();
        let scope = check(request.clone(), NOW).unwrap().1;
        assert_eq!(scope.received_from, Some(date!(2026 - 11 - 01)));
        assert_eq!(scope.not_before, Some(datetime!(2026-10-31 16:00 UTC)));
        assert_eq!(scope.not_after, datetime!(2026-11-19 15:59:59.999_999 UTC));
        request.received_to = "2026-11-20".to_owned();
        assert_eq!(check(request, NOW).unwrap().1.not_after, NOW);
    }
}
