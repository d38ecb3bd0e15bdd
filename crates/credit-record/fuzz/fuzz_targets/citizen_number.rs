//! Citizen numbers of 18 and 15 characters. Run by `cargo fuzz run citizen_number`.
#![no_main]

use credit_record::CitizenNumber;
use credit_record_fuzz::{TODAY, assert_refusal_holds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = |text: &str| CitizenNumber::parse(text, TODAY);
    match read(text) {
        Ok(number) => {
            assert!(number.birth_date() <= TODAY);
            assert_eq!(number.derived_from_15(), text.len() == 15);
            assert_eq!(read(number.as_str()), Ok(number));
            assert!(!format!("{number:?}").contains(text));
        }
        Err(error) => assert_refusal_holds(text, &error, |better| read(better).is_ok()),
    }
    if let Ok(number) = CitizenNumber::with_check(text, TODAY) {
        assert_eq!(&number.as_str()[..17], text);
    }
});
