//! Permanent residence numbers of both cards. Run by `cargo fuzz run permanent_residence`.
#![no_main]

use credit_record::id::PermanentResidence;
use credit_record_fuzz::{TODAY, assert_refusal_holds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = |text: &str| PermanentResidence::parse(text, TODAY);
    match read(text) {
        Ok(number) => {
            assert_eq!(number.as_str(), text);
            assert_eq!(number.nationality().len(), 3);
            assert_eq!(number.masked().len(), text.len());
        }
        Err(error) => assert_refusal_holds(text, &error, |better| read(better).is_ok()),
    }
});
