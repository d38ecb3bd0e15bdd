//! Full reloads out of order, under ids that are taken, with numbers and records that are wrong.

use bytes::{Bytes, BytesMut};
use prost::Message;
use proto::credit::ingest::v1::{
    ReloadBegin, ReloadEnd, ReloadItemRequest, ReloadRecord, Submission, SubmitRecordRequest,
    reload_item_request::Step,
};
use rand::Rng;
use service_kit::reason::Reason;

use super::{
    ExpectedAnswer, HostileRequest, MAX_CONTENT_BYTES, RELOAD, RequestMaker, SUBMIT,
    message_request, raw_request, refused_with, wire::frame_message,
};

/// What a reload leaves behind that was begun and nothing else.
const RELOADS: &str = "ingest.reload";

impl RequestMaker<'_> {
    pub(super) fn reload(&mut self) -> HostileRequest {
        match self.rng.random_range(0..12) {
            0 => self.reload_without_a_beginning(),
            1 => self.reload_begun_twice(),
            2 => self.reload_of_no_item(),
            3 => self.reload_of_something_else(),
            4 => self.reload_under_a_bad_id(),
            5 => self.reload_of_another_number(),
            6 => self.reload_of_anothers_id(),
            7 | 8 => self.reload_with_a_bad_record(),
            9 => self.reload_that_has_ended(),
            10 => self.record_under_an_id_of_a_reload(),
            _ => self.reload_of_a_stranger(),
        }
    }

    fn begin(&self) -> ReloadBegin {
        ReloadBegin {
            reload_id: format!("enemy-{}-{}", self.client.seed, self.number),
            item_code: "xzcf".to_owned(),
            item_version: 0,
        }
    }

    fn reload_record(&self) -> ReloadRecord {
        ReloadRecord {
            record_key: format!("E{}-{}", self.client.seed, self.number),
            content_type: "application/json".to_owned(),
            content: "{}".into(),
            ..ReloadRecord::default()
        }
    }

    fn reload_without_a_beginning(&mut self) -> HostileRequest {
        let step = match self.rng.random_range(0..3) {
            0 => Some(Step::Record(self.reload_record())),
            1 => Some(Step::End(ReloadEnd { records: 0 })),
            _ => None,
        };
        let request = ReloadItemRequest { step };
        let token = self.party().token.clone();
        let expected = misplaced("begin");
        message_request(
            "a reload without a beginning",
            RELOAD,
            &token,
            &request,
            expected,
        )
    }

    fn reload_begun_twice(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let again = match self.rng.random_range(0..3) {
            0 => Some(Step::Begin(own.reload.clone())),
            1 => Some(Step::Begin(self.begin())),
            _ => None,
        };
        let begin = Some(Step::Begin(own.reload.clone()));
        let token = self.token(own.provider);
        let body = steps([begin, again]);
        reload("a reload begun twice", &token, body, misplaced("record"))
    }

    fn reload_of_no_item(&mut self) -> HostileRequest {
        let mut begin = self.begin();
        let (reason, field) = match self.rng.random_range(0..3) {
            0 => {
                begin.item_code = match self.rng.random_range(0..4) {
                    0 => String::new(),
                    1 => "xzcf\0".to_owned(),
                    2 => "行政处罚".to_owned(),
                    _ => "x".repeat(self.rng.random_range(65..100_000)),
                };
                match begin.item_code.as_str() {
                    "" => (Reason::ItemCodeMissing, "item_code"),
                    _ => (Reason::ItemCodeInvalid, "item_code"),
                }
            }
            1 => {
                begin.item_code = self.one_of(&["no-such-item", "--", "pg-class"]).to_owned();
                (Reason::ItemUnknown, "item_code")
            }
            _ => {
                begin.item_version = self.rng.random_range(1_000..=u32::MAX);
                (Reason::ItemVersionUnknown, "item_version")
            }
        };
        let expected = refused_with(reason, field);
        let token = self.party().token.clone();
        self.begun("a reload of no item", &token, begin, expected)
    }

    /// An id names one item and version for ever.
    fn reload_of_something_else(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let mut begin = own.reload.clone();
        if self.chance_of(2) {
            begin.item_code = self.one_of(&["xzxk", "no-such-item"]).to_owned();
        } else {
            begin.item_version = self.one_of(&[1, 2, u32::MAX]);
        }
        let expected = refused_with(Reason::ReloadIdReused, "reload_id");
        let token = self.token(own.provider);
        self.begun("a known reload of something else", &token, begin, expected)
    }

    fn reload_under_a_bad_id(&mut self) -> HostileRequest {
        let begin = ReloadBegin {
            reload_id: match self.chance_of(3) {
                true => "2026/11".to_owned(),
                false => self.bad_label(64),
            },
            ..self.begin()
        };
        let expected = refused_with(Reason::ReloadIdInvalid, "reload_id");
        let token = self.party().token.clone();
        self.begun("a reload under a bad id", &token, begin, expected)
    }

    fn begun(
        &mut self,
        kind: &'static str,
        token: &str,
        begin: ReloadBegin,
        expected: ExpectedAnswer,
    ) -> HostileRequest {
        // Whether records follow or not: they are not read.
        let record = Some(Step::Record(self.reload_record()));
        let end = Some(Step::End(ReloadEnd { records: 1 }));
        reload(
            kind,
            token,
            steps([Some(Step::Begin(begin)), record, end]),
            expected,
        )
    }

    /// Something was lost in transit, as far as the platform can see.
    fn reload_of_another_number(&mut self) -> HostileRequest {
        let begin = self.begin();
        let left = (RELOADS, begin.reload_id.clone());
        let records = self.one_of(&[1, 2, 1 << 31, 1 << 63, u64::MAX]);
        let token = self.party().token.clone();
        let body = steps([
            Some(Step::Begin(begin)),
            Some(Step::End(ReloadEnd { records })),
        ]);
        HostileRequest {
            expected_row: Some(left),
            ..reload("a reload of another number", &token, body, incomplete())
        }
    }

    /// Ids are the caller's own: under another's it finds nothing of what the other has sent.
    fn reload_of_anothers_id(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let other = self.other_provider(own.provider);
        let token = self.token(other);
        let body = steps([
            Some(Step::Begin(own.reload.clone())),
            Some(Step::End(ReloadEnd { records: 1 })),
        ]);
        HostileRequest {
            expected_row: Some((RELOADS, format!("{other}/{}", own.reload.reload_id))),
            ..reload("a reload of another's id", &token, body, incomplete())
        }
    }

    fn reload_with_a_bad_record(&mut self) -> HostileRequest {
        let begin = self.begin();
        let left = (RELOADS, begin.reload_id.clone());
        let mut record = self.reload_record();
        let (reason, field) = match self.rng.random_range(0..7) {
            0 => {
                record.record_key = self.bad_label(512);
                (Reason::RecordKeyInvalid, "record_key")
            }
            1 => {
                record.content_type = self.one_of(&["", "text/plain", "text/html"]).to_owned();
                (Reason::ContentTypeInvalid, "content_type")
            }
            2 => {
                record.content.clear();
                (Reason::ContentEmpty, "content")
            }
            3 => {
                record.content_sha256 = vec![7; self.one_of(&[1, 31, 33, 4_096])].into();
                (Reason::DigestInvalid, "content_sha256")
            }
            4 => {
                record.content_sha256 = vault::sha256(b"other content").to_vec().into();
                (Reason::DigestMismatch, "content_sha256")
            }
            _ => {
                let more = self.rng.random_range(1..100_000);
                record.content = vec![b' '; MAX_CONTENT_BYTES + more].into();
                (Reason::ContentTooLarge, "content")
            }
        };
        let token = self.party().token.clone();
        let body = steps([Some(Step::Begin(begin)), Some(Step::Record(record))]);
        let expected = refused_with(reason, field);
        HostileRequest {
            expected_row: Some(left),
            ..reload("a bad record of a reload", &token, body, expected)
        }
    }

    fn reload_that_has_ended(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let (step, expected) = match self.rng.random_range(0..3) {
            0 => (
                Step::Record(self.reload_record()),
                refused_with(Reason::ReloadEnded, "reload_id"),
            ),
            1 => {
                let mut record = own.reloaded.clone();
                record.content = format!("[{}]", self.number).into();
                let expected = refused_with(Reason::SubmissionIdReused, "submission_id");
                (Step::Record(record), expected)
            }
            _ => {
                let records = self.one_of(&[0, 2, u64::MAX]);
                let expected = refused_with(Reason::ReloadEnded, "records");
                (Step::End(ReloadEnd { records }), expected)
            }
        };
        let token = self.token(own.provider);
        let body = steps([Some(Step::Begin(own.reload.clone())), Some(step)]);
        reload("a reload that has ended", &token, body, expected)
    }

    /// Such ids are kept for the records that the reload names.
    fn record_under_an_id_of_a_reload(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let (submission, _) = self.good_submission();
        let id = &own.reload.reload_id;
        let request = SubmitRecordRequest {
            submission: Some(Submission {
                submission_id: format!("{id}/{}", self.number),
                ..submission
            }),
        };
        let expected = refused_with(Reason::SubmissionIdReused, "submission_id");
        let token = self.token(own.provider);
        message_request(
            "a record under an id of a reload",
            SUBMIT,
            &token,
            &request,
            expected,
        )
    }

    fn reload_of_a_stranger(&mut self) -> HostileRequest {
        let begin = self.begin();
        let expected = refused_with(Reason::ProviderNotRegistered, "authorization");
        let stranger = self.client.unregistered_token.clone();
        self.begun("a reload of a stranger", &stranger, begin, expected)
    }
}

fn misplaced(step: &'static str) -> ExpectedAnswer {
    refused_with(Reason::ReloadStepMisplaced, step)
}

fn incomplete() -> ExpectedAnswer {
    refused_with(Reason::ReloadIncomplete, "records")
}

fn steps<const N: usize>(steps: [Option<Step>; N]) -> Bytes {
    let mut body = BytesMut::new();
    for step in steps {
        body.extend_from_slice(&frame_message(&ReloadItemRequest { step }.encode_to_vec()));
    }
    body.freeze()
}

fn reload(
    kind: &'static str,
    token: &str,
    body: Bytes,
    expected: ExpectedAnswer,
) -> HostileRequest {
    raw_request(kind, RELOAD, token, body, expected)
}
