//! Generated gRPC and event code of the platform, and its descriptor set; nothing else.
//! Every service and client names messages through this crate, by their protobuf path:
//! `proto::credit::ingest::v1::Receipt`. Sources: the folder `proto/` of the workspace.

#[allow(missing_docs, clippy::all, rustdoc::all)] // generated code, documented in the .proto files
mod generated {
    include!(concat!(env!("OUT_DIR"), "/credit_protos.rs"));
}

pub use generated::credit;

/// The encoded `FileDescriptorSet` of all .proto files with their comments, for gRPC reflection
/// and for tests that must see every RPC.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
