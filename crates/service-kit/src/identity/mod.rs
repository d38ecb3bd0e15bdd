//! Authentication and authorisation: every RPC has a principal from a signed token, and an option in its proto file
//! says which roles may call it. `grpc` checks both before a service sees the request; services check what only they
//! can know (a provider writes only as itself, a subject sees only itself).

mod access;
mod layer;
mod token;

pub use access::{AccessTable, OPEN_PREFIXES};
pub use layer::AuthLayer;
pub use token::{
    Claims, DevelopmentIssuer, IdentityConfig, IdentityError, TokenError, TokenVerifier,
};

use credit_record::PersonDocument;
use serde::{Deserialize, Serialize};
use tonic::Request;

use crate::{error::Refusal, reason::Reason};

/// What a principal may act as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 信用信息提供主体: reports records.
    Provider,
    /// 市信用办.
    CreditOffice,
    /// 区县信用办.
    DistrictCreditOffice,
    /// 国家机关 on official duty.
    StateOrgan,
    /// 电子政务部门: runs the platform.
    Operator,
    /// 审计.
    Auditor,
    /// 信用信息主体: a person or an organisation that records are about.
    Subject,
    /// The public site on behalf of visitors.
    Public,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Provider,
        Self::CreditOffice,
        Self::DistrictCreditOffice,
        Self::StateOrgan,
        Self::Operator,
        Self::Auditor,
        Self::Subject,
        Self::Public,
    ];
}

/// The person of a token as its issuer wrote it; the principal has the canonical [`PersonDocument`]. Never logged:
/// `Debug` hides the number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonClaim {
    /// Kind of document as in the catalogue's code list, for instance 身份证.
    pub kind: String,
    /// Its number.
    pub number: String,
}

impl PersonClaim {
    /// A document of this kind and number.
    pub fn new(kind: impl Into<String>, number: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            number: number.into(),
        }
    }
}

impl std::fmt::Debug for PersonClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonClaim({}, ***)", self.kind)
    }
}

/// An authenticated caller; found in the extensions of every request that reached a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Issuer's name of the account.
    pub account: String,
    /// Credit code of the organisation; empty for natural persons.
    pub organisation: String,
    /// What it may act as.
    pub roles: Vec<Role>,
    /// The natural person, for subjects that are one.
    pub person: Option<PersonDocument>,
}

impl Principal {
    /// The caller of a request.
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Refusal> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| {
            Refusal::new(
                Reason::TokenMissing,
                "authorization",
                "every call carries a signed token",
                "缺少身份令牌",
            )
        })
    }

    /// Whether it may act as `role`.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}
