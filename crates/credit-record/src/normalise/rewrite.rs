//! Writes a value anew only from the character at which it differs. Called by the steps: a clean value,
//! the usual case, then costs one pass and no allocation.

/// Output of a step beside its input.
pub(super) struct Rewriter<'a> {
    source: &'a str,
    /// Bytes of the source that came out unchanged, while `out` is `None`.
    same: usize,
    out: Option<String>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            same: 0,
            out: None,
        }
    }

    /// Adds a character to the output.
    pub(super) fn push(&mut self, c: char) {
        if let Some(out) = &mut self.out {
            out.push(c);
        } else if self.source[self.same..].starts_with(c) {
            self.same += c.len_utf8();
        } else {
            let mut out = String::with_capacity(self.source.len() + c.len_utf8());
            out.push_str(&self.source[..self.same]);
            out.push(c);
            self.out = Some(out);
        }
    }

    /// Adds a text to the output.
    pub(super) fn push_str(&mut self, text: &str) {
        match &mut self.out {
            Some(out) => out.push_str(text),
            None if self.source[self.same..].starts_with(text) => self.same += text.len(),
            None => text.chars().for_each(|c| self.push(c)),
        }
    }

    /// The output, or `None` when it is the input.
    pub(super) fn finish(self) -> Option<String> {
        match self.out {
            Some(out) => Some(out),
            None if self.same == self.source.len() => None,
            None => Some(self.source[..self.same].to_owned()),
        }
    }
}
