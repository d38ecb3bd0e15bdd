//! Tests of `credit-record` through its public surface, one file a module. Run by `cargo nextest`.

mod arrival;
mod checks;
mod confirming;
mod cross_field;
mod csv_rows;
mod exports;
mod exports_schema;
mod identifiers;
mod identifiers_documents;
mod identifiers_findings;
mod identifiers_identify;
mod identifiers_persons;
mod items;
mod items_lint;
mod items_rules;
mod items_specimen;
mod items_upgrade;
mod names;
mod normalising;
mod normalising_laws;
mod normalising_values;
mod replay;
mod rules;
mod support;
mod texts;
