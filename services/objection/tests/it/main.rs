//! objection against real PostgreSQL and NATS, by article, with a clock that is turned.

mod filing;
mod fixture;
mod handling;
mod reading;
mod storage;
