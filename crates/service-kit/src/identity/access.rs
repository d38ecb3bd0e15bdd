//! Who may call what: the option `credit.common.v1.allowed` of each RPC, read from the descriptor set when a server starts.
//! Called by [`super::AuthLayer`]; a test fails for an RPC that does not name its roles.

use std::{collections::HashMap, fmt};

use prost::Message as _;
use proto::credit::common::v1::{self as common, AllowedRoles};

use super::Role;

/// Paths that need no token because they carry no personal data: health and reflection.
pub const OPEN_PREFIXES: &[&str] = &["/grpc.health.v1.Health/", "/grpc.reflection."];

/// The roles of every RPC by its gRPC path, for instance `/credit.ingest.v1.IngestService/SubmitRecord`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessTable(HashMap<String, Vec<Role>>);

impl AccessTable {
    /// Reads the descriptor set. An RPC without the option may be called by nobody.
    ///
    /// # Errors
    /// When it is no descriptor set: a fault of the build.
    pub fn from_descriptors(encoded: &[u8]) -> Result<Self, prost::DecodeError> {
        let mut table = HashMap::new();
        for file in FileSet::decode(encoded)?.files {
            for service in file.services {
                for method in service.methods {
                    let path = format!("/{}.{}/{}", file.package, service.name, method.name);
                    let allowed = method.options.and_then(|options| options.allowed);
                    table.insert(path, roles_of(allowed.unwrap_or_default()));
                }
            }
        }
        Ok(Self(table))
    }

    /// Who may call an RPC; `None` for a path that is none.
    pub fn roles(&self, path: &str) -> Option<&[Role]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// All RPCs with their roles, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Role])> {
        self.0
            .iter()
            .map(|(path, roles)| (path.as_str(), roles.as_slice()))
    }
}

impl fmt::Debug for AccessTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessTable({} RPCs)", self.0.len())
    }
}

fn roles_of(allowed: AllowedRoles) -> Vec<Role> {
    if allowed.every_role {
        return Role::ALL.to_vec();
    }
    allowed.any_of().filter_map(Role::from_wire).collect()
}

impl Role {
    fn from_wire(role: common::Role) -> Option<Self> {
        Some(match role {
            common::Role::Unspecified => return None,
            common::Role::Provider => Self::Provider,
            common::Role::CreditOffice => Self::CreditOffice,
            common::Role::DistrictCreditOffice => Self::DistrictCreditOffice,
            common::Role::StateOrgan => Self::StateOrgan,
            common::Role::Operator => Self::Operator,
            common::Role::Auditor => Self::Auditor,
            common::Role::Subject => Self::Subject,
            common::Role::Public => Self::Public,
        })
    }
}

/// `google.protobuf.FileDescriptorSet` with nothing of it but what names RPCs, and with our option, which the published
/// types leave out.
#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    files: Vec<FileServices>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FileServices {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "6")]
    services: Vec<ServiceMethods>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ServiceMethods {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<MethodAccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MethodAccess {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "4")]
    options: Option<AccessOptions>,
}

/// The number is that of the extension in `credit/common/v1/access.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct AccessOptions {
    #[prost(message, optional, tag = "50026")]
    allowed: Option<AllowedRoles>,
}

#[cfg(test)]
mod tests;
