//! Attested codes: text, a line end, attester. Run by `cargo fuzz run legacy_code`.
#![no_main]

use credit_record::CitizenNumber;
use credit_record::id::{LegacyCode, LegacyKind};
use credit_record_fuzz::TODAY;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (text, attester) = input.split_once('\n').unwrap_or((input, ""));
    for kind in [
        LegacyKind::CreditCode,
        LegacyKind::OrganisationCode,
        LegacyKind::RegistrationNumber,
    ] {
        let Ok(code) = LegacyCode::admit_attested(kind, text, attester) else {
            continue;
        };
        assert!(!code.attester().trim().is_empty());
        assert_eq!((code.as_str(), code.kind()), (text, kind));
        let person = CitizenNumber::parse(text, TODAY);
        // Persons are numbered by counties: no old number of theirs has a division that ends in 00.
        let by_city = text.len() == 15 && text.get(4..6) == Some("00");
        assert!(
            by_city || !person.is_ok_and(|p| p.region_known()),
            "a person's number"
        );
        let stored = serde_json::to_string(&code).expect("three texts and a name");
        assert_eq!(serde_json::from_str::<LegacyCode>(&stored).ok(), Some(code));
    }
});
