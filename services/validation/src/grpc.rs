//! `credit.validation.v1.ValidationService`: decode, call `app`, encode. Called by tonic for clients. The proto file
//! says which roles may call, and the authentication layer has checked that; whose records a caller sees is decided by
//! `decode` and `app`.

mod decode;
mod encode;

use std::{sync::Arc, time::Duration};

use event_bus::Relay;
use legal_clock::shanghai_date;
use proto::credit::validation::v1::{
    ConfirmRecordRequest, ConfirmRecordResponse, DryRunRequest, DryRunResponse,
    GetStatisticsRequest, GetStatisticsResponse, GetVerdictRequest, GetVerdictResponse,
    ListFeedbackRequest, ListFeedbackResponse, WatchFeedbackRequest, WatchFeedbackResponse,
    validation_service_server::ValidationService,
};
use service_kit::{
    ServiceContext,
    clock::Clock,
    db::{Conn, Pool, Tx},
    error::Refusal,
    identity::Principal,
    reason::Reason,
    shutdown::Shutdown,
};
use time::Date;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, codegen::BoxStream};
use vault::Keyring;

use crate::{
    app::{
        RecordValidator, confirm, dry_run, feedback,
        watch::{self, FeedChange, FeedReader},
    },
    error::ValidationError,
};

/// First pause between two polls of a feed.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between polls of an idle feed: commits of another copy of the service send no notification here.
const IDLE_PAUSE: Duration = Duration::from_secs(1);
/// Changes that may be buffered for a slow client; beyond that nothing more is read for it.
const CHANNEL_CAPACITY: usize = 100;

/// What is being done when no connection is to be had.
const CONNECTING: &str = "连接数据库";

/// The gRPC service.
#[derive(Clone)]
pub struct ValidationApi {
    pool: Pool,
    validator: Arc<RecordValidator>,
    relay: Relay,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

impl std::fmt::Debug for ValidationApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidationApi").finish_non_exhaustive()
    }
}

impl ValidationApi {
    /// Answers from `pool`, judges with `validator`, and wakes `relay` after what it writes.
    pub fn new(
        pool: Pool,
        validator: Arc<RecordValidator>,
        relay: Relay,
        context: &ServiceContext,
    ) -> Self {
        Self {
            pool,
            validator,
            relay,
            keyring: context.keyring.clone(),
            clock: Arc::clone(&context.clock),
            shutdown: context.shutdown.clone(),
        }
    }

    fn today(&self) -> Date {
        shanghai_date(self.clock.now())
    }

    async fn read_connection(
        &self,
    ) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, ValidationError> {
        let conn = self.pool.acquire().await;
        conn.map_err(ValidationError::database(CONNECTING))
    }

    async fn begin(&self) -> Result<Tx, ValidationError> {
        let tx = self.pool.begin().await;
        tx.map_err(ValidationError::database(CONNECTING))
    }

    /// Sends the changes of `feed` to a client until it disconnects or the service stops.
    async fn send_changes(
        self,
        mut feed: FeedReader,
        client: mpsc::Sender<Result<WatchFeedbackResponse, Status>>,
    ) {
        let mut notices = self.validator.feed.subscribe_feed();
        let mut pause = FIRST_PAUSE;
        loop {
            notices.mark_unchanged();
            let changes = match self.next_changes(&mut feed).await {
                Ok(changes) => changes,
                Err(error) => {
                    // A client that has disconnected needs no reason.
                    let _ = client.send(Err(error.into())).await;
                    return;
                }
            };
            if !changes.is_empty() {
                pause = FIRST_PAUSE;
            }
            let more = !changes.is_empty();
            for change in changes {
                tokio::select! {
                    sent = client.send(Ok(encode::feedback_change(change))) => if sent.is_err() { return },
                    () = self.shutdown.wait_requested() => break,
                }
            }
            if self.shutdown.is_requested() {
                let _ = client.try_send(Err(end_of_streams()));
                return;
            }
            if more {
                continue;
            }
            // Right after a notification the rows may still be invisible behind a running transaction: poll again soon,
            // then with growing pauses.
            tokio::select! {
                noticed = notices.changed() => if noticed.is_ok() { pause = FIRST_PAUSE },
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(IDLE_PAUSE),
                () = client.closed() => return,
                () = self.shutdown.wait_requested() => {}
            }
        }
    }

    async fn next_changes(
        &self,
        feed: &mut FeedReader,
    ) -> Result<Vec<FeedChange>, ValidationError> {
        let mut conn = self.read_connection().await?;
        feed.next_changes(&mut conn, &self.keyring, self.today())
            .await
    }
}

/// The status that ends a stream when the service stops; the client reconnects with its cursor.
fn end_of_streams() -> Status {
    Refusal::new(
        Reason::Stopping,
        "",
        "a stopping service ends its streams",
        "服务正在停止，请凭续接标识重新连接",
    )
    .into()
}

#[tonic::async_trait]
impl ValidationService for ValidationApi {
    async fn list_feedback(
        &self,
        request: Request<ListFeedbackRequest>,
    ) -> Result<Response<ListFeedbackResponse>, Status> {
        let principal = Principal::from_request(&request)?;
        let scope = decode::feedback_scope(&principal)?;
        let (query, page) = decode::feedback_list(&principal, &scope, request.get_ref())?;
        let (keyring, today) = (&self.keyring, self.today());
        let mut conn = self.read_connection().await?;
        let found =
            feedback::list_feedback(&mut conn, keyring, &scope, &query, &page, today).await?;
        Ok(Response::new(encode::feedback_list(found)))
    }

    async fn get_verdict(
        &self,
        request: Request<GetVerdictRequest>,
    ) -> Result<Response<GetVerdictResponse>, Status> {
        let scope = decode::feedback_scope(&Principal::from_request(&request)?)?;
        let id = decode::version_id(request.get_ref())?;
        let mut conn = self.read_connection().await?;
        let verdict = feedback::get_verdict(&mut conn, &self.keyring, &scope, id).await?;
        Ok(Response::new(encode::opened_verdict(verdict)))
    }

    async fn watch_feedback(
        &self,
        request: Request<WatchFeedbackRequest>,
    ) -> Result<Response<BoxStream<WatchFeedbackResponse>>, Status> {
        let principal = Principal::from_request(&request)?;
        let scope = decode::feedback_scope(&principal)?;
        let request = request.into_inner();
        let asked = decode::asked_provider(&principal, &scope, &request.provider_code)?;
        let mut conn = self.read_connection().await?;
        let keyring = &self.keyring;
        let feed =
            watch::watch_feedback(&mut conn, keyring, &scope, asked, &request.cursor).await?;
        let (client, changes) = mpsc::channel(CHANNEL_CAPACITY);
        self.shutdown.spawn(self.clone().send_changes(feed, client));
        Ok(Response::new(Box::pin(ReceiverStream::new(changes))))
    }

    async fn confirm_record(
        &self,
        request: Request<ConfirmRecordRequest>,
    ) -> Result<Response<ConfirmRecordResponse>, Status> {
        let provider = decode::calling_provider(&Principal::from_request(&request)?)?;
        let (case_id, attestation) = decode::decode_confirmation(request.get_ref())?;
        let (validator, now) = (&self.validator, self.clock.now());
        let mut tx = self.begin().await?;
        let confirmed =
            confirm::confirm_record(&mut tx, validator, provider, case_id, &attestation, now)
                .await?;
        tx.commit()
            .await
            .map_err(ValidationError::database("确认记录"))?;
        self.relay.wake();
        self.validator.feed.notify_feed();
        Ok(Response::new(encode::confirmed_record(confirmed)))
    }

    async fn dry_run(
        &self,
        request: Request<DryRunRequest>,
    ) -> Result<Response<DryRunResponse>, Status> {
        let provider = decode::calling_provider(&Principal::from_request(&request)?)?;
        let records = decode::dry_run_submissions(request.into_inner().records)?;
        let (validator, now) = (&self.validator, self.clock.now());
        // Never committed, and it may not write.
        let mut tx = self.begin().await?;
        let verdicts = dry_run::dry_run(&mut tx, validator, provider, records, now).await?;
        Ok(Response::new(encode::dry_run_results(verdicts)))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let counted = feedback::get_statistics(&mut *self.read_connection().await?).await?;
        Ok(Response::new(encode::verdict_statistics(counted)))
    }
}
