//! D-25: whose catalogue is whose.

use credit_record::item::ItemOwner;
use service_kit::reason::Reason;
use tonic::Code;

use super::{super::rights::*, day, violated_rule};
use crate::domain::provider::{
    OrganLevelKind, Provider, ProviderRegistration, RegistrationInput, RegistrationOutcome,
    apply_registration,
};

const CITY: &str = "12430100444900018L";
const YUELU: &str = "51430100MJJ000012E";

fn registered(code: &str, district: &str, enabled: bool) -> Provider {
    let level = if district.is_empty() {
        OrganLevelKind::City
    } else {
        OrganLevelKind::District
    };
    let registration = ProviderRegistration::new(RegistrationInput {
        code,
        name: "某单位",
        level: Some(level),
        district_code: district,
        enabled,
        ..RegistrationInput::default()
    });
    match apply_registration(None, registration.unwrap()) {
        RegistrationOutcome::Changed(provider) | RegistrationOutcome::Unchanged(provider) => {
            provider
        }
    }
}

fn department(organ: &str) -> ItemOwner {
    ItemOwner::Department {
        organ: organ.to_owned(),
    }
}

fn district(district: &str, organ: &str) -> ItemOwner {
    ItemOwner::District {
        district: district.to_owned(),
        organ: organ.to_owned(),
    }
}

fn office() -> CatalogActor {
    CatalogActor {
        organisation: "11430100006123458R".to_owned(),
        credit_office: true,
        ..CatalogActor::default()
    }
}

fn provider(code: &str, in_district: &str) -> CatalogActor {
    CatalogActor {
        organisation: code.to_owned(),
        provider: true,
        registered: Some(registered(code, in_district, true)),
        ..CatalogActor::default()
    }
}

fn district_office(in_district: &str) -> CatalogActor {
    CatalogActor {
        provider: false,
        district_office: true,
        ..provider(YUELU, in_district)
    }
}

#[test]
fn r6_everybody_drafts_for_its_own_catalogue_and_the_credit_office_for_all() {
    let today = day("2026-11-23");
    let disabled = CatalogActor {
        registered: Some(registered(CITY, "", false)),
        ..provider(CITY, "")
    };
    let stranger = CatalogActor {
        registered: None,
        ..provider(CITY, "")
    };
    let organ_of_yuelu = provider(YUELU, "430104");
    let office_of_yuelu = district_office("430104");
    let operator = CatalogActor {
        operator: true,
        ..CatalogActor::default()
    };
    // (who, whose catalogue, allowed)
    let table = [
        (office(), ItemOwner::City, true),
        (office(), department(CITY), true),
        (office(), district("430104", YUELU), true),
        (provider(CITY, ""), department(CITY), true),
        (provider(CITY, ""), department(YUELU), false),
        (provider(CITY, ""), ItemOwner::City, false),
        (disabled, department(CITY), false),
        (stranger, department(CITY), false),
        (organ_of_yuelu.clone(), district("430104", YUELU), true),
        (organ_of_yuelu, district("430104", CITY), false),
        (office_of_yuelu.clone(), district("430104", CITY), true),
        (office_of_yuelu.clone(), district("430103", YUELU), false),
        (office_of_yuelu.clone(), department(YUELU), false),
        (office_of_yuelu, ItemOwner::City, false),
        // An organ that is registered with the city is no district's credit office.
        (district_office(""), district("430104", YUELU), false),
        (operator, department(CITY), false),
    ];
    for (actor, owner, allowed) in table {
        match actor.may_draft(&owner, today) {
            Ok(()) => assert!(allowed, "{actor:?} {owner:?}"),
            Err(broken) => {
                assert!(!allowed, "{actor:?} {owner:?}: {broken}");
                assert_eq!(broken.reason.code(), Code::PermissionDenied);
                assert!(violated_rule(&broken).1.contains("R-6"), "{broken}");
            }
        }
    }
}

#[test]
fn r6_an_organ_that_may_not_write_learns_what_is_wrong_with_its_registration() {
    let today = day("2026-11-23");
    let with = |change: fn(&mut Provider)| {
        let mut registered = registered(CITY, "", true);
        change(&mut registered);
        Some(registered)
    };
    let table = [
        (None, Reason::ProviderNotRegistered),
        (with(|p| p.enabled = false), Reason::ProviderDisabled),
        (
            with(|p| p.valid_from = Some(day("2026-11-24"))),
            Reason::ProviderNotYetValid,
        ),
        (
            with(|p| p.valid_until = Some(day("2026-11-22"))),
            Reason::ProviderExpired,
        ),
    ];
    for (registered, reason) in table {
        let actor = CatalogActor {
            registered,
            ..provider(CITY, "")
        };
        let broken = actor.may_draft(&department(CITY), today).unwrap_err();
        assert_eq!(
            (broken.reason, violated_rule(&broken).0),
            (reason, "definition_toml.owner")
        );
    }
    let of_one_day = with(|p| {
        (p.valid_from, p.valid_until) = (Some(day("2026-11-23")), Some(day("2026-11-23")));
    });
    let actor = CatalogActor {
        registered: of_one_day,
        ..provider(CITY, "")
    };
    assert_eq!(actor.may_draft(&department(CITY), today), Ok(()));
}

#[test]
fn r6_the_credit_office_reviews_and_nobody_its_own() {
    let own = CatalogActor {
        organisation: CITY.to_owned(),
        ..office()
    };
    assert_eq!(office().may_review(&department(CITY)), Ok(()));
    assert_eq!(office().may_review(&ItemOwner::City), Ok(()));
    assert_eq!(own.may_review(&ItemOwner::City), Ok(()));
    for owner in [department(CITY), district("430104", CITY)] {
        let broken = own.may_review(&owner).unwrap_err();
        assert_eq!(broken.reason, Reason::OwnCatalogue);
        assert_eq!(broken.reason.code(), Code::PermissionDenied);
    }
}

#[test]
fn d25_a_catalogue_is_that_of_an_organ_in_its_own_district() {
    let today = day("2026-11-23");
    let city = registered(CITY, "", true);
    let yuelu = registered(YUELU, "430104", true);
    let disabled = registered(CITY, "", false);
    let organ = "definition_toml.owner.organ";
    let district_field = "definition_toml.owner.district";
    let outside = Reason::OwnerOutsideDistrict;
    // (owner, what the registry holds of its organ, reason and field)
    let table = [
        (ItemOwner::City, None, None),
        (department(CITY), Some(&city), None),
        (district("430104", YUELU), Some(&yuelu), None),
        (
            department(CITY),
            None,
            Some((Reason::ProviderUnknown, organ)),
        ),
        (
            department(CITY),
            Some(&disabled),
            Some((Reason::OwnerUnsuitable, organ)),
        ),
        (department(YUELU), Some(&yuelu), Some((outside, organ))),
        (
            district("430103", YUELU),
            Some(&yuelu),
            Some((outside, district_field)),
        ),
        (
            district("430104", CITY),
            Some(&city),
            Some((outside, district_field)),
        ),
    ];
    for (owner, registered, expected) in table {
        let checked = check_owner(&owner, registered, today);
        let refused = checked.as_ref().err();
        let refused = refused.map(|broken| (broken.reason, violated_rule(broken).0));
        assert_eq!(refused, expected, "{owner:?}");
    }
}

#[test]
fn r5_everybody_sees_its_own_and_the_credit_office_all() {
    let today = day("2026-11-23");
    let sees = |actor: &CatalogActor, owner: &ItemOwner| actor.scope(today).includes(owner);
    let auditor = CatalogActor {
        auditor: true,
        ..CatalogActor::default()
    };
    let owners = [
        ItemOwner::City,
        department(CITY),
        district("430104", YUELU),
        district("430103", "x"),
    ];
    let table = [
        (office(), [true; 4]),
        (auditor.clone(), [true; 4]),
        (provider(CITY, ""), [false, true, false, false]),
        (provider(YUELU, "430104"), [false, false, true, false]),
        (district_office("430104"), [false, false, true, false]),
        // Without a registration that is in force an office of a district sees nothing.
        (
            CatalogActor {
                registered: None,
                ..district_office("430104")
            },
            [false; 4],
        ),
        (
            CatalogActor {
                registered: Some(registered(YUELU, "430104", false)),
                ..district_office("430104")
            },
            [false; 4],
        ),
        (CatalogActor::default(), [false; 4]),
    ];
    for (actor, expected) in table {
        let said = [0, 1, 2, 3].map(|i| sees(&actor, &owners[i]));
        assert_eq!(said, expected, "{actor:?}");
    }
    // Contacts: the credit office and operators all, a provider its own, an auditor none.
    let operator = CatalogActor {
        operator: true,
        ..CatalogActor::default()
    };
    assert!(office().sees_contacts_of(CITY) && operator.sees_contacts_of(CITY));
    assert!(provider(CITY, "").sees_contacts_of(CITY));
    assert!(!provider(YUELU, "430104").sees_contacts_of(CITY));
    assert!(!auditor.sees_contacts_of(CITY) && !CatalogActor::default().sees_contacts_of(""));
}

#[test]
fn r6_who_began_a_draft_does_not_review_it() {
    let own = office();
    let code = own.organisation.as_str();
    assert_eq!(own.may_review_draft(&department(CITY), CITY), Ok(()));
    assert_eq!(own.may_review_draft(&ItemOwner::City, code), Ok(()));
    for owner in [department(CITY), district("430104", YUELU)] {
        let broken = own.may_review_draft(&owner, code).unwrap_err();
        assert_eq!(
            (broken.reason, violated_rule(&broken).0),
            (Reason::OwnDraft, "draft_id")
        );
        assert_eq!(broken.reason.code(), Code::PermissionDenied);
    }
}

#[test]
fn r6_a_version_stays_in_the_catalogue_of_the_one_before() {
    let owners = [
        ItemOwner::City,
        department(CITY),
        department(YUELU),
        district("430104", YUELU),
    ];
    for before in &owners {
        assert_eq!(same_catalogue(None, before), Ok(()));
        for owner in &owners {
            let said = same_catalogue(Some(before), owner);
            assert_eq!(said.is_ok(), before == owner, "{before:?} {owner:?}");
            if let Err(broken) = said {
                assert_eq!(violated_rule(&broken).0, "definition_toml.owner");
            }
        }
    }
}
