//! ingest through its real gRPC endpoint, over real PostgreSQL and NATS (R-11: complete and
//! accurate, R-12: the original is kept as received). Run by `cargo xtask test`.

mod addresses;
mod bad_input;
mod catalogue;
mod faults;
mod fixture;
mod identity;
mod load;
mod nil_report;
mod originals;
mod reading;
mod receipts;
mod reload;
mod replay;
mod resume;
mod revoke;
