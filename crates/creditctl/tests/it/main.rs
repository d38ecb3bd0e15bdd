//! The real program, as a department runs it.

mod identify;
mod streams;
mod support;
