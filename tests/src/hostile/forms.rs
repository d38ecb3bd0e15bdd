//! Well-formed protobuf that breaks a rule of ingest's form check: each is refused with its reason and nothing is
//! stored.

use proto::credit::ingest::v1::Submission;
use rand::Rng;
use service_kit::reason::Reason;

use super::{HostileRequest, MAX_CONTENT_BYTES, RequestMaker, refused_for};

impl RequestMaker<'_> {
    pub(super) fn form(&mut self) -> HostileRequest {
        let choice = self.rng.random_range(0..13);
        if choice == 12 {
            return self.reused_submission_id();
        }
        let (mut submission, party) = self.good_submission();
        let (kind, reasons) = self.spoil(choice, &mut submission);
        let expected = refused_for(reasons);
        self.submission_request(kind, submission, &party.token, expected)
    }

    fn spoil(
        &mut self,
        choice: u32,
        submission: &mut Submission,
    ) -> (&'static str, &'static [Reason]) {
        match choice {
            0 => {
                submission.submission_id = self.bad_label(128);
                ("submission id", &[Reason::SubmissionIdInvalid])
            }
            1 => {
                submission.record_key = self.bad_label(512);
                ("record key", &[Reason::RecordKeyInvalid])
            }
            2 => {
                submission.item_code = match self.rng.random_range(0..6) {
                    0 => String::new(),
                    4 => self.one_of(&["..", "xzcf.", "pg_catalog"]).to_owned(),
                    1 => "x".repeat(self.rng.random_range(65..100_000)),
                    2 => "XZCF".to_owned(),
                    3 => "xzcf\0".to_owned(),
                    _ => "行政处罚".to_owned(),
                };
                match submission.item_code.as_str() {
                    "" => ("no item code", &[Reason::ItemCodeMissing]),
                    _ => ("item code", &[Reason::ItemCodeInvalid]),
                }
            }
            3 => {
                let other = self.one_of(&[
                    "",
                    "application/xml",
                    "Application/JSON",
                    "application/json; charset=gbk",
                    "application/json\0",
                    "../../etc/passwd",
                ]);
                submission.content_type = other.to_owned();
                ("content type", &[Reason::ContentTypeInvalid])
            }
            4 => {
                submission.content.clear();
                ("no content", &[Reason::ContentEmpty])
            }
            5 => {
                // Costs most of all forms, so there are few, mostly just above the limit.
                if !self.chance_of(4) {
                    return self.spoil(4, submission);
                }
                let most = if self.chance_of(10) {
                    6 * MAX_CONTENT_BYTES
                } else {
                    1_000
                };
                let more = self.rng.random_range(1..most);
                submission.content = vec![b' '; MAX_CONTENT_BYTES + more].into();
                ("content too large", &[Reason::ContentTooLarge])
            }
            6 => {
                let mut digest = self.bytes(100);
                if digest.len() == 32 {
                    digest.push(0);
                }
                submission.content_sha256 = digest.into();
                ("digest of another length", &[Reason::DigestInvalid])
            }
            7 => {
                let mut digest = vault::sha256(&submission.content);
                digest[self.rng.random_range(0..32)] ^= 1 << self.rng.random_range(0..8);
                submission.content_sha256 = digest.to_vec().into();
                ("digest of other content", &[Reason::DigestMismatch])
            }
            8 => {
                submission.traceparent = self
                    .one_of(&[
                        "x",
                        "00-0-0-0",
                        "\0",
                        "00-00000000000000000000000000000000-0000000000000000-01",
                    ])
                    .to_owned();
                ("trace context", &[Reason::TraceparentInvalid])
            }
            9 => {
                submission.item_code = self
                    .one_of(&["no-such-item", "x", "--", "pg-catalog"])
                    .to_owned();
                ("unknown item", &[Reason::ItemUnknown])
            }
            10 => {
                submission.item_version = self.rng.random_range(1_000..=u32::MAX);
                ("unknown version", &[Reason::ItemVersionUnknown])
            }
            _ => {
                // Everything at once: the first rule that is broken is named.
                submission.submission_id.clear();
                submission.record_key.clear();
                submission.item_code.clear();
                submission.content.clear();
                ("everything at once", &[Reason::SubmissionIdInvalid])
            }
        }
    }

    /// Empty, too long, or with unreadable characters.
    pub(super) fn bad_label(&mut self, most: usize) -> String {
        match self.rng.random_range(0..4) {
            0 => String::new(),
            1 => "长".repeat(self.rng.random_range(most + 1..most + 100_000)),
            2 => {
                let bad = self.one_of(&['\0', '\n', '\u{7f}', '\u{85}', '\u{1b}']);
                format!("enemy{bad}{}", self.number)
            }
            _ => "x".repeat(most + 1),
        }
    }
}
