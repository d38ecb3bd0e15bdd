//! Decode, authorise, app, encode. Which roles may call at all is in the table of rights; who may
//! act on and see which objection is decided here and in `domain`.

use std::sync::Arc;

use event_bus::Relay;
use proto::credit::objection::v1::{
    AnswerObjectionRequest, AnswerObjectionResponse, FileObjectionRequest, FileObjectionResponse,
    GetObjectionRequest, GetObjectionResponse, ListObjectionsRequest, ListObjectionsResponse,
    Objection, TransferObjectionRequest, TransferObjectionResponse,
    objection_service_server::ObjectionService,
};
use service_kit::{
    ServiceContext,
    db::{Conn, Pool},
    grpc::trace_of,
    identity::{Principal, Role},
};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    app::{self, Applicant, Desk, Next, Scope, view},
    domain::{Actor, Law, RuleBroken, application},
    error::ServiceError,
    store::{self, Stored},
};

/// Objections on a page when the caller does not say.
const PAGE: u32 = 20;
/// At most: fifty of the longest fit into the 4 MiB that gRPC clients take unasked.
const LARGEST_PAGE: u32 = 50;
/// Times that a step is decided again when somebody else was faster.
const TRIES: usize = 5;

/// The gRPC service.
#[derive(Debug)]
pub struct Objections {
    pool: Pool,
    relay: Relay,
    law: Arc<Law>,
    context: ServiceContext,
}

impl Objections {
    /// Over the service's own pool; `relay` is woken after each commit.
    pub fn new(pool: Pool, relay: Relay, law: Arc<Law>, context: ServiceContext) -> Self {
        Self {
            pool,
            relay,
            law,
            context,
        }
    }

    fn desk<'a>(&'a self, traceparent: &'a str) -> Desk<'a> {
        Desk {
            keyring: &self.context.keyring,
            law: &self.law,
            now: whole_microseconds(self.context.clock.now()),
            traceparent,
        }
    }

    async fn one_view(
        &self,
        conn: &mut Conn,
        desk: Desk<'_>,
        stored: Stored,
    ) -> Result<Objection, ServiceError> {
        let views = view::of(conn, desk, vec![stored]).await?;
        views.into_iter().next().ok_or(ServiceError::Unknown)
    }

    async fn file(
        &self,
        principal: &Principal,
        request: FileObjectionRequest,
        traceparent: &str,
    ) -> Result<Objection, ServiceError> {
        let applicant =
            Applicant::of(principal, &self.context.keyring).ok_or(ServiceError::NoSubject)?;
        let application = application::complete(request).map_err(ServiceError::Incomplete)?;
        let desk = self.desk(traceparent);
        let mut tx = store::begin(&self.pool)
            .await
            .map_err(ServiceError::database("登记异议申请"))?;
        let stored = app::file(&mut tx, desk, &applicant, application).await?;
        let view = self.one_view(&mut tx, desk, stored).await?;
        store::commit(tx)
            .await
            .map_err(ServiceError::database("登记异议申请"))?;
        self.relay.wake();
        Ok(view)
    }

    async fn advance(
        &self,
        actor: &Actor,
        objection_id: &str,
        next: &Next,
        traceparent: &str,
    ) -> Result<Objection, ServiceError> {
        let objection_id = parse_id(objection_id)?;
        for _ in 0..TRIES {
            let desk = self.desk(traceparent);
            let mut tx = store::begin(&self.pool)
                .await
                .map_err(ServiceError::database("登记异议办理"))?;
            let taken = app::advance(&mut tx, desk, actor, objection_id, next).await?;
            let Some(stored) = taken else { continue };
            let view = self.one_view(&mut tx, desk, stored).await?;
            store::commit(tx)
                .await
                .map_err(ServiceError::database("登记异议办理"))?;
            self.relay.wake();
            return Ok(view);
        }
        Err(ServiceError::Contended)
    }

    async fn get(&self, scope: &Scope, objection_id: &str) -> Result<Objection, ServiceError> {
        let objection_id = parse_id(objection_id)?;
        let mut conn = self.connection().await?;
        let stored = app::get(&mut conn, scope, objection_id).await?;
        self.one_view(&mut conn, self.desk(""), stored).await
    }

    async fn list(
        &self,
        scope: Scope,
        request: ListObjectionsRequest,
    ) -> Result<ListObjectionsResponse, ServiceError> {
        let size = match request.page_size {
            0 => PAGE,
            size => size.min(LARGEST_PAGE),
        };
        let after = read_token(&request.page_token)?;
        let desk = self.desk("");
        let mut conn = self.connection().await?;
        // One more than asked for tells whether there is a next page.
        let limit = i64::from(size) + 1;
        let overdue = request.overdue_only;
        let mut found = app::list(&mut conn, desk, scope, overdue, after, limit).await?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last() {
            Some(last) if more => write_token(last),
            _ => String::new(),
        };
        Ok(ListObjectionsResponse {
            objections: view::of(&mut conn, desk, found).await?,
            next_page_token,
        })
    }

    async fn connection(
        &self,
    ) -> Result<impl std::ops::DerefMut<Target = Conn> + Send + use<>, ServiceError> {
        store::acquire(&self.pool)
            .await
            .map_err(ServiceError::database("查询异议"))
    }
}

/// What PostgreSQL keeps of a moment, so that an answer and a later look say the same.
fn whole_microseconds(now: OffsetDateTime) -> OffsetDateTime {
    now - time::Duration::nanoseconds(i64::from(now.nanosecond() % 1_000))
}

fn parse_id(text: &str) -> Result<Uuid, ServiceError> {
    // What is no id names no objection.
    Uuid::parse_str(text).map_err(|_| ServiceError::Unknown)
}

/// Hex of the last row's sort key: microseconds since 1970 and the id.
fn write_token(last: &Stored) -> String {
    let micros = last.objection.filed_at.unix_timestamp_nanos() / 1_000;
    let mut key = i64::try_from(micros)
        .unwrap_or(i64::MAX)
        .to_be_bytes()
        .to_vec();
    key.extend_from_slice(last.objection_id.as_bytes());
    hex::encode(key)
}

fn read_token(token: &str) -> Result<Option<(OffsetDateTime, Uuid)>, ServiceError> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let key: [u8; 24] = hex::decode(token).ok()?.try_into().ok()?;
        let (micros, id) = key.split_at(8);
        let micros = i64::from_be_bytes(micros.try_into().ok()?);
        let filed_at =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()?;
        Some((filed_at, Uuid::from_slice(id).ok()?))
    };
    read().map(Some).ok_or(ServiceError::PageToken)
}

/// The trace context of a call, empty when it is not followed.
fn trace_header<T>(request: &Request<T>) -> String {
    trace_of(request).map_or_else(String::new, |trace| trace.to_header())
}

#[tonic::async_trait]
impl ObjectionService for Objections {
    async fn file_objection(
        &self,
        request: Request<FileObjectionRequest>,
    ) -> Result<Response<FileObjectionResponse>, Status> {
        let (principal, trace) = (Principal::of(&request)?, trace_header(&request));
        let objection = Some(self.file(&principal, request.into_inner(), &trace).await?);
        Ok(Response::new(FileObjectionResponse { objection }))
    }

    async fn transfer_objection(
        &self,
        request: Request<TransferObjectionRequest>,
    ) -> Result<Response<TransferObjectionResponse>, Status> {
        let (principal, trace) = (Principal::of(&request)?, trace_header(&request));
        if !principal.is(Role::CreditOffice) {
            return Err(ServiceError::Rule(RuleBroken::NotTheOffice).into());
        }
        let id = request.into_inner().objection_id;
        let objection = self
            .advance(&Actor::CreditOffice, &id, &Next::Transfer, &trace)
            .await?;
        let objection = Some(objection);
        Ok(Response::new(TransferObjectionResponse { objection }))
    }

    async fn answer_objection(
        &self,
        request: Request<AnswerObjectionRequest>,
    ) -> Result<Response<AnswerObjectionResponse>, Status> {
        let (principal, trace) = (Principal::of(&request)?, trace_header(&request));
        if !principal.is(Role::Provider) {
            return Err(ServiceError::Rule(RuleBroken::NotTheProvider).into());
        }
        let actor = Actor::Provider(principal.organisation);
        let request = request.into_inner();
        let id = request.objection_id.clone();
        let (decision, text) =
            application::complete_answer(request).map_err(ServiceError::Incomplete)?;
        let next = Next::Answer { decision, text };
        let objection = Some(self.advance(&actor, &id, &next, &trace).await?);
        Ok(Response::new(AnswerObjectionResponse { objection }))
    }

    async fn get_objection(
        &self,
        request: Request<GetObjectionRequest>,
    ) -> Result<Response<GetObjectionResponse>, Status> {
        let scope = Scope::of(&Principal::of(&request)?, &self.context.keyring)?;
        let id = request.into_inner().objection_id;
        let objection = Some(self.get(&scope, &id).await?);
        Ok(Response::new(GetObjectionResponse { objection }))
    }

    async fn list_objections(
        &self,
        request: Request<ListObjectionsRequest>,
    ) -> Result<Response<ListObjectionsResponse>, Status> {
        let scope = Scope::of(&Principal::of(&request)?, &self.context.keyring)?;
        let listed = self.list(scope, request.into_inner()).await?;
        Ok(Response::new(listed))
    }
}
