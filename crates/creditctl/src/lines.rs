//! Texts from a stream, one a line: line ends of either kind, a byte-order mark, bytes that are no UTF-8, and
//! lines without end, none of which may stop the rest. Called by the commands that read standard input.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of a line that are kept. The rest of a longer one is read and dropped, so that a file without
/// line ends takes no more memory than this.
pub const MOST_BYTES: usize = 64 * 1024;
/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Text.
    Text(String),
    /// Bytes that are no UTF-8: with replacement characters, and the index of the first of them.
    NotUtf8 {
        /// What could be read.
        lossy: String,
        /// Index of the first character that could not be.
        position: usize,
    },
    /// More than [`MOST_BYTES`]: its beginning.
    TooLong(String),
}

/// Reads lines until the stream ends; blank ones (but for spaces) are left out.
#[derive(Debug)]
pub struct Lines<R> {
    reader: BufReader<R>,
    bytes: Vec<u8>,
    first: bool,
}

impl<R: Read> Lines<R> {
    /// Over a stream, which is buffered here.
    pub fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER, reader),
            bytes: Vec::new(),
            first: true,
        }
    }

    /// True when the next line has to be waited for.
    pub fn is_drained(&self) -> bool {
        self.reader.buffer().is_empty()
    }

    /// The next line, `None` at the end.
    ///
    /// # Errors
    /// The stream's own, except that an interrupted read is repeated.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.bytes.clear();
            let most = MOST_BYTES as u64 + 1;
            if (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.bytes)?
                == 0
            {
                return Ok(None);
            }
            let ended = self.bytes.last() == Some(&b'\n');
            let cut = !ended && self.bytes.len() > MOST_BYTES;
            if cut {
                self.bytes.truncate(MOST_BYTES);
                self.skip_to_line_end()?;
            }
            if ended {
                self.bytes.pop();
            }
            if self.bytes.last() == Some(&b'\r') {
                self.bytes.pop();
            }
            if std::mem::take(&mut self.first) && self.bytes.starts_with(b"\xEF\xBB\xBF") {
                self.bytes.drain(..3);
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(read(&self.bytes, cut)));
            }
        }
    }

    fn skip_to_line_end(&mut self) -> io::Result<()> {
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(());
            }
            let end = chunk.iter().position(|b| *b == b'\n');
            let used = end.map_or(chunk.len(), |at| at + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

fn read(bytes: &[u8], cut: bool) -> Line {
    match std::str::from_utf8(bytes) {
        Ok(text) if cut => Line::TooLong(text.to_owned()),
        Ok(text) => Line::Text(text.to_owned()),
        // The cut may have gone through a character.
        Err(error) if cut && error.error_len().is_none() => {
            Line::TooLong(String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned())
        }
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            Line::NotUtf8 {
                position: good.chars().count(),
                lossy: String::from_utf8_lossy(bytes).into_owned(),
            }
        }
    }
}
