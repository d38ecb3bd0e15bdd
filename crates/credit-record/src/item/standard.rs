//! The data files that this crate carries: code lists first, then the items that use them. Called by
//! `catalog`, which publishes them, and by everything that needs an item without a catalogue.

use super::{CodeListVersion, CodeLists, ItemError, ItemVersion};

/// Embeds data files by their names.
macro_rules! data_files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$(include_str!(concat!("../../items/", $folder, $name, ".toml"))),*]
    };
}

const LISTS: [&str; 20] = data_files!("lists/":
    "abnormal-reason-1",
    "arrears-state-1",
    "commitment-kind-1",
    "currency-1",
    "dishonesty-list-1",
    "document-type-1",
    "enterprise-type-1",
    "honour-level-1",
    "honour-state-1",
    "licence-kind-1",
    "licence-state-1",
    "penalty-kind-1",
    "penalty-kind-2",
    "penalty-kind-2015-1",
    "performance-state-1",
    "record-state-2015-1",
    "registration-state-1",
    "social-insurance-kind-1",
    "subject-kind-1",
    "subject-kind-organisations-1",
);

const ITEMS: [&str; 11] = data_files!("":
    "xzxk-1",
    "xzxk-2",
    "xzcf-1",
    "xzcf-2",
    "xzcf-3",
    "djzc",
    "jyyc",
    "ryxx",
    "sbqj",
    "xycn",
    "yzsx",
);

/// Every code list that this crate carries, by code and version.
///
/// # Errors
/// [`ItemError`] when a data file of this crate is broken; a test keeps that from being released.
pub fn standard_code_lists() -> Result<Vec<CodeListVersion>, ItemError> {
    Ok(code_lists()?.iter().cloned().collect())
}

/// Every version of every item that this crate carries; versions of one item in their order.
///
/// # Errors
/// As [`standard_code_lists`].
pub fn standard_items() -> Result<Vec<ItemVersion>, ItemError> {
    let lists = code_lists()?;
    ITEMS
        .into_iter()
        .map(|text| ItemVersion::from_toml_with(text, &lists))
        .collect()
}

/// The code lists.
pub(super) fn code_lists() -> Result<CodeLists, ItemError> {
    let mut lists = CodeLists::default();
    for text in LISTS {
        lists.add_list(CodeListVersion::from_toml(text)?);
    }
    Ok(lists)
}
