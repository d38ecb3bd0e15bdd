//! Frames and protobuf that no client library would send.

use bytes::Bytes;
use prost::Message;
use proto::credit::ingest::v1::SubmitRecordRequest;
use rand::Rng;
use service_kit::reason::Reason;
use tonic::Code;

use super::{
    CONFIRM, DRY_RUN, ExpectedAnswer, FEEDBACK, HostileRequest, LIST_NIL, ORIGINAL, RELOAD,
    REPORT_NIL, RequestMaker, STATUS, STREAM, SUBMIT, VERDICT, WATCH, raw_request, refused_for,
    wire::{frame_message, frame_with_prefix, put_bytes_field, put_tag, put_varint},
};

/// The decoder's answer to bytes that are no message; with the empty message it is the form that is wrong.
const NO_MESSAGE: ExpectedAnswer = ExpectedAnswer::Status(&[Code::Internal, Code::InvalidArgument]);
/// A message over the limit of 8 MiB.
const TOO_LARGE: ExpectedAnswer =
    ExpectedAnswer::Status(&[Code::OutOfRange, Code::ResourceExhausted]);

/// Other methods that a provider may call.
const OTHER_PATHS: &[&str] = &[
    STATUS, ORIGINAL, REPORT_NIL, LIST_NIL, RELOAD, FEEDBACK, VERDICT, WATCH, CONFIRM, DRY_RUN,
];

impl RequestMaker<'_> {
    pub(super) fn frame(&mut self) -> HostileRequest {
        match self.rng.random_range(0..12) {
            0 => self.random_bytes(),
            1 => self.cut_off(),
            2 => self.length_beyond_the_body(),
            3 => self.length_beyond_all_bounds(),
            4 => self.compressed(),
            5 => self.wrong_wire_type(),
            6 => self.text_not_utf8(),
            7 => self.numbers_without_end(),
            8 => self.nested_groups(),
            9 => self.no_message(),
            10 => self.ten_megabytes(),
            _ => self.not_grpc(),
        }
    }

    fn good_message(&mut self) -> Vec<u8> {
        let (submission, _) = self.good_submission();
        SubmitRecordRequest {
            submission: Some(submission),
        }
        .encode_to_vec()
    }

    /// To a method that takes submissions; its request's first field is the submission, whichever it is.
    fn submission_frame(
        &mut self,
        kind: &'static str,
        body: Bytes,
        expected: ExpectedAnswer,
    ) -> HostileRequest {
        let path = self.one_of(&[SUBMIT, STREAM]);
        let token = self.party().token.clone();
        raw_request(kind, path, &token, body, expected)
    }

    fn random_bytes(&mut self) -> HostileRequest {
        let mut bytes = self.bytes(2_000);
        // Field 0 does not exist: whatever follows, this is no message of any kind.
        bytes[0] = 0;
        let body = frame_message(&bytes);
        let token = self.party().token.clone();
        if self.chance_of(2) {
            return self.submission_frame("random bytes", body, NO_MESSAGE);
        }
        let path = self.one_of(OTHER_PATHS);
        raw_request("random bytes", path, &token, body, NO_MESSAGE)
    }

    fn cut_off(&mut self) -> HostileRequest {
        let mut message = self.good_message();
        let rest = self.rng.random_range(1..message.len());
        message.truncate(rest);
        self.submission_frame("message cut off", frame_message(&message), NO_MESSAGE)
    }

    fn length_beyond_the_body(&mut self) -> HostileRequest {
        let message = self.good_message();
        let more = self.rng.random_range(1..1_000_000);
        let body = frame_with_prefix(0, message.len() as u32 + more, &message);
        self.submission_frame("length beyond the body", body, NO_MESSAGE)
    }

    fn length_beyond_all_bounds(&mut self) -> HostileRequest {
        let message = self.good_message();
        let length = self.rng.random_range(9 << 20..=u32::MAX);
        self.submission_frame(
            "length beyond all bounds",
            frame_with_prefix(0, length, &message),
            TOO_LARGE,
        )
    }

    fn compressed(&mut self) -> HostileRequest {
        let message = self.good_message();
        let flag = self.rng.random_range(1..=255);
        let body = frame_with_prefix(flag, message.len() as u32, &message);
        let expected = ExpectedAnswer::Status(&[Code::Internal, Code::Unimplemented]);
        self.submission_frame("compressed without saying how", body, expected)
    }

    fn wrong_wire_type(&mut self) -> HostileRequest {
        let mut submission = Vec::new();
        // 1 to 8 but 3 are text or bytes; 3 and 9 are numbers.
        let field = self.rng.random_range(1..=9);
        match field {
            3 | 9 => put_bytes_field(&mut submission, field, b"twelve"),
            _ => {
                let wire_type = self.one_of(&[0, 1, 5]);
                put_tag(&mut submission, field, wire_type);
                match wire_type {
                    0 => put_varint(&mut submission, self.rng.random()),
                    1 => submission.extend_from_slice(&[7; 8]),
                    _ => submission.extend_from_slice(&[7; 4]),
                }
            }
        }
        let mut message = Vec::new();
        put_bytes_field(&mut message, 1, &submission);
        self.submission_frame("wrong wire type", frame_message(&message), NO_MESSAGE)
    }

    fn text_not_utf8(&mut self) -> HostileRequest {
        if self.chance_of(3) {
            // Whatever the first field is, it is text or a message, and this is neither.
            let mut message = Vec::new();
            put_bytes_field(&mut message, 1, &[0xff, 0xfe]);
            let path = self.one_of(OTHER_PATHS);
            let token = self.party().token.clone();
            return raw_request(
                "text that is not UTF-8",
                path,
                &token,
                frame_message(&message),
                NO_MESSAGE,
            );
        }
        let (good, _) = self.good_submission();
        let mut submission = good.encode_to_vec();
        // The last one of a field counts: 1 id, 2 item, 4 key, 5 content type, 7 trace.
        let field = self.one_of(&[1, 2, 4, 5, 7]);
        let bytes: &[u8] = self.one_of(&[
            &[0xff, 0xfe],
            // A surrogate written as UTF-8, an overlong NUL, a truncated character.
            &[0xed, 0xa0, 0x80],
            &[0xc0, 0x80],
            &[0xe9, 0x95],
        ]);
        put_bytes_field(&mut submission, field, bytes);
        let mut message = Vec::new();
        put_bytes_field(&mut message, 1, &submission);
        self.submission_frame(
            "text that is not UTF-8",
            frame_message(&message),
            NO_MESSAGE,
        )
    }

    fn numbers_without_end(&mut self) -> HostileRequest {
        let mut submission = Vec::new();
        put_tag(&mut submission, 3, 0);
        let length = self.rng.random_range(10..10_000);
        submission.extend(std::iter::repeat_n(0xff, length));
        let mut message = Vec::new();
        put_bytes_field(&mut message, 1, &submission);
        self.submission_frame("a number without end", frame_message(&message), NO_MESSAGE)
    }

    fn nested_groups(&mut self) -> HostileRequest {
        let mut message = Vec::new();
        for _ in 0..self.rng.random_range(200..200_000) {
            // Opens a group of a field that no message has.
            put_tag(&mut message, 100, 3);
        }
        self.submission_frame("groups in groups", frame_message(&message), NO_MESSAGE)
    }

    fn no_message(&mut self) -> HostileRequest {
        let token = self.party().token.clone();
        let expected = ExpectedAnswer::Status(&[Code::Internal, Code::InvalidArgument]);
        raw_request("no message", SUBMIT, &token, Bytes::new(), expected)
    }

    fn ten_megabytes(&mut self) -> HostileRequest {
        // Costs the sender most; one in so many is enough.
        if !self.chance_of(4) {
            return self.length_beyond_all_bounds();
        }
        let (mut submission, _) = self.good_submission();
        let large = "9".repeat(10 << 20);
        match self.rng.random_range(0..4) {
            0 => submission.submission_id = large,
            1 => submission.record_key = large,
            2 => submission.item_code = large,
            _ => submission.content = large.into(),
        }
        let message = SubmitRecordRequest {
            submission: Some(submission),
        };
        self.submission_frame(
            "a field of 10 MB",
            frame_message(&message.encode_to_vec()),
            TOO_LARGE,
        )
    }

    fn not_grpc(&mut self) -> HostileRequest {
        let message = self.good_message();
        let token = self.party().token.clone();
        if self.chance_of(2) {
            let path = self.one_of(&[
                "/credit.ingest.v1.IngestService/DropEverything",
                "/credit.ingest.v2.IngestService/SubmitRecord",
                "/",
                "/../../etc/passwd",
            ]);
            let expected = refused_for(&[Reason::RpcUnknown]);
            return raw_request(
                "unknown method",
                path,
                &token,
                frame_message(&message),
                expected,
            );
        }
        let expected = ExpectedAnswer::Http(&[415]);
        let mut attack = raw_request(
            "not gRPC",
            SUBMIT,
            &token,
            frame_message(&message),
            expected,
        );
        let other = self.one_of(&[
            "text/html",
            "application/json",
            "application/x-www-form-urlencoded",
        ]);
        attack.call.headers[0].1 = other.to_owned();
        attack
    }
}
