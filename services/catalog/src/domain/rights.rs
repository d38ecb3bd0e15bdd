//! Whose catalogue is whose, and who may do and see what in it (R-5, R-6, D-25). Which role may call which
//! RPC at all is in the proto files; here is what needs the registry. Called
//! by `app`.

use credit_record::item::ItemOwner;
use service_kit::reason::Reason;
use time::Date;

use super::{
    CatalogRuleViolation,
    provider::{OrganLevel, Provider},
};

/// Where a definition names its catalogue.
const OWNER: &str = "definition_toml.owner";

/// Who acts, with what the registry holds of its organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogActor {
    /// Credit code of the organisation.
    pub organisation: String,
    /// Acts as the city's credit office.
    pub credit_office: bool,
    /// Acts as the credit office of a district.
    pub district_office: bool,
    /// Acts as a provider.
    pub provider: bool,
    /// Runs the platform: sees everything, writes nothing.
    pub operator: bool,
    /// Audits: sees everything but contacts, writes nothing.
    pub auditor: bool,
    /// Its registration, when it has one.
    pub registered: Option<Provider>,
}

/// Whose drafts and duties a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogScope {
    /// All.
    pub all: bool,
    /// Those of this district's catalogue; empty: none.
    pub district_code: String,
    /// Those of this organ's catalogue; empty: none.
    pub organ: String,
}

impl CatalogScope {
    /// Whether the catalogue of this owner is within it.
    pub fn includes(&self, owner: &ItemOwner) -> bool {
        self.all
            || (!self.district_code.is_empty() && owner.district() == self.district_code)
            || (!self.organ.is_empty() && owner.organ() == self.organ)
    }
}

impl CatalogActor {
    /// Whether it may see the contacts of this provider: the credit office and operators all, a provider and
    /// a district's credit office their own.
    pub fn sees_contacts_of(&self, code: &str) -> bool {
        self.credit_office
            || self.operator
            || ((self.provider || self.district_office) && self.organisation == code)
    }

    /// What it may see: the credit office, operators and auditors all, a district's credit office its district, a
    /// provider its own. A district's credit office that is disabled or past its validity sees nothing any more.
    pub fn scope(&self, today: Date) -> CatalogScope {
        let registered = self.registered.as_ref();
        let district = registered
            .filter(|provider| self.district_office && provider.may_act_on(today))
            .map(|provider| provider.level.district_code());
        CatalogScope {
            all: self.credit_office || self.operator || self.auditor,
            district_code: district.unwrap_or_default().to_owned(),
            organ: if self.provider || district.is_some() {
                self.organisation.clone()
            } else {
                String::new()
            },
        }
    }

    /// The registration with which it writes its catalogue on that day.
    ///
    /// # Errors
    /// It is not registered, disabled, or not within its validity.
    fn registered_on(&self, today: Date) -> Result<&Provider, CatalogRuleViolation> {
        let broken = |reason, message: String| {
            let rule = "R-6: an organ that writes a catalogue is a registered provider, enabled and within its validity";
            Err(CatalogRuleViolation::new(reason, OWNER, rule, message))
        };
        let Some(provider) = &self.registered else {
            return broken(
                Reason::ProviderNotRegistered,
                "本单位未登记，不能编制目录".to_owned(),
            );
        };
        if !provider.enabled {
            return broken(
                Reason::ProviderDisabled,
                "本单位已停用，不能编制目录".to_owned(),
            );
        }
        match (provider.valid_from, provider.valid_until) {
            (Some(from), _) if today < from => broken(
                Reason::ProviderNotYetValid,
                format!("本单位自{from}起方可编制目录"),
            ),
            (_, Some(until)) if until < today => broken(
                Reason::ProviderExpired,
                format!("本单位的有效期至{until}止，不能编制目录"),
            ),
            _ => Ok(provider),
        }
    }

    /// Whether it may write drafts for the catalogue of `owner`: the credit office for all, the credit
    /// office of a district for its district's, a provider for its own.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn may_draft(&self, owner: &ItemOwner, today: Date) -> Result<(), CatalogRuleViolation> {
        if self.credit_office {
            return Ok(());
        }
        let denied = |rule, message: &str| {
            Err(CatalogRuleViolation::new(
                Reason::NotYourCatalogue,
                OWNER,
                rule,
                message,
            ))
        };
        let registered = self.registered_on(today)?;
        match owner {
            ItemOwner::City => denied(
                "R-6: the credit office makes the city's catalogue",
                "市级目录由市信用办会同各部门编制",
            ),
            ItemOwner::District { district, .. } if self.district_office => {
                if registered.level.district_code() == district {
                    Ok(())
                } else {
                    denied(
                        "R-6, D-25: a district writes its own catalogue",
                        "区县信用办只能编制本区县的目录",
                    )
                }
            }
            ItemOwner::Department { organ } | ItemOwner::District { organ, .. } => {
                if self.provider && *organ == self.organisation {
                    Ok(())
                } else {
                    denied(
                        "R-6: an organ writes its own catalogue only",
                        "只能编制本单位的目录",
                    )
                }
            }
        }
    }

    /// Whether the credit office, which alone can ask, may decide about the publication of a version in the catalogue of
    /// `owner`: nobody judges what its own organ wrote.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn may_review(&self, owner: &ItemOwner) -> Result<(), CatalogRuleViolation> {
        if owner.organ().is_empty() || owner.organ() != self.organisation {
            return Ok(());
        }
        Err(CatalogRuleViolation::new(
            Reason::OwnCatalogue,
            OWNER,
            "R-6: an organ does not review and publish its own catalogue",
            "不能审核发布本单位编制的目录",
        ))
    }
}

impl CatalogActor {
    /// As [`Self::may_review`], for a draft that an organisation began: whoever wrote for another's catalogue does
    /// not judge it either.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn may_review_draft(
        &self,
        owner: &ItemOwner,
        created_by: &str,
    ) -> Result<(), CatalogRuleViolation> {
        self.may_review(owner)?;
        if !owner.is_city() && created_by == self.organisation {
            return Err(CatalogRuleViolation::new(
                Reason::OwnDraft,
                "draft_id",
                "R-6: who began a draft for an organ's catalogue does not review and publish it",
                "不能审核发布本单位起草的目录项",
            ));
        }
        Ok(())
    }
}

/// Whether a new version stays in the catalogue of the version before it: an item changes hands only where the
/// credit office publishes directly.
///
/// # Errors
/// The rule that is broken.
pub fn same_catalogue(
    before: Option<&ItemOwner>,
    owner: &ItemOwner,
) -> Result<(), CatalogRuleViolation> {
    match before {
        Some(before) if before != owner => Err(CatalogRuleViolation::new(
            Reason::OwnerChanged,
            OWNER,
            "R-6: a new version stays in the catalogue of the version before it; only the credit office moves an item, by publishing directly",
            "该目录项属于其他单位的目录，新版本不能改变归属；归属调整由市信用办直接发布",
        )),
        _ => Ok(()),
    }
}

/// Whether the catalogue that a definition names exists: its organ is registered, may act, and belongs to the
/// city or to that very district (D-25). `organ` is what the registry holds of it.
///
/// # Errors
/// The rule that is broken, with its field.
pub fn check_owner(
    owner: &ItemOwner,
    organ: Option<&Provider>,
    today: Date,
) -> Result<(), CatalogRuleViolation> {
    let code = owner.organ();
    if owner.is_city() {
        return Ok(());
    }
    let broken = |reason, field: &'static str, rule, message: String| {
        Err(CatalogRuleViolation::new(reason, field, rule, message))
    };
    let Some(organ) = organ else {
        return broken(
            Reason::ProviderUnknown,
            "definition_toml.owner.organ",
            "the organ of a catalogue is a registered provider",
            format!("单位{code}未登记"),
        );
    };
    if !organ.may_act_on(today) {
        return broken(
            Reason::OwnerUnsuitable,
            "definition_toml.owner.organ",
            "the organ of a catalogue is enabled and within its validity",
            format!("单位{code}已停用或不在有效期内"),
        );
    }
    match (owner, organ.level) {
        (ItemOwner::Department { .. }, OrganLevel::District(district)) => broken(
            Reason::OwnerOutsideDistrict,
            "definition_toml.owner.organ",
            "a department's catalogue is that of an organ of the city; an organ of a district writes in its district's",
            format!("单位{code}属于{}，其目录项应列入区县目录", district.name),
        ),
        (ItemOwner::District { district, .. }, level) if level.district_code() != district => {
            broken(
                Reason::OwnerOutsideDistrict,
                "definition_toml.owner.district",
                "an organ writes in the catalogue of its own district",
                format!("单位{code}不属于区划{district}"),
            )
        }
        _ => Ok(()),
    }
}
