//! Credit codes. Run by `cargo fuzz run credit_code`.
#![no_main]

use credit_record::{CitizenNumber, CreditCode, OrganisationCode};
use credit_record_fuzz::{TODAY, holds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match CreditCode::parse(text) {
        Ok(code) => {
            assert_eq!(code.as_str(), text);
            let inner = code.organisation_code();
            assert_eq!(OrganisationCode::parse(inner.as_str()), Ok(inner));
            assert_eq!(CreditCode::with_checks(&text[..16]), Ok(code));
            let person = CitizenNumber::parse(text, TODAY);
            assert!(
                person.is_err() || text.starts_with('9') || !person.is_ok_and(|p| p.region_known())
            );
        }
        Err(error) => holds(text, &error, |better| CreditCode::parse(better).is_ok()),
    }
    if let Ok(code) = CreditCode::with_checks(text) {
        assert_eq!(&code.as_str()[..16], text);
    }
});
