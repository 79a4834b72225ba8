//! `cove.v1.Egress`: decode, make one call, encode.

use cove_gateway::egress::{self, Egress, Settings, SettingsError};
use cove_proto::v1::{
    EgressSettings, Flow, FlowFailure, FlowProtocol, GetEgressSettingsRequest, GetEgressSettingsResponse,
    ListFlowsRequest, ListFlowsResponse, UpdateEgressSettingsRequest, UpdateEgressSettingsResponse, egress_server,
};
use tonic::{Request, Response, Status};

use super::error::chain;

/// What the methods need.
pub struct EgressRpc {
    /// The way out.
    pub egress: Egress,
    /// Held while the settings are changed, so that of two changes at once none is lost.
    pub changing: tokio::sync::Mutex<()>,
}

#[tonic::async_trait]
impl egress_server::Egress for EgressRpc {
    async fn list_flows(&self, request: Request<ListFlowsRequest>) -> Result<Response<ListFlowsResponse>, Status> {
        let wanted = request.into_inner().container_id;
        let flows = self.egress.flows();
        let live = flows.live().into_iter().filter(|flow| flow.container.starts_with(&wanted));
        let failures = flows.failures().into_iter().filter(|failure| failure.container.starts_with(&wanted));
        Ok(Response::new(ListFlowsResponse {
            flows: live.map(flow).collect(),
            failures: failures.map(failure).collect(),
        }))
    }

    async fn get_egress_settings(
        &self,
        _: Request<GetEgressSettingsRequest>,
    ) -> Result<Response<GetEgressSettingsResponse>, Status> {
        let (settings, path) = self.egress.settings().map_err(status)?;
        let path = path.display().to_string();
        Ok(Response::new(GetEgressSettingsResponse { settings: Some(encode(settings)), path }))
    }

    async fn update_egress_settings(
        &self,
        request: Request<UpdateEgressSettingsRequest>,
    ) -> Result<Response<UpdateEgressSettingsResponse>, Status> {
        let _alone = self.changing.lock().await;
        let (present, _) = self.egress.settings().map_err(status)?;
        let wanted = changed(present, request.into_inner());
        self.egress.change(&wanted).map_err(status)?;
        Ok(Response::new(UpdateEgressSettingsResponse { settings: Some(encode(wanted)) }))
    }
}

fn status(error: SettingsError) -> Status {
    match &error {
        SettingsError::Invalid(_) => Status::invalid_argument(chain(&error)),
        SettingsError::File { .. } | SettingsError::Json { .. } => Status::internal(chain(&error)),
    }
}

/// What is given changes, the rest stays.
fn changed(present: Settings, request: UpdateEgressSettingsRequest) -> Settings {
    Settings {
        denied: request.denied.map_or(present.denied, |list| list.values),
        host_denied: request.host_denied.unwrap_or(present.host_denied),
        proxy: request.proxy.unwrap_or(present.proxy),
        no_proxy: request.no_proxy.map_or(present.no_proxy, |list| list.values),
    }
}

fn encode(settings: Settings) -> EgressSettings {
    let Settings { denied, host_denied, proxy, no_proxy } = settings;
    EgressSettings { denied, host_denied, proxy, no_proxy }
}

fn protocol(of: egress::Protocol) -> i32 {
    match of {
        egress::Protocol::Tcp => FlowProtocol::Tcp,
        egress::Protocol::Udp => FlowProtocol::Udp,
        egress::Protocol::Ping => FlowProtocol::Ping,
    }
    .into()
}

fn flow(seen: egress::flows::Seen) -> Flow {
    Flow {
        container_id: seen.container,
        protocol: protocol(seen.protocol),
        target: seen.target.to_string(),
        since: Some(seen.since.into()),
        bytes_sent: seen.sent,
        bytes_received: seen.received,
    }
}

fn failure(failed: egress::Failure) -> FlowFailure {
    FlowFailure {
        container_id: failed.container,
        protocol: protocol(failed.protocol),
        target: failed.target.to_string(),
        at: Some(failed.at.into()),
        errno: failed.refusal.errno(),
        why: failed.why,
    }
}

#[cfg(test)]
mod tests {
    use cove_proto::v1::EgressList;

    use super::*;

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        let present = Settings { denied: vec!["10.0.0.0/8".into()], proxy: "none".into(), ..Settings::default() };
        let asked = UpdateEgressSettingsRequest { host_denied: Some(true), ..Default::default() };
        let after = changed(present.clone(), asked);
        assert_eq!((after.denied.len(), after.host_denied, after.proxy.as_str()), (1, true, "none"));
        let emptied = UpdateEgressSettingsRequest { denied: Some(EgressList::default()), ..Default::default() };
        assert!(changed(present, emptied).denied.is_empty());
    }
}
