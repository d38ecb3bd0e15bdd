//! Unit and property tests of the rules for items and providers.

use credit_record::item::standard_items;
use proptest::prelude::*;

use super::*;

const CODE: &str = "1143000000612221XY";

fn item(version: u32) -> ItemVersion {
    let mut item = standard_items().unwrap().remove(0);
    item.version = version;
    item
}

fn reworded(version: u32) -> ItemVersion {
    let mut item = item(version);
    item.name.push('改');
    item
}

#[test]
fn r6_only_the_next_version_may_be_published() {
    assert_eq!(offer(&[], &item(1)), Ok(Offer::Next));
    let gap = offer(&[], &item(2)).unwrap_err();
    assert!(
        matches!(
            gap,
            VersionFault::Gap {
                version: 2,
                next: 1,
                ..
            }
        ),
        "{gap}"
    );
    let published = [item(1), item(2)];
    assert_eq!(offer(&published, &item(3)), Ok(Offer::Next));
    let gap = offer(&published, &item(4)).unwrap_err();
    assert!(
        matches!(
            gap,
            VersionFault::Gap {
                version: 4,
                next: 3,
                ..
            }
        ),
        "{gap}"
    );
}

#[test]
fn r6_a_published_version_is_known_by_its_content_and_never_changes() {
    let published = [item(1), item(2)];
    // Older versions too: a data folder keeps them all.
    assert_eq!(offer(&published, &item(1)), Ok(Offer::Known));
    assert_eq!(offer(&published, &item(2)), Ok(Offer::Known));
    for version in [1, 2] {
        let fault = offer(&published, &reworded(version)).unwrap_err();
        assert!(matches!(fault, VersionFault::Immutable { .. }), "{fault}");
        assert!(
            fault
                .to_string()
                .contains(&format!("xzxk version {version}")),
            "{fault}"
        );
    }
}

fn broken(
    code: &str,
    name: &str,
    level: Option<LevelKind>,
    district: &str,
) -> (&'static str, &'static str) {
    let broken = Registration::new(code, name, level, district, true).unwrap_err();
    assert!(!broken.message.is_empty());
    (broken.field, broken.rule)
}

#[test]
fn r3_every_refusal_names_its_field_and_rule() {
    let city = Some(LevelKind::City);
    let district = Some(LevelKind::District);
    let name = "湖南省发展和改革委员会";
    let long = "长".repeat(MAX_NAME_CHARS + 1);
    // (code, name, level, district, field, part of the rule)
    let table = [
        ("", name, city, "", "provider.code", "18 characters"),
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
        let (said_field, said_rule) = broken(code, name, level, code_of_district);
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
    let broken = Registration::new(
        "12430000MBOL67976N",
        "某中心",
        Some(LevelKind::City),
        "",
        true,
    )
    .unwrap_err();
    assert!(
        broken.message.contains("12430000MB0L67976N"),
        "{}",
        broken.message
    );
}

#[test]
fn r3_all_nine_divisions_may_have_providers() {
    for district in &DISTRICTS {
        let level = Some(LevelKind::District);
        let made = Registration::new(CODE, "某局", level, district.code, true).unwrap();
        assert_eq!(made.level.district_code(), district.code);
    }
}

fn registration() -> impl Strategy<Value = Registration> {
    let level = prop_oneof![
        Just((LevelKind::City, "")),
        (0..DISTRICTS.len()).prop_map(|i| (LevelKind::District, DISTRICTS[i].code)),
    ];
    (
        prop_oneof!["市财政局", "市财政局（新）"],
        level,
        any::<bool>(),
    )
        .prop_map(|(name, (level, district), enabled)| {
            Registration::new(CODE, &name, Some(level), district, enabled).unwrap()
        })
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
            let after = match register(current, registration.clone()) {
                Registered::Unchanged(provider) => {
                    prop_assert!(same);
                    prop_assert_eq!(Some(&provider), before.as_ref());
                    provider
                }
                Registered::Changed(provider) => {
                    prop_assert!(!same);
                    prop_assert_eq!(provider.revision, before.map_or(1, |p| p.revision + 1));
                    provider
                }
            };
            // Saying it again changes nothing.
            let again = register(Some(after.clone()), registration);
            prop_assert_eq!(again, Registered::Unchanged(after.clone()));
            current = Some(after);
        }
    }
}
