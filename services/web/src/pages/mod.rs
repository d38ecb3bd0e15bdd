//! The pages as HTML: one module a page, each a pure function of what the services answered. Called
//! by `routes`. Everything that comes from outside is escaped by maud; there is no script, and no
//! style outside the style sheet, so the content policy needs no exception.

mod frame;
mod parts;

pub mod about;
pub mod catalogue;
pub mod error_page;
pub mod home;
pub mod record;
pub mod record_list;
pub mod search;
pub mod subject;

pub use frame::{PageContent, PageFrame, Section};

#[cfg(test)]
pub mod fixtures;
