//! Which encoding a CSV file has, detected from all of its bytes, and the file as UTF-8. Called by
//! [`super::InputFile`].
//!
//! Offices save CSV as GB18030 or as UTF-8, with or without a byte-order mark, and nothing in the file declares which.
//! A text of one is practically never valid in the other, with one trap: UTF-8 with a few damaged bytes can pass as
//! GB18030 and would arrive as gibberish. So a file in which most characters are good UTF-8 is called damaged, not
//! GB18030.

use std::io::{self, Read};
use std::ops::Range;

use encoding_rs::{CoderResult, Decoder, GB18030, UTF_8};

use crate::cli::Encoding;

/// Bytes decoded at once.
const BUFFER: usize = 64 * 1024;

/// Mark in front of UTF-8.
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The encoding detected from the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingGuess {
    /// UTF-8, which needs no guessing.
    Utf8,
    /// No UTF-8, and GB18030 throughout.
    Gb18030,
    /// UTF-8 but for some bytes; the first of them are in this line.
    DamagedUtf8(u64),
    /// UTF-16, by its byte-order mark.
    Utf16,
    /// Neither; the first bytes that are no GB18030 are in this line.
    Neither(u64),
}

/// Looks at a file piece by piece.
pub struct EncodingProbe {
    start: Vec<u8>,
    tail: Vec<u8>,
    lines: u64,
    good: u64,
    bad: u64,
    bad_line: u64,
    gb: Decoder,
    gb_line: Option<u64>,
}

impl std::fmt::Debug for EncodingProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodingProbe").finish_non_exhaustive()
    }
}

impl Default for EncodingProbe {
    fn default() -> Self {
        Self {
            start: Vec::new(),
            tail: Vec::new(),
            lines: 0,
            good: 0,
            bad: 0,
            bad_line: 0,
            gb: GB18030.new_decoder_without_bom_handling(),
            gb_line: None,
        }
    }
}

impl EncodingProbe {
    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start.len() < 3 {
            self.start.extend(bytes.iter().take(3));
        }
        self.as_gb18030(bytes, false);
        let mut text = std::mem::take(&mut self.tail);
        text.extend_from_slice(bytes);
        let mut rest = &text[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(good) => {
                    self.count(good);
                    rest = &[];
                }
                Err(error) => {
                    let (good, behind) = rest.split_at(error.valid_up_to());
                    self.count(&String::from_utf8_lossy(good));
                    rest = behind;
                    let Some(length) = error.error_len() else {
                        break;
                    };
                    self.damaged();
                    rest = &rest[length..];
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        self.tail = rest.to_vec();
    }

    /// What it is.
    pub fn finish(mut self) -> EncodingGuess {
        if !self.tail.is_empty() {
            self.damaged();
        }
        self.as_gb18030(&[], true);
        if self.start.starts_with(b"\xFF\xFE") || self.start.starts_with(b"\xFE\xFF") {
            EncodingGuess::Utf16
        } else if self.bad == 0 {
            EncodingGuess::Utf8
        } else if self.good > self.bad || self.start.starts_with(BOM) {
            EncodingGuess::DamagedUtf8(self.bad_line)
        } else {
            self.gb_line
                .map_or(EncodingGuess::Gb18030, EncodingGuess::Neither)
        }
    }

    fn count(&mut self, text: &str) {
        self.lines += text.bytes().filter(|b| *b == b'\n').count() as u64;
        self.good += text.chars().filter(|c| !c.is_ascii()).count() as u64;
    }

    fn damaged(&mut self) {
        self.bad += 1;
        if self.bad == 1 {
            self.bad_line = self.lines + 1;
        }
    }

    fn as_gb18030(&mut self, mut bytes: &[u8], last: bool) {
        // The line within GB18030 is that of the bytes: 0x0A is no part of a longer character there.
        let mut out = [0_u8; 4096];
        loop {
            let (result, read, _, broken) = self.gb.decode_to_utf8(bytes, &mut out, last);
            if broken && self.gb_line.is_none() {
                let before = bytes[..read].iter().filter(|b| **b == b'\n').count() as u64;
                self.gb_line = Some(self.lines + before + 1);
            }
            bytes = &bytes[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// A stream as UTF-8, without a byte-order mark. What cannot be read becomes U+FFFD; the probe has refused such a file
/// before.
pub struct DecodingReader<R> {
    inner: R,
    decoder: Decoder,
    input: Vec<u8>,
    /// What of `input` is not decoded yet.
    open: Range<usize>,
    output: Vec<u8>,
    /// What of `output` is not handed out yet.
    ready: Range<usize>,
    ended: bool,
    finished: bool,
}

impl<R> std::fmt::Debug for DecodingReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecodingReader").finish_non_exhaustive()
    }
}

impl<R: Read> DecodingReader<R> {
    /// Over a stream in this encoding.
    pub fn new(inner: R, encoding: Encoding) -> Self {
        let decoder = match encoding {
            Encoding::Utf8 => UTF_8.new_decoder_with_bom_removal(),
            Encoding::Gb18030 => GB18030.new_decoder_without_bom_handling(),
        };
        Self {
            inner,
            decoder,
            input: vec![0; BUFFER],
            open: 0..0,
            output: vec![0; BUFFER],
            ready: 0..0,
            ended: false,
            finished: false,
        }
    }
}

impl<R: Read> Read for DecodingReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.finished {
            if self.open.is_empty() && !self.ended {
                let read = self.inner.read(&mut self.input)?;
                self.open = 0..read;
                self.ended = read == 0;
            }
            let bytes = &self.input[self.open.clone()];
            let (result, read, written, _) =
                self.decoder
                    .decode_to_utf8(bytes, &mut self.output, self.ended);
            self.open.start += read;
            self.ready = 0..written;
            self.finished = self.ended && result == CoderResult::InputEmpty;
        }
        let given = out.len().min(self.ready.len());
        let from = self.ready.start;
        out[..given].copy_from_slice(&self.output[from..from + given]);
        self.ready.start += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(bytes: &[u8], step: usize) -> EncodingGuess {
        let mut probe = EncodingProbe::default();
        for piece in bytes.chunks(step) {
            probe.push(piece);
        }
        probe.finish()
    }

    #[test]
    fn encodings_are_told_from_the_bytes_however_they_are_cut() {
        let text =
            "行政相对人名称,处罚决定书文号\r\n长沙市芙蓉区某某餐饮店,长市监罚〔2026〕1号\r\n";
        let (gb, _, _) = GB18030.encode(text);
        let mut marked = BOM.to_vec();
        marked.extend(text.as_bytes());
        let mut damaged = text.as_bytes().to_vec();
        let at = damaged.len() - 4;
        damaged[at] = 0xC3;
        let mut neither = gb.to_vec();
        neither.extend(b"\n\xFF\xFF\n");
        for step in [1, 2, 3, 7, 4096] {
            assert_eq!(guess(text.as_bytes(), step), EncodingGuess::Utf8);
            assert_eq!(guess(&marked, step), EncodingGuess::Utf8);
            assert_eq!(guess(b"A,B\r\n1,2\r\n", step), EncodingGuess::Utf8);
            assert_eq!(guess(&gb, step), EncodingGuess::Gb18030);
            assert_eq!(guess(&damaged, step), EncodingGuess::DamagedUtf8(2));
            assert_eq!(guess(b"\xFF\xFEA\0", step), EncodingGuess::Utf16);
            assert!(matches!(guess(&neither, step), EncodingGuess::Neither(_)));
        }
    }

    #[test]
    fn a_stream_is_read_as_utf8_whatever_it_was() {
        let text = "统一社会信用代码,𠮷野家\n".repeat(2_500);
        let (gb, _, _) = GB18030.encode(&text);
        let mut marked = BOM.to_vec();
        marked.extend(text.as_bytes());
        for (bytes, encoding) in [(&gb[..], Encoding::Gb18030), (&marked[..], Encoding::Utf8)] {
            let mut read = String::new();
            DecodingReader::new(bytes, encoding)
                .read_to_string(&mut read)
                .unwrap();
            assert!(read == text, "{} of {} bytes", read.len(), text.len());
        }
    }
}
