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
    CONFIRM, DRY_RUN, ExpectedAnswer, HostileRequest, LARGEST, LEDGER, LIST_NIL, ORIGINAL, RECEIPT,
    RELOAD, REPLAY, REPORT_NIL, RequestMaker, STATISTICS, STATUS, STREAM, WATCH, ask, refused,
    refused_for, to, wire::framed,
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

    fn read(
        &mut self,
        kind: &'static str,
        token: &str,
        request: &ReadOriginalRequest,
    ) -> HostileRequest {
        let expected = refused(Reason::RecordUnknown, "record_id");
        HostileRequest {
            leaves: Some((READINGS, self.number.to_string())),
            ..ask(kind, ORIGINAL, token, request, expected)
        }
    }

    fn anothers_original(&mut self) -> HostileRequest {
        let known = &self.enemy.known[self.rng.random_range(0..self.enemy.known.len())];
        let request = ReadOriginalRequest {
            record_id: known.receipt.record_id.clone(),
            reason: self.one_of(&["", "核对本单位记录"]).to_owned(),
        };
        let token = match self.chance_of(4) {
            true => self.enemy.stranger.clone(),
            false => self.anybody_but(known.provider),
        };
        self.read("another's original", &token, &request)
    }

    fn original_of_nothing(&mut self) -> HostileRequest {
        let request = ReadOriginalRequest {
            record_id: Uuid::from_u128(self.rng.random()).to_string(),
            reason: "核实群众投诉".to_owned(),
        };
        let token = match self.chance_of(2) {
            true => self.enemy.office.clone(),
            false => self.party().token.clone(),
        };
        self.read("an original of nothing", &token, &request)
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
        let expected = refused(Reason::RecordIdInvalid, "record_id");
        let token = match self.chance_of(2) {
            true => self.enemy.office.clone(),
            false => self.party().token.clone(),
        };
        ask("an original of no id", ORIGINAL, &token, &request, expected)
    }

    fn original_for_no_reason(&mut self) -> HostileRequest {
        let known = &self.enemy.known[self.rng.random_range(0..self.enemy.known.len())];
        let reason = match self.rng.random_range(0..6) {
            0 => String::new(),
            1 => " \t\n ".to_owned(),
            2 => "因".to_owned(),
            3 => "查阅\0".to_owned(),
            4 => "因".repeat(self.rng.random_range(501..100_000)),
            _ => "查\u{1b}[2J阅".to_owned(),
        };
        // The provider may say nothing, but nothing wrong.
        let token = match reason.trim().is_empty() || self.chance_of(2) {
            true => self.enemy.office.clone(),
            false => self.token(known.provider),
        };
        let request = ReadOriginalRequest {
            record_id: known.receipt.record_id.clone(),
            reason,
        };
        let expected = refused(Reason::ReasonInvalid, "reason");
        ask(
            "an original for no reason",
            ORIGINAL,
            &token,
            &request,
            expected,
        )
    }

    fn anothers_status(&mut self) -> HostileRequest {
        let own = &self.enemy.belongings;
        let known = &self.enemy.known[self.rng.random_range(0..self.enemy.known.len())];
        let (submission_id, owner) = match self.rng.random_range(0..5) {
            0 => (own.nil.submission_id.clone(), own.provider),
            1 => {
                let (id, key) = (&own.reload.reload_id, &own.reloaded.record_key);
                (format!("{id}/{key}"), own.provider)
            }
            2 => (self.bad_label(128), own.provider),
            _ => (known.submission.submission_id.clone(), known.provider),
        };
        let expected = refused(Reason::SubmissionUnknown, "submission_id");
        let token = self.anybody_but(owner);
        if self.chance_of(4) {
            let request = GetReceiptRequest { submission_id };
            return ask("another's receipt", RECEIPT, &token, &request, expected);
        }
        let request = GetSubmissionStatusRequest { submission_id };
        ask("another's status", STATUS, &token, &request, expected)
    }

    fn end_of_the_ledger(&mut self) -> HostileRequest {
        let request = ListLedgerRequest {
            after_number: self.one_of(&[1 << 40, 1 << 63, u64::MAX]),
            limit: self.one_of(&[0, 1_000]),
        };
        let token = self.party().token.clone();
        ask(
            "a ledger behind its end",
            LEDGER,
            &token,
            &request,
            ExpectedAnswer::EmptyPage,
        )
    }

    fn resumed_with_a_bad_token(&mut self) -> HostileRequest {
        let own = &self.enemy.belongings;
        let mut token = own.resume_token.clone();
        let mut caller = self.token(own.provider);
        let mut expected = refused(Reason::ResumeTokenInvalid, "resume_token");
        match self.rng.random_range(0..5) {
            0 => token = self.bytes(200),
            1 => token.truncate(self.rng.random_range(1..token.len())),
            2 => {
                let at = self.rng.random_range(0..token.len());
                token[at] ^= 1 << self.rng.random_range(0..8);
            }
            3 => {
                // Another's, with one's own code in it.
                let other = self.number_of_anybody_but(own.provider);
                token.truncate(token.len() - 18);
                token.extend_from_slice(self.enemy.providers[other].code.as_bytes());
                caller = self.token(other);
            }
            _ => {
                caller = self.anybody_but(own.provider);
                expected = refused(Reason::ResumeTokenForeign, "resume_token");
            }
        }
        let (mut submission, _) = self.good();
        // What follows would be refused too: nothing of it may be kept.
        submission.submission_id.clear();
        let body = stream([(None, token), (Some(submission), Vec::new())]);
        to("resumed with a bad token", STREAM, &caller, body, expected)
    }

    fn resumed_in_the_wrong_place(&mut self) -> HostileRequest {
        let own = &self.enemy.belongings;
        let token = own.resume_token.clone();
        let (mut submission, _) = self.good();
        let body = match self.rng.random_range(0..3) {
            0 => stream([(Some(submission), token)]),
            1 => stream([(None, token.clone()), (None, token)]),
            _ => {
                submission.submission_id.clear();
                stream([(Some(submission), Vec::new()), (None, token)])
            }
        };
        let expected = refused(Reason::ResumeTokenMisplaced, "resume_token");
        let caller = self.token(own.provider);
        to(
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
                refused(Reason::DefinitionMissing, "offered")
            }
            1 => {
                let length = self.one_of(&[0, LARGEST + 1]);
                request.offered = Some(Offered::DefinitionToml(" ".repeat(length)));
                refused(Reason::DefinitionTooLarge, "definition_toml")
            }
            2 => {
                request.received_to = self.one_of(&["x", "\0", "2026-02-30"]).to_owned();
                refused(Reason::DateInvalid, "received_to")
            }
            3 => {
                request.reason = self.one_of(&["", "因", "试算\0", "……"]).to_owned();
                refused(Reason::ReasonInvalid, "reason")
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
                let item_version = self.one_of(&[0, 2, u32::MAX]);
                request.offered = Some(Offered::Published(PublishedVersion {
                    item_code,
                    item_version,
                }));
                refused_for(&[Reason::ItemVersionUnknown, Reason::ReplaysBusy])
            }
            _ => {
                request.provider_code = self.one_of(&["\0", "x", "长沙"]).to_owned();
                refused_for(&[Reason::ProviderUnknown, Reason::ReplaysBusy])
            }
        };
        let office = &self.enemy.office;
        ask("a replay of nothing", REPLAY, office, &request, expected)
    }

    /// Rights are looked at before the message, so it can be the empty one.
    fn without_the_right(&mut self) -> HostileRequest {
        let enemy = self.enemy;
        let path = self.one_of(&[
            ORIGINAL, STATUS, RELOAD, REPORT_NIL, LIST_NIL, CONFIRM, DRY_RUN, WATCH,
        ]);
        if self.chance_of(2) {
            let at = self.rng.random_range(0..enemy.bad_tokens.len());
            let (token, reason) = match self.chance_of(3) {
                true => ("", Reason::TokenMissing),
                false => (enemy.bad_tokens[at].0.as_str(), enemy.bad_tokens[at].1),
            };
            let expected = refused(reason, "authorization");
            return to("no good token", path, token, framed(&[]), expected);
        }
        let expected = refused(Reason::RoleNotAllowed, "authorization");
        if self.chance_of(4) {
            let path = self.one_of(&[REPLAY, STATISTICS]);
            let token = self.party().token.clone();
            return to(
                "a provider as an office",
                path,
                &token,
                framed(&[]),
                expected,
            );
        }
        let token = match path {
            ORIGINAL | WATCH => self.enemy.public.clone(),
            _ => self.one_of(&[&enemy.office, &enemy.public]).clone(),
        };
        to("in another role", path, &token, framed(&[]), expected)
    }
}

fn stream<const N: usize>(requests: [(Option<Submission>, Vec<u8>); N]) -> bytes::Bytes {
    let mut body = BytesMut::new();
    for (submission, resume_token) in requests {
        let request = StreamRecordsRequest {
            submission,
            resume_token: resume_token.into(),
        };
        body.extend_from_slice(&framed(&request.encode_to_vec()));
    }
    body.freeze()
}
