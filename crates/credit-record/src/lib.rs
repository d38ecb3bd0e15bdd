//! What a credit record is: identifiers, catalogue items, normalisation and rules. Pure: no clock, no
//! network, no global state. Called by `validation` (verdicts), `catalog` (items), `disclosure` and
//! `objection` (identifiers, names, publication of fields) and by `testkit` (realistic records).
//!
//! Map, in the order in which a record passes through:
//!
//! - [`item`]: what a catalogue item is, as data, and the lint that refuses an inconsistent one;
//! - [`normalise`]: the ordered, versioned, explained clean-up of one value;
//! - [`id`]: citizen number, credit code and every other identifier, each with its checks, and
//!   [`id::identify()`] for a code of which nobody says what it is;
//! - [`mod@check`]: bytes in, verdict out;
//! - [`name`]: organisation names as search keys.

pub mod check;
pub mod id;
pub mod item;
pub mod name;
pub mod normalise;

pub use check::{
    AcceptedRecord, CheckContext, Finding, FindingCode, Severity, Subject, Verdict, check,
};
pub use id::{CitizenNumber, CreditCode, IdError, OrganisationCode, RegistrationNumber};
pub use item::{DisclosureMode, Field, ItemVersion, Publication, SubjectKind, standard_items};
pub use normalise::Change;
