//! What the services of a test disclose: organisations with right check digits, licences and
//! penalties by the hundred, one organisation with a hostile name.

use credit_record::{CreditCode, normalise::format_day};
use proto::credit::{
    common::v1::RecordClass,
    disclosure::v1::{PublicRecord, PublishedField, RevocationNotice},
};
use record_ref::{RecordAddress, VersionId};
use time::{Date, Duration, macros::date};
use uuid::Uuid;

/// A name that is markup.
pub const HOSTILE: &str = "湘江<script>alert('x')</script>\"&公司";
/// A citizen number that a fault leaks into a published text. Fictional, check digit right.
pub const CITIZEN_NUMBER: &str = "430102199003071234";
/// Organisation with records of both kinds.
pub const KNOWN: &str = "91430100MA4Q5W141P";
/// Valid, without any record.
pub const UNKNOWN: &str = "914403001922038216";

const NAMES: [&str; 12] = [
    "长沙橘洲云帆科技有限公司",
    "湖南麓山新材料股份有限公司",
    "长沙市芙蓉区湘江渔火餐饮店",
    "浏阳河畔烟花制造有限公司",
    "湖南星沙智能装备有限公司",
    "长沙浏正街建筑工程有限公司",
    "宁乡沩水生态农业专业合作社",
    "湖南岳麓书香文化传播有限公司",
    "长沙橘洲物业管理有限公司",
    "望城铜官陶艺有限公司",
    "湖南湘绣坊工艺品有限公司",
    HOSTILE,
];
const ORGANS: [&str; 4] = [
    "长沙市市场监督管理局",
    "长沙市住房和城乡建设局",
    "长沙市生态环境局",
    "长沙市岳麓区城市管理和综合执法局",
];

/// All disclosed records, newest decision first.
pub fn records() -> Vec<PublicRecord> {
    let mut records: Vec<PublicRecord> =
        (0..140).map(licence).chain((0..53).map(penalty)).collect();
    records.sort_by(|a, b| (&b.decision_date, &b.record_id).cmp(&(&a.decision_date, &a.record_id)));
    records
}

/// A penalty of [`KNOWN`] that was revoked: in no list any more. Its number has another form than those of the others.
pub fn revocation() -> RevocationNotice {
    let id = version_id(3, 1);
    RevocationNotice {
        record_id: id.to_string(),
        record_address: RecordAddress::of_first_version(id).to_string(),
        item_code: "xzcf".to_owned(),
        item_name: "行政处罚".to_owned(),
        record_class: RecordClass::Adverse as i32,
        organisation_code: KNOWN.to_owned(),
        organisation_name: NAMES[0].to_owned(),
        document_number: "长市监罚〔2024〕撤9号".to_owned(),
        provider_code: "11430100MB0R99172C".to_owned(),
        provider_name: ORGANS[0].to_owned(),
        revoked_on: "2026-03-30".to_owned(),
        reason: format!("原处罚决定经行政复议撤销。<b>申请人</b>{CITIZEN_NUMBER}"),
    }
}

/// Codes and names.
pub fn organisations() -> Vec<(String, String)> {
    (0..NAMES.len())
        .map(|at| (code(at), NAMES[at].to_owned()))
        .collect()
}

fn code(at: usize) -> String {
    match at {
        0 => KNOWN.to_owned(),
        at => {
            let code = CreditCode::with_checks(&format!("91430100MA4T{at:04}")).unwrap();
            code.as_str().to_owned()
        }
    }
}

fn version_id(kind: u64, number: u64) -> VersionId {
    let uuid = Uuid::from_u64_pair(0x0197_c5a4_7f54_7000 + kind, 0x8f21 << 48 | number);
    uuid.try_into().unwrap()
}

fn record(kind: u64, number: u64, at: usize, decided: Date) -> PublicRecord {
    let id = version_id(kind, number);
    PublicRecord {
        record_id: id.to_string(),
        record_address: RecordAddress::of_first_version(id).to_string(),
        organisation_code: code(at),
        organisation_name: NAMES[at].to_owned(),
        decision_date: format_day(decided),
        effective_date: format_day(decided),
        authority: ORGANS[number as usize % ORGANS.len()].to_owned(),
        ..Default::default()
    }
}

fn field(code: &str, name: &str, value: &str) -> PublishedField {
    PublishedField {
        code: code.to_owned(),
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn licence(number: u64) -> PublicRecord {
    let decided = date!(2026 - 03 - 27) - Duration::days(number as i64 * 5 / 2);
    let at = if number.is_multiple_of(4) {
        0
    } else {
        number as usize % NAMES.len()
    };
    let document = format!("长市监许准字〔{}〕第{}号", decided.year(), 1200 - number);
    let mut licence = PublicRecord {
        item_code: "xzxk".to_owned(),
        item_name: "行政许可".to_owned(),
        record_class: RecordClass::Basic as i32,
        document_number: document.clone(),
        expiry_date: if number.is_multiple_of(3) {
            "2099-12-31".to_owned()
        } else {
            format_day(decided + Duration::days(1095))
        },
        ..record(1, number, at, decided)
    };
    licence.fields = vec![
        field("XK_XDR_MC", "行政相对人名称", &licence.organisation_name),
        field(
            "XK_XDR_SHXYM",
            "行政相对人代码_1（统一社会信用代码）",
            &licence.organisation_code,
        ),
        field("XK_XKWS", "行政许可决定文书名称", "准予行政许可决定书"),
        field("XK_WSH", "行政许可决定文书号", &document),
        field("XK_XKLB", "许可类别", "普通"),
        field(
            "XK_NR",
            "许可内容",
            "准予从事食品销售（预包装食品，含冷藏冷冻食品）经营活动。",
        ),
        field("XK_JDRQ", "许可决定日期", &licence.decision_date),
        field("XK_YXQZI", "有效期至", &licence.expiry_date),
        field("XK_XKJG", "许可机关", &licence.authority),
        field("XK_ZT", "当前状态", "1"),
    ];
    licence
}

fn penalty(number: u64) -> PublicRecord {
    let decided = date!(2026 - 03 - 25) - Duration::days(number as i64 * 17);
    let at = if number.is_multiple_of(5) {
        0
    } else {
        number as usize % NAMES.len()
    };
    let document = format!("长市监罚〔{}〕{}号", decided.year(), 300 - number);
    let mut penalty = PublicRecord {
        item_code: "xzcf".to_owned(),
        item_name: "行政处罚".to_owned(),
        record_class: RecordClass::Adverse as i32,
        document_number: document.clone(),
        expiry_date: format_day(decided + Duration::days(365)),
        disclosed_until: format_day(decided.replace_year(decided.year() + 3).unwrap_or(decided)),
        objection_pending: number.is_multiple_of(7),
        ..record(2, number, at, decided)
    };
    penalty.fields = vec![
        field("CF_XDR_MC", "行政相对人名称", &penalty.organisation_name),
        field(
            "CF_XDR_SHXYM",
            "行政相对人代码_1（统一社会信用代码）",
            &penalty.organisation_code,
        ),
        field("CF_WSH", "行政处罚决定书文号", &document),
        field("CF_WFXW", "违法行为类型", "未按规定明码标价"),
        field(
            "CF_SY",
            "违法事实",
            &format!(
                "2026年1月，执法人员在检查中发现当事人店堂内销售的商品未明码标价，经责令限期改正后仍未改正。\n\
                 经手人证件 {CITIZEN_NUMBER}。<b>加粗</b>"
            ),
        ),
        field("CF_YJ", "处罚依据", "《中华人民共和国价格法》第四十二条"),
        field("CF_CFLB", "处罚类别", "罚款"),
        field("CF_NR", "处罚内容", "罚款人民币贰仟元整。"),
        field("CF_NR_FK", "罚款金额（万元）", "0.2"),
        field("CF_JDRQ", "处罚决定日期", &penalty.decision_date),
        field("CF_CFJG", "处罚机关", &penalty.authority),
    ];
    penalty
}
