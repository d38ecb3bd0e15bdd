//! catalog against real PostgreSQL and NATS: items, providers, and what consumers get.

mod items;
mod providers;
mod world;
