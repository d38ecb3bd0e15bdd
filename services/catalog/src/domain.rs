//! Which item version may follow which, and what a registration of a provider must look like. Pure.
//! Called by `app`; `jobs` calls it through `app`.

use credit_record::{
    id::{CreditCode, IdRule},
    item::ItemVersion,
};

/// Most bytes of one definition. The standard items have about 15 KiB; the limit keeps an event far
/// below what one message on the bus may hold.
pub const MAX_DEFINITION_BYTES: usize = 256 * 1024;

/// Most characters of a provider's name, as the name fields of the standard have it.
pub const MAX_NAME_CHARS: usize = 200;

/// A rule that a command broke: where, which, and what to tell people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct RuleBroken {
    /// Path of the field in the request.
    pub field: &'static str,
    /// Stable reason in capitals.
    pub reason: &'static str,
    /// The rule, in English.
    pub rule: &'static str,
    /// Text for the officer, Chinese.
    pub message: String,
}

// ---- items (R-6) ----

/// What an offered version is to those that are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is the next one: publish it.
    Next,
    /// It is published already, with this very content.
    Known,
}

/// Why an offered version cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionFault {
    /// The version is published with other content; published versions never change.
    #[error("item {code} version {version} is published with other content and never changes")]
    Immutable {
        /// Code of the item.
        code: String,
        /// The version.
        version: u32,
    },
    /// The version is not the next one.
    #[error("item {code} version {version} does not follow: the next version is {next}")]
    Gap {
        /// Code of the item.
        code: String,
        /// The version offered.
        version: u32,
        /// The version that may be published.
        next: u32,
    },
}

/// Decides about an offered version, given all published versions of the same item.
///
/// # Errors
/// [`VersionFault`] when it would change a published version or leave a gap.
pub fn offer(published: &[ItemVersion], offered: &ItemVersion) -> Result<Offer, VersionFault> {
    if let Some(known) = published
        .iter()
        .find(|item| item.version == offered.version)
    {
        return if known == offered {
            Ok(Offer::Known)
        } else {
            Err(VersionFault::Immutable {
                code: offered.code.clone(),
                version: offered.version,
            })
        };
    }
    let next = published
        .iter()
        .map(|item| item.version)
        .max()
        .unwrap_or(0)
        .saturating_add(1);
    if offered.version == next {
        Ok(Offer::Next)
    } else {
        Err(VersionFault::Gap {
            code: offered.code.clone(),
            version: offered.version,
            next,
        })
    }
}

// ---- providers (R-3) ----

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
pub enum Level {
    /// 市级.
    City,
    /// 区县级, of this district.
    District(&'static District),
}

/// A level as requests and tables name it, without its district.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelKind {
    /// 市级.
    City,
    /// 区县级.
    District,
}

impl LevelKind {
    /// Stable name, as events and tables carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::District => "district",
        }
    }
}

impl Level {
    /// The level without its district.
    pub fn kind(self) -> LevelKind {
        match self {
            Self::City => LevelKind::City,
            Self::District(_) => LevelKind::District,
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

/// What the credit office says of a provider; checked, so that only a right one exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    code: CreditCode,
    name: String,
    level: Level,
    enabled: bool,
}

impl Registration {
    /// Checks a registration. Nothing is repaired: what is wrong goes back.
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn new(
        code: &str,
        name: &str,
        level: Option<LevelKind>,
        district_code: &str,
        enabled: bool,
    ) -> Result<Self, RuleBroken> {
        Ok(Self {
            code: credit_code(code)?,
            name: provider_name(name)?,
            level: provider_level(level, district_code)?,
            enabled,
        })
    }

    /// The credit code that names the provider.
    pub fn code(&self) -> &CreditCode {
        &self.code
    }
}

fn credit_code(code: &str) -> Result<CreditCode, RuleBroken> {
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
        RuleBroken {
            field: "provider.code",
            reason: "PROVIDER_CODE_INVALID",
            rule,
            message,
        }
    })
}

fn provider_name(name: &str) -> Result<String, RuleBroken> {
    let broken = |rule, message: &str| RuleBroken {
        field: "provider.name",
        reason: "PROVIDER_NAME_INVALID",
        rule,
        message: message.to_owned(),
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

fn provider_level(level: Option<LevelKind>, district_code: &str) -> Result<Level, RuleBroken> {
    let district_broken = |rule, message: String| RuleBroken {
        field: "provider.district_code",
        reason: "PROVIDER_DISTRICT_INVALID",
        rule,
        message,
    };
    match level {
        None => Err(RuleBroken {
            field: "provider.level",
            reason: "PROVIDER_LEVEL_INVALID",
            rule: "the level is city or district",
            message: "须注明级别：市级或区县级".to_owned(),
        }),
        Some(LevelKind::City) if district_code.is_empty() => Ok(Level::City),
        Some(LevelKind::City) => Err(district_broken(
            "a provider at city level has no district",
            "市级单位不填区划代码".to_owned(),
        )),
        Some(LevelKind::District) => DISTRICTS
            .iter()
            .find(|district| district.code == district_code)
            .map(Level::District)
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
    pub level: Level,
    /// Whether it may report.
    pub enabled: bool,
    /// 1 for the first registration, then without gaps; consumers keep the newest.
    pub revision: u64,
}

/// What a registration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// A new revision, to be stored and announced.
    Changed(Provider),
    /// The registry says so already.
    Unchanged(Provider),
}

/// Applies a registration to what the registry holds of that provider.
pub fn register(current: Option<Provider>, registration: Registration) -> Registered {
    let Registration {
        code,
        name,
        level,
        enabled,
    } = registration;
    let revision = current.as_ref().map_or(1, |provider| provider.revision + 1);
    let next = Provider {
        code,
        name,
        level,
        enabled,
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
            Registered::Unchanged(known)
        }
        _ => Registered::Changed(next),
    }
}

#[cfg(test)]
mod tests;
