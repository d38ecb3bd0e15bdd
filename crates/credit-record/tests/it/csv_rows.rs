//! A record as a header row and one row of CSV: what is read, what is refused, and that it gives the same as JSON.

use std::sync::Arc;

use credit_record::check::{ContentForm, MAX_BYTES, MAX_FIELDS, find_column};
use credit_record::export::csv_line;
use credit_record::{CheckContext, FindingCode, NoCalendar, Verdict, WorkingDays, check_record_as};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::*;

/// The verdict on a penalty.
fn row(content: &[u8]) -> Verdict {
    let working_days: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
    let ctx = CheckContext {
        received_on: today(),
        provider_code: PROVIDER,
        working_days: &working_days,
        attestations: &[],
    };
    check_record_as(ContentForm::CsvRow, compiled("xzcf", None), content, &ctx)
}

/// The record as CSV, its columns named by this function of the field code.
fn csv(record: &Map<String, Value>, heading: impl Fn(&str) -> String) -> String {
    let headings: Vec<String> = record.keys().map(|code| heading(code)).collect();
    let cells: Vec<String> = record
        .values()
        .map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    let line = |cells: &[String]| csv_line(cells.iter().map(String::as_str));
    format!("{}{}", line(&headings), line(&cells))
}

fn name_of(code: &str) -> String {
    compiled("xzcf", None)
        .item()
        .field(code)
        .unwrap()
        .name
        .clone()
}

fn fault(content: &[u8]) -> (FindingCode, String) {
    let findings = returned(row(content));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    (findings[0].code, findings[0].message.clone())
}

#[test]
fn a_row_says_what_the_json_says_under_codes_names_and_aliases() {
    let expected = run("xzcf", &penalty());
    let by_code = csv(&penalty(), str::to_owned);
    assert_eq!(row(by_code.as_bytes()), expected);
    assert_eq!(row(csv(&penalty(), name_of).as_bytes()), expected);
    // Spreadsheets put a byte-order mark in front, end lines with LF alone, leave the last line open, add empty
    // columns.
    assert_eq!(row(format!("\u{FEFF}{by_code}").as_bytes()), expected);
    assert_eq!(row(by_code.replace("\r\n", "\n").as_bytes()), expected);
    assert_eq!(row(by_code.trim_end().as_bytes()), expected);
    assert_eq!(row(format!("\r\n{by_code}\r\n\n").as_bytes()), expected);
    let wider = by_code.replace("\r\n", ",,\r\n");
    assert_eq!(row(wider.as_bytes()), expected);

    // An alias is recorded as a change in both forms.
    let mut aliased = penalty();
    let number = aliased.remove("CF_FR_ZJHM").unwrap();
    aliased.insert("CF_FR_SFZH".into(), number);
    let verdict = row(csv(&aliased, str::to_owned).as_bytes());
    assert_eq!(verdict, run("xzcf", &aliased));
    assert_eq!(accepted(verdict).changes[0].rule, "field-alias");
}

#[test]
fn headings_fit_without_white_space_width_and_case() {
    let item = compiled("xzcf", None).item();
    for heading in [
        "CF_NR_FK",
        " cf_nr_fk ",
        "罚款金额（万元）",
        "罚款金额(万元)",
        "罚款金额\n（万元）\u{3000}",
        "\u{200B}ＣＦ_ＮＲ_ＦＫ",
    ] {
        let found = find_column(item, heading).unwrap_or_else(|| panic!("{heading:?}"));
        assert_eq!(item.fields[found.index].code, "CF_NR_FK", "{heading:?}");
        assert!(!found.alias);
    }
    assert!(find_column(item, "cf_fr_sfzh").unwrap().alias);
    for heading in ["", " ", "罚款金额", "罚款金额（元）", "序号"] {
        assert_eq!(find_column(item, heading), None, "{heading:?}");
    }
    assert_eq!(find_column(item, &"金".repeat(1 << 20)), None);
}

#[test]
fn what_is_no_row_of_csv_is_told_with_its_place() {
    let good = csv(&penalty(), str::to_owned);
    let header = good.lines().next().unwrap();
    for empty in ["", "\u{FEFF}", "\n\r\n", header] {
        assert_eq!(fault(empty.as_bytes()).0, FindingCode::FormRowCount);
    }
    let (code, message) = fault(format!("{good}{good}").as_bytes());
    assert_eq!(code, FindingCode::FormRowCount);
    assert_eq!(message, "CSV内容应为一行列名和一行数据，数据行不止一行");

    let (code, message) = fault(b"CF_WSH,CF_NR\r\na,b,c\r\n");
    assert_eq!(code, FindingCode::FormColumnCount);
    assert_eq!(message, "列名有2个，数据行有3个单元格，应一一对应");
    assert_eq!(fault(b"CF_WSH,CF_NR\na\n").0, FindingCode::FormColumnCount);

    for (content, line, at) in [
        ("CF_NR\n关于“甲\"公司", 2, 5),
        ("CF_NR\n\"甲\"乙\n", 2, 4),
        ("CF_NR\n\"甲\n乙,丙\n", 2, 1),
        ("CF_NR\n\"第一行\n第二行\" ,", 3, 5),
        ("CF_NR\r甲", 1, 6),
    ] {
        let (code, message) = fault(content.as_bytes());
        assert_eq!(code, FindingCode::FormNotCsv, "{content:?}");
        let place = format!("第{line}行第{at}个字符处");
        assert!(message.contains(&place), "{content:?}: {message}");
    }
    assert_eq!(fault(b"CF_NR\n\xB3\xA4").0, FindingCode::FormNotUtf8);
}

#[test]
fn a_row_has_the_bounds_of_json() {
    let large = vec![b'a'; MAX_BYTES + 1];
    assert_eq!(fault(&large).0, FindingCode::FormTooLarge);
    let columns = ",".repeat(MAX_FIELDS);
    let wide = format!("{columns}\n{columns}\n");
    assert_eq!(fault(wide.as_bytes()).0, FindingCode::FormTooManyFields);
    // Nonsense of the largest size gets a bounded answer.
    let headings = vec!["列名".repeat(80); MAX_FIELDS].join(",");
    let nonsense = format!("{headings}\n{}\n", vec!["x"; MAX_FIELDS].join(","));
    assert_eq!(returned(row(nonsense.as_bytes())).len(), 100);
}

#[test]
fn unknown_and_repeated_columns_are_told_and_no_value_is_repeated() {
    let mut record = penalty();
    record.insert("430102199003071234".into(), json!("x"));
    let findings = returned(row(csv(&record, str::to_owned).as_bytes()));
    assert_eq!(findings[0].code, FindingCode::FormUnknownField);
    let expected = "第22列的列名不是目录项的字段代码、名称或别名，请对照目录核对列名";
    assert_eq!(findings[0].message, expected);

    // The same field by its code and by its name is two columns of one field, filled or not.
    for cell in ["", "长沙"] {
        let good = csv(&penalty(), str::to_owned);
        let (header, values) = good.trim_end().split_once("\r\n").unwrap();
        let twice = format!("{header},{}\r\n{values},{cell}\r\n", name_of("CF_WSH"));
        assert_eq!(
            errors(row(twice.as_bytes())),
            [FindingCode::FormDuplicateField]
        );
    }
}

#[test]
fn an_empty_cell_is_a_field_that_is_not_given() {
    let blank = penalty_with(json!({"CF_NR_FK": ""}));
    let mut absent = penalty();
    absent.remove("CF_NR_FK");
    let verdict = row(csv(&blank, str::to_owned).as_bytes());
    assert_eq!(verdict, run("xzcf", &absent));
    assert_eq!(errors(verdict), [FindingCode::PenaltyAmountMissing]);
    let quoted = csv(&absent, str::to_owned).replacen("\r\n", ",CF_NR_FK\r\n", 1);
    let quoted = format!("{},\"\"\r\n", quoted.trim_end());
    assert_eq!(row(quoted.as_bytes()), run("xzcf", &absent));
}

#[test]
fn content_types_name_the_form() {
    for (text, form) in [
        ("application/json", Some(ContentForm::Json)),
        ("text/csv", Some(ContentForm::CsvRow)),
        ("Application/JSON; charset=UTF-8", Some(ContentForm::Json)),
        ("text/csv;charset=\"utf-8\"", Some(ContentForm::CsvRow)),
        ("text/csv; header=present", Some(ContentForm::CsvRow)),
        (
            "text/csv ; header=present ; charset=utf-8",
            Some(ContentForm::CsvRow),
        ),
        ("text/csv; header=absent", None),
        ("application/json; header=present", None),
        ("text/csv; charset=gb18030", None),
        ("application/json; charset=utf-16", None),
        ("text/csv;", None),
        ("text/csv; charset", None),
        ("text/plain", None),
        ("application/jsonl", None),
        ("", None),
    ] {
        assert_eq!(ContentForm::from_content_type(text), form, "{text:?}");
    }
    for form in ContentForm::ALL {
        assert_eq!(
            ContentForm::from_content_type(form.content_type()),
            Some(form)
        );
    }
}

proptest! {
    /// Whatever stands in the cells, quotation marks, line ends and broken values included.
    #[test]
    fn a_row_and_an_object_of_the_same_texts_get_the_same_verdict(
        texts in prop::collection::vec((0..31usize, "[0-9年月-]{0,12}|[\"',\r\n 甲乙a-z;0.-9]{0,20}|\\PC{0,20}"), 0..12)
    ) {
        let item = compiled("xzcf", None).item();
        let mut record = penalty();
        for (index, text) in texts {
            // One of the keys is none of the item's.
            let code = item.fields.get(index).map_or("CF_QT", |f| &f.code);
            let value = if text.is_empty() { Value::Null } else { json!(text) };
            record.insert(code.to_owned(), value);
        }
        let as_row = row(csv(&record, str::to_owned).as_bytes());
        prop_assert_eq!(as_row, run("xzcf", &record));
    }

    #[test]
    fn no_bytes_make_a_row_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\",\r\nA甲_]{0,60}") {
        row(&bytes);
        row(text.as_bytes());
    }
}
