//! One module a command, each with a `run` function for every command in it. Called by [`crate::run`].

pub mod completions;
pub mod confirm;
pub mod feedback;
pub mod identify;
pub mod lint;
pub mod nil;
pub mod revoke;
pub mod status;
pub mod submit;

use crate::language::Language;

/// Language and form (text or JSON) of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputStyle {
    /// The language of texts.
    pub language: Language,
    /// JSON instead of text.
    pub json: bool,
}
