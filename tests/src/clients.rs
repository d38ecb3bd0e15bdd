//! gRPC clients of one platform, each call with the token of who makes it.

use anyhow::Result;
use platform::target::Service;
use proto::credit::{
    catalog::v1::catalog_service_client::CatalogServiceClient,
    disclosure::v1::{
        disclosure_service_client::DisclosureServiceClient,
        public_service_client::PublicServiceClient, subject_service_client::SubjectServiceClient,
    },
    ingest::v1::ingest_service_client::IngestServiceClient,
    objection::v1::objection_service_client::ObjectionServiceClient,
    province::v1::simulator_control_service_client::SimulatorControlServiceClient,
    provincialsync::v1::provincial_sync_service_client::ProvincialSyncServiceClient,
    validation::v1::validation_service_client::ValidationServiceClient,
};
use service_kit::{
    grpc::{AuthorisedChannel, BearerToken, MAX_MESSAGE_BYTES, open_channel},
    identity::{PersonClaim, Role},
};

use crate::cluster::Cluster;

/// A client of ingest, as providers call it.
pub type IngestClient = IngestServiceClient<AuthorisedChannel>;

/// Makes clients for the parties of a platform.
#[derive(Debug)]
pub struct Clients<'a> {
    cluster: &'a Cluster,
    office: BearerToken,
    operator: BearerToken,
    public: BearerToken,
}

impl<'a> Clients<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Result<Self> {
        let token = |role| -> Result<BearerToken> {
            Ok(BearerToken::new(&cluster.token("", &[role], None)?)?)
        };
        Ok(Self {
            office: token(Role::CreditOffice)?,
            operator: token(Role::Operator)?,
            public: token(Role::Public)?,
            cluster,
        })
    }

    fn channel_to(&self, service: Service, token: BearerToken) -> Result<AuthorisedChannel> {
        let channel = open_channel(&self.cluster.ports.url(service))?;
        Ok(AuthorisedChannel::new(channel, token))
    }

    fn provider_token(&self, code: &str) -> Result<BearerToken> {
        let token = self.cluster.token(code, &[Role::Provider], None)?;
        Ok(BearerToken::new(&token)?)
    }

    /// Ingest, as a provider.
    pub fn ingest(&self, provider_code: &str) -> Result<IngestServiceClient<AuthorisedChannel>> {
        let token = self.provider_token(provider_code)?;
        Ok(IngestServiceClient::new(
            self.channel_to(Service::Ingest, token)?,
        ))
    }

    /// Ingest, as an operator: statistics.
    pub fn ingest_operator(&self) -> Result<IngestServiceClient<AuthorisedChannel>> {
        Ok(IngestServiceClient::new(
            self.channel_to(Service::Ingest, self.operator.clone())?,
        ))
    }

    /// Validation, as the credit office.
    pub fn validation(&self) -> Result<ValidationServiceClient<AuthorisedChannel>> {
        let channel = self.channel_to(Service::Validation, self.office.clone())?;
        Ok(ValidationServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES))
    }

    /// Validation, as a provider.
    pub fn validation_provider(
        &self,
        provider_code: &str,
    ) -> Result<ValidationServiceClient<AuthorisedChannel>> {
        let token = self.provider_token(provider_code)?;
        let channel = self.channel_to(Service::Validation, token)?;
        Ok(ValidationServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES))
    }

    /// Catalog, as the credit office.
    pub fn catalog(&self) -> Result<CatalogServiceClient<AuthorisedChannel>> {
        Ok(CatalogServiceClient::new(
            self.channel_to(Service::Catalog, self.office.clone())?,
        ))
    }

    /// Catalog, as a department that drafts for its own catalogue.
    pub fn catalog_provider(
        &self,
        provider_code: &str,
    ) -> Result<CatalogServiceClient<AuthorisedChannel>> {
        let token = self.provider_token(provider_code)?;
        Ok(CatalogServiceClient::new(
            self.channel_to(Service::Catalog, token)?,
        ))
    }

    /// Disclosure's public service, as the public site.
    pub fn public(&self) -> Result<PublicServiceClient<AuthorisedChannel>> {
        Ok(PublicServiceClient::new(
            self.channel_to(Service::Disclosure, self.public.clone())?,
        ))
    }

    /// Disclosure's statistics, as an operator.
    pub fn disclosure(&self) -> Result<DisclosureServiceClient<AuthorisedChannel>> {
        Ok(DisclosureServiceClient::new(
            self.channel_to(Service::Disclosure, self.operator.clone())?,
        ))
    }

    /// Disclosure's own records, as a natural person.
    pub fn subject(&self, person: PersonClaim) -> Result<SubjectServiceClient<AuthorisedChannel>> {
        let token = self.cluster.token("", &[Role::Subject], Some(person))?;
        let token = BearerToken::new(&token)?;
        Ok(SubjectServiceClient::new(
            self.channel_to(Service::Disclosure, token)?,
        ))
    }

    /// Objection, as an organisation that is a subject.
    pub fn objection_subject(
        &self,
        organisation: &str,
    ) -> Result<ObjectionServiceClient<AuthorisedChannel>> {
        let token = self.cluster.token(organisation, &[Role::Subject], None)?;
        let token = BearerToken::new(&token)?;
        Ok(ObjectionServiceClient::new(
            self.channel_to(Service::Objection, token)?,
        ))
    }

    /// Objection, as the credit office.
    pub fn objection_office(&self) -> Result<ObjectionServiceClient<AuthorisedChannel>> {
        Ok(ObjectionServiceClient::new(
            self.channel_to(Service::Objection, self.office.clone())?,
        ))
    }

    /// Objection, as a provider.
    pub fn objection_provider(
        &self,
        code: &str,
    ) -> Result<ObjectionServiceClient<AuthorisedChannel>> {
        let token = self.provider_token(code)?;
        Ok(ObjectionServiceClient::new(
            self.channel_to(Service::Objection, token)?,
        ))
    }

    /// Provincial sync, as an operator.
    pub fn sync(&self) -> Result<ProvincialSyncServiceClient<AuthorisedChannel>> {
        Ok(ProvincialSyncServiceClient::new(self.channel_to(
            Service::ProvincialSync,
            self.operator.clone(),
        )?))
    }

    /// The simulator's switchboard.
    pub fn simulator(&self) -> Result<SimulatorControlServiceClient<AuthorisedChannel>> {
        Ok(SimulatorControlServiceClient::new(self.channel_to(
            Service::ProvinceSimulator,
            self.operator.clone(),
        )?))
    }
}
