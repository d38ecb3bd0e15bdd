//! The whole platform, from outside: what the demo, the benchmarks and the journeys in this
//! folder share. They start the real program on real servers and call it by gRPC and HTTP.
//!
//! - [`books`]: every receipt ever given, and the checks that nothing of it was lost or doubled
//! - [`cluster`]: servers, secrets, configuration and processes of one platform
//! - [`clients`]: gRPC clients with tokens
//! - [`day`]: a realistic day: providers report, everything settles, the books balance
//! - [`mod@bench`]: the benchmarks, compared with a floor of plain PostgreSQL
//! - [`hostile`]: requests that must be refused, from a seed
//! - [`load`]: callers that go on whatever breaks, and keep every receipt
//! - [`memory`]: what processes of a platform keep resident
//! - [`ports`]: addresses of one platform
//! - [`rules`]: what one core makes of records, without any server

pub mod bench;
pub mod books;
pub mod clients;
pub mod cluster;
pub mod day;
pub mod hostile;
pub mod load;
pub mod memory;
pub mod ports;
pub mod rules;
