//! What validation decides, without a database, a bus or a clock. Called by `app` and `handlers`.
//!
//! - [`submission`]: a record version as ingest announced it, checked for form;
//! - [`mod@examine`]: what it says by itself, and the facts by which it is compared; [`mod@reason`]: why a record ends;
//! - [`cross`]: what it says beside all others; [`registration`]: the base register; [`competence`]: who may report;
//! - [`decision`]: the verdict on it, with everything personal sealed, and the event that follows;
//! - [`feedback`]: the cases that it opens, and their days;
//! - [`FirmDays`]: working days as rules of items count by them.

pub mod competence;
pub mod cross;
pub mod decision;
pub mod examine;
pub mod feedback;
pub mod reason;
pub mod registration;
pub mod submission;
mod working_days;

pub use decision::{Decision, Outcome, decide};
pub use examine::Examined;
pub use feedback::{CaseKind, CaseTerms, FeedbackCase};
pub use submission::{ItemKey, Malformed, Operation, Submission};
pub use working_days::FirmDays;
