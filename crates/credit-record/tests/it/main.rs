//! Tests of `credit-record` through its public surface, one file a module. Run by `cargo nextest`.

mod checks;
mod cross_field;
mod identifiers;
mod identifiers_documents;
mod identifiers_identify;
mod items;
mod names;
mod normalising;
mod support;
