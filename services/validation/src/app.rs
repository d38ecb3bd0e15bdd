//! One function per use case. Each is given a connection inside the caller's transaction and never
//! commits. Called by `handlers` and `grpc`.
//!
//! - [`mod@desk`]: what judging needs, and the items it can judge by;
//! - [`mod@judge`]: a batch of submissions gets its verdicts, cases and events; `cross`: beside what others said;
//! - [`cases`]: what follows for feedback cases, also from time alone;
//! - [`mod@confirm`]: an attester answers for a record; [`mod@dry_run`]: verdicts without a trace;
//! - [`watch`]: changes of cases after a cursor;
//! - [`catalogue`]: what catalog announced is kept;
//! - [`feedback`]: what providers and officers ask.

pub mod cases;
pub mod catalogue;
pub mod confirm;
mod cross;
pub mod desk;
pub mod dry_run;
pub mod feedback;
pub mod judge;
pub mod watch;

pub use desk::Desk;
pub use judge::{Work, judge};
