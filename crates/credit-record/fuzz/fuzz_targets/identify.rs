//! Any text at all. Run by `cargo fuzz run identify`.
#![no_main]

use credit_record::id::identify_code;
use credit_record_fuzz::TODAY;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = identify_code(text, TODAY);
    assert_eq!(found.valid, found.rule.is_none());
    assert_eq!(found.valid, found.canonical.is_some());
    assert!(found.position.is_none_or(|at| at <= text.chars().count()));
    for code in found.canonical.iter().chain(&found.suggestion) {
        let again = identify_code(code, TODAY);
        assert!(again.valid, "{code:?} of {text:?}");
    }
    serde_json::to_string(&found).expect("texts, names and a number");
});
