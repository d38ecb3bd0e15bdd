//! Decode, authorise, one use case in one transaction, encode. Which roles may call at all is in the
//! proto file; who may act on and see which objection is decided here and in `domain`.

mod decode;
mod encode;

use std::sync::Arc;

use event_bus::Relay;
use legal_clock::Law;
use proto::credit::objection::v1::{
    AnswerObjectionRequest, AnswerObjectionResponse, FileObjectionRequest, FileObjectionResponse,
    GetObjectionRequest, GetObjectionResponse, ListObjectionsRequest, ListObjectionsResponse,
    TransferObjectionRequest, TransferObjectionResponse,
    objection_service_server::ObjectionService,
};
use service_kit::{ServiceContext, db::Pool, grpc::trace_parent, identity::Principal};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    app::{
        self, Applicant, HandlingStep, ObjectionCallContext, ObjectionScope, view::ObjectionView,
    },
    error::ObjectionError,
};

/// Attempts at a step that lost its optimistic lock on the revision.
const MAX_ATTEMPTS: usize = 5;

/// The gRPC service.
#[derive(Debug)]
pub struct ObjectionApi {
    pool: Pool,
    relay: Relay,
    law: Arc<Law>,
    context: ServiceContext,
}

impl ObjectionApi {
    /// Over the service's own pool; `relay` is woken after each commit.
    pub fn new(pool: Pool, relay: Relay, law: Arc<Law>, context: ServiceContext) -> Self {
        Self {
            pool,
            relay,
            law,
            context,
        }
    }

    fn call_context<'a>(&'a self, traceparent: &'a str) -> ObjectionCallContext<'a> {
        ObjectionCallContext {
            keyring: &self.context.keyring,
            law: &self.law,
            now: self.context.clock.now(),
            traceparent,
        }
    }

    /// A step of an objection; loaded and decided again when the optimistic lock was lost.
    async fn handle_objection(
        &self,
        objection_id: Uuid,
        step: &HandlingStep,
        traceparent: &str,
    ) -> Result<ObjectionView, ObjectionError> {
        for _ in 0..MAX_ATTEMPTS {
            let call = self.call_context(traceparent);
            let mut tx =
                (self.pool.begin().await).map_err(ObjectionError::database("登记异议办理"))?;
            let handled = match step {
                HandlingStep::Transfer => {
                    app::transfer_objection(&mut tx, call, objection_id).await?
                }
                HandlingStep::Answer { provider, answer } => {
                    app::answer_objection(&mut tx, call, *provider, objection_id, answer).await?
                }
            };
            let Some(view) = handled else { continue };
            (tx.commit().await).map_err(ObjectionError::database("登记异议办理"))?;
            self.relay.wake();
            return Ok(view);
        }
        Err(ObjectionError::Overtaken)
    }
}

/// The trace context of a call, empty when it is not sampled.
fn trace_header<T>(request: &Request<T>) -> String {
    trace_parent(request).map_or_else(String::new, |trace| trace.to_header())
}

#[tonic::async_trait]
impl ObjectionService for ObjectionApi {
    async fn file_objection(
        &self,
        request: Request<FileObjectionRequest>,
    ) -> Result<Response<FileObjectionResponse>, Status> {
        let (principal, trace) = (Principal::from_request(&request)?, trace_header(&request));
        let applicant = Applicant::from_principal(&principal, &self.context.keyring)
            .ok_or(ObjectionError::NoSubject)?;
        let application = decode::decode_application(request.into_inner())?;
        let call = self.call_context(&trace);
        let mut tx = (self.pool.begin().await).map_err(ObjectionError::database("登记异议申请"))?;
        let view = app::file_objection(&mut tx, call, &applicant, application).await?;
        (tx.commit().await).map_err(ObjectionError::database("登记异议申请"))?;
        self.relay.wake();
        let objection = Some(encode::encode_objection(view));
        Ok(Response::new(FileObjectionResponse { objection }))
    }

    async fn transfer_objection(
        &self,
        request: Request<TransferObjectionRequest>,
    ) -> Result<Response<TransferObjectionResponse>, Status> {
        let trace = trace_header(&request);
        let id = decode::objection_id(&request.into_inner().objection_id)?;
        let step = HandlingStep::Transfer;
        let view = self.handle_objection(id, &step, &trace).await?;
        let objection = Some(encode::encode_objection(view));
        Ok(Response::new(TransferObjectionResponse { objection }))
    }

    async fn answer_objection(
        &self,
        request: Request<AnswerObjectionRequest>,
    ) -> Result<Response<AnswerObjectionResponse>, Status> {
        let (principal, trace) = (Principal::from_request(&request)?, trace_header(&request));
        if principal.organisation.is_empty() {
            return Err(ObjectionError::NotRegistered.into());
        }
        let request = request.into_inner();
        let id = decode::objection_id(&request.objection_id)?;
        let step = decode::decode_answer(request, principal.organisation.parse().ok())?;
        let view = self.handle_objection(id, &step, &trace).await?;
        let objection = Some(encode::encode_objection(view));
        Ok(Response::new(AnswerObjectionResponse { objection }))
    }

    async fn get_objection(
        &self,
        request: Request<GetObjectionRequest>,
    ) -> Result<Response<GetObjectionResponse>, Status> {
        let scope = ObjectionScope::for_principal(
            &Principal::from_request(&request)?,
            &self.context.keyring,
        )?;
        let id = decode::objection_id(&request.into_inner().objection_id)?;
        let mut conn = (self.pool.acquire().await).map_err(ObjectionError::database("查询异议"))?;
        let view = app::get_objection(&mut conn, self.call_context(""), &scope, id).await?;
        let objection = Some(encode::encode_objection(view));
        Ok(Response::new(GetObjectionResponse { objection }))
    }

    async fn list_objections(
        &self,
        request: Request<ListObjectionsRequest>,
    ) -> Result<Response<ListObjectionsResponse>, Status> {
        let scope = ObjectionScope::for_principal(
            &Principal::from_request(&request)?,
            &self.context.keyring,
        )?;
        let request = request.into_inner();
        let page = decode::decode_page(&request)?;
        let (call, overdue) = (self.call_context(""), request.overdue_only);
        let mut conn = (self.pool.acquire().await).map_err(ObjectionError::database("查询异议"))?;
        let found = app::list_objections(&mut conn, call, &scope, overdue, &page).await?;
        Ok(Response::new(encode::encode_objections(found)))
    }
}
