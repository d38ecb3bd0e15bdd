//! Revocations and withdrawals (D-24) of what is not there, is another's, or for no reason that can be read.

use proto::credit::{common::v1::Operation, ingest::v1::Submission};
use rand::Rng;
use service_kit::reason::Reason;

use super::{HostileRequest, RequestMaker, refused_with};

/// A reason in order.
const REASON: &str = "法院判决撤销原处罚决定";

impl RequestMaker<'_> {
    pub(super) fn end(&mut self) -> HostileRequest {
        match self.rng.random_range(0..8) {
            0 => self.end_of_nothing(),
            1 => self.end_of_anothers(),
            2 => self.end_under_another_item(),
            3 | 4 => self.end_without_a_reason(),
            5 => self.end_of_another_type(),
            6 => self.end_in_an_unknown_version(),
            _ => self.end_under_a_known_id(),
        }
    }

    /// The end of a known record, in order but for what the caller spoils; with the number of its provider.
    fn good_ending(&mut self) -> (Submission, usize) {
        let at = self.rng.random_range(0..self.client.known.len());
        let known = &self.client.known[at];
        let operation = self.one_of(&[Operation::Revoke, Operation::Withdraw]);
        let submission = Submission {
            submission_id: format!("enemy-{}-{}", self.client.seed, self.number),
            item_code: known.submission.item_code.clone(),
            record_key: known.submission.record_key.clone(),
            content_type: "text/plain".to_owned(),
            content: REASON.into(),
            operation: operation.into(),
            ..Submission::default()
        };
        (submission, known.provider)
    }

    fn end_of_nothing(&mut self) -> HostileRequest {
        let (mut submission, provider) = self.good_ending();
        submission.record_key = format!("never reported {}", self.number);
        let expected = refused_with(Reason::RecordUnknown, "record_key");
        let token = self.token(provider);
        self.submission_request("the end of nothing", submission, &token, expected)
    }

    fn end_of_anothers(&mut self) -> HostileRequest {
        let (submission, provider) = self.good_ending();
        let expected = refused_with(Reason::RecordUnknown, "record_key");
        let token = self.other_provider_token(provider);
        self.submission_request("the end of another's record", submission, &token, expected)
    }

    fn end_under_another_item(&mut self) -> HostileRequest {
        let (mut submission, provider) = self.good_ending();
        let other = match submission.item_code.as_str() {
            "xzcf" => "xzxk",
            _ => "xzcf",
        };
        submission.item_code = other.to_owned();
        let expected = refused_with(Reason::RecordUnknown, "record_key");
        let token = self.token(provider);
        self.submission_request("the end under another item", submission, &token, expected)
    }

    fn end_without_a_reason(&mut self) -> HostileRequest {
        let (mut submission, provider) = self.good_ending();
        let (content, reason): (Vec<u8>, _) = match self.rng.random_range(0..8) {
            0 => (Vec::new(), Reason::ContentEmpty),
            1 => ("因".into(), Reason::ReasonInvalid),
            2 => ("revoked by the court".into(), Reason::ReasonInvalid),
            3 => ("撤销\0".into(), Reason::ReasonInvalid),
            4 => ("撤\u{1b}[2J销".into(), Reason::ReasonInvalid),
            5 => ("因".repeat(2_001).into(), Reason::ReasonInvalid),
            // "撤销" in GB18030.
            6 => (vec![0xb3, 0xb7, 0xcf, 0xfa], Reason::ReasonInvalid),
            _ => (vec![0xff; 300_000], Reason::ReasonInvalid),
        };
        submission.content = content.into();
        let expected = refused_with(reason, "content");
        let token = self.token(provider);
        self.submission_request("an end without a reason", submission, &token, expected)
    }

    fn end_of_another_type(&mut self) -> HostileRequest {
        let (mut submission, provider) = self.good_ending();
        let (reason, field) = if self.chance_of(2) {
            submission.operation = self.one_of(&[4, 99, -1, i32::MIN, i32::MAX]);
            (Reason::OperationInvalid, "operation")
        } else {
            submission.content_type = self
                .one_of(&["application/json", "text/csv", "text/html", ""])
                .to_owned();
            (Reason::ContentTypeInvalid, "content_type")
        };
        // A reason under the name of a record is none either.
        if self.chance_of(4) {
            submission.operation = Operation::Upsert.into();
            submission.content_type = "text/plain".to_owned();
            let expected = refused_with(Reason::ContentTypeInvalid, "content_type");
            let token = self.token(provider);
            return self.submission_request("a reason as a record", submission, &token, expected);
        }
        let expected = refused_with(reason, field);
        let token = self.token(provider);
        self.submission_request("no operation, no reason", submission, &token, expected)
    }

    fn end_in_an_unknown_version(&mut self) -> HostileRequest {
        let (mut submission, provider) = self.good_ending();
        submission.item_version = self.rng.random_range(1_000..=u32::MAX);
        let expected = refused_with(Reason::ItemVersionUnknown, "item_version");
        let token = self.token(provider);
        self.submission_request(
            "the end in an unknown version",
            submission,
            &token,
            expected,
        )
    }

    /// The id of the record's own submission: it would otherwise have two contents.
    fn end_under_a_known_id(&mut self) -> HostileRequest {
        let (mut submission, provider) = self.good_ending();
        let known = self.client.known.iter().find(|known| {
            known.provider == provider && known.submission.record_key == submission.record_key
        });
        if let Some(known) = known {
            submission.submission_id = known.submission.submission_id.clone();
        }
        let expected = refused_with(Reason::SubmissionIdReused, "submission_id");
        let token = self.token(provider);
        self.submission_request("the end under a known id", submission, &token, expected)
    }
}
