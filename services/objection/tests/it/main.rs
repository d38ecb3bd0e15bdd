//! objection against real PostgreSQL and NATS, by article, with a test clock.

mod filing;
mod fixture;
mod handling;
mod reading;
mod storage;
