//! catalog against real PostgreSQL and NATS: items, drafts, duties, code lists, providers, who may
//! do what, and what consumers get.

mod bounds;
mod calls;
mod code_lists;
mod contacts;
mod drafts;
mod duties;
mod exports;
mod fixture;
mod items;
mod providers;
mod retirement;
mod review;
