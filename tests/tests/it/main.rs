//! Journeys over all services: the real program on private servers, called from outside.
//! Run by `cargo xtask test`.

mod catalogue;
mod crash;
mod day;
mod identity;
mod outages;
mod privacy;
mod support;
mod trace;
