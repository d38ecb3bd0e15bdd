//! validation against real PostgreSQL and NATS. Run by `cargo xtask test`.

mod feedback;
mod lane;
mod privacy;
mod verdicts;
mod versions;
mod world;
