//! Where a call of `cove.v1` goes: to a service here or, byte for byte, to the agent.
//!
//! * [`methods`] — which methods there are, read from the descriptors.
//! * [`forward`] — how a call gets to the agent, and its answer back.
//! * [`readiness`] — the machine is started by the first call that needs it.
//! * `answer` — the body of an answer that ends well when the machine does not.

mod answer;
pub mod forward;
pub mod methods;
pub mod readiness;

use std::sync::Arc;

use cove_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        egress_server::EgressServer, machine_server::MachineServer, registry_server::RegistryServer,
        shares_server::SharesServer,
    },
};
use tonic::service::Routes;
use tonic_reflection::server::Error as ReflectionError;

use self::{forward::Forwarder, methods::Methods};
use crate::rpc::{egress::EgressRpc, machine::MachineRpc, registry::RegistryRpc, shares::SharesRpc};

/// All that the engine's endpoint answers: the services here, health, reflection, and the agent's services. The Docker
/// API calls the same routes in process.
///
/// # Errors
/// If the compiled-in descriptors cannot be read.
pub async fn routes(
    machine: MachineRpc,
    registry: RegistryRpc,
    egress: EgressRpc,
    shares: SharesRpc,
    methods: &Methods,
    forwarder: Arc<Forwarder>,
) -> Result<Routes, ReflectionError> {
    let (health, health_server) = tonic_health::server::health_reporter();
    for service in methods.services() {
        // What the host says of a guest service is that it passes calls on; the machine is started by the first.
        health.set_service_status(service, tonic_health::ServingStatus::Serving).await;
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let router = Routes::new(MachineServer::new(machine))
        .add_service(RegistryServer::new(registry))
        .add_service(EgressServer::new(egress))
        .add_service(SharesServer::new(shares))
        .add_service(health_server)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .into_axum_router()
        .fallback(move |request: axum::extract::Request| {
            let forwarder = forwarder.clone();
            async move { forwarder.forward(request.map(tonic::body::Body::new)).await }
        });
    Ok(Routes::from(router).prepare())
}
