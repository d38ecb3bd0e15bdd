//! Reading what is another's, is not there, or without saying why: originals, receipts, ledgers, and streams that
//! pretend to be resumed.

use bytes::BytesMut;
use prost::Message;
use proto::credit::ingest::v1::{
    GetReceiptRequest, GetSubmissionStatusRequest, ListLedgerRequest, PublishedVersion,
    ReadOriginalRequest, ReplayRulesRequest, StreamRecordsRequest, Submission,
    replay_rules_request::Offered,
};
use rand::Rng;
use service_kit::reason::Reason;
use uuid::Uuid;

use super::{
    CONFIRM, DRY_RUN, ExpectedAnswer, HostileRequest, LEDGER, LIST_NIL, MAX_CONTENT_BYTES,
    ORIGINAL, RECEIPT, RELOAD, REPLAY, REPORT_NIL, RequestMaker, STATISTICS, STATUS, STREAM, WATCH,
    message_request, raw_request, refused_for, refused_with, wire::frame_message,
};

/// The log of readings, which has a line for each whose form is right, found or not.
const READINGS: &str = "ingest.original_read";

impl RequestMaker<'_> {
    pub(super) fn reading(&mut self) -> HostileRequest {
        match self.rng.random_range(0..13) {
            0 => self.anothers_original(),
            1 => self.original_of_nothing(),
            2 => self.original_of_no_id(),
            3 | 4 => self.original_for_no_reason(),
            5 => self.anothers_status(),
            6 => self.end_of_the_ledger(),
            7 | 8 => self.resumed_with_a_bad_token(),
            9 => self.resumed_in_the_wrong_place(),
            10 | 11 => self.without_the_right(),
            _ => self.replay_of_nothing(),
        }
    }

    fn read_original(
        &mut self,
        kind: &'static str,
        token: &str,
        request: &ReadOriginalRequest,
    ) -> HostileRequest {
        let expected = refused_with(Reason::RecordUnknown, "record_id");
        HostileRequest {
            expected_row: Some((READINGS, self.number.to_string())),
            ..message_request(kind, ORIGINAL, token, request, expected)
        }
    }

    fn anothers_original(&mut self) -> HostileRequest {
        let known = &self.client.known[self.rng.random_range(0..self.client.known.len())];
        let request = ReadOriginalRequest {
            record_id: known.receipt.record_id.clone(),
            reason: self.one_of(&["", "核对本单位记录"]).to_owned(),
        };
        let token = match self.chance_of(4) {
            true => self.client.unregistered_token.clone(),
            false => self.other_provider_token(known.provider),
        };
        self.read_original("another's original", &token, &request)
    }

    fn original_of_nothing(&mut self) -> HostileRequest {
        let request = ReadOriginalRequest {
            record_id: Uuid::from_u128(self.rng.random()).to_string(),
            reason: "核实群众投诉".to_owned(),
        };
        let token = match self.chance_of(2) {
            true => self.client.office_token.clone(),
            false => self.party().token.clone(),
        };
        self.read_original("an original of nothing", &token, &request)
    }

    fn original_of_no_id(&mut self) -> HostileRequest {
        let request = ReadOriginalRequest {
            record_id: match self.rng.random_range(0..6) {
                0 => String::new(),
                1 => "\0".to_owned(),
                2 => "' or 1=1 --".to_owned(),
                3 => "长".repeat(12),
                4 => "0".repeat(self.rng.random_range(33..100_000)),
                _ => "019a0584-6778-71bc-9de7-70513ca6edf".to_owned(),
            },
            reason: "核实群众投诉".to_owned(),
        };
        let expected = refused_with(Reason::RecordIdInvalid, "record_id");
        let token = match self.chance_of(2) {
            true => self.client.office_token.clone(),
            false => self.party().token.clone(),
        };
        message_request("an original of no id", ORIGINAL, &token, &request, expected)
    }

    fn original_for_no_reason(&mut self) -> HostileRequest {
        let known = &self.client.known[self.rng.random_range(0..self.client.known.len())];
        let reason = match self.rng.random_range(0..6) {
            0 => String::new(),
            1 => " \t\n ".to_owned(),
            2 => "因".to_owned(),
            3 => "查阅\0".to_owned(),
            4 => "因".repeat(self.rng.random_range(501..100_000)),
            _ => "查\u{1b}[2J阅".to_owned(),
        };
        // The provider may be left out, but must not be wrong.
        let token = match reason.trim().is_empty() || self.chance_of(2) {
            true => self.client.office_token.clone(),
            false => self.token(known.provider),
        };
        let request = ReadOriginalRequest {
            record_id: known.receipt.record_id.clone(),
            reason,
        };
        let expected = refused_with(Reason::ReasonInvalid, "reason");
        message_request(
            "an original for no reason",
            ORIGINAL,
            &token,
            &request,
            expected,
        )
    }

    fn anothers_status(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let known = &self.client.known[self.rng.random_range(0..self.client.known.len())];
        let (submission_id, owner) = match self.rng.random_range(0..5) {
            0 => (own.nil.submission_id.clone(), own.provider),
            1 => {
                let (id, key) = (&own.reload.reload_id, &own.reloaded.record_key);
                (format!("{id}/{key}"), own.provider)
            }
            2 => (self.bad_label(128), own.provider),
            _ => (known.submission.submission_id.clone(), known.provider),
        };
        let expected = refused_with(Reason::SubmissionUnknown, "submission_id");
        let token = self.other_provider_token(owner);
        if self.chance_of(4) {
            let request = GetReceiptRequest { submission_id };
            return message_request("another's receipt", RECEIPT, &token, &request, expected);
        }
        let request = GetSubmissionStatusRequest { submission_id };
        message_request("another's status", STATUS, &token, &request, expected)
    }

    fn end_of_the_ledger(&mut self) -> HostileRequest {
        let request = ListLedgerRequest {
            after_number: self.one_of(&[1 << 40, 1 << 63, u64::MAX]),
            limit: self.one_of(&[0, 1_000]),
        };
        let token = self.party().token.clone();
        message_request(
            "a ledger behind its end",
            LEDGER,
            &token,
            &request,
            ExpectedAnswer::EmptyPage,
        )
    }

    fn resumed_with_a_bad_token(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let mut token = own.resume_token.clone();
        let mut caller = self.token(own.provider);
        let mut expected = refused_with(Reason::ResumeTokenInvalid, "resume_token");
        match self.rng.random_range(0..5) {
            0 => token = self.bytes(200),
            1 => token.truncate(self.rng.random_range(1..token.len())),
            2 => {
                let at = self.rng.random_range(0..token.len());
                token[at] ^= 1 << self.rng.random_range(0..8);
            }
            3 => {
                // Another's, with one's own code in it.
                let other = self.other_provider(own.provider);
                token.truncate(token.len() - 18);
                token.extend_from_slice(self.client.providers[other].code.as_bytes());
                caller = self.token(other);
            }
            _ => {
                caller = self.other_provider_token(own.provider);
                expected = refused_with(Reason::ResumeTokenForeign, "resume_token");
            }
        }
        let (mut submission, _) = self.good_submission();
        // What follows would be refused too: nothing of it may be kept.
        submission.submission_id.clear();
        let body = stream([(None, token), (Some(submission), Vec::new())]);
        raw_request("resumed with a bad token", STREAM, &caller, body, expected)
    }

    fn resumed_in_the_wrong_place(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let token = own.resume_token.clone();
        let (mut submission, _) = self.good_submission();
        let body = match self.rng.random_range(0..3) {
            0 => stream([(Some(submission), token)]),
            1 => stream([(None, token.clone()), (None, token)]),
            _ => {
                submission.submission_id.clear();
                stream([(Some(submission), Vec::new()), (None, token)])
            }
        };
        let expected = refused_with(Reason::ResumeTokenMisplaced, "resume_token");
        let caller = self.token(own.provider);
        raw_request(
            "resumed in the wrong place",
            STREAM,
            &caller,
            body,
            expected,
        )
    }

    /// The credit office tries out rules that are none, over originals that there are not, without saying why.
    fn replay_of_nothing(&mut self) -> HostileRequest {
        let mut request = ReplayRulesRequest {
            offered: Some(Offered::Published(PublishedVersion {
                item_code: "xzcf".to_owned(),
                item_version: 2,
            })),
            reason: "新版目录施行前试算".to_owned(),
            ..ReplayRulesRequest::default()
        };
        // Only a few replays run at a time, and these get so far that they are one.
        let expected = match self.rng.random_range(0..7) {
            0 => {
                request.offered = None;
                refused_with(Reason::DefinitionMissing, "offered")
            }
            1 => {
                let length = self.one_of(&[0, MAX_CONTENT_BYTES + 1]);
                request.offered = Some(Offered::DefinitionToml("x".repeat(length)));
                match length {
                    0 => refused_with(Reason::DefinitionMissing, "offered"),
                    _ => refused_with(Reason::DefinitionTooLarge, "definition_toml"),
                }
            }
            2 => {
                request.received_to = self.one_of(&["x", "\0", "2026-02-30"]).to_owned();
                refused_with(Reason::DateInvalid, "received_to")
            }
            3 => {
                request.reason = self.one_of(&["", "因", "试算\0", "……"]).to_owned();
                refused_with(Reason::ReasonInvalid, "reason")
            }
            4 => {
                let toml = match self.rng.random_range(0..3) {
                    0 => "\0".to_owned(),
                    1 => "a.".repeat(100_000) + "a = 1",
                    _ => "a = ".to_owned() + &"[".repeat(100_000),
                };
                request.offered = Some(Offered::DefinitionToml(toml));
                refused_for(&[Reason::DefinitionUnreadable, Reason::ReplaysBusy])
            }
            5 => {
                let item_code = self.one_of(&["xzcf\0", "", "no-such-item"]).to_owned();
                let expected = match item_code.as_str() {
                    "" => refused_with(Reason::ItemCodeMissing, "published.item_code"),
                    "no-such-item" => refused_for(&[Reason::ItemUnknown, Reason::ReplaysBusy]),
                    _ => refused_with(Reason::ItemCodeInvalid, "published.item_code"),
                };
                let item_version = self.one_of(&[0, 2, u32::MAX]);
                request.offered = Some(Offered::Published(PublishedVersion {
                    item_code,
                    item_version,
                }));
                expected
            }
            _ => {
                request.provider_code = self.one_of(&["\0", "x", "长沙"]).to_owned();
                refused_with(Reason::CreditCodeInvalid, "provider_code")
            }
        };
        let office = &self.client.office_token;
        message_request("a replay of nothing", REPLAY, office, &request, expected)
    }

    /// Rights are checked before the message, so it can be the empty one.
    fn without_the_right(&mut self) -> HostileRequest {
        let enemy = self.client;
        let path = self.one_of(&[
            ORIGINAL, STATUS, RELOAD, REPORT_NIL, LIST_NIL, CONFIRM, DRY_RUN, WATCH,
        ]);
        if self.chance_of(2) {
            let at = self.rng.random_range(0..enemy.bad_tokens.len());
            let (token, reason) = match self.chance_of(3) {
                true => ("", Reason::TokenMissing),
                false => (enemy.bad_tokens[at].0.as_str(), enemy.bad_tokens[at].1),
            };
            let expected = refused_with(reason, "authorization");
            return raw_request("no good token", path, token, frame_message(&[]), expected);
        }
        let expected = refused_with(Reason::RoleNotAllowed, "authorization");
        if self.chance_of(4) {
            let path = self.one_of(&[REPLAY, STATISTICS]);
            let token = self.party().token.clone();
            return raw_request(
                "a provider as an office",
                path,
                &token,
                frame_message(&[]),
                expected,
            );
        }
        let token = match path {
            ORIGINAL | WATCH => self.client.public_token.clone(),
            _ => self
                .one_of(&[&enemy.office_token, &enemy.public_token])
                .clone(),
        };
        raw_request(
            "in another role",
            path,
            &token,
            frame_message(&[]),
            expected,
        )
    }
}

fn stream<const N: usize>(requests: [(Option<Submission>, Vec<u8>); N]) -> bytes::Bytes {
    let mut body = BytesMut::new();
    for (submission, resume_token) in requests {
        let request = StreamRecordsRequest {
            submission,
            resume_token: resume_token.into(),
        };
        body.extend_from_slice(&frame_message(&request.encode_to_vec()));
    }
    body.freeze()
}
