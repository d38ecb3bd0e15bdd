//! provincial-sync against real PostgreSQL and NATS, with a fake of the provincial exchange.

mod address;
mod asking;
mod faults;
mod pushing;
mod revoking;
mod support;
mod upstream;
