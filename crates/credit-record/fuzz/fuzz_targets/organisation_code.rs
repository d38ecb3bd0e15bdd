//! Organisation codes. Run by `cargo fuzz run organisation_code`.
#![no_main]

use credit_record::OrganisationCode;
use credit_record_fuzz::assert_refusal_holds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match OrganisationCode::parse(text) {
        Ok(code) => {
            assert_eq!(code.as_str(), text.replace('-', ""));
            assert_eq!(OrganisationCode::parse(&code.hyphenated_text()), Ok(code));
        }
        Err(error) => assert_refusal_holds(text, &error, |better| {
            OrganisationCode::parse(better).is_ok()
        }),
    }
    if let Ok(code) = OrganisationCode::with_check(text) {
        assert_eq!(&code.as_str()[..8], text);
    }
});
