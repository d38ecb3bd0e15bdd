//! The template read back: as a spreadsheet program sees it, and as XML where it says no more.

use std::io::{Cursor, Read};

use calamine::{Data, Range, Reader, Xlsx};
use credit_record::item::{CodeList, ItemVersion};
use credit_record::standard_items;

use super::{SHEET_ENTRY, SHEET_HELP, SHEET_LISTS, item_template};

fn item(code: &str) -> ItemVersion {
    let items = standard_items().unwrap().into_iter();
    items
        .filter(|i| i.code == code)
        .max_by_key(|i| i.version)
        .unwrap()
}

fn sheet(file: &[u8], name: &str) -> Range<Data> {
    let mut book = Xlsx::new(Cursor::new(file)).unwrap();
    book.worksheet_range(name).unwrap()
}

fn row(range: &Range<Data>, at: usize) -> Vec<String> {
    range
        .rows()
        .nth(at)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// One file of the archive as text; quotation marks of formulas as such.
fn part(file: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(file)).unwrap();
    let mut text = String::new();
    archive
        .by_name(name)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text.replace("&quot;", "\"")
}

/// The rule of the cells of a column on the first sheet.
fn rule(file: &[u8], item: &ItemVersion, code: &str) -> String {
    let column = super::column_number_to_name(u16::try_from(item.position(code).unwrap()).unwrap());
    let xml = part(file, "xl/worksheets/sheet1.xml");
    let range = format!("sqref=\"{column}3:{column}10002\"");
    let rules = xml.split("<dataValidation ");
    rules
        .into_iter()
        .find(|r| r.contains(&range))
        .unwrap()
        .to_owned()
}

#[test]
fn every_item_has_a_template_with_names_and_codes() {
    for item in standard_items().unwrap() {
        let file = item_template(&item).unwrap();
        let mut book = Xlsx::new(Cursor::new(&file[..])).unwrap();
        assert_eq!(book.sheet_names(), [SHEET_ENTRY, SHEET_HELP, SHEET_LISTS]);
        assert_eq!(book.worksheets().len(), 3);
        let entry = sheet(&file, SHEET_ENTRY);
        let names: Vec<_> = item.fields.iter().map(|f| f.name.clone()).collect();
        let codes: Vec<_> = item.fields.iter().map(|f| f.code.clone()).collect();
        assert_eq!(row(&entry, 0), names);
        assert_eq!(row(&entry, 1), codes);
        assert_eq!(entry.height(), 2, "records start in the third row");
        let help = sheet(&file, SHEET_HELP);
        for field in &item.fields {
            let found = help.rows().find(|r| r[0] == field.code.as_str()).unwrap();
            assert_eq!(found[1], field.name.as_str());
            assert_eq!(found[6], field.publication.label());
        }
        for rule in &item.rules {
            assert!(
                help.rows()
                    .any(|r| r[0] == rule.id.as_str() && r[1] == rule.title.as_str())
            );
        }
    }
}

#[test]
fn the_same_item_gives_the_same_bytes() {
    let item = item("xzcf");
    let first = item_template(&item).unwrap();
    assert_eq!(first, item_template(&item).unwrap());
    let core = part(&first, "docProps/core.xml");
    assert!(core.contains("2017-06-20T00:00:00Z"), "{core}");
    let mut other = item;
    other.fields[0].name.push('一');
    assert_ne!(first, item_template(&other).unwrap());
}

#[test]
fn short_lists_stand_in_the_cell_rule() {
    let item = item("xzxk");
    let file = item_template(&item).unwrap();
    let kind = rule(&file, &item, "XK_XDR_LB");
    assert!(kind.contains("type=\"list\""), "{kind}");
    assert!(
        kind.contains("\"法人及非法人组织,自然人,个体工商户\""),
        "{kind}"
    );
    assert!(
        kind.contains("showErrorMessage=\"1\""),
        "a closed list takes nothing else: {kind}"
    );
    // An open list offers its values and lets others through.
    let licence = rule(&file, &item, "XK_XKLB");
    assert!(
        licence.contains("\"普通,特许,认可,核准,登记\""),
        "{licence}"
    );
    assert!(!licence.contains("showErrorMessage"), "{licence}");
}

/// A list over 255 characters may not be in the rule itself: it refers to its values on sheet 代码表.
#[test]
fn long_lists_refer_to_their_values() {
    let item = item("yzsx");
    let file = item_template(&item).unwrap();
    let lists = sheet(&file, SHEET_LISTS);
    let values = &item
        .field("YZ_MDLB")
        .unwrap()
        .code_list
        .as_ref()
        .unwrap()
        .values;
    let lengths: usize = values.iter().map(|v| v.chars().count() + 1).sum();
    let expected = lengths > 255;
    let found = rule(&file, &item, "YZ_MDLB").contains("'代码表'!$");
    assert_eq!(found, expected);
    // A list that is long for certain, and one whose values hold the separator.
    let mut long = item.clone();
    let many: Vec<String> = (0..60).map(|n| format!("第{n}类名单")).collect();
    let at = long.position("YZ_MDLB").unwrap();
    long.fields[at].code_list = Some(list(many.clone()));
    let comma = long.position("BZ").unwrap();
    long.fields[comma].code_list = Some(list(vec!["甲,乙".into(), "丙".into()]));
    let file = item_template(&long).unwrap();
    let lists = {
        drop(lists);
        sheet(&file, SHEET_LISTS)
    };
    for (code, values) in [
        ("YZ_MDLB", &many),
        ("BZ", &vec!["甲,乙".into(), "丙".into()]),
    ] {
        let column = row(&lists, 0).iter().position(|name| name == code).unwrap();
        let letter = super::column_number_to_name(u16::try_from(column).unwrap());
        let range = format!("'代码表'!${letter}$3:${letter}${}", values.len() + 2);
        let rule = rule(&file, &long, code);
        assert!(rule.contains(&range), "{range}: {rule}");
        let written: Vec<_> = (2..values.len() + 2)
            .map(|r| row(&lists, r)[column].clone())
            .collect();
        assert_eq!(&written, values);
    }
}

fn list(values: Vec<String>) -> CodeList {
    CodeList {
        list: None,
        version: None,
        values,
        labels: Default::default(),
        replaced: Default::default(),
        open: false,
        several: false,
    }
}

/// Values of earlier days are taken on receipt and never offered.
#[test]
fn replaced_values_are_not_offered() {
    let file = item_template(&item("xzcf")).unwrap();
    let lists = sheet(&file, SHEET_LISTS);
    let all: Vec<String> = lists.rows().flatten().map(ToString::to_string).collect();
    assert!(all.iter().any(|v| v == "吊销许可证件"));
    assert!(!all.iter().any(|v| v == "吊销执照"));
    let rule = rule(&file, &item("xzcf"), "CF_CFLB");
    let offered = rule.split("<formula1>").nth(1).unwrap();
    assert!(
        offered.contains("吊销许可证件") && !offered.contains("吊销执照"),
        "{offered}"
    );
}

#[test]
fn cells_keep_codes_and_dates_as_text_and_check_them() {
    let item = item("xzcf");
    let file = item_template(&item).unwrap();
    let date = rule(&file, &item, "CF_JDRQ");
    assert!(
        date.contains("type=\"custom\"") && date.contains("DATEVALUE(W3)"),
        "{date}"
    );
    let code = rule(&file, &item, "CF_XDR_SHXYM");
    assert!(
        code.contains("type=\"textLength\" operator=\"equal\"") && code.contains("<formula1>18<"),
        "{code}"
    );
    let text = rule(&file, &item, "CF_WFXW");
    assert!(
        text.contains("operator=\"lessThanOrEqual\"") && text.contains("<formula1>2000<"),
        "{text}"
    );
    let amount = rule(&file, &item, "CF_NR_FK");
    assert!(
        amount.contains("type=\"decimal\" operator=\"greaterThanOrEqual\""),
        "{amount}"
    );
    assert!(amount.contains("单位：万元"), "{amount}");
    // Built-in format 49 is text; amounts are numbers.
    for code in ["CF_JDRQ", "CF_XDR_SHXYM", "CF_XDR_ZJHM", "CF_WSH"] {
        assert_eq!(
            number_format(&file, item.position(code).unwrap() + 1),
            "49",
            "{code}"
        );
    }
    assert_eq!(
        number_format(&file, item.position("CF_NR_FK").unwrap() + 1),
        "0"
    );
}

/// The number format of a column of the first sheet, counted from 1.
fn number_format(file: &[u8], column: usize) -> String {
    let sheet = part(file, "xl/worksheets/sheet1.xml");
    let styles = part(file, "xl/styles.xml");
    let formats = between(&styles, "<cellXfs", "</cellXfs>");
    let attribute = |element: &str, name: &str| {
        let rest = element.split(&format!("{name}=\"")).nth(1)?;
        rest.split('"').next().map(str::to_owned)
    };
    let number =
        |element: &str, name: &str| -> Option<usize> { attribute(element, name)?.parse().ok() };
    let columns = between(&sheet, "<cols>", "</cols>");
    let style = columns
        .split("<col ")
        .skip(1)
        .find(|c| number(c, "min").unwrap() <= column && column <= number(c, "max").unwrap())
        .and_then(|c| number(c, "style"))
        .unwrap_or(0);
    attribute(formats.split("<xf ").nth(style + 1).unwrap(), "numFmtId").unwrap()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split(from).nth(1).unwrap();
    rest.split(to).next().unwrap()
}

#[test]
fn panes_are_frozen_and_required_columns_coloured() {
    let file = item_template(&item("xzcf")).unwrap();
    let xml = part(&file, "xl/worksheets/sheet1.xml");
    assert!(
        xml.contains("<pane xSplit=\"1\" ySplit=\"2\" topLeftCell=\"B3\""),
        "{}",
        &xml[..600]
    );
    let styles = part(&file, "xl/styles.xml");
    for colour in ["FFF8CBAD", "FFFFE699", "FFE7E6E6"] {
        assert!(styles.contains(colour), "{colour}");
    }
}

/// A text that a spreadsheet cannot hold is refused with the name of the item, not cut.
#[test]
fn what_a_spreadsheet_cannot_hold_is_refused() {
    let mut item = item("xzcf");
    item.entry.conduct = "长".repeat(40_000);
    let error = item_template(&item).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Excel template of catalogue item xzcf version 3 cannot be written"
    );
    assert!(std::error::Error::source(&error).is_some());
}
