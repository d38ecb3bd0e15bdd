//! The items and code lists that the crate carries: they load, they are whole, and each takes a record.

use std::collections::{BTreeMap, BTreeSet};

use credit_record::check::MAX_FIELDS;
use credit_record::item::{
    ItemError, ItemVersion, MaskRule, NATIONAL_EDITIONS, NationalEntry, RecordClass, SubjectKind,
    ValueFormat,
};
use credit_record::{
    DisclosureMode, FindingCode, Publication, standard_code_lists, standard_items,
};
use serde_json::{Map, Value, json};

use crate::items_specimen::{SpecimenExtent, make_specimen};
use crate::support::*;

#[test]
fn the_standard_items_are_there() {
    let items = standard_items().unwrap();
    let heads: Vec<_> = items
        .iter()
        .map(|i| (&*i.code, i.version, &*i.edition, &*i.name, i.fields.len()))
        .collect();
    assert_eq!(
        heads,
        [
            ("xzxk", 1, "2015", "行政许可", 18),
            ("xzxk", 2, "2018", "行政许可", 28),
            ("xzcf", 1, "2015", "行政处罚", 20),
            ("xzcf", 2, "2018", "行政处罚", 30),
            ("xzcf", 3, "2018", "行政处罚", 30),
            ("djzc", 1, "2024", "企业登记基础信息", 23),
            ("jyyc", 1, "2024", "经营异常名录", 15),
            ("ryxx", 1, "2024", "荣誉信息", 19),
            ("sbqj", 1, "2024", "社会保险欠缴", 18),
            ("xycn", 1, "2024", "信用承诺", 20),
            ("yzsx", 1, "2024", "严重失信主体名单", 19),
        ]
    );
    assert!(items.iter().all(|i| i.fields.len() <= MAX_FIELDS));
}

/// adverse records have a term of 3 years; the classes are those of the field.
#[test]
fn classes_and_terms() {
    let classes: BTreeMap<_, _> = standard_items()
        .unwrap()
        .into_iter()
        .map(|i| {
            let term = i.term.map(|t| (t.years, t.rule));
            (i.code, (i.record_class, term))
        })
        .collect();
    let three = Some((3, "CS-2017-26/R-16".to_owned()));
    for code in ["xzcf", "jyyc", "sbqj", "yzsx"] {
        assert_eq!(
            classes[code],
            (RecordClass::Adverse, three.clone()),
            "{code}"
        );
    }
    assert_eq!(classes["xzxk"], (RecordClass::Basic, None));
    assert_eq!(classes["djzc"], (RecordClass::Basic, None));
    assert_eq!(classes["ryxx"], (RecordClass::Favourable, None));
    assert_eq!(classes["xycn"], (RecordClass::Other, None));
}

#[test]
fn field_codes_stand_in_the_order_of_the_standard() {
    let codes = |code: &str| {
        item(code)
            .fields
            .into_iter()
            .map(|f| f.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes("xzxk").join(" "),
        concat!(
            "XK_XDR_MC XK_XDR_LB XK_XDR_SHXYM XK_XDR_GSZC XK_XDR_ZZJG XK_XDR_SWDJ XK_XDR_SYDW XK_XDR_SHZZ ",
            "XK_FRDB XK_FR_ZJLX XK_FR_ZJHM XK_XDR_ZJLX XK_XDR_ZJHM XK_XKWS XK_WSH XK_XKLB XK_XKZS XK_XKBH ",
            "XK_NR XK_JDRQ XK_YXQZ XK_YXQZI XK_XKJG XK_XKJGDM XK_ZT XK_LYDW XK_LYDWDM BZ",
        )
    );
    assert_eq!(
        codes("xzcf").join(" "),
        concat!(
            "CF_XDR_MC CF_XDR_LB CF_XDR_SHXYM CF_XDR_GSZC CF_XDR_ZZJG CF_XDR_SWDJ CF_XDR_SYDW CF_XDR_SHZZ ",
            "CF_FRDB CF_FR_ZJLX CF_FR_ZJHM CF_XDR_ZJLX CF_XDR_ZJHM CF_WSH CF_WFXW CF_SY CF_YJ CF_CFLB CF_NR ",
            "CF_NR_FK CF_NR_WFFF CF_NR_ZKDX CF_JDRQ CF_YXQ CF_GSJZQ CF_CFJG CF_CFJGDM CF_SJLY CF_SJLYDM BZ",
        )
    );
}

/// a catalogue states of each entry what is recorded, where it comes from, who shares it and how long.
#[test]
fn every_entry_is_complete() {
    for item in standard_items().unwrap() {
        let place = format!("{} version {}", item.code, item.version);
        let entry = &item.entry;
        for text in [
            &entry.conduct,
            &entry.source,
            &entry.channel,
            &entry.sharing,
            &entry.retention,
        ] {
            assert!(
                text.ends_with('。') && text.chars().count() > 5,
                "{place}: {text}"
            );
        }
        assert!(!item.legal_basis.is_empty(), "{place}");
        assert!(
            (1..=20).contains(&item.reporting_deadline_working_days),
            "{place}"
        );
        for field in &item.fields {
            let public = field.publication == Publication::Public;
            assert!(
                !(public && field.name.contains("证件")),
                "{place} {}",
                field.code
            );
            assert!(
                field.decimals.is_none() || field.unit.is_some(),
                "{place} {}",
                field.code
            );
        }
    }
}

/// Every version in force names its kind in the national catalogue; the kinds of an edition are as many as
/// the edition has.
#[test]
fn the_national_catalogue_knows_what_is_collected() {
    for (edition, kinds) in NATIONAL_EDITIONS {
        assert_eq!(NationalEntry::kinds(edition).len(), kinds);
    }
    let kinds = [
        ("xzxk", "行政管理信息"),
        ("xzcf", "行政管理信息"),
        ("djzc", "登记注册基本信息"),
        ("jyyc", "经营（活动）异常名录（状态）信息"),
        ("ryxx", "诚实守信相关荣誉信息"),
        ("sbqj", "行政管理信息"),
        ("xycn", "信用承诺及履行情况信息"),
        ("yzsx", "严重失信主体名单信息"),
    ];
    for (code, kind) in kinds {
        let national = item(code).national.unwrap();
        assert_eq!((&*national.edition, &*national.kind), ("2024", kind));
    }
}

/// Versions of one item follow each other: numbers, first days and mappings in order.
#[test]
fn versions_follow_each_other() {
    let items = standard_items().unwrap();
    for pair in items.windows(2).filter(|p| p[0].code == p[1].code) {
        assert_eq!(pair[0].version + 1, pair[1].version);
        assert!(pair[0].effective_from.unwrap() < pair[1].effective_from.unwrap());
        assert_eq!(
            pair[1].predecessor.as_ref().unwrap().version,
            pair[0].version
        );
    }
    assert_eq!(version("xzcf", 3).effective_from, Some(day(2021, 7, 15)));
    assert!(
        items
            .iter()
            .all(|i| (i.version == 1) == i.predecessor.is_none())
    );
}

/// records of persons are answered to a query only, their names are masked, their documents never public.
#[test]
fn natural_persons_are_never_published() {
    for item in standard_items().unwrap() {
        let person = item.subject_kinds.contains(&SubjectKind::NaturalPerson);
        assert_eq!(
            item.disclosure_mode(SubjectKind::NaturalPerson),
            DisclosureMode::Query
        );
        assert_eq!(
            item.disclosure_mode(SubjectKind::Organisation),
            DisclosureMode::Publish
        );
        if person {
            let name = item.field(&item.roles.subject_name).unwrap();
            assert_eq!(name.mask, MaskRule::Name, "{}", item.code);
        }
        for field in item
            .fields
            .iter()
            .filter(|f| f.format == ValueFormat::PersonDocument)
        {
            assert_eq!(field.publication, Publication::Authorised, "{}", field.code);
            assert_eq!(field.mask, MaskRule::Document, "{}", field.code);
        }
    }
    for code in ["djzc", "jyyc", "sbqj"] {
        assert!(
            !item(code)
                .subject_kinds
                .contains(&SubjectKind::NaturalPerson)
        );
    }
}

#[test]
fn an_item_survives_its_events() {
    for item in standard_items().unwrap() {
        let json = item.to_json().unwrap();
        assert_eq!(ItemVersion::from_json(&json).unwrap(), item);
        let toml = toml::to_string(&item).unwrap();
        assert_eq!(ItemVersion::from_toml(&toml).unwrap(), item);
    }
}

#[test]
fn an_unknown_key_in_an_item_is_refused() {
    let text = toml::to_string(&item("xzcf")).unwrap();
    let text = text.replacen("edition", "editon", 1);
    assert!(matches!(
        ItemVersion::from_toml(&text),
        Err(ItemError::Toml(_))
    ));
}

/// Each alias of a field or a source family leads to one field.
#[test]
fn aliases_are_unique() {
    for item in standard_items().unwrap() {
        let mut seen = BTreeSet::new();
        let own = item
            .fields
            .iter()
            .flat_map(|f| f.aliases.iter().chain([&f.code]));
        let families = item.source_families.iter().flat_map(|f| f.aliases.keys());
        for name in own.chain(families) {
            assert!(
                seen.insert(name.clone()),
                "{} version {}: {name}",
                item.code,
                item.version
            );
        }
    }
    let penalty = item("xzcf");
    let shaanxi = penalty
        .source_families
        .iter()
        .find(|f| f.id == "xinyong-shaanxi")
        .unwrap();
    let fields: Vec<_> = shaanxi
        .aliases
        .iter()
        .map(|(a, f)| format!("{a}={f}"))
        .collect();
    assert_eq!(
        fields.join(" "),
        concat!(
            "xy010101=CF_XDR_MC xy010105=CF_FRDB xy010133=CF_XDR_SHXYM xy020102=CF_WSH xy020103=CF_CFLB ",
            "xy020104=CF_SY xy020106=CF_YJ xy020107=CF_JDRQ xy020109=CF_WFXW xy020116=CF_NR_FK xy020133=CF_GSJZQ",
        )
    );
}

/// A record under the names of another platform is the same record.
#[test]
fn records_come_in_under_the_names_of_source_families() {
    let mut record = penalty();
    for (alias, code) in [
        ("xy010101", "CF_XDR_MC"),
        ("xy020102", "CF_WSH"),
        ("xy020107", "CF_JDRQ"),
    ] {
        let value = record.remove(code).unwrap();
        record.insert(alias.to_owned(), value);
    }
    assert_eq!(
        accepted(run("xzcf", &record)).values,
        accepted(run("xzcf", &penalty())).values
    );
}

/// Replaced values end, in one step, in a value in force.
#[test]
fn code_lists_end_in_values_in_force() {
    let lists = standard_code_lists().unwrap();
    assert_eq!(lists.len(), 20);
    for list in &lists {
        for value in &list.values {
            if let Some(next) = &value.replaced_by {
                let end = list.values.iter().find(|v| v.value == *next).unwrap();
                assert_eq!(end.replaced_by, None, "{} {}", list.code, value.value);
            }
        }
    }
    let used: BTreeSet<_> = standard_items()
        .unwrap()
        .into_iter()
        .flat_map(|i| i.fields)
        .filter_map(|f| f.code_list)
        .map(|l| (l.list.unwrap(), l.version.unwrap()))
        .collect();
    let carried: BTreeSet<_> = lists.into_iter().map(|l| (l.code, l.version)).collect();
    assert_eq!(
        used, carried,
        "every list is used, and every used list is carried"
    );
}

/// 行政处罚法 art. 9: the kinds since 2021-07-15, and what became of those of 2018.
#[test]
fn kinds_of_penalty_since_2021() {
    let list = item("xzcf")
        .field("CF_CFLB")
        .unwrap()
        .code_list
        .clone()
        .unwrap();
    assert_eq!(
        list.values.join(" "),
        concat!(
            "警告 通报批评 罚款 没收违法所得 没收非法财物 暂扣许可证件 降低资质等级 吊销许可证件 ",
            "限制开展生产经营活动 责令停产停业 责令关闭 限制从业 行政拘留",
        )
    );
    let replaced: Vec<_> = list.replaced.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(
        replaced,
        [
            ("吊销执照", "吊销许可证件"),
            ("吊销许可证", "吊销许可证件"),
            ("暂扣执照", "暂扣许可证件"),
            ("暂扣许可证", "暂扣许可证件"),
        ]
    );
    let changes = json!({"CF_CFLB": "罚款;吊销执照", "CF_NR_WFFF": null, "CF_NR_ZKDX": "营业执照"});
    let record = accepted(run("xzcf", &penalty_with(changes)));
    assert_eq!(record.values["CF_CFLB"], "罚款;吊销许可证件");
    assert!(record.changes.iter().any(|c| c.rule == "code-replaced"));
    // The list of 2018 knows nothing of 2021.
    let mut early =
        penalty_with(json!({"CF_CFLB": "责令关闭", "CF_NR_FK": null, "CF_NR_WFFF": null}));
    let v2 = compiled("xzcf", Some(2));
    let verdict = with_no_calendar(v2, &early);
    assert_eq!(errors(verdict), [FindingCode::CodeList]);
    early.insert("CF_CFLB".into(), json!("其他-责令关闭"));
    accepted(with_no_calendar(v2, &early));
}

/// Each version takes a record of each kind of subject, sparse or complete, and refuses one without a field
/// that it demands.
#[test]
fn every_item_takes_its_specimens() {
    for item in standard_items().unwrap() {
        let compiled = compiled(&item.code, Some(item.version));
        for kind in item.subject_kinds.clone() {
            for extent in [SpecimenExtent::Required, SpecimenExtent::Everything] {
                let record = make_specimen(&item, kind, extent);
                let place = format!("{} version {} {kind:?} {extent:?}", item.code, item.version);
                let found = accepted_or(with_no_calendar(compiled, &record), &place);
                assert_eq!(found.subject.kind, kind, "{place}");
            }
            for field in required(&item) {
                let mut record = make_specimen(&item, kind, SpecimenExtent::Required);
                record.remove(&field);
                let found = errors(with_no_calendar(compiled, &record));
                assert!(
                    found.contains(&FindingCode::RequiredMissing),
                    "{} {field}",
                    item.code
                );
            }
        }
    }
}

fn required(item: &ItemVersion) -> Vec<String> {
    use credit_record::item::Requirement;
    let always = item
        .fields
        .iter()
        .filter(|f| f.required == Requirement::Always);
    always.map(|f| f.code.clone()).collect()
}

fn accepted_or(verdict: credit_record::Verdict, place: &str) -> Box<credit_record::AcceptedRecord> {
    match verdict {
        credit_record::Verdict::Accepted(record) => record,
        credit_record::Verdict::Returned(findings) => panic!("{place}: {findings:#?}"),
    }
}

pub fn with_no_calendar(
    item: &credit_record::CompiledItem,
    record: &Map<String, Value>,
) -> credit_record::Verdict {
    let content = serde_json::to_vec(record).unwrap();
    with_calendar(
        item,
        &content,
        std::sync::Arc::new(credit_record::NoCalendar),
    )
}
