//! `CheckHost`.

use cove_machine::hypervisor::{Check, Verdict};
use cove_proto::v1::{CheckHostResponse, HostCheck, HostCheckVerdict};

use super::MachineRpc;
use crate::checks;

impl MachineRpc {
    pub(super) async fn check(&self) -> CheckHostResponse {
        let mut found = self.hypervisor.check().await;
        let (home, image) = (self.home.clone(), self.image.clone());
        match tokio::task::spawn_blocking(move || checks::all(&home, &image)).await {
            Ok(ours) => found.extend(ours),
            Err(panic) => found.push(checks::failed(&panic)),
        }
        CheckHostResponse { checks: found.into_iter().map(encode).collect() }
    }
}

fn encode(check: Check) -> HostCheck {
    let Check { name, verdict, finding, fix } = check;
    let verdict = match verdict {
        Verdict::Ok => HostCheckVerdict::Ok,
        Verdict::Warning => HostCheckVerdict::Warning,
        Verdict::Problem => HostCheckVerdict::Problem,
    };
    HostCheck { name, verdict: verdict.into(), finding, fix }
}
