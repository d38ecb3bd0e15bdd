//! Faults under load, each from a seed: `CREDIT_TEST_SEED` chooses it, every journey prints its own. See
//! tests/README.md for what each does. Run by `cargo xtask test`, two at a time (`.config/nextest.toml`).
//!
//! After each fault the same checks run, those of [`journeys::books`]: every receipt ever given is found with its bytes,
//! once; ledgers have no gaps; receipts = originals = events = verdicts, none twice; nothing unpublished, no dead letters,
//! everything ready again.

mod catalog_away;
mod full_disk;
mod kills;
mod slow;
mod stops;
mod support;
mod tmpfs;
