//! What a registration of a provider must look like, and which place in the hierarchy it may take. Called by
//! `app`.

use credit_record::id::{CreditCode, IdRule};
use service_kit::reason::Reason;
use time::Date;

use super::{CatalogRuleViolation, MAX_NAME_CHARS};

/// A district or county of Changsha.
#[derive(Debug, PartialEq, Eq)]
pub struct District {
    /// GB/T 2260 code.
    pub code: &'static str,
    /// Chinese name.
    pub name: &'static str,
}

/// The nine divisions of Changsha in force (GB/T 2260).
pub const DISTRICTS: [District; 9] = [
    District {
        code: "430102",
        name: "芙蓉区",
    },
    District {
        code: "430103",
        name: "天心区",
    },
    District {
        code: "430104",
        name: "岳麓区",
    },
    District {
        code: "430105",
        name: "开福区",
    },
    District {
        code: "430111",
        name: "雨花区",
    },
    District {
        code: "430112",
        name: "望城区",
    },
    District {
        code: "430121",
        name: "长沙县",
    },
    District {
        code: "430181",
        name: "浏阳市",
    },
    District {
        code: "430182",
        name: "宁乡市",
    },
];

/// Level of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganLevel {
    /// 市级.
    City,
    /// 区县级, of this district.
    District(&'static District),
}

/// A level as requests and tables name it, without its district.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganLevelKind {
    /// 市级.
    City,
    /// 区县级.
    District,
}

impl OrganLevelKind {
    /// Stable name, as events and tables carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::District => "district",
        }
    }
}

impl OrganLevel {
    /// The level without its district.
    pub fn kind(self) -> OrganLevelKind {
        match self {
            Self::City => OrganLevelKind::City,
            Self::District(_) => OrganLevelKind::District,
        }
    }

    /// Code of the district; empty at city level.
    pub fn district_code(self) -> &'static str {
        match self {
            Self::City => "",
            Self::District(district) => district.code,
        }
    }
}

/// A registration as the request has it, unchecked.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegistrationInput<'a> {
    /// Credit code.
    pub code: &'a str,
    /// Chinese name.
    pub name: &'a str,
    /// Level; none when the request leaves it out.
    pub level: Option<OrganLevelKind>,
    /// District, at district level.
    pub district_code: &'a str,
    /// Whether it may report.
    pub enabled: bool,
    /// Credit code of the organ above it; empty: none.
    pub parent_code: &'a str,
    /// First day on which it may report.
    pub valid_from: Option<Date>,
    /// Last day on which it may report.
    pub valid_until: Option<Date>,
}

/// A checked registration of a provider: an invalid one cannot be constructed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRegistration {
    code: CreditCode,
    name: String,
    level: OrganLevel,
    enabled: bool,
    parent: Option<CreditCode>,
    valid_from: Option<Date>,
    valid_until: Option<Date>,
}

impl ProviderRegistration {
    /// Checks a registration. Nothing is repaired: what is wrong is refused.
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn new(input: RegistrationInput<'_>) -> Result<Self, CatalogRuleViolation> {
        if input.code.is_empty() {
            return Err(CatalogRuleViolation::new(
                Reason::ProviderCodeMissing,
                "provider.code",
                "a registration names the provider",
                "须填写统一社会信用代码",
            ));
        }
        let code = credit_code(input.code, "provider.code")?;
        let name = provider_name(input.name)?;
        let level = provider_level(input.level, input.district_code)?;
        let parent = match input.parent_code {
            "" => None,
            parent => Some(credit_code(parent, "provider.parent_code")?),
        };
        if let (Some(from), Some(until)) = (input.valid_from, input.valid_until)
            && until < from
        {
            return Err(CatalogRuleViolation::new(
                Reason::PeriodReversed,
                "provider.valid_until",
                "valid_until is not before valid_from",
                "有效期的止日不能早于起日",
            ));
        }
        Ok(Self {
            code,
            name,
            level,
            enabled: input.enabled,
            parent,
            valid_from: input.valid_from,
            valid_until: input.valid_until,
        })
    }

    /// The credit code that names the provider.
    pub fn code(&self) -> &CreditCode {
        &self.code
    }

    /// Checks its place in the hierarchy of the registered providers: its parent is registered,
    /// is not below it, and neither it nor those below it leave their district (R-3, D-25).
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn fits_among(&self, registered: &[Provider]) -> Result<(), CatalogRuleViolation> {
        let find = |code: &CreditCode| registered.iter().find(|p| p.code == *code);
        let broken = |reason, rule, message: &str| {
            CatalogRuleViolation::new(reason, "provider.parent_code", rule, message)
        };
        if let Some(parent_code) = &self.parent {
            let Some(parent) = find(parent_code) else {
                return Err(broken(
                    Reason::ProviderUnknown,
                    "the parent is a registered provider",
                    "上级单位尚未登记",
                ));
            };
            if !may_stand_below(self.level, parent.level) {
                return Err(outside_district(
                    "provider.parent_code",
                    "上级单位应为市级单位或本区县单位，市级单位的上级只能是市级单位",
                ));
            }
            // The registry has no cycle, so this ends; a provider occurs at most once on the way up.
            let mut above = Some(*parent_code);
            while let Some(code) = above {
                if code == self.code {
                    return Err(broken(
                        Reason::ProviderParentInvalid,
                        "no provider is above itself",
                        "上级关系不能成环",
                    ));
                }
                above = find(&code).and_then(|p| p.parent);
            }
        }
        let below = registered
            .iter()
            .find(|p| p.parent == Some(self.code) && !may_stand_below(p.level, self.level));
        match below {
            None => Ok(()),
            Some(child) => Err(outside_district(
                "provider.level",
                &format!("下级单位{}将不在其区县之内，请先调整", child.code),
            )),
        }
    }
}

/// The parent of a city-level provider is of the city; that of a district's provider is of the city or of the same
/// district.
fn may_stand_below(child: OrganLevel, parent: OrganLevel) -> bool {
    parent == OrganLevel::City || child == parent
}

fn outside_district(field: &'static str, message: &str) -> CatalogRuleViolation {
    CatalogRuleViolation::new(
        Reason::ProviderOutsideDistrict,
        field,
        "a provider stands below one of the city or of its own district",
        message,
    )
}

fn credit_code(code: &str, field: &'static str) -> Result<CreditCode, CatalogRuleViolation> {
    CreditCode::parse(code).map_err(|error| {
        let (rule, said) = match error.rule {
            IdRule::Length => ("GB 32100: a credit code has 18 characters", "应为18位"),
            IdRule::Alphabet => (
                "GB 32100: a credit code has digits and upper-case letters without I, O, S, V, Z",
                "含有不允许的字符（只用数字和大写字母，不含I、O、S、V、Z）",
            ),
            IdRule::Dummy => ("a filler is not a credit code", "是占位代码，不是真实代码"),
            IdRule::Category => (
                "GB 32100: characters 1 and 2 are a registration department and its category",
                "登记管理部门代码与机构类别代码不匹配",
            ),
            IdRule::PersonalNumber => (
                "a citizen number is not a credit code",
                "是个人证件号码，不是统一社会信用代码",
            ),
            IdRule::InnerCheck => (
                "GB 11714: character 17 is the check character of the organisation code",
                "第17位（组织机构代码校验码）错误",
            ),
            // The date rules belong to citizen numbers and do not occur here.
            IdRule::Check | IdRule::Date | IdRule::DateFuture => (
                "GB 32100: character 18 is the check character",
                "第18位（校验码）错误",
            ),
        };
        let mut message = format!("统一社会信用代码{said}");
        if let Some(suggestion) = &error.suggestion {
            message.push_str(&format!("；是否应为{}？请核实", suggestion.as_str()));
        }
        CatalogRuleViolation::new(Reason::CreditCodeInvalid, field, rule, message)
    })
}

fn provider_name(name: &str) -> Result<String, CatalogRuleViolation> {
    let broken = |rule, message: &str| {
        CatalogRuleViolation::new(Reason::ProviderNameInvalid, "provider.name", rule, message)
    };
    if name.trim().is_empty() {
        return Err(broken("the name is not blank", "名称不能为空"));
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(broken(
            "the name has no space around it and no control characters",
            "名称首尾不能有空白，也不能含控制字符",
        ));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(broken(
            "the name has at most 200 characters",
            "名称最多200个字符",
        ));
    }
    Ok(name.to_owned())
}

fn provider_level(
    level: Option<OrganLevelKind>,
    district_code: &str,
) -> Result<OrganLevel, CatalogRuleViolation> {
    let district_broken = |rule, message: String| {
        CatalogRuleViolation::new(
            Reason::ProviderDistrictInvalid,
            "provider.district_code",
            rule,
            message,
        )
    };
    match level {
        None => Err(CatalogRuleViolation::new(
            Reason::ProviderLevelInvalid,
            "provider.level",
            "the level is city or district",
            "须注明级别：市级或区县级",
        )),
        Some(OrganLevelKind::City) if district_code.is_empty() => Ok(OrganLevel::City),
        Some(OrganLevelKind::City) => Err(district_broken(
            "a provider at city level has no district",
            "市级单位不填区划代码".to_owned(),
        )),
        Some(OrganLevelKind::District) => DISTRICTS
            .iter()
            .find(|district| district.code == district_code)
            .map(OrganLevel::District)
            .ok_or_else(|| {
                let known: Vec<String> = DISTRICTS
                    .iter()
                    .map(|d| format!("{}{}", d.code, d.name))
                    .collect();
                district_broken(
                    "a provider at district level names one of the nine divisions of Changsha",
                    format!("区县级单位须填长沙市区划代码之一：{}", known.join("、")),
                )
            }),
    }
}

/// A registered provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The credit code that names it.
    pub code: CreditCode,
    /// Chinese name.
    pub name: String,
    /// Level, with its district.
    pub level: OrganLevel,
    /// Whether it may report.
    pub enabled: bool,
    /// The organ above it.
    pub parent: Option<CreditCode>,
    /// First day on which it may report; none: without limit.
    pub valid_from: Option<Date>,
    /// Last day on which it may report; none: without limit.
    pub valid_until: Option<Date>,
    /// 1 for the first registration, then without gaps; consumers keep the newest.
    pub revision: u64,
}

impl Provider {
    /// Whether it may report and write its catalogue on that day.
    pub fn may_act_on(&self, day: Date) -> bool {
        self.enabled
            && self.valid_from.is_none_or(|from| from <= day)
            && self.valid_until.is_none_or(|until| day <= until)
    }
}

/// What a registration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationOutcome {
    /// A new revision, to be stored and announced.
    Changed(Provider),
    /// The registry already holds exactly this.
    Unchanged(Provider),
}

/// Applies a registration to what the registry holds of that provider.
pub fn apply_registration(
    current: Option<Provider>,
    registration: ProviderRegistration,
) -> RegistrationOutcome {
    let ProviderRegistration {
        code,
        name,
        level,
        enabled,
        parent,
        valid_from,
        valid_until,
    } = registration;
    let revision = current.as_ref().map_or(1, |provider| provider.revision + 1);
    let next = Provider {
        code,
        name,
        level,
        enabled,
        parent,
        valid_from,
        valid_until,
        revision,
    };
    match current {
        Some(known)
            if known
                == (Provider {
                    revision: known.revision,
                    ..next.clone()
                }) =>
        {
            RegistrationOutcome::Unchanged(known)
        }
        _ => RegistrationOutcome::Changed(next),
    }
}

#[cfg(test)]
mod tests;
