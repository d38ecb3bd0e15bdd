//! The real program, as a department runs it.

mod fake_platform;
mod feedback;
mod files;
mod identify;
mod lint;
mod progress;
mod resuming;
mod single;
mod streams;
mod submit;
mod support;
mod tls;
