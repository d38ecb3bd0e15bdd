//! Contents that are no record. Their bytes are kept, for that is what an original is, and validation returns
//! them with findings.

use rand::Rng;

use super::{ExpectedAnswer, HostileRequest, RequestMaker};

impl RequestMaker<'_> {
    pub(super) fn content(&mut self) -> HostileRequest {
        let (mut submission, party) = self.good_submission();
        let good = String::from_utf8_lossy(&submission.content).into_owned();
        let choice = self.rng.random_range(0..16);
        let (kind, content) = self.bad_content(choice, &good);
        submission.content = content.into();
        let token = party.token.clone();
        let expected = ExpectedAnswer::ReturnedLater(Box::new(submission.clone()), party.code);
        self.submission_request(kind, submission, &token, expected)
    }

    /// Bytes that are no record of the item, whichever choice of 0 to 15.
    pub(super) fn bad_content(&mut self, choice: u32, good: &str) -> (&'static str, Vec<u8>) {
        // The record without its closing brace, to put something behind.
        let open = good.trim_end().trim_end_matches('}');
        match choice {
            0 => ("lists in lists", self.nested("[", "]")),
            1 => ("objects in objects", self.nested("{\"a\":", "}")),
            2 => {
                let depth = self.rng.random_range(200..20_000);
                let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
                (
                    "a list in lists as a value",
                    format!("{open},\"XK_NR\":{value}}}").into(),
                )
            }
            3 => {
                // The first field again, with another value.
                let name = good.split('"').nth(1).unwrap_or("a");
                (
                    "a key twice",
                    format!("{open},\"{name}\":\"另一个\"}}").into(),
                )
            }
            4 => ("NUL as an escape", with_value(good, "\\u0000")),
            5 => ("NUL as a byte", with_value(good, "\0")),
            6 => {
                let half = self.one_of(&["\\ud800", "\\udfff", "\\ud800\\ud800", "\\ud83dx"]);
                ("half a surrogate", with_value(good, half))
            }
            7 => {
                let mut bytes = good.as_bytes().to_vec();
                let at = bytes.len() / 2;
                bytes.splice(at..at, [0xff, 0xfe, 0xc0]);
                ("not UTF-8", bytes)
            }
            8 => {
                let other = self.one_of(&["null", "true", "7", "\"text\"", "[]", "[{}]"]);
                ("no object", other.into())
            }
            9 => {
                let bytes = good.as_bytes();
                let rest = self.rng.random_range(1..bytes.len() / 2);
                ("cut off", bytes[..rest].to_vec())
            }
            10 => {
                let fields = self.rng.random_range(2_000..20_000);
                let many: Vec<String> = (0..fields).map(|n| format!("\"f{n}\":1")).collect();
                ("very many fields", format!("{{{}}}", many.join(",")).into())
            }
            11 => (
                "a number beyond numbers",
                format!("{open},\"CF_FKJE\":1e400}}").into(),
            ),
            12 => (
                "an unknown field",
                format!("{open},\"__proto__\":{{\"x\":1}}}}").into(),
            ),
            13 => {
                let length = self.rng.random_range(100_000..900_000);
                (
                    "one very long value",
                    with_value(good, &"九".repeat(length / 3)),
                )
            }
            14 => ("something behind the end", format!("{good} {good}").into()),
            _ => {
                let mut bytes = self.bytes(5_000);
                bytes[0] = 0xff;
                ("random bytes as content", bytes)
            }
        }
    }

    fn nested(&mut self, open: &str, close: &str) -> Vec<u8> {
        // Below 1 MiB even as objects.
        let most = if self.chance_of(10) { 140_000 } else { 2_000 };
        let depth = self.rng.random_range(200..most);
        let inner = if self.chance_of(2) { "1" } else { "" };
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth)).into()
    }
}

/// The record with something put into the value of its first field that is text.
fn with_value(good: &str, text: &str) -> Vec<u8> {
    good.replacen("\":\"", &format!("\":\"{text}"), 1).into()
}
