//! The clients of the two services that the site calls: disclosure's `PublicService` and catalog's `CatalogService`,
//! called with the site's own token and a deadline. Called by `routes`. What is asked and answered
//! is never logged: a visitor may have typed a person's name. [`catalogue`] has the calls of catalog.

mod catalogue;

pub use catalogue::OrganNames;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use proto::credit::{
    catalog::v1::catalog_service_client::CatalogServiceClient,
    disclosure::v1::{
        GetOrganisationRequest, GetOrganisationResponse, GetPublicRecordRequest,
        ListPublicRecordsRequest, ListPublicRecordsResponse, PublicRecord, RevocationNotice,
        SearchOrganisationsRequest, SearchOrganisationsResponse,
        public_service_client::PublicServiceClient,
    },
};
use service_kit::{
    config::Secret,
    grpc::{AuthorisedChannel, BearerToken, MAX_MESSAGE_BYTES, open_channel},
    start::StartError,
};
use tonic::{Code, Request, Response, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::Config;

type DisclosureBackend = PublicServiceClient<AuthorisedChannel>;
type CatalogBackend = CatalogServiceClient<AuthorisedChannel>;

/// Why a page cannot be shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// There is no such thing, or it is not public (any more): the two look the same on purpose.
    #[error("not found")]
    NotFound,
    /// The service refused what was asked; its text for people goes with it.
    #[error("refused: {field}")]
    Refused {
        /// Field of the request, empty when none is meant.
        field: String,
        /// Chinese text.
        message: String,
    },
    /// The service is unavailable; a retry may succeed.
    #[error("the service is away")]
    Unavailable,
    /// The service failed; no other request of the visitor would help.
    #[error("the service failed")]
    Failed,
}

/// What disclosure says of one record.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordAnswer {
    /// It is disclosed.
    Disclosed(PublicRecord),
    /// Its provider revoked it (D-24).
    Revoked(RevocationNotice),
}

/// Connections to disclosure and catalog with the site's token. Cheap to clone.
#[derive(Clone)]
pub struct Backends(Arc<BackendState>);

struct BackendState {
    disclosure: Channel,
    catalog: Channel,
    secret: Secret,
    token: RwLock<SiteToken>,
    timeout: Duration,
}

#[derive(Clone)]
struct SiteToken {
    text: String,
    bearer: BearerToken,
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backends")
    }
}

impl SiteToken {
    fn from_secret(secret: &Secret) -> Result<Self, StartError> {
        let text = secret.reveal()?;
        let bearer = BearerToken::new(&text).map_err(|_| StartError::Token { key: "token" })?;
        Ok(Self { text, bearer })
    }
}

impl Backends {
    /// Prepares both channels; they connect when first used.
    ///
    /// # Errors
    /// When an address is none or the token cannot be read.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let open = |key, url: &str| {
            open_channel(url).map_err(|source| StartError::Address { key, source })
        };
        Ok(Self(Arc::new(BackendState {
            disclosure: open("disclosure_url", &config.disclosure_url)?,
            catalog: open("catalog_url", &config.catalog_url)?,
            token: RwLock::new(SiteToken::from_secret(&config.token)?),
            secret: config.token.clone(),
            timeout: config.backend_timeout(),
        })))
    }

    /// Organisations by part of the name.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn search_organisations(
        &self,
        request: SearchOrganisationsRequest,
    ) -> Result<SearchOrganisationsResponse, BackendError> {
        self.call("SearchOrganisations", request, |token, request| {
            let mut client = self.disclosure_client(token);
            async move { client.search_organisations(request).await }
        })
        .await
    }

    /// One organisation with its disclosed records.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn get_organisation(
        &self,
        request: GetOrganisationRequest,
    ) -> Result<GetOrganisationResponse, BackendError> {
        self.call("GetOrganisation", request, |token, request| {
            let mut client = self.disclosure_client(token);
            async move { client.get_organisation(request).await }
        })
        .await
    }

    /// Disclosed records of one item.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn list_public_records(
        &self,
        request: ListPublicRecordsRequest,
    ) -> Result<ListPublicRecordsResponse, BackendError> {
        self.call("ListPublicRecords", request, |token, request| {
            let mut client = self.disclosure_client(token);
            async move { client.list_public_records(request).await }
        })
        .await
    }

    /// One disclosed record with its published fields, or why it is disclosed no longer.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn get_public_record(&self, record_id: &str) -> Result<RecordAnswer, BackendError> {
        let request = GetPublicRecordRequest {
            record_id: record_id.to_owned(),
        };
        let answer = self
            .call("GetPublicRecord", request, |token, request| {
                let mut client = self.disclosure_client(token);
                async move { client.get_public_record(request).await }
            })
            .await?;
        match (answer.record, answer.revocation) {
            // A record that is called revoked is not shown, whatever else is said of it.
            (_, Some(notice)) => Ok(RecordAnswer::Revoked(notice)),
            (Some(record), None) => Ok(RecordAnswer::Disclosed(record)),
            (None, None) => Err(BackendError::NotFound),
        }
    }

    fn disclosure_client(&self, token: BearerToken) -> DisclosureBackend {
        PublicServiceClient::with_interceptor(self.0.disclosure.clone(), token)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    fn catalog_client(&self, token: BearerToken) -> CatalogBackend {
        CatalogServiceClient::with_interceptor(self.0.catalog.clone(), token)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// One call with a deadline. If the token is refused, the token file is read again and the call is repeated once.
    async fn call<Q: Clone, A, F: Future<Output = Result<Response<A>, Status>>>(
        &self,
        rpc: &'static str,
        message: Q,
        ask: impl Fn(BearerToken, Request<Q>) -> F,
    ) -> Result<A, BackendError> {
        let token = self.current_token();
        let mut outcome = self
            .call_once(&ask, token.bearer.clone(), message.clone())
            .await;
        if matches!(&outcome, Err(call) if call.code() == Code::Unauthenticated)
            && let Some(bearer) = self.renew_token(&token)
        {
            outcome = self.call_once(&ask, bearer, message).await;
        }
        outcome.map_err(|call| {
            let error = match &call {
                UnansweredCall::Refused(status) => classify_status(status),
                UnansweredCall::TimedOut => BackendError::Unavailable,
            };
            // Only the code: a message may repeat what a visitor typed.
            match error {
                BackendError::Unavailable => {
                    tracing::warn!(rpc, code = ?call.code(), "a service is away");
                }
                BackendError::Failed => {
                    tracing::error!(rpc, code = ?call.code(), "a service failed");
                }
                BackendError::NotFound | BackendError::Refused { .. } => {}
            }
            error
        })
    }

    async fn call_once<Q, A, F: Future<Output = Result<Response<A>, Status>>>(
        &self,
        ask: &impl Fn(BearerToken, Request<Q>) -> F,
        token: BearerToken,
        message: Q,
    ) -> Result<A, UnansweredCall> {
        let mut request = Request::new(message);
        request.set_timeout(self.0.timeout);
        // The deadline in the request lets the service stop working; this one holds even when
        // the service does not answer at all.
        match tokio::time::timeout(self.0.timeout, ask(token, request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(UnansweredCall::Refused(status)),
            Err(_) => Err(UnansweredCall::TimedOut),
        }
    }

    fn current_token(&self) -> SiteToken {
        // A poisoned lock still holds a whole token: nothing can panic between read and write.
        self.0
            .token
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn renew_token(&self, refused: &SiteToken) -> Option<BearerToken> {
        let fresh = SiteToken::from_secret(&self.0.secret).ok()?;
        if fresh.text == refused.text {
            return None;
        }
        tracing::info!("the site's token was renewed");
        let bearer = fresh.bearer.clone();
        *self.0.token.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Some(bearer)
    }
}

/// Why a call has no answer.
enum UnansweredCall {
    /// The status of the service or of the connection.
    Refused(Status),
    /// Nothing came in time.
    TimedOut,
}

impl UnansweredCall {
    fn code(&self) -> Code {
        match self {
            Self::Refused(status) => status.code(),
            Self::TimedOut => Code::DeadlineExceeded,
        }
    }
}

/// Maps a gRPC status to the error that decides which page is shown.
fn classify_status(status: &Status) -> BackendError {
    match status.code() {
        Code::NotFound => BackendError::NotFound,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => parse_refusal(status),
        // A broken connection comes as Unknown with its cause; a service's own Unknown has none.
        Code::Unknown if std::error::Error::source(status).is_some() => BackendError::Unavailable,
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Cancelled
        // The site's own token was refused: the operator's to mend, and a retry later may work.
        | Code::Unauthenticated
        | Code::PermissionDenied => BackendError::Unavailable,
        Code::Ok
        | Code::Unknown
        | Code::AlreadyExists
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => BackendError::Failed,
    }
}

fn parse_refusal(status: &Status) -> BackendError {
    let details = status.get_error_details();
    let violation = details
        .bad_request()
        .and_then(|bad| bad.field_violations.first());
    match violation {
        Some(violation) => BackendError::Refused {
            field: violation.field.clone(),
            message: violation.description.clone(),
        },
        None => BackendError::Refused {
            field: String::new(),
            message: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_kit::{error::Refusal, reason::Reason};

    #[test]
    fn a_refusal_keeps_field_and_text() {
        let status = Refusal::new(
            Reason::PageTokenInvalid,
            "page_token",
            "a token that this service gave",
            "分页标记无效",
        )
        .to_status();
        let expected = BackendError::Refused {
            field: "page_token".to_owned(),
            message: "分页标记无效".to_owned(),
        };
        assert_eq!(classify_status(&status), expected);
    }

    #[test]
    fn what_may_pass_and_what_may_not_are_told_apart() {
        let judged = |code| classify_status(&Status::new(code, ""));
        assert_eq!(judged(Code::NotFound), BackendError::NotFound);
        assert_eq!(judged(Code::Unavailable), BackendError::Unavailable);
        assert_eq!(judged(Code::DeadlineExceeded), BackendError::Unavailable);
        assert_eq!(judged(Code::Unauthenticated), BackendError::Unavailable);
        assert_eq!(judged(Code::Internal), BackendError::Failed);
        assert_eq!(judged(Code::Unknown), BackendError::Failed);
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(
            classify_status(&Status::from_error(Box::new(broken))),
            BackendError::Unavailable
        );
    }

    #[test]
    fn the_reasons_that_the_services_give_have_their_pages() {
        let judged =
            |reason: Reason| classify_status(&Refusal::new(reason, "", "a rule", "").to_status());
        for missing in [
            Reason::NotDisclosed,
            Reason::ItemUnknown,
            Reason::ItemVersionUnknown,
            Reason::CodeListUnknown,
        ] {
            assert_eq!(judged(missing), BackendError::NotFound, "{missing}");
        }
        for refused in [
            Reason::PageTokenInvalid,
            Reason::RecordIdInvalid,
            Reason::ItemCodeInvalid,
            Reason::QueryTooShort,
            Reason::PeriodReversed,
        ] {
            let error = judged(refused);
            assert!(matches!(error, BackendError::Refused { .. }), "{refused}");
        }
        for away in [Reason::Unavailable, Reason::Stopping, Reason::TokenExpired] {
            assert_eq!(judged(away), BackendError::Unavailable, "{away}");
        }
        for failed in [Reason::Internal, Reason::RpcUnknown] {
            assert_eq!(judged(failed), BackendError::Failed, "{failed}");
        }
    }
}
