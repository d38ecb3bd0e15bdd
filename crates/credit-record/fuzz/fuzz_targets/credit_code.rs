//! Credit codes. Run by `cargo fuzz run credit_code`.
#![no_main]

use credit_record::id::PermanentResidence;
use credit_record::{CitizenNumber, CreditCode, OrganisationCode};
use credit_record_fuzz::{TODAY, assert_refusal_holds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match CreditCode::parse(text) {
        Ok(code) => {
            assert_eq!(code.as_str(), text);
            let inner = code.organisation_code();
            assert_eq!(OrganisationCode::parse(inner.as_str()), Ok(inner));
            assert_eq!(CreditCode::with_checks(&text[..16]), Ok(code));
            let person = CitizenNumber::parse(text, TODAY);
            // The pairs of the market regulator begin foreigners' numbers as well.
            let shared = matches!(code.category_prefix(), "91" | "92" | "93");
            let foreigner = PermanentResidence::parse(text, TODAY)
                .is_ok_and(|n| n.region_known() && n.nationality_known());
            assert!(
                person.is_err() || (shared && !foreigner),
                "a person's number"
            );
        }
        Err(error) => assert_refusal_holds(text, &error, |better| CreditCode::parse(better).is_ok()),
    }
    if let Ok(code) = CreditCode::with_checks(text) {
        assert_eq!(&code.as_str()[..16], text);
    }
});
