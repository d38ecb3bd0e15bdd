//! Who may report an item (R-6, D-25). Called by `cross`.

use std::collections::HashMap;

/// Whose catalogue an item stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The city's: any provider reports what it decides. Also where it is not known.
    City,
    /// A department's: that organ, or one below it.
    Department {
        /// Credit code of the organ.
        organ: String,
    },
    /// A district's: providers of that district.
    District {
        /// GB/T 2260 code.
        district_code: String,
    },
}

impl Owner {
    /// From what catalog announces. What is not told binds nobody.
    pub fn of(catalogue: &str, organ: &str, district_code: &str) -> Self {
        match catalogue {
            "department" if !organ.is_empty() => Self::Department {
                organ: organ.to_owned(),
            },
            "district" if !district_code.is_empty() => Self::District {
                district_code: district_code.to_owned(),
            },
            _ => Self::City,
        }
    }
}

/// Where a provider stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Credit code of the organ above it; empty: none.
    pub parent_code: String,
    /// GB/T 2260 code; empty at city level.
    pub district_code: String,
}

/// Providers by credit code, with all organs above them.
pub type Registry = HashMap<String, Place>;

/// Whether the provider may report items of this owner. Of a provider that is not registered nothing is said.
pub fn is_competent(owner: &Owner, provider_code: &str, registry: &Registry) -> bool {
    let Some(place) = registry.get(provider_code) else {
        return true;
    };
    match owner {
        Owner::City => true,
        Owner::District { district_code } => place.district_code == *district_code,
        Owner::Department { organ } => {
            let mut code = provider_code;
            // Each organ at most once, should the registry ever go in a circle.
            for _ in 0..=registry.len() {
                if code == organ {
                    return true;
                }
                match registry.get(code) {
                    Some(place) if !place.parent_code.is_empty() => code = &place.parent_code,
                    _ => return false,
                }
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(places: &[(&str, &str, &str)]) -> Registry {
        let places = places.iter().map(|(code, parent, district)| {
            let place = Place {
                parent_code: (*parent).to_owned(),
                district_code: (*district).to_owned(),
            };
            ((*code).to_owned(), place)
        });
        places.collect()
    }

    #[test]
    fn r6_a_departments_item_is_reported_by_it_and_by_those_below_it() {
        let registry = registry(&[
            ("office", "", ""),
            ("brigade", "office", ""),
            ("team", "brigade", ""),
            ("other", "", ""),
            ("a", "b", ""),
            ("b", "a", ""),
        ]);
        let owner = Owner::of("department", "office", "");
        for (code, may) in [
            ("office", true),
            ("brigade", true),
            ("team", true),
            ("other", false),
            // In a circle.
            ("a", false),
            ("not registered", true),
        ] {
            assert_eq!(is_competent(&owner, code, &registry), may, "{code}");
        }
    }

    #[test]
    fn r6_a_districts_item_is_reported_from_that_district() {
        let registry = registry(&[
            ("in", "", "430104"),
            ("out", "", "430102"),
            ("city", "", ""),
        ]);
        let owner = Owner::of("district", "whoever", "430104");
        assert!(is_competent(&owner, "in", &registry));
        assert!(!is_competent(&owner, "out", &registry));
        assert!(!is_competent(&owner, "city", &registry));
    }

    #[test]
    fn what_is_not_told_binds_nobody() {
        for owner in [
            Owner::of("", "", ""),
            Owner::of("department", "", ""),
            Owner::of("city", "x", ""),
        ] {
            assert_eq!(owner, Owner::City);
            assert!(is_competent(&owner, "x", &registry(&[("x", "", "")])));
        }
    }
}
