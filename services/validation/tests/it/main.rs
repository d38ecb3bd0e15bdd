//! validation against real PostgreSQL and NATS. Run by `cargo xtask test`.

mod confirming;
mod cross_source;
mod dry_run;
mod endings;
mod feedback;
mod lane;
mod privacy;
mod reminders;
mod verdicts;
mod versions;
mod watching;
mod world;
