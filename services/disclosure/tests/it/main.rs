//! Integration tests of disclosure against real PostgreSQL and NATS, one file a duty; tests are named by the article
//! or decision that they hold the service to. Run by `cargo nextest run -p disclosure`.

mod address;
mod arrival;
mod deadline;
mod fixture;
mod objection;
mod order;
mod publication;
mod read_log;
mod revocation;
mod secrecy;
mod term;
