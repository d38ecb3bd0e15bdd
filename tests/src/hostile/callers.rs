//! Callers with a wrong identity, or who ask for another provider's data.

use prost::Message;
use proto::credit::{
    ingest::v1::{GetReceiptRequest, ListLedgerRequest},
    validation::v1::{GetVerdictRequest, ListFeedbackRequest},
};
use rand::Rng;
use service_kit::reason::Reason;

use super::{
    FEEDBACK, HostileRequest, LEDGER, RECEIPT, RequestMaker, SUBMIT, VERDICT, raw_request,
    refused_for, wire::frame_message,
};

impl RequestMaker<'_> {
    pub(super) fn caller(&mut self) -> HostileRequest {
        match self.rng.random_range(0..10) {
            0 => self.without_a_token(),
            1..=3 => self.with_a_bad_token(),
            4 => self.in_another_role(),
            5 => self.as_a_stranger(),
            6 => self.for_anothers_receipt(),
            7 => self.for_anothers_verdict(),
            8 => self.for_anothers_feedback(),
            _ => self.out_of_range(),
        }
    }

    fn without_a_token(&mut self) -> HostileRequest {
        let (submission, _) = self.good_submission();
        let expected = refused_for(&[Reason::TokenMissing]);
        self.submission_request("no token", submission, "", expected)
    }

    fn with_a_bad_token(&mut self) -> HostileRequest {
        let (submission, _) = self.good_submission();
        let at = self.rng.random_range(0..self.client.bad_tokens.len());
        let (token, reason) = &self.client.bad_tokens[at];
        let reasons: &'static [Reason] = match *reason {
            Reason::TokenExpired => &[Reason::TokenExpired],
            _ => &[Reason::TokenInvalid],
        };
        let expected = refused_for(reasons);
        self.submission_request("bad token", submission, token, expected)
    }

    fn in_another_role(&mut self) -> HostileRequest {
        let (submission, _) = self.good_submission();
        let at = self.rng.random_range(0..self.client.other_roles.len());
        let token = &self.client.other_roles[at];
        let expected = refused_for(&[Reason::RoleNotAllowed]);
        self.submission_request("another role", submission, token, expected)
    }

    fn as_a_stranger(&mut self) -> HostileRequest {
        let (submission, _) = self.good_submission();
        let expected = refused_for(&[Reason::ProviderNotRegistered]);
        self.submission_request(
            "a stranger",
            submission,
            &self.client.unregistered_token,
            expected,
        )
    }

    /// A known record or case, and a token of another provider.
    fn known_of_another(&mut self) -> (&super::KnownRecord, &str) {
        let at = self.rng.random_range(0..self.client.known.len());
        let known = &self.client.known[at];
        let parties = &self.client.providers;
        let other = (known.provider + self.rng.random_range(1..parties.len())) % parties.len();
        (known, &parties[other].token)
    }

    fn for_anothers_receipt(&mut self) -> HostileRequest {
        let (known, token) = self.known_of_another();
        let request = GetReceiptRequest {
            submission_id: known.submission.submission_id.clone(),
        };
        let expected = refused_for(&[Reason::SubmissionUnknown]);
        let body = frame_message(&request.encode_to_vec());
        raw_request("another's receipt", RECEIPT, token, body, expected)
    }

    fn for_anothers_verdict(&mut self) -> HostileRequest {
        let (known, token) = self.known_of_another();
        let request = GetVerdictRequest {
            record_id: known.receipt.record_id.clone(),
        };
        let expected = refused_for(&[Reason::VerdictUnknown]);
        let body = frame_message(&request.encode_to_vec());
        raw_request("another's verdict", VERDICT, token, body, expected)
    }

    fn for_anothers_feedback(&mut self) -> HostileRequest {
        let (known, token) = self.known_of_another();
        let request = ListFeedbackRequest {
            provider_code: known.receipt.provider_code.clone(),
            ..ListFeedbackRequest::default()
        };
        let expected = refused_for(&[Reason::NotOwnFeedback]);
        let body = frame_message(&request.encode_to_vec());
        raw_request("another's feedback", FEEDBACK, token, body, expected)
    }

    fn out_of_range(&mut self) -> HostileRequest {
        let token = self.party().token.clone();
        let invalid = |reasons| refused_for(reasons);
        match self.rng.random_range(0..4) {
            0 => {
                let request = ListLedgerRequest {
                    limit: self.rng.random_range(1_001..=u32::MAX),
                    ..ListLedgerRequest::default()
                };
                let body = frame_message(&request.encode_to_vec());
                let expected = invalid(&[Reason::PageSizeInvalid]);
                raw_request("a page too long", LEDGER, &token, body, expected)
            }
            1 => {
                let request = ListFeedbackRequest {
                    page_size: self.rng.random_range(1_001..=u32::MAX),
                    ..ListFeedbackRequest::default()
                };
                let body = frame_message(&request.encode_to_vec());
                let expected = invalid(&[Reason::PageSizeInvalid]);
                raw_request("a page too long", FEEDBACK, &token, body, expected)
            }
            2 => {
                let request = ListFeedbackRequest {
                    page_token: self
                        .one_of(&["x", "'; drop table verdict; --", "\0", "////", "AAAAAAAA"])
                        .to_owned(),
                    ..ListFeedbackRequest::default()
                };
                let body = frame_message(&request.encode_to_vec());
                let expected = invalid(&[Reason::PageTokenInvalid]);
                raw_request("a page token made up", FEEDBACK, &token, body, expected)
            }
            _ => {
                let request = GetVerdictRequest {
                    record_id: self.one_of(&["", "x", "\0", "0190-", "长沙"]).to_owned(),
                };
                let body = frame_message(&request.encode_to_vec());
                let expected = invalid(&[Reason::RecordIdInvalid]);
                raw_request("a record id made up", VERDICT, &token, body, expected)
            }
        }
    }

    /// A record whose id is known, with other content: the same caller may not change the content.
    pub(super) fn reused_submission_id(&mut self) -> HostileRequest {
        let at = self.rng.random_range(0..self.client.known.len());
        let known = &self.client.known[at];
        let mut submission = known.submission.clone();
        match self.rng.random_range(0..3) {
            0 => submission.content = format!("{{\"n\":{}}}", self.number).into(),
            1 => submission.record_key.push('x'),
            _ => submission.item_version = self.one_of(&[0, 77]),
        }
        let token = &self.client.providers[known.provider].token;
        let expected = refused_for(&[Reason::SubmissionIdReused]);
        let request = proto::credit::ingest::v1::SubmitRecordRequest {
            submission: Some(submission),
        };
        let body = frame_message(&request.encode_to_vec());
        raw_request(
            "a known id with other content",
            SUBMIT,
            token,
            body,
            expected,
        )
    }
}
