//! objection against real PostgreSQL and NATS, by article, with a clock that is turned.

mod filing;
mod handling;
mod reading;
mod storage;
mod support;
