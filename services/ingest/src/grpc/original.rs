//! `ReadOriginal`: the bytes of one version as received. Who reads, as what and why is committed before the
//! original is looked for; when that fails, nothing is read.

use proto::credit::{
    common::v1::RecordVersion,
    ingest::v1::{ReadOriginalRequest, ReadOriginalResponse},
};
use service_kit::{
    error::{Refusal, database, internal},
    identity::Principal,
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{IngestApi, submit::receipt};
use crate::{
    domain::reading::Reader,
    error::invalid,
    store::originals::{self, Access},
};

impl IngestApi {
    /// Logs the access, then reads.
    pub(super) async fn original(
        &self,
        principal: &Principal,
        request: ReadOriginalRequest,
    ) -> Result<ReadOriginalResponse, Status> {
        let record_id = Uuid::try_parse(&request.record_id).map_err(|_| {
            invalid(
                "RECORD_ID_FORM",
                "record_id",
                "a UUID, as in a receipt",
                "记录编号须为回执中的编号（UUID）",
            )
        })?;
        let reason = request.reason.trim();
        let reader = Reader::of(&principal.roles, reason).map_err(Refusal::from)?;
        let access_id = self
            .log_reading(principal, reader, reason, record_id)
            .await?;

        let own = (reader == Reader::Provider).then_some(principal.organisation.as_str());
        let found = originals::read(&self.pool, record_id, own)
            .await
            .map_err(|error| database("读取原始记录", &error))?;
        let Some(original) = found else {
            return Err(Refusal::field(
                Code::NotFound,
                "RECORD_UNKNOWN",
                "record_id",
                "a version that the caller may read",
                "没有该记录",
            )
            .into());
        };
        let (key, stored) = (original.key, original.stored);
        let labels = self.labels(&stored, &original.sealed_labels)?;
        let content = self
            .context
            .keyring
            .open(stored.record_id.as_bytes(), &original.sealed_content)
            .map_err(|error| internal("打开原始记录", &error))?;
        Ok(ReadOriginalResponse {
            receipt: Some(receipt(
                labels.submission_id,
                &key.provider_code,
                &stored,
                false,
            )),
            version: Some(RecordVersion {
                record_id: stored.record_id.as_bytes().to_vec().into(),
                provider_code: key.provider_code,
                item_code: key.item_code,
                item_version: stored.content.item_version,
                key_digest: key.key_digest.to_vec().into(),
                revision: stored.revision,
            }),
            operation: stored.content.operation.code().into(),
            record_key: labels.record_key,
            content_type: stored.content.content_type,
            content: content.into(),
            access_id: access_id.to_string(),
        })
    }

    /// Commits the line of the log, also for a record that does not exist.
    async fn log_reading(
        &self,
        principal: &Principal,
        reader: Reader,
        reason: &str,
        record_id: Uuid,
    ) -> Result<Uuid, Status> {
        let access_id = Uuid::now_v7();
        let seal = |text: &str| {
            let keyring = &self.context.keyring;
            keyring.seal(access_id.as_bytes(), text.as_bytes())
        };
        let access = Access {
            access_id,
            accessed_at: self.context.clock.now(),
            organisation: &principal.organisation,
            reader: reader.word(),
            sealed_account: seal(&principal.account),
            sealed_reason: seal(reason),
            record_id,
        };
        originals::log_read(&self.pool, &access)
            .await
            .map_err(|error| database("登记原始记录查阅日志", &error))?;
        Ok(access_id)
    }
}
