//! Dates and amounts in every form that was seen, those that are refused because they have two readings,
//! and what spreadsheets leave of a value.

use credit_record::normalise::{
    self, AmountFault, DateFault, Decimal, SpreadsheetDamage, amount_fault, date_fault,
    find_damage, lost_digits, parse_date, serial_day,
};
use proptest::prelude::*;

use crate::normalising::{clean, field_of, value};
use crate::support::day;

#[test]
fn dates() {
    for dirty in [
        "2026-06-05",
        "2026/6/5",
        "2026/06/05",
        "20260605",
        "2026年6月5日",
        "2026年06月05日",
        "2026年6月5号",
        "2026年6月5",
        "2026.06.05",
        "2026.6.5",
        "2026－6－5",
        "2026–06–05",
        "２０２６－０６－０５",
        "２０２６年６月５日",
        "２０２６／６／５",
        " 2026-6-5 ",
        "2026 - 6 - 5",
        "2026 年 6 月 5 日",
        "2026-06-05 00:00:00",
        "2026-06-05 00:00:00.0",
        "2026-06-05\t08:30",
        "2026-06-05\u{3000}08：30",
        "2026-06-05T00:00:00",
        "2026-06-05T23:59:59.999+08:00",
        "2026-06-05T00:00:00+0800",
        "2026-06-05 08:00:00 +08",
        "2026/6/5 9:30",
        "2026/6/5 上午9:30",
        "2026/6/5 9:30:00 PM",
        "2026年6月5日9时30分",
        "2026年6月5日 9时",
        "2026年6月5日 09时30分15秒",
        "2026年6月5日星期五",
        "2026年6月5日 星期五 9:30",
        "2026-06-05 周五",
        "20260605083000",
        "20260605 08:30:00",
        "'2026-06-05",
        "\u{FEFF}2026-06-05\u{200B}",
        "二〇二六年六月五日",
        "二零二六年六月五日",
        "二○二六年六月五号",
        "二0二六年六月五日",
        "二０二六年六月五日",
        "二〇二六年6月5日",
        "2026年六月五日",
    ] {
        assert_eq!(value("CF_JDRQ", dirty), "2026-06-05", "{dirty:?}");
    }
    for (text, wanted) in [
        ("二〇一九年十月十日", day(2019, 10, 10)),
        ("二〇一九年十二月三十一日", day(2019, 12, 31)),
        ("二〇一九年十一月二十日", day(2019, 11, 20)),
        ("二〇二〇年二月二十九日", day(2020, 2, 29)),
        ("二〇一九年元月十五日", day(2019, 1, 15)),
        ("2019-10-10", day(2019, 10, 10)),
        ("2019/10/1", day(2019, 10, 1)),
        ("20170618", day(2017, 6, 18)),
        ("2017.6.18", day(2017, 6, 18)),
        ("2099/12/31", day(2099, 12, 31)),
    ] {
        assert_eq!(parse_date(text), Some(wanted), "{text}");
    }
}

#[test]
fn what_is_no_date_or_has_two_readings_stays_as_it_is() {
    for bad in [
        "2026-02-30",
        "2026-13-01",
        "26-06-05",
        "202606",
        "45000",
        "2026-06",
        "2026--06-05",
        "2026-06-05Z",
        "2026-06-05T00:00:00Z",
        "2026-06-05T16:00:00.000Z",
        "2026-06-05T00:00:00+09:00",
        "2026-06-05T00:00:00-08:00",
        "2026-06-05 08:00:00 GMT",
        "2026-06-05T",
        "2026-06-05T24:00:00",
        "2026-06-05 25:00",
        "2026-06-05 08:60",
        "2026-06-05 8",
        "2026-06-0508:30",
        "2026-06-05-01",
        "2026-06-051",
        "10/11/2019",
        "25/12/2019",
        "10-11-19",
        "6月5日",
        "2026 6 5",
        "2026-六-五",
        "2026年六月五",
        "二〇二六-6-5",
        "二〇二六年正月五日",
        "二〇二六年六月初五",
        "二〇二六年六月廿五日",
        "二〇二六年十三月一日",
        "二〇二六年六月三十一日",
        "二〇二六年六月一十日",
        "二十六年六月五日",
        "二O二六年六月五日",
        "2O26-06-05",
        "2026年6月5日星期四",
        "2026年6月5日星期",
        "20260605246060",
        "2026060508300",
        "20260605 083000",
        "长期",
        "1899-12-31",
        "3000-01-01",
        "2026060501",
        "2026-06-05 x",
        "年月日",
        "２０２６",
        "2026年6月5日附",
        "2026-06-05至2027-06-05",
    ] {
        assert_eq!(parse_date(bad), None, "{bad}");
        assert!(date_fault(bad).is_some(), "{bad}");
        let (kept, changes) = clean("xzcf", "CF_JDRQ", bad);
        assert_eq!(kept, bad);
        assert!(changes.is_empty());
    }
}

#[test]
fn the_fault_of_a_date_is_named() {
    let serial = DateFault::Serial(day(2019, 10, 10));
    for (text, fault) in [
        ("43748", serial),
        ("43748.5", serial),
        ("长期", DateFault::LongTerm),
        ("永久", DateFault::LongTerm),
        ("9999-12-31", DateFault::LongTerm),
        ("9999/12/31", DateFault::LongTerm),
        ("10/11/2019", DateFault::OrderUnclear),
        ("25.12.2019", DateFault::OrderUnclear),
        ("26.3.5", DateFault::ShortYear),
        ("19-10-10", DateFault::ShortYear),
        ("2019-10", DateFault::Partial),
        ("2019年10月", DateFault::Partial),
        ("201910", DateFault::Partial),
        ("2019", DateFault::Partial),
        ("2019-10-10T16:00:00Z", DateFault::Zone),
        ("2019年10月10日星期五", DateFault::Weekday),
        ("2026-02-30", DateFault::NoSuchDay),
        ("2026/2/30 08:00", DateFault::NoSuchDay),
        ("20261301", DateFault::NoSuchDay),
        ("二O一九年十月十日", DateFault::Lookalike(day(2019, 10, 10))),
        ("2O19-1O-10", DateFault::Lookalike(day(2019, 10, 10))),
        ("昨天", DateFault::Form),
        ("1.2.3.4.5", DateFault::Form),
    ] {
        assert_eq!(date_fault(text), Some(fault), "{text}");
        assert!(!fault.advice().is_empty());
    }
    assert_eq!(date_fault("2019-10-10"), None);
    assert_eq!(date_fault("2019年10月10日"), None);
    assert_eq!(serial.suggestion().as_deref(), Some("2019-10-10"));
    assert_eq!(
        DateFault::LongTerm.suggestion().as_deref(),
        Some("2099-12-31")
    );
    assert_eq!(DateFault::OrderUnclear.suggestion(), None);
    assert_eq!(serial_day("46023"), Some(day(2026, 1, 1)));
    assert_eq!(serial_day("10000"), Some(day(1927, 5, 18)));
    for none in ["1234", "123456", "04374", "4374a", "43748.", ".5"] {
        assert_eq!(serial_day(none), None, "{none}");
    }
}

#[test]
fn decimals() {
    for (dirty, clean) in [
        ("0.2", "0.2"),
        ("0.20", "0.2"),
        ("０．２", "0.2"),
        ("1,234.5", "1234.5"),
        ("1 234 567", "1234567"),
        ("+3", "3"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        (" 1 ", "1"),
        ("1，234", "1234"),
        ("0.000", "0"),
        ("12,34", "12,34"),
        ("1,234 567", "1,234 567"),
        ("1 2", "1 2"),
        ("2\t3", "2 3"),
        ("-5", "-5"),
        ("10²", "10²"),
        ("①", "①"),
        ("½", "½"),
        ("1.2.3", "1.2.3"),
        (".", "."),
    ] {
        assert_eq!(value("CF_NR_FK", dirty), clean, "{dirty}");
    }
    let sum = |t| Decimal::parse(t).map(Decimal::millionths);
    assert_eq!(sum("0.2"), Some(200_000));
    assert_eq!(sum("1.000001"), Some(1_000_001));
    assert_eq!(sum("999999999999.999999"), Some(999_999_999_999_999_999));
    for bad in ["1.0000001", "1e3", "", ".", "-1", "1.", "1000000000000"] {
        assert_eq!(sum(bad), None, "{bad}");
    }
}

#[test]
fn a_sum_that_carries_its_own_unit_is_derived_exactly() {
    for (dirty, wan) in [
        ("2000元", "0.2"),
        ("2,000元", "0.2"),
        ("2,000.00元", "0.2"),
        ("２０００元", "0.2"),
        ("¥2000元", "0.2"),
        ("￥ 2,000.50 元整", "0.20005"),
        ("人民币2000元", "0.2"),
        ("RMB 2000元", "0.2"),
        ("2000元人民币", "0.2"),
        ("0.2万元", "0.2"),
        ("0.20 万元", "0.2"),
        ("0.2万", "0.2"),
        ("1,000万元", "1000"),
        ("3亿元", "30000"),
        ("5千元", "0.5"),
        ("5仟元", "0.5"),
        ("3百万元", "300"),
        ("1元", "0.0001"),
        ("0.01元", "0.000001"),
        ("0元", "0"),
        ("12元3角4分", "0.001234"),
        ("2000元5分", "0.200005"),
        ("贰仟元整", "0.2"),
        ("人民币贰仟元整", "0.2"),
        ("贰万元", "2"),
        ("贰万伍仟元", "2.5"),
        ("拾万元整", "10"),
        ("壹拾贰万叁仟肆佰伍拾陆元柒角捌分", "12.345678"),
        ("壹亿元", "10000"),
        ("壹亿零伍佰元", "10000.05"),
        ("贰仟零伍元", "0.2005"),
        ("贰仟元零伍分", "0.200005"),
        ("两千五百元", "0.25"),
        ("二千圆", "0.2"),
        ("贰佰万元", "200"),
        ("叁拾萬伍仟圓", "30.5"),
        ("零元", "0"),
    ] {
        let (after, changes) = clean("xzcf", "CF_NR_FK", dirty);
        assert_eq!(after, wan, "{dirty}");
        if after != dirty {
            let last = changes.last().unwrap();
            assert_eq!(
                (last.rule, last.rule_version),
                ("amount-to-wan-yuan", 1),
                "{dirty}"
            );
            assert_eq!(last.after, wan);
        }
    }
    // More digits than the field takes are kept, for the check to refuse.
    assert_eq!(value("CF_NR_FK", "0.001元"), "0.0000001");
}

#[test]
fn no_sum_is_guessed() {
    for kept in [
        "¥2000",
        "¥0.2",
        "贰万",
        "二〇〇〇元",
        "二千五元",
        "两千五",
        "一万五元",
        "壹亿伍仟元",
        "贰仟仟元",
        "佰贰元",
        "3万5千元",
        "2百千元",
        "2万万元",
        "约2000元",
        "2000美元",
        "2000元/天",
        "2000元以上",
        "2000-3000元",
        "元",
        "万元",
        "¥",
        "12.5元3角",
        "2000元12角",
        "2000元3分4角",
        "12,34元",
        "-2000元",
        "2000块",
        "1000000000000000000000000000元",
    ] {
        let (after, changes) = clean("xzcf", "CF_NR_FK", kept);
        assert_eq!(after, kept);
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(Decimal::parse(&after), None);
    }
    for (bare, after) in [("2000", "2000"), ("2,000.00", "2000")] {
        assert_eq!(
            value("CF_NR_FK", bare),
            after,
            "a bare number keeps its value"
        );
    }
    for (text, fault) in [
        ("¥2000", AmountFault::SignWithoutUnit),
        ("贰万", AmountFault::NumeralsWithoutUnit),
        ("2000美元", AmountFault::Currency),
        ("$2000", AmountFault::Currency),
        ("-5", AmountFault::Negative),
        ("5%", AmountFault::Percent),
        ("约2000元", AmountFault::Form),
    ] {
        assert_eq!(amount_fault(text), fault, "{text}");
        assert!(!fault.advice().contains(text));
    }
}

#[test]
fn the_unit_is_that_of_the_field() {
    let mut field = field_of("xzcf", "CF_NR_FK").clone();
    let mut run = |unit: Option<&str>, text: &str| {
        field.unit = unit.map(str::to_owned);
        normalise::normalise_value(&field, text.into(), &mut Vec::new()).into_owned()
    };
    assert_eq!(run(Some("元"), "2000元"), "2000");
    assert_eq!(run(Some("元"), "0.2万元"), "2000");
    assert_eq!(run(Some("元"), "¥2,000.00"), "2000");
    assert_eq!(run(Some("元"), "贰仟元伍角"), "2000.5");
    assert_eq!(run(Some("万元"), "2000元"), "0.2");
    assert_eq!(run(Some("平方米"), "2000元"), "2000元");
    assert_eq!(run(None, "2000元"), "2000元");
    assert_eq!(run(None, "２,０００"), "2000");
}

#[test]
fn damage_by_spreadsheets() {
    let found = |field: &str, text: &str| find_damage(field_of("xzcf", field), text);
    for text in [
        "4.30102E+17",
        "9.1430102E17",
        "9.1430102e+17",
        "4E+17",
        "1.5E-05",
    ] {
        assert_eq!(
            found("CF_XDR_SHXYM", text),
            Some(SpreadsheetDamage::Scientific),
            "{text}"
        );
    }
    assert_eq!(
        found("CF_NR_FK", "1.5E+03"),
        Some(SpreadsheetDamage::Scientific)
    );
    assert_eq!(
        found("CF_WSH", "2.026E+11"),
        Some(SpreadsheetDamage::Scientific)
    );
    assert_eq!(found("CF_NR", "4.30102E+17"), None, "free text is free");
    for text in ["##", "########"] {
        assert_eq!(
            found("CF_JDRQ", text),
            Some(SpreadsheetDamage::Overflow),
            "{text}"
        );
    }
    for text in [
        "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#n/a",
    ] {
        assert_eq!(
            found("CF_XDR_MC", text),
            Some(SpreadsheetDamage::ErrorValue),
            "{text}"
        );
        assert_eq!(
            found("CF_CFLB", text),
            Some(SpreadsheetDamage::ErrorValue),
            "{text}"
        );
        assert_eq!(value("CF_CFLB", text), text, "cleansing leaves it alone");
    }
    for text in ["=VLOOKUP(A1,B:C,2,0)", "=A1", "=\"x\"", "=+A1"] {
        assert_eq!(
            found("CF_XDR_MC", text),
            Some(SpreadsheetDamage::Formula),
            "{text}"
        );
    }
    assert_eq!(
        found("CF_JDRQ", "43748"),
        Some(SpreadsheetDamage::DateSerial(day(2019, 10, 10)))
    );
    for text in ["1月2日", "Oct-19", "2-Jan", "OCT19", "2JAN"] {
        assert_eq!(
            found("CF_XDR_GSZC", text),
            Some(SpreadsheetDamage::BecameDate),
            "{text}"
        );
    }
    for (field, fine) in [
        ("CF_XDR_SHXYM", "91430102MA4PX7RC64"),
        ("CF_XDR_GSZC", "430100000012344"),
        ("CF_XDR_GSZC", "12345E67"),
        ("CF_XDR_GSZC", "MAR123"),
        ("CF_XDR_GSZC", "企独湘长总字第000123号"),
        ("CF_WSH", "长市监罚决〔2026〕123号"),
        ("CF_WSH", "#1"),
        ("CF_JDRQ", "2026-06-05"),
        ("CF_NR_FK", "43748"),
        ("CF_XDR_MC", "="),
        ("CF_XDR_MC", "#"),
        ("CF_XDR_MC", ""),
    ] {
        assert_eq!(found(field, fine), None, "{fine}");
    }
    for lost in [
        "430102199003071000",
        "1234567890123450",
        "62220212345678900",
    ] {
        assert!(lost_digits(lost), "{lost}");
    }
    for kept in [
        "430102199003071234",
        "430100000012000",
        "000000000000000000",
        "43010219900307100X",
    ] {
        assert!(!lost_digits(kept), "{kept}");
    }
    assert_eq!(
        SpreadsheetDamage::DateSerial(day(2019, 10, 10))
            .suggestion()
            .as_deref(),
        Some("2019-10-10")
    );
}

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];

/// A sum in capital numerals as a cheque has it, by the rules of the central bank: the other direction of
/// what is tested, written apart from it.
fn capitals(yuan: u64) -> String {
    let mut out = String::new();
    let mut nought = false;
    let digits: Vec<u64> = yuan
        .to_string()
        .bytes()
        .map(|b| u64::from(b - b'0'))
        .collect();
    let mut section_filled = false;
    for (i, digit) in digits.iter().enumerate() {
        let place = digits.len() - 1 - i;
        if *digit == 0 {
            nought = true;
        } else {
            if nought && !out.is_empty() {
                out.push('零');
            }
            nought = false;
            section_filled = true;
            out.push(DIGITS[usize::try_from(*digit).unwrap()]);
            out.push_str(["", "拾", "佰", "仟"][place % 4]);
        }
        if place.is_multiple_of(4) {
            if section_filled && place > 0 {
                out.push(if place == 8 { '亿' } else { '万' });
            }
            section_filled = false;
        }
    }
    if out.is_empty() {
        out.push('零');
    }
    out.push_str("元整");
    out
}

proptest! {
    #![proptest_config(crate::support::cases(2_000))]

    #[test]
    fn every_written_date_is_read_again(
        days in 0i64..400_000,
        form in 0usize..6,
    ) {
        let date = day(1900, 1, 1) + time::Duration::days(days);
        let (y, m, d) = (date.year(), u8::from(date.month()), date.day());
        let text = match form {
            0 => normalise::format_day(date),
            1 => format!("{y}/{m}/{d}"),
            2 => format!("{y}年{m}月{d}日"),
            3 => format!("{y}{m:02}{d:02}"),
            4 => format!("{y}.{m}.{d} 00:00:00"),
            _ => chinese_date(y, m, d),
        };
        prop_assert_eq!(parse_date(&text), Some(date), "{}", text);
        prop_assert_eq!(value("CF_JDRQ", &text), normalise::format_day(date));
    }

    #[test]
    fn a_serial_number_means_the_day_that_excel_shows(days in 10_000i64..100_000) {
        let date = serial_day(&days.to_string()).unwrap();
        prop_assert_eq!((date - day(1899, 12, 30)).whole_days(), days);
    }

    #[test]
    fn every_sum_in_capitals_is_read_exactly(
        yuan in prop_oneof![0u64..100_000, 0u64..1_000_000_000_000, (0u64..10_000).prop_map(|n| n * 100_000)],
    ) {
        let text = capitals(yuan);
        let mut field = field_of("xzcf", "CF_NR_FK").clone();
        field.unit = Some("元".to_owned());
        let read = normalise::normalise_value(&field, text.clone().into(), &mut Vec::new());
        prop_assert_eq!(read, yuan.to_string(), "{}", text);
    }

    #[test]
    fn yuan_and_ten_thousand_yuan_agree(cents in 0u64..10_000_000_000_000) {
        let text = format!("{}.{:02}元", cents / 100, cents % 100);
        let wan = Decimal::parse(&value("CF_NR_FK", &text)).unwrap();
        prop_assert_eq!(wan.millionths(), cents);
    }
}

fn chinese_date(year: i32, month: u8, day: u8) -> String {
    let words = |n: u8| {
        let digit = |n: u8| "〇一二三四五六七八九".chars().nth(usize::from(n)).unwrap();
        match (n / 10, n % 10) {
            (0, ones) => digit(ones).to_string(),
            (1, 0) => "十".to_owned(),
            (1, ones) => format!("十{}", digit(ones)),
            (tens, 0) => format!("{}十", digit(tens)),
            (tens, ones) => format!("{}十{}", digit(tens), digit(ones)),
        }
    };
    let year: String = year
        .to_string()
        .bytes()
        .map(|b| {
            "〇一二三四五六七八九"
                .chars()
                .nth(usize::from(b - b'0'))
                .unwrap()
        })
        .collect();
    format!("{year}年{}月{}日", words(month), words(day))
}
