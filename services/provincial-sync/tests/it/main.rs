//! provincial-sync against real PostgreSQL and NATS, with a fake of the provincial exchange.

mod address;
mod asking;
mod fake_upstream;
mod faults;
mod fixture;
mod pushing;
mod revoking;
