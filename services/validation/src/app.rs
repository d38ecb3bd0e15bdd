//! One function per use case. Each is given a connection inside the caller's transaction and never
//! commits. Called by `handlers` and `grpc`.
//!
//! - [`mod@desk`]: what judging needs, and the items it can judge by;
//! - [`mod@judge`]: a batch of submissions gets its verdicts, cases and events;
//! - [`catalogue`]: what catalog announced is kept;
//! - [`feedback`]: what providers and officers ask.

pub mod catalogue;
pub mod desk;
pub mod feedback;
pub mod judge;

pub use desk::Desk;
pub use judge::{Work, judge};
