//! Catalogue items as TOML and as JSON. Run by `cargo fuzz run item`.
#![no_main]

use credit_record::ItemVersion;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(item) = ItemVersion::from_toml(text) {
        let _ = format!("{item:?}");
    }
    let _ = ItemVersion::from_json(text);
});
