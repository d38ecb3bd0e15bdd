//! The exports of an item: what the check accepts fits the JSON Schema, and structural errors do not.

use std::sync::OnceLock;

use credit_record::export::{UTF8_BOM, csv_header, csv_line, json_schema, requirement_text};
use credit_record::item::{CodeList, FieldKind, ItemVersion, Requirement, SubjectKind};
use credit_record::standard_items;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::exports_schema::schema_faults;
use crate::items::with_no_calendar;
use crate::items_specimen::{SpecimenExtent, make_specimen};
use crate::support::*;

/// Each item with each kind of its subjects, sparse and complete.
fn specimens() -> Vec<(ItemVersion, SubjectKind, SpecimenExtent, Map<String, Value>)> {
    let mut all = Vec::new();
    for item in standard_items().unwrap() {
        for kind in item.subject_kinds.clone() {
            for extent in [SpecimenExtent::Required, SpecimenExtent::Everything] {
                all.push((
                    item.clone(),
                    kind,
                    extent,
                    make_specimen(&item, kind, extent),
                ));
            }
        }
    }
    all
}

#[test]
fn what_the_check_accepts_fits_the_schema() {
    for (item, kind, extent, record) in specimens() {
        let schema = json_schema(&item);
        let place = format!("{} version {} {kind:?} {extent:?}", item.code, item.version);
        let content = schema_faults(&schema, &Value::Object(record.clone()));
        assert_eq!(content, Vec::<String>::new(), "{place}");
        let compiled = compiled(&item.code, Some(item.version));
        let values = accepted(with_no_calendar(compiled, &record)).values;
        assert_eq!(
            schema_faults(&schema, &Value::Object(values)),
            Vec::<String>::new(),
            "{place}"
        );
    }
}

/// Each error of structure that can be planted is found by both, the schema and the check.
#[test]
fn structural_errors_fit_neither() {
    let mut planted = 0;
    for (item, kind, extent, record) in specimens() {
        if extent == SpecimenExtent::Required {
            continue;
        }
        let schema = json_schema(&item);
        let compiled = compiled(&item.code, Some(item.version));
        for (what, broken) in errors_of_structure(&item, kind, &record) {
            let place = format!("{} version {} {kind:?}: {what}", item.code, item.version);
            returned(with_no_calendar(compiled, &broken));
            let found = schema_faults(&schema, &Value::Object(broken));
            assert!(!found.is_empty(), "{place} passes the schema");
            planted += 1;
        }
    }
    assert!(planted > 1_000, "{planted} errors planted");
}

fn errors_of_structure(
    item: &ItemVersion,
    kind: SubjectKind,
    record: &Map<String, Value>,
) -> Vec<(String, Map<String, Value>)> {
    let mut all = Vec::new();
    let mut plant = |what: String, change: &dyn Fn(&mut Map<String, Value>)| {
        let mut broken = record.clone();
        change(&mut broken);
        all.push((what, broken));
    };
    plant("unknown field".into(), &|r| {
        r.insert("NIX".into(), json!("x"));
    });
    for field in &item.fields {
        let code = field.code.clone();
        let set = |value: Value| {
            let code = code.clone();
            move |r: &mut Map<String, Value>| {
                r.insert(code.clone(), value.clone());
            }
        };
        if field.required == Requirement::Always {
            plant(format!("{code} missing"), &|r| {
                r.remove(&code);
            });
            plant(format!("{code} blank"), &set(json!("")));
        }
        if let Requirement::When(condition) = &field.required
            && crate::items_specimen::holds(record, condition)
        {
            plant(format!("{code} missing under its condition"), &|r| {
                r.remove(&code);
            });
        }
        if !field.allowed_for(kind) {
            plant(format!("{code} misplaced"), &set(json!("1")));
            continue;
        }
        plant(format!("{code} a list"), &set(json!(["x"])));
        plant(format!("{code} true"), &set(json!(true)));
        match (&field.code_list, field.kind) {
            (Some(list), _) => {
                plant(format!("{code} outside the list"), &set(json!("没有的值")));
                if list.several {
                    let value = format!("{};没有的值", list.values[0]);
                    plant(
                        format!("{code} partly outside the list"),
                        &set(json!(value)),
                    );
                }
                if list.open {
                    plant(format!("{code} other without words"), &set(json!("其他-")));
                }
            }
            (None, FieldKind::Date) => {
                plant(format!("{code} no date"), &set(json!("2026-02-30")));
                plant(format!("{code} no date"), &set(json!("长期")));
            }
            (None, FieldKind::Decimal) => {
                plant(format!("{code} no number"), &set(json!("约贰万元")));
                let places = field.decimals.unwrap() as usize;
                let long = format!("0.{}", "1".repeat(places + 1));
                plant(format!("{code} too precise"), &set(json!(long)));
                plant(format!("{code} negative"), &set(json!(-1)));
            }
            (None, FieldKind::Text) => {
                let long = "长".repeat(field.max_len as usize + 1);
                plant(format!("{code} too long"), &set(json!(long)));
            }
            (None, FieldKind::Code) => plant(format!("{code} a number"), &set(json!(7))),
        }
    }
    all
}

/// Only kinds of subject that the item collects are offered.
#[test]
fn the_schema_says_whom_an_item_is_about() {
    let schema = json_schema(&item("sbqj"));
    assert_eq!(
        schema["properties"]["SB_XDR_LB"]["enum"],
        json!(["法人及非法人组织", "个体工商户"])
    );
    let mut narrowed = item("xzcf");
    narrowed
        .subject_kinds
        .retain(|k| *k != SubjectKind::NaturalPerson);
    let schema = json_schema(&narrowed);
    assert_eq!(
        schema["properties"]["CF_XDR_LB"]["enum"],
        json!(["法人及非法人组织", "个体工商户"])
    );
}

#[test]
fn the_schema_speaks_to_people() {
    let schema = json_schema(&item("xzcf"));
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["$id"], "xzcf-3.schema.json");
    assert_eq!(schema["title"], "行政处罚");
    assert_eq!(schema["additionalProperties"], false);
    let fine = &schema["properties"]["CF_NR_FK"];
    assert_eq!(fine["title"], "罚款金额（万元）");
    assert_eq!(fine["x-unit"], "万元");
    assert_eq!(fine["pattern"], r"^\d+(?:\.\d{1,6})?$");
    let number = &schema["properties"]["CF_WSH"];
    assert_eq!(number["maxLength"], 128);
    assert_eq!(
        number["x-aliases"],
        json!([
            "xy020102（信用陕西（xy 编号字段））",
            "cf_wsh（信用中国接口（小写字段名））"
        ])
    );
    let kinds = schema["properties"]["CF_CFLB"]["pattern"].as_str().unwrap();
    assert!(
        kinds.contains("暂扣许可证件") && !kinds.contains("暂扣执照"),
        "old names are not offered"
    );
    let state = json_schema(&item("xzxk"))["properties"]["XK_ZT"].clone();
    assert_eq!(state["enum"], json!(["1", "2"]));
    assert!(
        state["description"]
            .as_str()
            .unwrap()
            .contains("1（有效）、2（无效）")
    );
    assert_eq!(state["x-publication"], "社会公开");
}

#[test]
fn requirements_in_words() {
    let item = item("xzcf");
    let text = |code: &str| requirement_text(&item, item.field(code).unwrap());
    assert_eq!(text("CF_WSH"), "必填");
    assert_eq!(text("BZ"), "选填");
    assert_eq!(
        text("CF_XDR_ZJHM"),
        "“行政相对人类别”为自然人时必填；法人及非法人组织、个体工商户不填"
    );
    assert_eq!(text("CF_NR_ZKDX"), "“处罚类别”含暂扣或吊销时必填");
    assert_eq!(
        text("CF_FR_ZJLX"),
        "填写了“法定代表人证件号码”时必填；自然人不填"
    );
}

#[test]
fn the_csv_header_is_the_row_of_codes() {
    let item = item("xzxk");
    let header = csv_header(&item);
    assert!(header.starts_with("XK_XDR_MC,XK_XDR_LB,") && header.ends_with(",XK_LYDWDM,BZ\r\n"));
    assert_eq!(header.matches(',').count() + 1, item.fields.len());
    assert_eq!(UTF8_BOM.as_bytes(), [0xEF, 0xBB, 0xBF]);
    assert_eq!(
        csv_line(["a,b", "\"", "c\nd", "e"]),
        "\"a,b\",\"\"\"\",\"c\nd\",e\r\n"
    );
}

/// Fields with an open list or one of several values: code, list, schema. Read once.
fn listed() -> &'static [(String, CodeList, Value)] {
    static LISTED: OnceLock<Vec<(String, CodeList, Value)>> = OnceLock::new();
    LISTED.get_or_init(|| {
        let mut all = Vec::new();
        for item in standard_items().unwrap() {
            let schema = json_schema(&item);
            for field in item.fields {
                let list = field.code_list.filter(|l| l.open || l.several);
                let property = schema["properties"][&field.code].clone();
                all.extend(list.map(|list| (field.code, list, property)));
            }
        }
        all
    })
}

proptest! {
    /// Every value of every open or several-valued list fits the pattern, in any combination; nothing
    /// outside of it does.
    #[test]
    fn patterns_and_lists_agree(picks in prop::collection::vec(0usize..40, 1..5), own in "[一-龥]{0,3}") {
        for (code, list, schema) in listed() {
            let mut parts: Vec<String> = picks.iter().map(|p| list.values[p % list.values.len()].clone()).collect();
            parts.push(format!("其他-{own}"));
            if !list.several {
                parts = vec![parts.swap_remove(picks[0] % parts.len())];
            }
            let value = parts.join(";");
            let allowed = parts.iter().all(|p| list.allows(p));
            prop_assert_eq!(schema_faults(schema, &json!(value)).is_empty(), allowed, "{} {}", code, value);
        }
    }
}
