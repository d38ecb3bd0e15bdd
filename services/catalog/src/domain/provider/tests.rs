//! what a registration of a provider must look like, and which place in the hierarchy it may take.

use proptest::prelude::*;

use super::*;

const CODE: &str = "1143000000612221XY";

fn said<'a>(
    code: &'a str,
    name: &'a str,
    level: Option<OrganLevelKind>,
    district_code: &'a str,
) -> RegistrationInput<'a> {
    RegistrationInput {
        code,
        name,
        level,
        district_code,
        enabled: true,
        ..RegistrationInput::default()
    }
}

fn broken(said: RegistrationInput<'_>) -> (String, &'static str) {
    let broken = ProviderRegistration::new(said).unwrap_err();
    assert!(!broken.message.is_empty());
    (broken.field.into_owned(), broken.rule)
}

#[test]
fn r3_every_refusal_names_its_field_and_rule() {
    let city = Some(OrganLevelKind::City);
    let district = Some(OrganLevelKind::District);
    let name = "湖南省发展和改革委员会";
    let long = "长".repeat(MAX_NAME_CHARS + 1);
    // (code, name, level, district, field, part of the rule)
    let table = [
        ("", name, city, "", "provider.code", "names the provider"),
        (
            "1143000000612221X",
            name,
            city,
            "",
            "provider.code",
            "18 characters",
        ),
        (
            "1143000000612221xY",
            name,
            city,
            "",
            "provider.code",
            "upper-case",
        ),
        (
            "000000000000000000",
            name,
            city,
            "",
            "provider.code",
            "filler",
        ),
        (
            "1843000000612221XY",
            name,
            city,
            "",
            "provider.code",
            "characters 1 and 2",
        ),
        // Right by MOD 31-3, wrong by the inner digit, and the other way round.
        (
            "91430100MA4Q5W142T",
            name,
            city,
            "",
            "provider.code",
            "character 17",
        ),
        (
            "1143000000612221X1",
            name,
            city,
            "",
            "provider.code",
            "character 18",
        ),
        (CODE, "", city, "", "provider.name", "not blank"),
        (CODE, "\u{3000} ", city, "", "provider.name", "not blank"),
        (
            CODE,
            " 市财政局",
            city,
            "",
            "provider.name",
            "no space around",
        ),
        (CODE, "市财\n政局", city, "", "provider.name", "control"),
        (CODE, &long, city, "", "provider.name", "200"),
        (CODE, name, None, "", "provider.level", "city or district"),
        (
            CODE,
            name,
            city,
            "430102",
            "provider.district_code",
            "no district",
        ),
        (
            CODE,
            name,
            district,
            "",
            "provider.district_code",
            "nine divisions",
        ),
        (
            CODE,
            name,
            district,
            "430122",
            "provider.district_code",
            "nine divisions",
        ),
        (
            CODE,
            name,
            district,
            "430302",
            "provider.district_code",
            "nine divisions",
        ),
    ];
    for (code, name, level, code_of_district, field, rule) in table {
        let (said_field, said_rule) = broken(said(code, name, level, code_of_district));
        assert_eq!(
            said_field, field,
            "{code} {name} {level:?} {code_of_district}"
        );
        assert!(said_rule.contains(rule), "{code} {name}: {said_rule}");
    }
}

#[test]
fn r3_a_lookalike_letter_is_suggested_and_not_repaired() {
    // The letter O for zero, as a real catalogue of the province has it.
    let said = said(
        "12430000MBOL67976N",
        "某中心",
        Some(OrganLevelKind::City),
        "",
    );
    let broken = ProviderRegistration::new(said).unwrap_err();
    assert!(
        broken.message.contains("12430000MB0L67976N"),
        "{}",
        broken.message
    );
}

#[test]
fn r3_a_code_that_is_none_is_one_mistake_whosever_it_is() {
    let city = Some(OrganLevelKind::City);
    let own = said("x", "某局", city, "");
    let parent = RegistrationInput {
        parent_code: "x",
        ..said(CODE, "某局", city, "")
    };
    for (said, field) in [(own, "provider.code"), (parent, "provider.parent_code")] {
        let broken = ProviderRegistration::new(said).unwrap_err();
        assert_eq!(
            (broken.reason, broken.field.as_ref()),
            (Reason::CreditCodeInvalid, field)
        );
    }
}

#[test]
fn r3_all_nine_divisions_may_have_providers() {
    for district in &DISTRICTS {
        let level = Some(OrganLevelKind::District);
        let made = ProviderRegistration::new(said(CODE, "某局", level, district.code)).unwrap();
        assert_eq!(made.level.district_code(), district.code);
    }
}

fn registration() -> impl Strategy<Value = ProviderRegistration> {
    let level = prop_oneof![
        Just((OrganLevelKind::City, "")),
        (0..DISTRICTS.len()).prop_map(|i| (OrganLevelKind::District, DISTRICTS[i].code)),
    ];
    (
        prop_oneof!["市财政局", "市财政局（新）"],
        level,
        any::<bool>(),
    )
        .prop_map(|(name, (level, district), enabled)| {
            let said = said(CODE, &name, Some(level), district);
            ProviderRegistration::new(RegistrationInput { enabled, ..said }).unwrap()
        })
}

/// A registered provider: code, district (empty: city), parent (empty: none).
fn known(code: &str, district: &str, parent: &str) -> Provider {
    match apply_registration(None, placed(code, district, parent)) {
        RegistrationOutcome::Changed(provider) | RegistrationOutcome::Unchanged(provider) => {
            provider
        }
    }
}

fn placed(code: &str, district: &str, parent: &str) -> ProviderRegistration {
    let level = if district.is_empty() {
        OrganLevelKind::City
    } else {
        OrganLevelKind::District
    };
    let said = said(code, "某单位", Some(level), district);
    ProviderRegistration::new(RegistrationInput {
        parent_code: parent,
        ..said
    })
    .unwrap()
}

#[test]
fn r3_a_provider_stands_below_the_city_or_its_own_district() {
    const BUREAU: &str = "12430100444900018L";
    const YUELU: &str = "51430100MJJ000012E";
    let all = [
        known(BUREAU, "", ""),
        known(YUELU, "430104", BUREAU),
        known(CODE, "430104", YUELU),
    ];
    assert_eq!(placed(CODE, "430104", YUELU).fits_among(&all), Ok(()));
    assert_eq!(placed(CODE, "430103", BUREAU).fits_among(&all), Ok(()));
    assert_eq!(placed(CODE, "", BUREAU).fits_among(&all), Ok(()));
    assert_eq!(placed(CODE, "", "").fits_among(&[]), Ok(()));
    let table = [
        // A parent of another district, and one of a district above a city's organ.
        (
            placed(CODE, "430103", YUELU),
            "provider.parent_code",
            Reason::ProviderOutsideDistrict,
        ),
        (
            placed(CODE, "", YUELU),
            "provider.parent_code",
            Reason::ProviderOutsideDistrict,
        ),
        // The parent moves to another district and would leave its child behind.
        (
            placed(YUELU, "430103", BUREAU),
            "provider.level",
            Reason::ProviderOutsideDistrict,
        ),
        // A cycle, and nobody above.
        (
            placed(YUELU, "430104", CODE),
            "provider.parent_code",
            Reason::ProviderParentInvalid,
        ),
        (
            placed(BUREAU, "", BUREAU),
            "provider.parent_code",
            Reason::ProviderParentInvalid,
        ),
        (
            placed(CODE, "", "11430100006123458R"),
            "provider.parent_code",
            Reason::ProviderUnknown,
        ),
    ];
    for (registration, field, reason) in table {
        let broken = registration.fits_among(&all).unwrap_err();
        assert_eq!(
            (broken.field.as_ref(), broken.reason),
            (field, reason),
            "{registration:?}"
        );
    }
}

#[test]
fn r3_a_provider_acts_within_its_validity() {
    let days = ["2026-01-01", "2026-06-30"].map(legal_clock::parse_day);
    let with = |valid_from, valid_until| {
        ProviderRegistration::new(RegistrationInput {
            valid_from,
            valid_until,
            ..said(CODE, "某局", Some(OrganLevelKind::City), "")
        })
    };
    let broken = with(days[1], days[0]).unwrap_err();
    assert_eq!(broken.field, "provider.valid_until");
    let RegistrationOutcome::Changed(provider) =
        apply_registration(None, with(days[0], days[1]).unwrap())
    else {
        panic!("a first registration is a change");
    };
    let [first, last] = days.map(Option::unwrap);
    assert!(provider.may_act_on(first) && provider.may_act_on(last));
    assert!(!provider.may_act_on(first.previous_day().unwrap()));
    assert!(!provider.may_act_on(last.next_day().unwrap()));
    let disabled = Provider {
        enabled: false,
        ..provider
    };
    assert!(!disabled.may_act_on(first));
}

#[test]
fn r3_contacts_are_plain_and_never_repeated_by_a_refusal() {
    use crate::domain::contact::Contacts;
    let good = Contacts::new("信用科", "张三", "0731-88666011转8", "zs@changsha.gov.cn").unwrap();
    assert!(!good.is_empty() && !format!("{good:?}").contains("张三"));
    assert!(Contacts::new("", "", "", "").unwrap().is_empty());
    let table = [
        (["科 ", "", "", ""], "office"),
        (["", "张\n三", "", ""], "person"),
        (["", "", "call me", ""], "phone"),
        (["", "", "", "zs"], "email"),
        (["", "", "", "zs@gov"], "email"),
        (["", "", "", "@a.cn"], "email"),
        (["", "", "", "z s@a.cn"], "email"),
    ];
    for ([office, person, phone, email], field) in table {
        let broken = Contacts::new(office, person, phone, email).unwrap_err();
        assert_eq!(broken.field, format!("provider.contacts.{field}"));
        for value in [office, person, phone, email] {
            assert!(
                value.is_empty() || !broken.message.contains(value),
                "{broken}"
            );
        }
    }
}

proptest! {
    #[test]
    fn r3_a_revision_is_given_exactly_when_something_changed(
        history in proptest::collection::vec(registration(), 1..12)
    ) {
        let mut current: Option<Provider> = None;
        for registration in history {
            let before = current.clone();
            let same = before.as_ref().is_some_and(|p| {
                (&p.name, p.level, p.enabled)
                    == (&registration.name, registration.level, registration.enabled)
            });
            let after = match apply_registration(current, registration.clone()) {
                RegistrationOutcome::Unchanged(provider) => {
                    prop_assert!(same);
                    prop_assert_eq!(Some(&provider), before.as_ref());
                    provider
                }
                RegistrationOutcome::Changed(provider) => {
                    prop_assert!(!same);
                    prop_assert_eq!(provider.revision, before.map_or(1, |p| p.revision + 1));
                    provider
                }
            };
            // Saying it again changes nothing.
            let again = apply_registration(Some(after.clone()), registration);
            prop_assert_eq!(again, RegistrationOutcome::Unchanged(after.clone()));
            current = Some(after);
        }
    }
}
