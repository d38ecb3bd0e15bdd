//! The call to the provincial exchange. Called by `jobs` with the records of one batch; gives one
//! answer for each, whatever fails.

use std::{collections::HashMap, time::Duration};

use prost::Message as _;
use proto::credit::province::v1::{
    PushRecordsRequest, UpstreamAnswer, UpstreamRecord,
    province_service_client::ProvinceServiceClient, upstream_answer::Outcome,
};
use service_kit::{
    config::Secret,
    error::error_chain,
    grpc::{BearerToken, MAX_MESSAGE_BYTES, open_channel},
};
use tonic::{Code, Request, Status, transport::Channel};

use crate::domain::{OpenedVersion, PushOutcome};

/// Encoded bytes of records in one call: half of what the platform's own servers take.
const MAX_CALL_BYTES: usize = MAX_MESSAGE_BYTES / 2;

/// The provincial exchange.
#[derive(Clone, Debug)]
pub struct Upstream {
    channel: Channel,
    token: Secret,
    deadline: Duration,
}

/// The answers of one batch and what they say of the upstream itself.
#[derive(Debug, Default)]
pub struct PushBatchOutcome {
    /// By idempotency key; every record of the batch has one.
    pub by_key: HashMap<String, PushOutcome>,
    /// At least one call was answered.
    pub answered: bool,
    /// A call failed because of the upstream, or of the connection to it.
    pub failed: bool,
}

impl PushBatchOutcome {
    fn set_all(&mut self, records: &[UpstreamRecord], answer: impl Fn() -> PushOutcome) {
        for record in records {
            self.by_key.insert(record.idempotency_key.clone(), answer());
        }
    }
}

impl Upstream {
    /// Connects when first used. `deadline` bounds each call.
    pub fn new(
        url: &str,
        token: Secret,
        deadline: Duration,
    ) -> Result<Self, tonic::transport::Error> {
        Ok(Self {
            channel: open_channel(url)?,
            token,
            deadline,
        })
    }

    /// Pushes the versions, in several calls where they are too large for one. When a call is
    /// refused as a whole for its content, it is split in halves until the bad record is alone in its call.
    pub async fn push_versions(&self, versions: Vec<OpenedVersion>) -> PushBatchOutcome {
        let mut answers = PushBatchOutcome::default();
        let mut pending = split_by_size(versions.into_iter().map(encode_version).collect());
        pending.reverse();
        while let Some(mut portion) = pending.pop() {
            if answers.failed {
                // The upstream is unreachable or failing; the rest is retried later like the call that failed.
                answers.set_all(&portion, || {
                    unanswered("an earlier call of the batch failed")
                });
                continue;
            }
            match self.call_upstream(&portion).await {
                Ok(received) => {
                    answers.answered = true;
                    answers.set_all(&portion, || unanswered("the upstream left the record out"));
                    let matching = received
                        .into_iter()
                        .filter_map(decode_answer)
                        .filter(|(key, _)| answers.by_key.contains_key(key))
                        .collect::<Vec<_>>();
                    answers.by_key.extend(matching);
                }
                Err(failure) if failure.is_content_error() && portion.len() > 1 => {
                    pending.push(portion.split_off(portion.len() / 2));
                    pending.push(portion);
                }
                Err(failure) if failure.is_content_error() => {
                    answers.answered = true;
                    answers.set_all(&portion, || PushOutcome::Refused(failure.to_string()));
                }
                Err(failure) => {
                    // Only the code: an upstream's message may quote a record.
                    tracing::warn!(code = ?failure.code, records = portion.len(), "push unanswered");
                    answers.failed = true;
                    answers.set_all(&portion, || PushOutcome::Unanswered(failure.to_string()));
                }
            }
        }
        answers
    }

    async fn call_upstream(
        &self,
        records: &[UpstreamRecord],
    ) -> Result<Vec<UpstreamAnswer>, CallFailure> {
        // A token that cannot be sent blames no record: all are retried once it is mended.
        let unusable = |why: String| CallFailure {
            code: Code::Unauthenticated,
            message: format!("upstream_token: {why}"),
        };
        let token = self.token.reveal();
        let token = token.map_err(|error| unusable(error_chain(&error)))?;
        let token = BearerToken::new(&token);
        let token = token.map_err(|status| unusable(status.message().to_owned()))?;
        let mut client = ProvinceServiceClient::with_interceptor(self.channel.clone(), token)
            .max_decoding_message_size(MAX_MESSAGE_BYTES);
        let mut request = Request::new(PushRecordsRequest {
            records: records.to_vec(),
        });
        request.set_timeout(self.deadline);
        // The upstream is asked to stop by then, but may be out of reach: our own clock counts.
        match tokio::time::timeout(self.deadline, client.push_records(request)).await {
            Ok(answer) => Ok(answer?.into_inner().answers),
            Err(_) => Err(CallFailure {
                code: Code::DeadlineExceeded,
                message: "no answer within push_deadline_ms".to_owned(),
            }),
        }
    }
}

/// Why a call gave no answers.
#[derive(Debug, thiserror::Error)]
#[error("{code:?}: {message}")]
struct CallFailure {
    code: Code,
    /// May quote a record.
    message: String,
}

impl CallFailure {
    /// Whether the code blames what was sent rather than the upstream or the connection to it.
    fn is_content_error(&self) -> bool {
        matches!(
            self.code,
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition
        )
    }
}

impl From<Status> for CallFailure {
    fn from(status: Status) -> Self {
        Self {
            code: status.code(),
            message: status.message().to_owned(),
        }
    }
}

fn unanswered(why: &str) -> PushOutcome {
    PushOutcome::Unanswered(why.to_owned())
}

/// The version as the exchange takes it.
fn encode_version(opened: OpenedVersion) -> UpstreamRecord {
    let version = opened.version;
    UpstreamRecord {
        idempotency_key: version.id.to_string(),
        provider_code: version.provider.as_str().to_owned(),
        item_code: version.item.code.as_str().to_owned(),
        item_version: version.item.version(),
        revision: version.revision.get(),
        values: opened.values,
        traceparent: opened.traceparent,
        operation: opened.operation.into(),
        reason: opened.reason,
        record_key: hex::encode(version.key_digest),
    }
}

fn decode_answer(answer: UpstreamAnswer) -> Option<(String, PushOutcome)> {
    let outcome = match answer.outcome? {
        // A number that says nothing acknowledges nothing.
        Outcome::Acknowledgement(number) if number.trim().is_empty() => return None,
        Outcome::Acknowledgement(number) => PushOutcome::Acknowledged(number),
        Outcome::Refusal(why) => PushOutcome::Refused(why),
    };
    Some((answer.idempotency_key, outcome))
}

/// Splits into runs whose records together stay below the size of a call; a record that is larger
/// by itself gets a call of its own.
fn split_by_size(records: Vec<UpstreamRecord>) -> Vec<Vec<UpstreamRecord>> {
    let mut portions: Vec<Vec<UpstreamRecord>> = Vec::new();
    let mut room = 0;
    for record in records {
        let size = record.encoded_len() + 8;
        match portions.last_mut() {
            Some(portion) if size <= room => {
                room -= size;
                portion.push(record);
            }
            _ => {
                room = MAX_CALL_BYTES.saturating_sub(size);
                portions.push(vec![record]);
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: usize, bytes: usize) -> UpstreamRecord {
        UpstreamRecord {
            idempotency_key: key.to_string(),
            values: HashMap::from([("XK_NR".to_owned(), "x".repeat(bytes))]),
            ..UpstreamRecord::default()
        }
    }

    #[test]
    fn large_records_are_spread_over_calls_in_order() {
        let sizes = [
            10,
            MAX_CALL_BYTES + 1,
            10,
            MAX_CALL_BYTES / 2,
            MAX_CALL_BYTES / 2,
            10,
        ];
        let records = sizes.iter().enumerate().map(|(n, size)| record(n, *size));
        let split = split_by_size(records.collect());
        let keys: Vec<Vec<&str>> = split
            .iter()
            .map(|p| p.iter().map(|r| r.idempotency_key.as_str()).collect())
            .collect();
        assert_eq!(keys, [vec!["0"], vec!["1"], vec!["2", "3"], vec!["4", "5"]]);
        assert!(split_by_size(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn a_token_that_no_header_can_carry_blames_no_record() {
        let token = Secret::Plain("line\nbreak".to_owned());
        let upstream = Upstream::new("http://127.0.0.1:9", token, Duration::from_secs(1)).unwrap();
        let failure = upstream.call_upstream(&[record(1, 1)]).await.unwrap_err();
        assert!(!failure.is_content_error(), "{failure}");
        assert!(failure.message.starts_with("upstream_token: "), "{failure}");
    }

    #[test]
    fn an_answer_without_a_number_settles_nothing() {
        let answer = |outcome| UpstreamAnswer {
            idempotency_key: "k".to_owned(),
            outcome,
        };
        assert_eq!(decode_answer(answer(None)), None);
        let blank = Outcome::Acknowledgement(" ".to_owned());
        assert_eq!(decode_answer(answer(Some(blank))), None);
    }
}
