//! Texts from a stream, one a line: line ends of either kind, a byte-order mark, bytes that are no UTF-8, and
//! lines without end, none of which may stop the rest. Called by the commands that read standard input.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of a line that are kept by default. The rest of a longer one is read and dropped, so that a file without
/// line ends takes no more memory than this.
pub const MOST_BYTES: usize = 64 * 1024;
/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputLine {
    /// Text.
    Text(String),
    /// Bytes that are no UTF-8: with replacement characters, and the index of the first of them.
    NotUtf8 {
        /// What could be read.
        lossy: String,
        /// Index of the first character that could not be.
        position: usize,
    },
    /// More bytes than may be: its beginning.
    TooLong(String),
}

/// Reads lines until the stream ends; blank ones (but for spaces) are left out.
#[derive(Debug)]
pub struct InputLines<R> {
    reader: BufReader<R>,
    bytes: Vec<u8>,
    most: usize,
    number: u64,
}

impl<R: Read> InputLines<R> {
    /// Over a stream, which is buffered here.
    pub fn new(reader: R) -> Self {
        Self::with_most(reader, MOST_BYTES)
    }

    /// As [`Self::new`], for lines of up to so many bytes.
    pub fn with_most(reader: R, most: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER, reader),
            bytes: Vec::new(),
            most,
            number: 0,
        }
    }

    /// Number of the last line, counted from 1 with the blank ones.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// True when the next line has to be waited for.
    pub fn is_drained(&self) -> bool {
        self.reader.buffer().is_empty()
    }

    /// The next line, `None` at the end.
    ///
    /// # Errors
    /// The stream's own, except that an interrupted read is repeated.
    pub fn next_line(&mut self) -> io::Result<Option<InputLine>> {
        let cut = self.next_bytes()?;
        Ok(cut.map(|cut| read(&self.bytes, cut)))
    }

    /// The next line as it is, `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next_line`].
    pub fn next_raw(&mut self) -> io::Result<Option<&[u8]>> {
        let found = self.next_bytes()?;
        Ok(found.map(|_| &self.bytes[..]))
    }

    /// Reads the next line into `bytes`; whether it was cut, `None` at the end.
    fn next_bytes(&mut self) -> io::Result<Option<bool>> {
        loop {
            self.bytes.clear();
            let most = self.most as u64 + 1;
            if (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.bytes)?
                == 0
            {
                return Ok(None);
            }
            self.number += 1;
            let ended = self.bytes.last() == Some(&b'\n');
            let cut = !ended && self.bytes.len() > self.most;
            if cut {
                self.bytes.truncate(self.most);
                self.skip_to_line_end()?;
            }
            if ended {
                self.bytes.pop();
            }
            if self.bytes.last() == Some(&b'\r') {
                self.bytes.pop();
            }
            if self.number == 1 && self.bytes.starts_with(b"\xEF\xBB\xBF") {
                self.bytes.drain(..3);
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(cut));
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

fn read(bytes: &[u8], cut: bool) -> InputLine {
    match std::str::from_utf8(bytes) {
        Ok(text) if cut => InputLine::TooLong(text.to_owned()),
        Ok(text) => InputLine::Text(text.to_owned()),
        // The cut may have gone through a character.
        Err(error) if cut && error.error_len().is_none() => {
            InputLine::TooLong(String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned())
        }
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            InputLine::NotUtf8 {
                position: good.chars().count(),
                lossy: String::from_utf8_lossy(bytes).into_owned(),
            }
        }
    }
}
