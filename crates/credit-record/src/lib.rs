//! What a credit record is: identifiers, catalogue items, normalisation and rules. Pure: no clock, no
//! network, no global state. Called by `validation` (verdicts), `catalog` (items), `disclosure` and
//! `objection` (identifiers, names, publication of fields) and by `testkit` (realistic records).
//!
//! Map, in the order in which a record passes through:
//!
//! - [`item`]: what a catalogue item is, as data, and the lint that refuses an inconsistent one;
//! - [`normalise`]: the ordered, versioned, explained clean-up of one value;
//! - [`id`]: citizen number, credit code and every other identifier, each with its checks, and
//!   [`id::identify_code()`] for a code of unknown kind;
//! - [`person`]: the one form of a natural person's document;
//! - [`rule`]: the rules of an item over several fields, CEL compiled once per version;
//! - [`mod@check`]: bytes in, verdict out;
//! - [`name`]: organisation names as search keys;
//! - [`export`]: an item as JSON Schema, CSV header and texts for tables;
//! - [`upgrade`]: a record of an earlier version of an item, read as one of the next;
//! - [`replay`]: what a new rule-set would change in what is stored, before it is activated.

pub mod check;
pub mod export;
pub mod id;
pub mod item;
pub mod name;
pub mod normalise;
pub mod person;
pub mod replay;
pub mod rule;
pub mod upgrade;

pub use check::{
    AcceptedRecord, Attestation, CheckContext, ContentForm, Finding, FindingCode, RecordSubject,
    Severity, Verdict, check_record, check_record_as,
};
pub use id::{CitizenNumber, CreditCode, IdError, OrganisationCode, RegistrationNumber};
pub use item::{
    CodeListVersion, DisclosureMode, Field, ItemVersion, Publication, SubjectKind,
    standard_code_lists, standard_items,
};
pub use legal_clock::{NoCalendar, WorkingDays};
pub use normalise::CleansingChange;
pub use person::PersonDocument;
pub use rule::{CompiledItem, Rule, compiled_standard_items};
