//! One module a command, each with one function `run`. Called by [`crate::run`].

pub mod identify;
