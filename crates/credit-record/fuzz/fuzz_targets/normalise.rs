//! Values of every field of the standard items. Run by `cargo fuzz run normalise`.
//! The first byte picks the field.
#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;

use credit_record::item::Field;
use credit_record::normalise::normalise_value;
use libfuzzer_sys::fuzz_target;

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let items = credit_record::standard_items().expect("the standard items are sound");
    items.into_iter().flat_map(|item| item.fields).collect()
});

fuzz_target!(|input: (u8, &str)| {
    let (pick, value) = input;
    let field = &FIELDS[usize::from(pick) % FIELDS.len()];
    let mut changes = Vec::new();
    let once = normalise_value(field, Cow::Borrowed(value), &mut changes).into_owned();
    assert!(once == value || !changes.is_empty(), "each change is named");
    let mut again = Vec::new();
    let twice = normalise_value(field, Cow::Borrowed(&once), &mut again);
    assert_eq!(twice, once, "a second run changes nothing");
    assert!(again.is_empty());
});
