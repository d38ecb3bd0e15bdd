//! The bus against real PostgreSQL and NATS: whatever dies, every event has its effect once
//! complete, R-12: not altered). Run by `cargo xtask test`.

mod fixture;
mod outbox;
mod poison;
mod redelivery;
mod servers;
mod topology;
