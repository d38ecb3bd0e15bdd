//! Hostile calls of ValidationService: dry runs, confirmations and feeds that are invalid or belong to another
//! provider.

use proto::credit::validation::v1::{
    ConfirmRecordRequest, DryRunRecord, DryRunRequest, ListFeedbackRequest, WatchFeedbackRequest,
};
use rand::Rng;
use service_kit::reason::Reason;
use uuid::Uuid;

use super::{
    CONFIRM, DRY_RUN, ExpectedAnswer, FEEDBACK, HostileRequest, RequestMaker, WATCH,
    message_request, refused_with,
};

/// Most records of a trial.
const MAX_DRY_RUN_RECORDS: usize = 200;

impl RequestMaker<'_> {
    pub(super) fn feedback(&mut self) -> HostileRequest {
        match self.rng.random_range(0..12) {
            0 => self.trial_of_too_many(),
            1 => self.trial_of_no_item(),
            2 => self.trial_of_no_type(),
            3 | 4 => self.trial_of_no_record(),
            5 => self.confirmed_by_another(),
            6 => self.confirmed_nothing(),
            7 => self.confirmed_by_nobody(),
            8 => self.confirmed_against_the_rules(),
            9 => self.feed_behind_a_bad_cursor(),
            10 => self.feedback_of_nobody(),
            _ => self.anothers_feed(),
        }
    }

    /// A record in order, with the token of its provider.
    fn good_dry_run_record(&mut self) -> (DryRunRecord, String) {
        let (submission, party) = self.good_submission();
        let record = DryRunRecord {
            item_code: submission.item_code,
            item_version: submission.item_version,
            record_key: submission.record_key,
            content_type: submission.content_type,
            content: submission.content,
        };
        (record, party.token)
    }

    fn trial_of_too_many(&mut self) -> HostileRequest {
        let (record, token) = self.good_dry_run_record();
        let count = match self.chance_of(4) {
            true => 0,
            false => self
                .rng
                .random_range(MAX_DRY_RUN_RECORDS + 1..MAX_DRY_RUN_RECORDS + 1_000),
        };
        let request = DryRunRequest {
            records: vec![record; count],
        };
        let expected = refused_with(Reason::RecordsCountInvalid, "records");
        message_request("a trial of too many", DRY_RUN, &token, &request, expected)
    }

    fn trial_of_no_item(&mut self) -> HostileRequest {
        let (good, token) = self.good_dry_run_record();
        let mut bad = good.clone();
        let expected = if self.chance_of(3) {
            bad.item_version = self.rng.random_range(1_000..=u32::MAX);
            refused_with(Reason::ItemVersionUnknown, "records[1].item_version")
        } else {
            bad.item_version = self.one_of(&[0, 1, u32::MAX]);
            let (code, reason) = match self.rng.random_range(0..6) {
                0 => (String::new(), Reason::ItemCodeMissing),
                1 => ("xzcf\0".to_owned(), Reason::ItemCodeInvalid),
                2 => ("XZCF".to_owned(), Reason::ItemCodeInvalid),
                3 => (
                    "'; drop table item_version; --".to_owned(),
                    Reason::ItemCodeInvalid,
                ),
                4 => (
                    "长".repeat(self.rng.random_range(1..100_000)),
                    Reason::ItemCodeInvalid,
                ),
                _ => ("no-such-item".to_owned(), Reason::ItemUnknown),
            };
            bad.item_code = code;
            refused_with(reason, "records[1].item_code")
        };
        let records = vec![good, bad];
        message_request(
            "a trial of no item",
            DRY_RUN,
            &token,
            &DryRunRequest { records },
            expected,
        )
    }

    fn trial_of_no_type(&mut self) -> HostileRequest {
        let (good, token) = self.good_dry_run_record();
        let mut bad = good.clone();
        bad.content_type = self
            .one_of(&["", "text/plain", "text/html", "\0", "../../etc/passwd"])
            .to_owned();
        let records = vec![good, bad];
        let expected = refused_with(Reason::ContentTypeInvalid, "records[1].content_type");
        message_request(
            "a trial of no type",
            DRY_RUN,
            &token,
            &DryRunRequest { records },
            expected,
        )
    }

    /// A dry run of what is no record is answered with that finding.
    fn trial_of_no_record(&mut self) -> HostileRequest {
        let (record, token) = self.good_dry_run_record();
        let good = String::from_utf8_lossy(&record.content).into_owned();
        let count = self.rng.random_range(1..4);
        let mut records = Vec::new();
        for _ in 0..count {
            let mut bad = record.clone();
            bad.content = match self.chance_of(8) {
                true => Vec::new(),
                false => {
                    let choice = self.rng.random_range(0..16);
                    self.bad_content(choice, &good).1
                }
            }
            .into();
            bad.record_key = match self.rng.random_range(0..3) {
                0 => String::new(),
                1 => "\0".to_owned(),
                _ => bad.record_key,
            };
            records.push(bad);
        }
        let expected = ExpectedAnswer::DryRunReturned(records.len());
        message_request(
            "a trial of no record",
            DRY_RUN,
            &token,
            &DryRunRequest { records },
            expected,
        )
    }

    /// In order but for what the caller spoils.
    fn good_confirmation(&self) -> ConfirmRecordRequest {
        ConfirmRecordRequest {
            case_id: self.client.targets.case_id.clone(),
            attester: "李明".to_owned(),
            statement: "已核对案卷原件".to_owned(),
        }
    }

    fn confirmed_by_another(&mut self) -> HostileRequest {
        let word = self.good_confirmation();
        let token = match self.chance_of(4) {
            true => self.client.unregistered_token.clone(),
            false => self.other_provider_token(self.client.targets.provider),
        };
        let expected = refused_with(Reason::CaseUnknown, "case_id");
        message_request("another's case confirmed", CONFIRM, &token, &word, expected)
    }

    fn confirmed_nothing(&mut self) -> HostileRequest {
        let mut word = self.good_confirmation();
        let reason = match self.rng.random_range(0..4) {
            0 => {
                word.case_id.pop();
                Reason::CaseIdInvalid
            }
            1 => {
                word.case_id = self.bad_label(36);
                Reason::CaseIdInvalid
            }
            _ => {
                word.case_id = Uuid::from_u128(self.rng.random()).to_string();
                Reason::CaseUnknown
            }
        };
        let expected = refused_with(reason, "case_id");
        let token = self.token(self.client.targets.provider);
        message_request("no case confirmed", CONFIRM, &token, &word, expected)
    }

    fn confirmed_by_nobody(&mut self) -> HostileRequest {
        let mut word = self.good_confirmation();
        let (spoilt, most, reason, field) = match self.chance_of(2) {
            true => (&mut word.attester, 100, Reason::AttesterInvalid, "attester"),
            false => (
                &mut word.statement,
                1_000,
                Reason::StatementInvalid,
                "statement",
            ),
        };
        *spoilt = match self.rng.random_range(0..6) {
            0 => String::new(),
            1 => "李".to_owned(),
            2 => " \u{3000} ".to_owned(),
            3 => "李\0明".to_owned(),
            4 => "李\u{1b}[2J明".to_owned(),
            _ => "长".repeat(self.rng.random_range(most + 1..100_000)),
        };
        let expected = refused_with(reason, field);
        let token = self.token(self.client.targets.provider);
        message_request("confirmed by nobody", CONFIRM, &token, &word, expected)
    }

    /// An attestation cannot confirm findings that are not confirmable.
    fn confirmed_against_the_rules(&mut self) -> HostileRequest {
        let word = self.good_confirmation();
        let expected = refused_with(Reason::NotConfirmable, "case_id");
        let token = self.token(self.client.targets.provider);
        message_request(
            "confirmed against the rules",
            CONFIRM,
            &token,
            &word,
            expected,
        )
    }

    fn feed_behind_a_bad_cursor(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let mut caller = self.token(own.provider);
        let cursor = match self.rng.random_range(0..7) {
            0 => "x".to_owned(),
            1 => "\0".repeat(64),
            2 => "0".repeat(64),
            // No character ends at that position.
            3 => "长".repeat(self.rng.random_range(11..100_000)),
            4 => own.cursor.to_uppercase() + "0",
            5 => {
                let mut digits = own.cursor.clone().into_bytes();
                let at = self.rng.random_range(0..digits.len());
                digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
                String::from_utf8_lossy(&digits).into_owned()
            }
            _ => {
                caller = self.other_provider_token(own.provider);
                own.cursor.clone()
            }
        };
        let request = WatchFeedbackRequest {
            cursor,
            ..WatchFeedbackRequest::default()
        };
        let expected = refused_with(Reason::CursorInvalid, "cursor");
        message_request(
            "a feed behind a bad cursor",
            WATCH,
            &caller,
            &request,
            expected,
        )
    }

    fn feedback_of_nobody(&mut self) -> HostileRequest {
        let provider_code = match self.rng.random_range(0..4) {
            0 => "\0".to_owned(),
            1 => "长".repeat(self.rng.random_range(1..100_000)),
            2 => "' or ''='".to_owned(),
            _ => self.client.providers[0].code.to_lowercase(),
        };
        let expected = refused_with(Reason::CreditCodeInvalid, "provider_code");
        let kind = "feedback of nobody";
        let office = &self.client.office_token;
        if self.number.is_multiple_of(2) {
            let request = ListFeedbackRequest {
                provider_code,
                ..ListFeedbackRequest::default()
            };
            return message_request(kind, FEEDBACK, office, &request, expected);
        }
        let request = WatchFeedbackRequest {
            provider_code,
            ..WatchFeedbackRequest::default()
        };
        message_request(kind, WATCH, office, &request, expected)
    }

    fn anothers_feed(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let (provider_code, reason) = match self.chance_of(4) {
            true => ("\0".to_owned(), Reason::CreditCodeInvalid),
            false => (
                self.client.providers[own.provider].code.clone(),
                Reason::NotOwnFeedback,
            ),
        };
        let request = WatchFeedbackRequest {
            provider_code,
            cursor: self.one_of(&["", own.cursor.as_str()]).to_owned(),
        };
        let expected = refused_with(reason, "provider_code");
        let token = self.other_provider_token(own.provider);
        message_request("another's feed", WATCH, &token, &request, expected)
    }
}
