//! Registration numbers. Run by `cargo fuzz run registration_number`.
#![no_main]

use credit_record::RegistrationNumber;
use credit_record_fuzz::assert_refusal_holds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match RegistrationNumber::parse(text) {
        Ok(number) => assert_eq!(number.as_str(), text),
        Err(error) => assert_refusal_holds(text, &error, |better| {
            RegistrationNumber::parse(better).is_ok()
        }),
    }
    if let Ok(number) = RegistrationNumber::with_check(text) {
        assert_eq!(&number.as_str()[..14], text);
    }
});
