//! What the lint of items refuses: table of a change to a good item, and the path and rule that the refusal
//! must name (R-6: a catalogue is never half-published).

use credit_record::item::{
    CodeList, FieldKind, FieldMapping, ItemError, ItemOwner, ItemVersion, NationalEntry,
    Requirement, SourceFamily, SubjectKind, lint_item,
};
use credit_record::{DisclosureMode, Publication};

use crate::support::item;

type ItemEdit = fn(&mut ItemVersion);

/// The faults of the penalty item after a change, as text.
fn faults(change: ItemEdit) -> String {
    let mut item = item("xzcf");
    change(&mut item);
    match lint_item(&item) {
        Err(ItemError::Inconsistent { faults, .. }) => faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(other) => panic!("{other}"),
        Ok(()) => String::new(),
    }
}

fn at(item: &ItemVersion, code: &str) -> usize {
    item.position(code).unwrap()
}

fn expect(cases: &[(&str, ItemEdit)]) {
    for (expected, change) in cases {
        let found = faults(*change);
        assert!(
            found.lines().any(|line| line.starts_with(expected)),
            "wanted {expected:?}, found:\n{found}"
        );
    }
}

#[test]
fn what_does_not_fit_together() {
    expect(&[
        ("natural_key.NIX: natural key names a missing field", |i| {
            i.natural_key.push("NIX".into());
        }),
        ("natural_key.CF_XDR_ZJHM: natural key may not hold", |i| {
            i.natural_key.push("CF_XDR_ZJHM".into());
        }),
        ("roles.authority: names a missing field", |i| {
            i.roles.authority = "NIX".into();
        }),
        ("roles.decision_date: names a field of another", |i| {
            i.roles.decision_date = "CF_NR".into();
        }),
        ("roles.credit_code: names a field of another", |i| {
            i.roles.credit_code = "CF_WSH".into();
        }),
        ("roles.subject_name: names a field of another", |i| {
            i.fields[0].required = Requirement::Optional;
        }),
        (
            "roles.person_document_number: a natural person needs",
            |i| {
                i.roles.person_document_number = None;
            },
        ),
        (
            "roles.subject_name: the name of a natural person needs the mask",
            |i| {
                i.fields[0].mask = Default::default();
            },
        ),
        (
            "fields.CF_XDR_GSZC.code: code or alias is used twice",
            |i| {
                let f = i.fields[3].clone();
                i.fields.push(f);
            },
        ),
        (
            "fields.CF_XDR_SWDJ.code: code or alias is used twice",
            |i| {
                i.fields[5].aliases.push("CF_XDR_MC".into());
            },
        ),
        (
            "fields.CF_FR_ZJHM.publication: a personal document is never public",
            |i| {
                let at = at(i, "CF_FR_ZJHM");
                i.fields[at].publication = Publication::Public;
            },
        ),
        ("fields.CF_XDR_MC.max_len: 1 to 100000", |i| {
            i.fields[0].max_len = 0
        }),
        ("fields.CF_XDR_MC.format: format does not fit", |i| {
            i.fields[0].kind = FieldKind::Code;
        }),
        ("fields.CF_XDR_MC.decimals: only a decimal", |i| {
            i.fields[0].decimals = Some(2);
        }),
        ("fields.CF_WFXW.code_list: code list is empty", |i| {
            let at = at(i, "CF_WFXW");
            i.fields[at].code_list = Some(CodeList {
                list: None,
                version: None,
                values: vec![],
                labels: Default::default(),
                replaced: Default::default(),
                open: false,
                several: false,
            });
        }),
        ("version: is counted from 1", |i| i.version = 0),
        ("predecessor.version: is not lower", |i| {
            i.predecessor.as_mut().unwrap().version = 3;
        }),
        ("predecessor.version: is not lower", |i| {
            i.predecessor.as_mut().unwrap().version = 9;
        }),
        (
            "predecessor.fields.CF_CFMC: leads to a missing field",
            |i| {
                let mapping = FieldMapping {
                    from: "CF_CFMC".into(),
                    to: "NIX".into(),
                };
                i.predecessor.as_mut().unwrap().fields.push(mapping);
            },
        ),
        ("source_families.anderswo.wsh: names a missing field", |i| {
            i.source_families.push(SourceFamily {
                id: "anderswo".into(),
                name: "别处".into(),
                aliases: [("wsh".into(), "NIX".into())].into(),
            });
        }),
        (
            "source_families.anderswo.xy010101: means another field",
            |i| {
                i.source_families.push(SourceFamily {
                    id: "anderswo".into(),
                    name: "别处".into(),
                    aliases: [("xy010101".into(), "CF_WSH".into())].into(),
                });
            },
        ),
    ]);
}

#[test]
fn what_is_incomplete() {
    expect(&[
        ("name: is blank", |i| i.name = " ".into()),
        ("edition: is blank", |i| i.edition.clear()),
        ("natural_key: is empty", |i| i.natural_key.clear()),
        ("legal_basis: an item needs a basis in law", |i| {
            i.legal_basis.clear()
        }),
        ("legal_basis: an item needs a basis in law", |i| {
            i.legal_basis.push("\u{3000}".into())
        }),
        ("entry.conduct: is blank", |i| i.entry.conduct = " ".into()),
        ("entry.source: is blank", |i| i.entry.source.clear()),
        ("entry.channel: is blank", |i| i.entry.channel.clear()),
        ("entry.sharing: is blank", |i| i.entry.sharing.clear()),
        ("entry.retention: is blank", |i| i.entry.retention.clear()),
        ("fields.CF_XDR_MC.name: has no Chinese name", |i| {
            i.fields[0].name = "  ".into()
        }),
        ("term: an adverse record needs a term (R-16)", |i| {
            i.term = None
        }),
        ("term.years: 1 to 100", |i| {
            i.term.as_mut().unwrap().years = 0
        }),
        ("term.rule: is blank", |i| {
            i.term.as_mut().unwrap().rule.clear()
        }),
        ("reporting_deadline_working_days: is counted", |i| {
            i.reporting_deadline_working_days = 0;
        }),
        ("disclosure.organisation: has no disclosure mode", |i| {
            i.disclosure.remove(&SubjectKind::Organisation);
        }),
        (
            "disclosure.natural_person: natural persons are query-only (R-14)",
            |i| {
                i.disclosure
                    .insert(SubjectKind::NaturalPerson, DisclosureMode::Publish);
            },
        ),
        ("national.edition: no such edition", |i| {
            i.national = Some(NationalEntry {
                edition: "2020".into(),
                kind: "行政管理信息".into(),
            });
        }),
        ("national.kind: is no kind of that edition", |i| {
            i.national = Some(NationalEntry {
                edition: "2021".into(),
                kind: "知识产权信息".into(),
            });
        }),
        ("owner.organ: is not a credit code", |i| {
            i.owner = ItemOwner::Department {
                organ: "11430100006123459R".into(),
            };
        }),
        ("owner.district: is not a division code", |i| {
            i.owner = ItemOwner::District {
                district: "长沙县".into(),
                organ: "11430100006123458R".into(),
            };
        }),
    ]);
}

#[test]
fn what_a_credit_record_may_not_hold() {
    expect(&[
        (
            "fields.CF_XDR_MC.name: content that a credit record may not hold",
            |i| {
                i.fields[0].name = "宗教信仰".into();
            },
        ),
        (
            "fields.CF_XDR_MC.name: content that a credit record may not hold",
            |i| {
                i.fields[0].name = "指纹信息".into();
            },
        ),
        (
            "fields.CF_WFXW.note: content that a credit record may not hold",
            |i| {
                let at = at(i, "CF_WFXW");
                i.fields[at].note = "有病史的注明血型".into();
            },
        ),
        ("name: content that a credit record may not hold", |i| {
            i.name = "基因检测信息".into()
        }),
        (
            "entry.conduct: content that a credit record may not hold",
            |i| {
                i.entry.conduct = "自然人患病的记录。".into();
            },
        ),
        (
            "fields.CF_NR_FK.name: content that needs the written consent",
            |i| {
                let at = at(i, "CF_NR_FK");
                i.fields[at].name = "年收入（万元）".into();
            },
        ),
        (
            "fields.CF_NR_FK.name: content that needs the written consent",
            |i| {
                let at = at(i, "CF_NR_FK");
                i.fields[at].name = "商业保险金额".into();
            },
        ),
        (
            "fields.CF_NR_FK.name: content that needs the written consent",
            |i| {
                let at = at(i, "CF_NR_FK");
                i.fields[at].name = "纳税数额（万元）".into();
            },
        ),
        ("name: content that needs the written consent", |i| {
            i.name = "个人不动产信息".into()
        }),
        // Consent opens the second group only.
        (
            "fields.CF_WFXW.name: content that a credit record may not hold",
            |i| {
                i.legal_basis.push("信息主体书面同意".into());
                let at = at(i, "CF_WFXW");
                i.fields[at].name = "血型".into();
            },
        ),
    ]);
}

#[test]
fn what_is_lawful_passes() {
    let cases: [ItemEdit; 5] = [
        |i| {
            i.legal_basis.push("信息主体书面同意".into());
            i.fields[0].note = "存款账户名称".into();
        },
        |i| i.fields[0].note = "由疾病预防控制机构填写".into(),
        |i| i.name = "职业病危害项目申报处罚".into(),
        |i| i.fields[0].note = "社会保险欠缴单位的名称".into(),
        |i| i.entry.conduct = "拒不上缴非税收入的行为。".into(),
    ];
    for change in cases {
        assert_eq!(faults(change), "");
    }
}

#[test]
fn rules_that_cannot_run() {
    expect(&[
        (
            "rules.source-is-caller.needs: names a missing field (NIX)",
            |i| {
                i.rules[0].needs = vec!["NIX".into()];
            },
        ),
        ("rules.source-is-caller.field: names a missing field", |i| {
            i.rules[0].field = "NIX".into();
        }),
        (
            "rules.source-is-caller.check: is not a CEL expression",
            |i| {
                i.rules[0].check = "CF_SJLYDM ==".into();
            },
        ),
        ("rules.source-is-caller.check: names neither a field", |i| {
            i.rules[0].check = "CF_SJLYDN == provider_code".into();
        }),
        (
            "rules.source-is-caller.check: reads a field that may not be given",
            |i| {
                i.rules[0].check = "CF_GSJZQ == '2026-01-01'".into();
            },
        ),
        (
            "rules.source-is-caller.check: a rule says true or false",
            |i| {
                i.rules[0].check = "provider_code".into();
            },
        ),
        ("rules.source-is-caller.id: is used twice", |i| {
            let rule = i.rules[0].clone();
            i.rules.push(rule);
        }),
        ("rules.source-is-caller.message: is blank", |i| {
            i.rules[0].message.clear()
        }),
        ("rules.source-is-caller.basis: is blank", |i| {
            i.rules[0].basis.clear()
        }),
    ]);
}
