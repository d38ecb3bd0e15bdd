//! What validation decides, without a database, a bus or a clock. Called by `app` and `handlers`.
//!
//! - [`submission`]: a record version as ingest announced it, checked for form;
//! - [`decision`]: the verdict on it, with everything personal sealed, and the event that follows;
//! - [`feedback`]: the case that a returned version opens.

pub mod decision;
pub mod feedback;
pub mod submission;

pub use decision::{Decision, Outcome, decide};
pub use feedback::FeedbackCase;
pub use submission::{Malformed, Submission};
