//! The public site against services made for the test: real gRPC with the platform's own identity
//! layer and table of roles in front, data of this folder behind. Run by `cargo nextest run -p web`.
//!
//! - `fixture`: a site with its two services, to ask over HTTP
//! - `fake_disclosure`, `data`: disclosure and what it discloses
//! - `fake_catalog`, `catalogue_data`: catalog and what it publishes
//! - `accessibility`: checks of a page's tree, used on every page
//! - `pages`, `catalogue`, `forms`, `faults`, `browser`: the tests

mod accessibility;
mod browser;
mod catalogue;
mod catalogue_data;
mod data;
mod fake_catalog;
mod fake_disclosure;
mod faults;
mod fixture;
mod forms;
mod pages;
