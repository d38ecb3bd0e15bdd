//! Formats numbers, dates and terms of the services for the pages. Pure. Called by `pages`.

pub mod catalogue;

use std::borrow::Cow;

use credit_record::CreditCode;
use maud::{Markup, html};
use proto::credit::{common::v1::RecordClass, disclosure::v1::PublishedField};
use time::{
    OffsetDateTime, UtcOffset,
    macros::{format_description, offset},
};
use vault::{PersonalNumberKind, find_personal, mask};

/// Beijing time, in which civil dates are meant.
const CHINA: UtcOffset = offset!(+8);

/// How the standard writes "for ever" in a date field.
const LONG_TERM: &str = "2099-12-31";

/// A count with groups of three digits.
pub fn format_count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A civil date `YYYY-MM-DD`; a dash that is read out as "none" when it is empty.
pub fn date_markup(text: &str) -> Markup {
    html! {
        @if text.is_empty() {
            (no_value())
        } @else {
            time datetime=(text) { (text) }
        }
    }
}

/// The end of a validity: a date, or 长期 for the standard's last day.
pub fn expiry_markup(text: &str) -> Markup {
    if text == LONG_TERM {
        html! { "长期" }
    } else {
        date_markup(text)
    }
}

/// A text, or the dash.
pub fn or_none(text: &str) -> Markup {
    html! { @if text.is_empty() { (no_value()) } @else { (text) } }
}

fn no_value() -> Markup {
    html! { span.none { span aria-hidden="true" { "—" } span.sr-only { "无" } } }
}

/// A moment in Beijing time, to the minute.
pub fn format_moment(moment: OffsetDateTime) -> String {
    moment
        .to_offset(CHINA)
        .format(format_description!("[year]-[month]-[day] [hour]:[minute]"))
        // Formatting of plain numbers into a String has no way to fail; no time is better than no page.
        .unwrap_or_default()
}

/// Name of a class of records (domain: 基础, 优良, 不良, 其他).
pub fn class_name(value: i32) -> &'static str {
    match RecordClass::try_from(value) {
        Ok(RecordClass::Basic) => "基础信息",
        Ok(RecordClass::Favourable) => "优良信息",
        Ok(RecordClass::Adverse) => "不良信息",
        Ok(RecordClass::Other | RecordClass::Unspecified) | Err(_) => "其他信息",
    }
}

/// Whether the class ends after a term.
pub fn is_adverse(value: i32) -> bool {
    value == RecordClass::Adverse as i32
}

/// How often an item is reported.
pub fn update_cycle_name(value: &str) -> &str {
    match value {
        "real_time" => "实时",
        "daily" => "每日",
        "weekly" => "每周",
        "monthly" => "每月",
        "quarterly" => "每季度",
        "half_yearly" => "每半年",
        "yearly" => "每年",
        other => other,
    }
}

/// Kind of a field's values.
pub fn field_kind_name(value: &str) -> &str {
    match value {
        "text" => "文本",
        "date" => "日期",
        "decimal" => "数值",
        "code" => "代码",
        other => other,
    }
}

/// When a field must be filled. Catalog names the other field of a condition by its code; `name_of`
/// gives the Chinese name of it.
pub fn requirement_text<'a>(
    value: &'a str,
    name_of: impl Fn(&str) -> Option<&'a str>,
) -> Cow<'a, str> {
    match value {
        "always" => return "必填".into(),
        "optional" => return "选填".into(),
        "" => return "—".into(),
        _ => {}
    }
    let Some(condition) = value.strip_prefix("when ") else {
        return value.into();
    };
    let (code, rest) = condition.split_once(' ').unwrap_or((condition, ""));
    let name = name_of(code).unwrap_or(code);
    let (verb, values) = rest.split_once(' ').unwrap_or((rest, ""));
    let values = values.replace(" or ", "或");
    match verb {
        "is" if values == "given" => format!("已填“{name}”时必填"),
        "is" => format!("“{name}”为{values}时必填"),
        "includes" => format!("“{name}”含{values}时必填"),
        _ => format!("条件必填：{condition}"),
    }
    .into()
}

/// The value of a published field as it is shown. Disclosure sends no personal numbers; should one
/// appear in free text after all, it is masked here, as the last check.
pub fn published_value(field: &PublishedField) -> Cow<'_, str> {
    mask_citizen_numbers(&field.value)
}

/// A text of a provider with the citizen numbers in it masked.
pub fn mask_citizen_numbers(value: &str) -> Cow<'_, str> {
    // A credit code of digits may look like another number and is no secret.
    if CreditCode::parse(value).is_ok() {
        return value.into();
    }
    let personal: Vec<_> = find_personal(value)
        .into_iter()
        .filter(|(_, kind)| {
            matches!(
                kind,
                PersonalNumberKind::CitizenNumber | PersonalNumberKind::OldCitizenNumber
            )
        })
        .collect();
    if personal.is_empty() {
        return value.into();
    }
    let mut shown = String::with_capacity(value.len());
    let mut copied = 0;
    for (range, _) in personal {
        shown.push_str(&value[copied..range.start]);
        shown.push_str(&mask::mask_citizen_number(&value[range.clone()]));
        copied = range.end;
    }
    shown.push_str(&value[copied..]);
    shown.into()
}

/// `text` with each occurrence of `part` marked.
pub fn highlight_part(text: &str, part: &str) -> Markup {
    if part.is_empty() {
        return html! { (text) };
    }
    html! {
        @for (at, rest) in text.split(part).enumerate() {
            @if at > 0 { mark { (part) } }
            (rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn counts_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(format_count(number), text);
        }
    }

    #[test]
    fn moments_are_told_in_beijing_time() {
        assert_eq!(
            format_moment(datetime!(2026-03-31 16:05 UTC)),
            "2026-04-01 00:05"
        );
    }

    #[test]
    fn the_last_day_of_the_standard_reads_long_term() {
        assert_eq!(expiry_markup("2099-12-31").into_string(), "长期");
        assert!(
            expiry_markup("2030-01-02")
                .into_string()
                .contains("2030-01-02")
        );
        assert!(date_markup("").into_string().contains("无"));
    }

    #[test]
    fn marked_parts_stay_escaped() {
        let shown = highlight_part("<b>湘江</b>公司", "湘江").into_string();
        assert_eq!(shown, "&lt;b&gt;<mark>湘江</mark>&lt;/b&gt;公司");
    }

    #[test]
    fn a_personal_number_in_a_free_text_is_masked_and_a_credit_code_is_not() {
        let field = |value: &str| PublishedField {
            value: value.to_owned(),
            ..Default::default()
        };
        let leaking = field("当事人430102199003071234已缴纳");
        assert!(!published_value(&leaking).contains("430102199003071234"));
        assert!(published_value(&leaking).starts_with("当事人"));
        for harmless in ["914403001922038216", "JY14301020012345", "罚款 2000 元", ""] {
            assert_eq!(published_value(&field(harmless)), harmless);
        }
    }

    #[test]
    fn terms_of_the_catalogue_are_chinese_and_unknown_ones_stay() {
        assert_eq!(update_cycle_name("real_time"), "实时");
        assert_eq!(field_kind_name("decimal"), "数值");
        assert_eq!(field_kind_name("半结构"), "半结构");
        assert_eq!(class_name(99), "其他信息");
        assert!(is_adverse(RecordClass::Adverse as i32) && !is_adverse(1));
    }

    #[test]
    fn conditions_name_the_other_field_in_chinese() {
        let name_of = |code: &str| (code == "CF_CFLB").then_some("处罚类别");
        for (value, text) in [
            ("always", "必填"),
            ("optional", "选填"),
            ("when CF_CFLB is 罚款", "“处罚类别”为罚款时必填"),
            (
                "when CF_CFLB includes 暂扣 or 吊销",
                "“处罚类别”含暂扣或吊销时必填",
            ),
            ("when CF_FR_ZJLX is given", "已填“CF_FR_ZJLX”时必填"),
            ("when the moon is full", "条件必填：the moon is full"),
            ("sometimes", "sometimes"),
        ] {
            assert_eq!(requirement_text(value, name_of), text);
        }
    }
}
