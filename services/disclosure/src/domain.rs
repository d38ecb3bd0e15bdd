//! Pure types and rules of disclosure: what a stored version is, what may be shown to whom today, and how a
//! request's filters and pages are read. Called by `app`, `handlers` and `grpc`; nothing here is async.

pub mod fields;
pub mod page;
pub mod query;
pub mod revocation;
pub mod version;
pub mod visibility;
