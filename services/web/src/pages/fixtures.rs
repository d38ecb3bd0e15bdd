//! Records and organisations for the unit tests of pages.

use proto::credit::{
    catalog::v1::{
        Entry, FieldAlias, Item, ItemField, ItemRule, NationalMapping, SourceFamily,
        SubjectDisclosure, Term,
    },
    common::v1::{RecordClass, SubjectKind},
    disclosure::v1::{OrganisationSummary, PublicRecord, PublishedField, RevocationNotice},
};
use time::macros::datetime;

use super::{PageContent, PageFrame};
use crate::assets::Assets;

/// An organisation with both kinds of records.
pub fn sample_organisation() -> OrganisationSummary {
    OrganisationSummary {
        credit_code: "91430100MA4Q5W141P".to_owned(),
        name: "长沙橘洲云帆科技有限公司".to_owned(),
        licence_count: 12,
        penalty_count: 1,
        other_count: 0,
    }
}

/// A licence of it.
pub fn sample_licence() -> PublicRecord {
    PublicRecord {
        record_id: "0197c5a4-7f54-7c3e-8f21-0d6a4b1c2d3e".to_owned(),
        record_address: "3cb1dec2-2494-8543-b728-450f0448ce5e".to_owned(),
        item_code: "xzxk".to_owned(),
        item_name: "行政许可".to_owned(),
        record_class: RecordClass::Basic as i32,
        organisation_code: "91430100MA4Q5W141P".to_owned(),
        organisation_name: "长沙橘洲云帆科技有限公司".to_owned(),
        document_number: "长市监许〔2026〕17号".to_owned(),
        decision_date: "2026-03-02".to_owned(),
        effective_date: "2026-03-02".to_owned(),
        expiry_date: "2099-12-31".to_owned(),
        authority: "长沙市市场监督管理局".to_owned(),
        ..Default::default()
    }
}

/// A penalty of it, under objection.
pub fn sample_penalty() -> PublicRecord {
    PublicRecord {
        record_id: "0197c5a4-7f54-7c3e-8f21-0d6a4b1c2d3f".to_owned(),
        record_address: "3cb1dec2-2494-8543-b728-450f0448ce5f".to_owned(),
        item_code: "xzcf".to_owned(),
        item_name: "行政处罚".to_owned(),
        record_class: RecordClass::Adverse as i32,
        document_number: "长市监罚〔2025〕3号".to_owned(),
        decision_date: "2025-03-18".to_owned(),
        effective_date: "2025-03-18".to_owned(),
        expiry_date: "2026-03-18".to_owned(),
        disclosed_until: "2028-03-17".to_owned(),
        objection_pending: true,
        fields: vec![PublishedField {
            code: "CF_SY".to_owned(),
            name: "违法事实".to_owned(),
            value: "未按规定公示<年度报告>".to_owned(),
        }],
        ..sample_licence()
    }
}

/// The notice of a penalty that was revoked.
pub fn sample_revocation() -> RevocationNotice {
    let penalty = sample_penalty();
    RevocationNotice {
        record_id: penalty.record_id,
        record_address: penalty.record_address,
        item_code: penalty.item_code,
        item_name: penalty.item_name,
        record_class: penalty.record_class,
        organisation_code: penalty.organisation_code,
        organisation_name: penalty.organisation_name,
        document_number: penalty.document_number,
        provider_code: "11430100MB0R99172C".to_owned(),
        provider_name: penalty.authority,
        revoked_on: "2026-03-30".to_owned(),
        reason: "经行政复议<撤销>，申请人430102199003071234".to_owned(),
    }
}

/// The framed page.
pub fn framed_page(page: &PageContent) -> String {
    let assets = Assets::new();
    PageFrame {
        assets: &assets,
        now: datetime!(2026-04-01 01:00 UTC),
    }
    .render(page)
}

/// An item with everything that a definition may hold.
pub fn sample_item() -> Item {
    let field = |code: &str| ItemField {
        code: code.to_owned(),
        name: format!("名{code}"),
        kind: "text".to_owned(),
        max_length: 200,
        required: "always".to_owned(),
        publication: "社会公开".to_owned(),
        ..Default::default()
    };
    Item {
        code: "xzxk".to_owned(),
        version: 2,
        edition: "2018".to_owned(),
        name: "行政许可".to_owned(),
        record_class: RecordClass::Basic.into(),
        legal_basis: vec!["行政许可法第四十条".to_owned()],
        fields: vec![
            ItemField {
                mask: "name".to_owned(),
                aliases: vec![FieldAlias {
                    family: "shaanxi".to_owned(),
                    alias: "xy010101".to_owned(),
                }],
                ..field("XK_WSH")
            },
            ItemField {
                code_list: vec!["普通".to_owned(), "其他-".to_owned()],
                code_list_code: "licence-kind".to_owned(),
                code_list_version: 2,
                ..field("XK_LB")
            },
            ItemField {
                kind: "decimal".to_owned(),
                unit: "万元".to_owned(),
                required: "when XK_LB is 其他".to_owned(),
                publication: "政务共享".to_owned(),
                ..field("XK_JE")
            },
        ],
        update_cycle: "real_time".to_owned(),
        reporting_deadline_working_days: 7,
        entry: Some(Entry {
            conduct: "归集甲".to_owned(),
            source: "来源乙".to_owned(),
            channel: "渠道丙".to_owned(),
            sharing: "共享丁".to_owned(),
            retention: "保存戊".to_owned(),
        }),
        rules: vec![ItemRule {
            id: "date-order".to_owned(),
            version: 1,
            title: "有效期不早于决定日期".to_owned(),
            severity: "error".to_owned(),
            field: "XK_LB".to_owned(),
            needs: vec!["XK_WSH".to_owned()],
            check: "size(XK_WSH) < 9 && XK_LB != 'x'".to_owned(),
            message: "有效期早于决定日期".to_owned(),
            ..Default::default()
        }],
        natural_key: vec!["XK_WSH".to_owned(), "@subject".to_owned()],
        subjects: [
            (SubjectKind::Organisation, "publish"),
            (SubjectKind::NaturalPerson, "query"),
        ]
        .map(|(kind, mode)| SubjectDisclosure {
            subject_kind: kind.into(),
            mode: mode.to_owned(),
        })
        .to_vec(),
        term: Some(Term {
            years: 3,
            rule: "CS-2017-26/R-16".to_owned(),
        }),
        national: Some(NationalMapping {
            edition: "2024".to_owned(),
            kind: "行政管理信息".to_owned(),
        }),
        source_families: vec![SourceFamily {
            id: "shaanxi".to_owned(),
            name: "信用陕西".to_owned(),
        }],
        ..Default::default()
    }
}
