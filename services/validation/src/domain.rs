//! What validation decides, without a database, a bus or a clock. Called by `app` and `handlers`.
//!
//! - [`submission`]: a record version as ingest announced it, checked for form;
//! - [`decision`]: the verdict on it, with everything personal sealed, and the event that follows;
//! - [`feedback`]: the case that a returned version opens;
//! - [`FirmDays`]: working days as rules of items count by them.

pub mod decision;
pub mod feedback;
pub mod submission;
mod working_days;

pub use decision::{Decision, Outcome, decide};
pub use feedback::FeedbackCase;
pub use submission::{ItemKey, Malformed, Submission};
pub use working_days::FirmDays;
