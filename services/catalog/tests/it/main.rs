//! catalog against real PostgreSQL and NATS: items, drafts, duties, code lists, providers, who may
//! do what, and what consumers get.

mod bounds;
mod code_lists;
mod contacts;
mod desk;
mod drafts;
mod duties;
mod exports;
mod items;
mod providers;
mod retirement;
mod review;
mod world;
