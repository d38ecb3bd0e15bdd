//! The three gRPC services: decode, authorise, one use case in one transaction, encode. Started by [`crate::start`].
//!
//! - [`public`]: everyone, through the role that cannot read persons
//! - [`subject`]: a subject's own records, logged before they are answered
//! - [`statistics`]: counts for the credit office
//!
//! The proto files say which roles may call what.

mod decode;
mod encode;
pub mod public;
pub mod statistics;
pub mod subject;
