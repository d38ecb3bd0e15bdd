//! Records and organisations for the unit tests of pages.

use proto::credit::{
    common::v1::RecordClass,
    disclosure::v1::{OrganisationSummary, PublicRecord, PublishedField},
};
use time::macros::datetime;

use super::{Frame, Page};
use crate::assets::Assets;

/// An organisation with both kinds of records.
pub fn organisation() -> OrganisationSummary {
    OrganisationSummary {
        credit_code: "91430100MA4Q5W141P".to_owned(),
        name: "长沙橘洲云帆科技有限公司".to_owned(),
        licence_count: 12,
        penalty_count: 1,
        other_count: 0,
    }
}

/// A licence of it.
pub fn licence() -> PublicRecord {
    PublicRecord {
        record_id: "0197c5a4-7f54-7c3e-8f21-0d6a4b1c2d3e".to_owned(),
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
pub fn penalty() -> PublicRecord {
    PublicRecord {
        record_id: "0197c5a4-7f54-7c3e-8f21-0d6a4b1c2d3f".to_owned(),
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
        ..licence()
    }
}

/// The framed page.
pub fn framed(page: &Page) -> String {
    let assets = Assets::new();
    Frame {
        assets: &assets,
        now: datetime!(2026-04-01 01:00 UTC),
    }
    .render(page)
}
