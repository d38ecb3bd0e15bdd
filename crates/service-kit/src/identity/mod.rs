//! Who calls: every RPC has a principal from a signed token, and one table says which roles may
//! call it. `grpc` checks both before a service sees the request; services check what only they
//! can know (a provider writes only as itself, a subject sees only itself).

mod layer;
mod table;
mod token;

pub use layer::AuthLayer;
pub use table::{OPEN_PREFIXES, RpcRule, rule_for, rules};
pub use token::{Claims, DevelopmentIssuer, IdentityConfig, IdentityError, TokenError, Verifier};

use serde::{Deserialize, Serialize};
use tonic::{Code, Request};

use crate::error::Refusal;

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

/// The person behind a subject's token. Never logged: `Debug` hides the number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonDocument {
    /// Kind of document as in the catalogue's code list, for instance 身份证.
    pub kind: String,
    /// Its number, canonical form.
    pub number: String,
}

impl std::fmt::Debug for PersonDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonDocument({}, ***)", self.kind)
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
    pub fn of<T>(request: &Request<T>) -> Result<Self, Refusal> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| {
            Refusal::field(
                Code::Unauthenticated,
                "TOKEN_MISSING",
                "authorization",
                "every call carries a signed token",
                "缺少身份令牌",
            )
        })
    }

    /// Whether it may act as `role`.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}
