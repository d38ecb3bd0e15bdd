//! The two standard items, and the faults that the lint finds.

use credit_record::item::{
    CodeList, FieldKind, Format, ItemError, ItemVersion, MaskRule, RecordClass, Requirement, lint,
};
use credit_record::{DisclosureMode, Publication, SubjectKind, standard_items};

use crate::support::item;

#[test]
fn the_standard_items_are_whole() {
    let items = standard_items().unwrap();
    let heads: Vec<_> = items
        .iter()
        .map(|i| (i.code.as_str(), i.name.as_str(), i.version, i.fields.len()))
        .collect();
    assert_eq!(
        heads,
        [("xzxk", "行政许可", 1, 28), ("xzcf", "行政处罚", 1, 30)]
    );
    assert_eq!(items[0].record_class, RecordClass::Basic);
    assert_eq!(items[1].record_class, RecordClass::Adverse);
    let term = items[1].term.as_ref().unwrap();
    assert_eq!((term.years, term.rule.as_str()), (3, "CS-2017-26/R-16"));
    for item in &items {
        assert_eq!(item.edition, "2018");
        assert_eq!(
            item.disclosure_mode(SubjectKind::Organisation),
            DisclosureMode::Publish
        );
        assert_eq!(
            item.disclosure_mode(SubjectKind::NaturalPerson),
            DisclosureMode::Query
        );
        assert_eq!(item.reporting_deadline_working_days, 7);
    }
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

#[test]
fn personal_documents_are_never_public() {
    for item in standard_items().unwrap() {
        let representative = item.roles.representative_name.clone().unwrap();
        assert_eq!(
            item.field(&representative).unwrap().publication,
            Publication::Public
        );
        for field in &item.fields {
            if field.name.contains("证件") {
                assert_ne!(field.publication, Publication::Public, "{}", field.code);
            }
            if field.format == Format::PersonDocument {
                assert_eq!(field.publication, Publication::Authorised);
                assert_eq!(field.mask, MaskRule::Document);
            }
        }
    }
}

#[test]
fn an_item_survives_its_events() {
    for item in standard_items().unwrap() {
        let json = item.to_json().unwrap();
        assert_eq!(ItemVersion::from_json(&json).unwrap(), item);
        let toml = toml_text(&item);
        assert_eq!(ItemVersion::from_toml(&toml).unwrap(), item);
    }
}

fn toml_text(item: &ItemVersion) -> String {
    toml::to_string(item).unwrap()
}

/// The faults of the penalty item after a change, as text.
fn faults(change: impl FnOnce(&mut ItemVersion)) -> String {
    let mut item = item("xzcf");
    change(&mut item);
    match lint(&item) {
        Err(ItemError::Inconsistent { faults, .. }) => faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(other) => panic!("{other}"),
        Ok(()) => panic!("no fault found"),
    }
}

fn position(code: &str) -> usize {
    item("xzcf").position(code).unwrap()
}

#[test]
fn the_lint_finds_what_does_not_fit_together() {
    type Change = Box<dyn FnOnce(&mut ItemVersion)>;
    let cases: Vec<(&str, Change)> = vec![
        (
            "natural key names a missing field",
            Box::new(|i| i.natural_key.push("NIX".into())),
        ),
        (
            "natural key may not hold",
            Box::new(|i| i.natural_key.push("CF_XDR_ZJHM".into())),
        ),
        ("natural_key: is empty", Box::new(|i| i.natural_key.clear())),
        (
            "authority: names a missing field",
            Box::new(|i| i.roles.authority = "NIX".into()),
        ),
        (
            "decision_date: names a field of another",
            Box::new(|i| i.roles.decision_date = "CF_NR".into()),
        ),
        (
            "credit_code: names a field of another",
            Box::new(|i| i.roles.credit_code = "CF_WSH".into()),
        ),
        (
            "used twice",
            Box::new(|i| {
                let f = i.fields[3].clone();
                i.fields.push(f);
            }),
        ),
        (
            "used twice",
            Box::new(|i| i.fields[5].aliases.push("CF_XDR_MC".into())),
        ),
        ("needs a term", Box::new(|i| i.term = None)),
        (
            "query-only",
            Box::new(|i| {
                i.disclosure
                    .insert(SubjectKind::NaturalPerson, DisclosureMode::Publish);
            }),
        ),
        (
            "no disclosure mode",
            Box::new(|i| {
                i.disclosure.remove(&SubjectKind::Organisation);
            }),
        ),
        (
            "never public",
            Box::new(|i| {
                i.fields[position("CF_FR_ZJHM")].publication = Publication::Public;
            }),
        ),
        (
            "may not hold",
            Box::new(|i| i.fields[0].name = "宗教信仰".into()),
        ),
        ("no such rule", Box::new(|i| i.rules[0].id = "nix".into())),
        (
            "parameter is missing",
            Box::new(|i| {
                i.rules
                    .iter_mut()
                    .find(|r| r.id == "date-order")
                    .unwrap()
                    .fields
                    .clear();
            }),
        ),
        (
            "does not know",
            Box::new(|i| {
                i.rules[0].fields.insert("x".into(), "CF_WSH".into());
            }),
        ),
        (
            "words are missing",
            Box::new(|i| {
                i.rules
                    .iter_mut()
                    .find(|r| r.id == "amount-fits-kind")
                    .unwrap()
                    .words
                    .clear();
            }),
        ),
        ("max_len is 0", Box::new(|i| i.fields[0].max_len = 0)),
        (
            "format does not fit",
            Box::new(|i| i.fields[0].kind = FieldKind::Code),
        ),
        (
            "digits behind the point",
            Box::new(|i| i.fields[0].decimals = Some(2)),
        ),
        (
            "code list is empty",
            Box::new(|i| {
                i.fields[position("CF_WFXW")].code_list = Some(CodeList {
                    values: vec![],
                    open: false,
                    several: false,
                });
            }),
        ),
        (
            "subject_name: names a field of another",
            Box::new(|i| i.fields[0].required = Requirement::Optional),
        ),
        (
            "document type and number",
            Box::new(|i| i.roles.person_document_number = None),
        ),
        ("basis in law", Box::new(|i| i.legal_basis.clear())),
        ("counted from 1", Box::new(|i| i.version = 0)),
    ];
    for (expected, change) in cases {
        let found = faults(change);
        assert!(
            found.contains(expected),
            "wanted {expected:?}, found:\n{found}"
        );
    }
}

#[test]
fn an_unknown_key_in_an_item_is_refused() {
    let text = toml_text(&item("xzcf")).replacen("edition", "editon", 1);
    assert!(matches!(
        ItemVersion::from_toml(&text),
        Err(ItemError::Toml(_))
    ));
}
