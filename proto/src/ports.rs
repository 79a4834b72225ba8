//! The vsock ports of the guest. The host dials them; it listens on none itself.

/// gRPC: `cove.v1` and `grpc.health.v1`.
pub const AGENT: u32 = 1024;

/// Raw streams that belong to a request made over gRPC.
pub const STREAMS: u32 = 1025;
