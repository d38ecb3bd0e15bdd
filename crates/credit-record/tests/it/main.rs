//! Tests of `credit-record` through its public surface, one file a module. Run by `cargo nextest`.

mod checks;
mod cross_field;
mod identifiers;
mod items;
mod names;
mod normalising;
mod normalising_laws;
mod normalising_values;
mod replay;
mod support;
