//! validation against real PostgreSQL and NATS. Run by `cargo xtask test`.

mod addresses;
mod confirming;
mod cross_source;
mod dry_run;
mod endings;
mod feedback;
mod figures;
mod fixture;
mod lane;
mod privacy;
mod reminders;
mod verdicts;
mod versions;
mod watching;
