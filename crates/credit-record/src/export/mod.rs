//! An item in forms that other software and people can use: JSON Schema for developers, a CSV header for
//! files, texts for tables and templates. Called by `catalog` (exports, pages, spreadsheet template).
//!
//! An export is stricter than [`crate::check_record()`]: it describes the canonical form of a record, so it knows
//! neither aliases nor the dirt that normalisation removes, and offers only values in force. What fits the
//! export is accepted in form; the rules over several fields and the check digits stay with the check.

mod csv;
mod pattern;
mod schema;
mod texts;

pub use csv::{UTF8_BOM, csv_header, csv_line};
pub use schema::json_schema;
pub use texts::{
    disclosure_text, kind_text, length_text, list_choices, outcome_text, requirement_text,
    update_cycle_text,
};
