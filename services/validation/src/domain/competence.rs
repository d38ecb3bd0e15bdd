//! Who may report an item (R-6, D-25). Called by `comparison`; `store` loads what it needs.

use std::collections::HashMap;

use record_ref::ProviderCode;

/// Owner of the catalogue that has an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompetentOwner {
    /// The city's: any provider reports what it decides. Also where it is not known.
    City,
    /// A department's: that organ, or one below it.
    Department {
        /// The organ.
        organ: ProviderCode,
    },
    /// A district's: providers of that district.
    District {
        /// GB/T 2260 code.
        district_code: String,
    },
}

impl CompetentOwner {
    /// From the event of catalog. What the event leaves empty restricts nobody.
    pub fn from_catalogue(
        catalogue: &str,
        organ: Option<ProviderCode>,
        district_code: &str,
    ) -> Self {
        match (catalogue, organ) {
            ("department", Some(organ)) => Self::Department { organ },
            ("district", _) if !district_code.is_empty() => Self::District {
                district_code: district_code.to_owned(),
            },
            _ => Self::City,
        }
    }
}

/// Position of a provider among the organs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganPosition {
    /// The organ above it.
    pub parent: Option<ProviderCode>,
    /// GB/T 2260 code; empty at city level.
    pub district_code: String,
}

/// Providers, with all organs above them.
pub type OrganRegistry = HashMap<ProviderCode, OrganPosition>;

/// Whether the provider may report items of this owner. A provider that is not registered counts as competent.
pub fn is_competent(
    owner: &CompetentOwner,
    provider: ProviderCode,
    registry: &OrganRegistry,
) -> bool {
    let Some(position) = registry.get(&provider) else {
        return true;
    };
    match owner {
        CompetentOwner::City => true,
        CompetentOwner::District { district_code } => position.district_code == *district_code,
        CompetentOwner::Department { organ } => {
            let mut code = provider;
            // At most one step for each organ: the registry might contain a cycle.
            for _ in 0..=registry.len() {
                if code == *organ {
                    return true;
                }
                match registry.get(&code).and_then(|position| position.parent) {
                    Some(parent) => code = parent,
                    None => return false,
                }
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A code that ends with these letters.
    fn code(name: &str) -> ProviderCode {
        format!("{name:0>18}").parse().unwrap()
    }

    fn registry(positions: &[(&str, &str, &str)]) -> OrganRegistry {
        let positions = positions.iter().map(|(name, parent, district)| {
            let position = OrganPosition {
                parent: (!parent.is_empty()).then(|| code(parent)),
                district_code: (*district).to_owned(),
            };
            (code(name), position)
        });
        positions.collect()
    }

    #[test]
    fn r6_a_departments_item_is_reported_by_it_and_by_those_below_it() {
        let registry = registry(&[
            ("OFFICE", "", ""),
            ("BRIGADE", "OFFICE", ""),
            ("TEAM", "BRIGADE", ""),
            ("OTHER", "", ""),
            ("A", "B", ""),
            ("B", "A", ""),
        ]);
        let owner = CompetentOwner::from_catalogue("department", Some(code("OFFICE")), "");
        for (name, may) in [
            ("OFFICE", true),
            ("BRIGADE", true),
            ("TEAM", true),
            ("OTHER", false),
            // In a cycle.
            ("A", false),
            ("UNREGISTERED", true),
        ] {
            assert_eq!(is_competent(&owner, code(name), &registry), may, "{name}");
        }
    }

    #[test]
    fn r6_a_districts_item_is_reported_from_that_district() {
        let registry = registry(&[
            ("IN", "", "430104"),
            ("OUT", "", "430102"),
            ("CITY", "", ""),
        ]);
        let owner = CompetentOwner::from_catalogue("district", Some(code("WHOEVER")), "430104");
        assert!(is_competent(&owner, code("IN"), &registry));
        assert!(!is_competent(&owner, code("OUT"), &registry));
        assert!(!is_competent(&owner, code("CITY"), &registry));
    }

    #[test]
    fn what_is_not_told_binds_nobody() {
        for owner in [
            CompetentOwner::from_catalogue("", None, ""),
            CompetentOwner::from_catalogue("department", None, ""),
            CompetentOwner::from_catalogue("city", Some(code("X")), ""),
        ] {
            assert_eq!(owner, CompetentOwner::City);
            assert!(is_competent(&owner, code("X"), &registry(&[("X", "", "")])));
        }
    }
}
