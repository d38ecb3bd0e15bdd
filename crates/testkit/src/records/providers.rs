//! Twelve fictional providers: eight departments of the city, four of its districts. Called by the
//! generator and by the demo, which registers them.

use credit_record::CreditCode;

use super::trades::{self, DepartmentTrade};

/// Level of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FictionalLevel {
    /// 市级.
    City,
    /// 区县级.
    District,
}

/// A department that reports records.
#[derive(Debug, Clone)]
pub struct FictionalProvider {
    /// Credit code, pair 11. The organisation body is fictional, the check characters are right.
    pub code: String,
    /// Full Chinese name.
    pub name: String,
    /// Division of a district body.
    pub district: Option<String>,
    /// Level.
    pub level: FictionalLevel,
    /// Beginning of its document numbers, such as 长市监.
    pub(super) mark: &'static str,
    /// What it licenses and punishes.
    pub(super) trade: &'static DepartmentTrade,
}

type FictionalProviderSpec = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static DepartmentTrade,
);

/// Name, mark, division, trade.
const ROWS: [FictionalProviderSpec; 12] = [
    ("长沙市市场监督管理局", "长市监", None, &trades::MARKET),
    ("长沙市住房和城乡建设局", "长住建", None, &trades::BUILDING),
    ("长沙市交通运输局", "长交运", None, &trades::TRANSPORT),
    ("长沙市生态环境局", "长环", None, &trades::ENVIRONMENT),
    ("长沙市文化旅游广电局", "长文旅广", None, &trades::CULTURE),
    ("长沙市卫生健康委员会", "长卫", None, &trades::HEALTH),
    ("长沙市应急管理局", "长应急", None, &trades::SAFETY),
    ("长沙市城市管理和综合执法局", "长城管", None, &trades::CITY),
    (
        "长沙市芙蓉区市场监督管理局",
        "芙市监",
        Some("430102"),
        &trades::MARKET,
    ),
    (
        "长沙市岳麓区城市管理和综合执法局",
        "岳城管",
        Some("430104"),
        &trades::CITY,
    ),
    (
        "长沙市雨花区卫生健康局",
        "雨卫",
        Some("430111"),
        &trades::HEALTH,
    ),
    (
        "长沙县应急管理局",
        "长县应急",
        Some("430121"),
        &trades::SAFETY,
    ),
];

/// The twelve providers.
pub fn fictional_providers() -> Vec<FictionalProvider> {
    let provider = |(i, (name, mark, district, trade)): (usize, FictionalProviderSpec)| {
        let head = format!("11{}MB9X0{:03}", district.unwrap_or("430100"), i + 1);
        let code = CreditCode::with_checks(&head).expect("sixteen characters of the alphabet");
        FictionalProvider {
            code: code.to_string(),
            name: name.to_owned(),
            district: district.map(str::to_owned),
            level: if district.is_some() {
                FictionalLevel::District
            } else {
                FictionalLevel::City
            },
            mark,
            trade,
        }
    };
    ROWS.into_iter().enumerate().map(provider).collect()
}
