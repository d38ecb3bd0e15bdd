//! The RPCs: decode, authorise, app, encode. Called by tonic for clients; which roles may call at all was
//! checked before (the table in service-kit), here it is decided whose records a caller sees.

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
    db::Pool,
    error::database,
    identity::{Principal, Role},
    shutdown::Shutdown,
};
use time::Date;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use vault::Keyring;

use crate::{
    app::{
        Desk, confirm, dry_run,
        feedback::{self, Reader},
        watch::Feed,
    },
    error::ValidationError,
};

/// First pause between two looks at a feed.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between looks at a feed in which nothing happens: what another copy commits rings no bell here.
const IDLE_PAUSE: Duration = Duration::from_secs(1);
/// Changes that wait for a slow client, and then nothing more is read for it.
const WAITING: usize = 100;

/// The gRPC service.
#[derive(Clone)]
pub struct Validation {
    pool: Pool,
    desk: Arc<Desk>,
    relay: Relay,
    keyring: Keyring,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
}

impl std::fmt::Debug for Validation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validation").finish_non_exhaustive()
    }
}

impl Validation {
    /// Answers from `pool`, judges at `desk`, and wakes `relay` after what it writes.
    pub fn new(pool: Pool, desk: Arc<Desk>, relay: Relay, context: &ServiceContext) -> Self {
        Self {
            pool,
            desk,
            relay,
            keyring: context.keyring.clone(),
            clock: Arc::clone(&context.clock),
            shutdown: context.shutdown.clone(),
        }
    }

    fn today(&self) -> Date {
        shanghai_date(self.clock.now())
    }

    /// Tells `feed` to a client until it hangs up or the service stops.
    async fn tell(
        self,
        mut feed: Feed,
        client: mpsc::Sender<Result<WatchFeedbackResponse, Status>>,
    ) {
        let mut bell = self.desk.bell();
        let mut pause = FIRST_PAUSE;
        loop {
            bell.mark_unchanged();
            let changes = match self.next(&mut feed).await {
                Ok(changes) => changes,
                Err(status) => {
                    // Whoever has hung up meanwhile needs no reason.
                    let _ = client.send(Err(status)).await;
                    return;
                }
            };
            if !changes.is_empty() {
                pause = FIRST_PAUSE;
            }
            let more = !changes.is_empty();
            for change in changes {
                tokio::select! {
                    sent = client.send(Ok(change)) => if sent.is_err() { return },
                    () = self.shutdown.requested() => break,
                }
            }
            if self.shutdown.is_requested() {
                let _ = client.try_send(Err(Status::unavailable(
                    "服务正在停止，请凭续接标识重新连接",
                )));
                return;
            }
            if more {
                continue;
            }
            // Right after the bell the rows may still hide behind a running transaction: look again soon, then less
            // and less often.
            tokio::select! {
                rung = bell.changed() => if rung.is_ok() { pause = FIRST_PAUSE },
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(IDLE_PAUSE),
                () = client.closed() => return,
                () = self.shutdown.requested() => {}
            }
        }
    }

    async fn next(&self, feed: &mut Feed) -> Result<Vec<WatchFeedbackResponse>, Status> {
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        Ok(feed.next(&mut conn, &self.keyring, self.today()).await?)
    }
}

/// The provider that calls.
fn provider<T>(request: &Request<T>) -> Result<String, Status> {
    let principal = Principal::of(request)?;
    if principal.organisation.is_empty() {
        return Err(ValidationError::ProviderMissing.into());
    }
    Ok(principal.organisation)
}

/// Whose records the caller sees.
fn reader<T>(request: &Request<T>) -> Result<Reader, Status> {
    let principal = Principal::of(request)?;
    let all = principal.is(Role::CreditOffice) || principal.is(Role::Auditor);
    let own = (principal.is(Role::Provider) && !principal.organisation.is_empty())
        .then_some(principal.organisation);
    Ok(Reader { own, all })
}

fn no_connection(error: service_kit::db::Error) -> Status {
    database("连接数据库", &error)
}

#[tonic::async_trait]
impl ValidationService for Validation {
    async fn list_feedback(
        &self,
        request: Request<ListFeedbackRequest>,
    ) -> Result<Response<ListFeedbackResponse>, Status> {
        let reader = reader(&request)?;
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        let answer = feedback::list(
            &mut conn,
            &self.keyring,
            &reader,
            request.get_ref(),
            self.today(),
        )
        .await?;
        Ok(Response::new(answer))
    }

    async fn get_verdict(
        &self,
        request: Request<GetVerdictRequest>,
    ) -> Result<Response<GetVerdictResponse>, Status> {
        let reader = reader(&request)?;
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        let id = &request.get_ref().record_id;
        let answer = feedback::verdict(&mut conn, &self.keyring, &reader, id).await?;
        Ok(Response::new(answer))
    }

    type WatchFeedbackStream = ReceiverStream<Result<WatchFeedbackResponse, Status>>;

    async fn watch_feedback(
        &self,
        request: Request<WatchFeedbackRequest>,
    ) -> Result<Response<Self::WatchFeedbackStream>, Status> {
        let reader = reader(&request)?;
        let asked = request.get_ref();
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        let feed = Feed::open(
            &mut conn,
            &self.keyring,
            &reader,
            &asked.provider_code,
            &asked.cursor,
        )
        .await?;
        let (client, changes) = mpsc::channel(WAITING);
        self.shutdown.spawn(self.clone().tell(feed, client));
        Ok(Response::new(ReceiverStream::new(changes)))
    }

    async fn confirm_record(
        &self,
        request: Request<ConfirmRecordRequest>,
    ) -> Result<Response<ConfirmRecordResponse>, Status> {
        let provider = provider(&request)?;
        let mut tx = self.pool.begin().await.map_err(no_connection)?;
        let answer = confirm::confirm(
            &mut tx,
            &self.desk,
            &provider,
            request.get_ref(),
            self.clock.now(),
        )
        .await?;
        tx.commit()
            .await
            .map_err(|error| database("确认记录", &error))?;
        self.relay.wake();
        self.desk.ring();
        Ok(Response::new(answer))
    }

    async fn dry_run(
        &self,
        request: Request<DryRunRequest>,
    ) -> Result<Response<DryRunResponse>, Status> {
        let provider = provider(&request)?;
        let records = request.into_inner().records;
        // Never committed, and it may not write.
        let mut tx = self.pool.begin().await.map_err(no_connection)?;
        let verdicts =
            dry_run::dry_run(&mut tx, &self.desk, &provider, records, self.clock.now()).await?;
        Ok(Response::new(DryRunResponse { verdicts }))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        Ok(Response::new(feedback::statistics(&mut conn).await?))
    }
}
