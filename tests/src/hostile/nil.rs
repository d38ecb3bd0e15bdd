//! Nil reports (零报告) of periods that are none, under ids that are taken, and lists of them.

use proto::credit::ingest::v1::{ListNilReportsRequest, ReportNilRequest, SubmitRecordRequest};
use rand::Rng;
use service_kit::reason::Reason;

use super::{
    ExpectedAnswer, HostileRequest, LIST_NIL, REPORT_NIL, RequestMaker, SUBMIT, message_request,
    refused_with,
};

impl RequestMaker<'_> {
    pub(super) fn nil(&mut self) -> HostileRequest {
        match self.rng.random_range(0..10) {
            0 => self.nil_of_days_to_come(),
            1 | 2 => self.nil_of_no_period(),
            3 => self.nil_of_no_item(),
            4 => self.nil_under_a_bad_id(),
            5 => self.nil_under_a_known_id(),
            6 => self.record_under_the_id_of_a_nil_report(),
            7 => self.nil_that_records_contradict(),
            8 => self.nil_of_a_stranger(),
            _ => self.nil_list(),
        }
    }

    /// In order but for what the caller spoils.
    fn nil_report(&mut self) -> ReportNilRequest {
        ReportNilRequest {
            submission_id: format!("enemy-{}-{}", self.client.seed, self.number),
            item_code: "xzcf".to_owned(),
            period_from: "2019-03-01".to_owned(),
            period_to: "2019-03-31".to_owned(),
        }
    }

    fn reported(
        &mut self,
        kind: &'static str,
        nil: &ReportNilRequest,
        expected: ExpectedAnswer,
    ) -> HostileRequest {
        let token = self.party().token.clone();
        message_request(kind, REPORT_NIL, &token, nil, expected)
    }

    fn nil_of_days_to_come(&mut self) -> HostileRequest {
        let year = self.rng.random_range(2100..=9998);
        let nil = ReportNilRequest {
            period_from: format!("{year}-02-01"),
            period_to: format!("{year}-02-28"),
            ..self.nil_report()
        };
        let expected = refused_with(Reason::PeriodNotOver, "period_to");
        self.reported("nothing in days to come", &nil, expected)
    }

    fn nil_of_no_period(&mut self) -> HostileRequest {
        let mut nil = self.nil_report();
        let (reason, field) = match self.rng.random_range(0..4) {
            0 => {
                std::mem::swap(&mut nil.period_from, &mut nil.period_to);
                (Reason::PeriodReversed, "period_to")
            }
            1 => {
                nil.period_from = self.one_of(&["1900-01-01", "2018-03-31"]).to_owned();
                (Reason::PeriodTooLong, "period_to")
            }
            choice => {
                let day = match self.rng.random_range(0..9) {
                    0 => String::new(),
                    1 => "2019-02-30".to_owned(),
                    2 => "9999-12-31".to_owned(),
                    3 => "-2019-03-01".to_owned(),
                    4 => "２０１９-03-01".to_owned(),
                    5 => "2019-03-01\0".to_owned(),
                    6 => "infinity".to_owned(),
                    7 => "2019-03-01".repeat(self.rng.random_range(2..100_000)),
                    _ => "2019-03-01T00:00:00Z".to_owned(),
                };
                if choice == 2 {
                    nil.period_from = day;
                    (Reason::DateInvalid, "period_from")
                } else {
                    nil.period_to = day;
                    (Reason::DateInvalid, "period_to")
                }
            }
        };
        let expected = refused_with(reason, field);
        self.reported("nothing in no period", &nil, expected)
    }

    fn nil_of_no_item(&mut self) -> HostileRequest {
        let mut nil = self.nil_report();
        let (code, reason) = match self.rng.random_range(0..6) {
            0 => (String::new(), Reason::ItemCodeMissing),
            1 => ("xzcf\0".to_owned(), Reason::ItemCodeInvalid),
            2 => ("行政处罚".to_owned(), Reason::ItemCodeInvalid),
            3 => (
                "x".repeat(self.rng.random_range(65..100_000)),
                Reason::ItemCodeInvalid,
            ),
            4 => ("pg_catalog".to_owned(), Reason::ItemCodeInvalid),
            _ => ("x".repeat(64), Reason::ItemUnknown),
        };
        nil.item_code = code;
        let expected = refused_with(reason, "item_code");
        self.reported("nothing of no item", &nil, expected)
    }

    fn nil_under_a_bad_id(&mut self) -> HostileRequest {
        let nil = ReportNilRequest {
            submission_id: self.bad_label(128),
            ..self.nil_report()
        };
        let expected = refused_with(Reason::SubmissionIdInvalid, "submission_id");
        self.reported("nothing under a bad id", &nil, expected)
    }

    fn nil_under_a_known_id(&mut self) -> HostileRequest {
        let enemy = self.client;
        let own = &enemy.targets;
        let mut nil = own.nil.clone();
        let mut provider = own.provider;
        match self.rng.random_range(0..4) {
            0 => nil.period_to = "2020-01-30".to_owned(),
            1 => nil.item_code = "xzxk".to_owned(),
            2 => {
                // A record's.
                let known = &enemy.known[self.rng.random_range(0..enemy.known.len())];
                nil.submission_id = known.submission.submission_id.clone();
                provider = known.provider;
            }
            // Such ids are kept for the records that the reload names.
            _ => nil.submission_id = format!("{}/{}", own.reload.reload_id, self.number),
        }
        let expected = refused_with(Reason::SubmissionIdReused, "submission_id");
        let token = self.token(provider);
        message_request(
            "nothing under a known id",
            REPORT_NIL,
            &token,
            &nil,
            expected,
        )
    }

    fn record_under_the_id_of_a_nil_report(&mut self) -> HostileRequest {
        let own = &self.client.targets;
        let (mut submission, _) = self.good_submission();
        submission.submission_id = own.nil.submission_id.clone();
        let request = SubmitRecordRequest {
            submission: Some(submission),
        };
        let expected = refused_with(Reason::SubmissionIdReused, "submission_id");
        let token = self.token(own.provider);
        message_request(
            "a record under the id of a nil report",
            SUBMIT,
            &token,
            &request,
            expected,
        )
    }

    fn nil_that_records_contradict(&mut self) -> HostileRequest {
        let known = &self.client.known[self.rng.random_range(0..self.client.known.len())];
        let day = known.received_on.to_string();
        let nil = ReportNilRequest {
            item_code: known.submission.item_code.clone(),
            period_from: day.clone(),
            period_to: day,
            ..self.nil_report()
        };
        let expected = refused_with(Reason::NilReportContradicted, "period_from");
        let token = self.token(known.provider);
        message_request(
            "nothing where records are",
            REPORT_NIL,
            &token,
            &nil,
            expected,
        )
    }

    fn nil_of_a_stranger(&mut self) -> HostileRequest {
        let nil = self.nil_report();
        let expected = refused_with(Reason::ProviderNotRegistered, "authorization");
        let stranger = &self.client.unregistered_token;
        message_request(
            "nothing of a stranger",
            REPORT_NIL,
            stranger,
            &nil,
            expected,
        )
    }

    fn nil_list(&mut self) -> HostileRequest {
        let mut list = ListNilReportsRequest::default();
        let own = self.client.targets.provider;
        let token = self.other_provider_token(own);
        let (kind, expected) = match self.rng.random_range(0..4) {
            0 => {
                list.page_size = self.rng.random_range(1_001..=u32::MAX);
                (
                    "a page of nil reports too long",
                    refused_with(Reason::PageSizeInvalid, "page_size"),
                )
            }
            1 => {
                list.item_code = self.one_of(&["XZCF", "xzcf\0", "' or ''='"]).to_owned();
                (
                    "nil reports of no item",
                    refused_with(Reason::ItemCodeInvalid, "item_code"),
                )
            }
            2 => {
                list.page_token = self
                    .one_of(&[
                        "x",
                        "\0",
                        ".",
                        "1.",
                        "-1.00000000000000000000000000000000",
                        "18446744073709551615.00000000000000000000000000000000",
                        "99999999999999999999999.00000000000000000000000000000000",
                        // {"received_at":-1,"report_id":"x"}
                        "eyJyZWNlaXZlZF9hdCI6LTEsInJlcG9ydF9pZCI6IngifQ",
                        "'; drop table nil_report; --",
                    ])
                    .to_owned();
                (
                    "a page token of nil reports made up",
                    refused_with(Reason::PageTokenInvalid, "page_token"),
                )
            }
            _ => {
                // {"received_at":253402300799000000,"report_id":"ffffffff-ffff-ffff-ffff-ffffffffffff"}: of the right form, and
                // it leads nowhere but into the caller's own list.
                list.page_token = "eyJyZWNlaXZlZF9hdCI6MjUzNDAyMzAwNzk5MDAwMDAwLCJyZXBvcnRfaWQiOiJmZmZmZmZmZi1mZmZmLWZmZmYtZmZmZi1mZmZmZmZmZmZmZmYifQ"
                    .to_owned();
                list.item_code = self.one_of(&["", "xzcf"]).to_owned();
                ("a place in another's list", ExpectedAnswer::EmptyPage)
            }
        };
        message_request(kind, LIST_NIL, &token, &list, expected)
    }
}
