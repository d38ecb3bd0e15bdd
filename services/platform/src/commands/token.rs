//! `credit token`: signs a token with a development key. Production tokens come from the city's
//! own issuer, whose key never is on this machine.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use service_kit::{
    clock::{Clock, SystemClock},
    config::Overlay,
    identity::{DevelopmentIssuer, PersonClaim, Role},
};

use crate::config::PlatformConfig;

/// Arguments of `credit token`.
#[derive(Debug, Args)]
pub struct TokenCommand {
    /// The development issuer's private key (PKCS#8 PEM), as `credit secrets` writes it.
    #[arg(long)]
    key_file: PathBuf,
    /// Credit code of the organisation; empty for natural persons.
    #[arg(long, default_value = "")]
    organisation: String,
    /// Roles, repeated or separated by commas.
    #[arg(long = "role", value_enum, required = true, value_delimiter = ',')]
    roles: Vec<RoleName>,
    /// For a natural person: kind of document, for instance 身份证.
    #[arg(long, requires = "person_number")]
    person_kind: Option<String>,
    /// For a natural person: number of the document.
    #[arg(long, requires = "person_kind")]
    person_number: Option<String>,
    /// Name of the account in logs.
    #[arg(long, default_value = "development")]
    account: String,
    /// How long it is valid, hours.
    #[arg(long, default_value_t = 8)]
    hours: u32,
}

/// [`Role`] on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Provider,
    CreditOffice,
    DistrictCreditOffice,
    StateOrgan,
    Operator,
    Auditor,
    Subject,
    Public,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Provider => Self::Provider,
            RoleName::CreditOffice => Self::CreditOffice,
            RoleName::DistrictCreditOffice => Self::DistrictCreditOffice,
            RoleName::StateOrgan => Self::StateOrgan,
            RoleName::Operator => Self::Operator,
            RoleName::Auditor => Self::Auditor,
            RoleName::Subject => Self::Subject,
            RoleName::Public => Self::Public,
        }
    }
}

impl TokenCommand {
    /// Prints the token.
    pub fn execute(self, overlay: &Overlay) -> Result<()> {
        let identity = PlatformConfig::load(overlay)?.identity;
        let roles: Vec<Role> = self.roles.iter().copied().map(Role::from).collect();
        let person = self
            .person_kind
            .zip(self.person_number)
            .map(|(kind, number)| PersonClaim { kind, number });
        if self.organisation.is_empty() && person.is_none() && roles.contains(&Role::Provider) {
            bail!("a provider's token needs --organisation with its credit code");
        }
        let pem = std::fs::read_to_string(&self.key_file)
            .with_context(|| format!("--key-file {}", self.key_file.display()))?;
        let issuer = DevelopmentIssuer::from_pem(&identity.issuer, &identity.audience, &pem)
            .context("--key-file is no Ed25519 private key in PEM")?;
        let expires = SystemClock.now() + time::Duration::hours(i64::from(self.hours));
        let token = issuer.token(&self.account, &self.organisation, &roles, person, expires)?;
        println!("{token}");
        Ok(())
    }
}
