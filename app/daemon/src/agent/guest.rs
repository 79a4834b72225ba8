//! How the machine's life asks whether the agent is up, and tells it to power off.

use std::{error::Error, sync::Arc, time::Duration};

use cove_machine::{
    Guest, GuestError,
    hypervisor::{BoxFuture, HypervisorError, Vm},
};
use cove_proto::{
    boot_secret::{BootSecret, HandshakeError},
    v1::{PowerOffRequest, guest_client::GuestClient},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{Agent, DialError};

/// How often an agent that does not answer yet is asked. A port that is not open yet gives no event.
const ASK_AGAIN: Duration = Duration::from_millis(20);

impl Guest for Agent {
    fn new_secret(&self) -> Result<Vec<u8>, GuestError> {
        let secret = BootSecret::generate().map_err(|error| told(&error))?;
        let bytes = secret.as_bytes().to_vec();
        self.use_secret(secret);
        Ok(bytes)
    }

    fn restore_secret(&self, secret: &[u8]) -> Result<(), GuestError> {
        let length = secret.len();
        let secret = BootSecret::from_bytes(secret)
            .ok_or_else(|| GuestError(format!("the secret of its boot has {length} bytes, which no secret has")))?;
        self.use_secret(secret);
        Ok(())
    }

    fn ready(&self, vm: Arc<dyn Vm>) -> BoxFuture<'_, Result<(), GuestError>> {
        Box::pin(async move {
            loop {
                match self.serves(vm.clone()).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(Unready::Final(error)) => return Err(error),
                    Err(Unready::Yet(error)) => tracing::debug!(error = %error.0, "the agent does not answer yet"),
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        })
    }

    fn power_off(&self, vm: Arc<dyn Vm>, grace: Duration) -> BoxFuture<'_, Result<(), GuestError>> {
        Box::pin(async move {
            let connection = self.dial(vm).await.map_err(|error| told(&error))?;
            let grace_millis = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
            let answer = GuestClient::new(connection).power_off(PowerOffRequest { grace_millis }).await;
            let stopped = answer.map_err(|status| GuestError(status.message().to_owned()))?.into_inner();
            tracing::info!(containers = stopped.containers_stopped, "the guest powers off");
            Ok(())
        })
    }
}

/// Why the agent is not ready.
enum Unready {
    /// It may be later.
    Yet(GuestError),
    /// It never will be.
    Final(GuestError),
}

impl Agent {
    async fn serves(&self, vm: Arc<dyn Vm>) -> Result<bool, Unready> {
        let connection = self.dial(vm).await.map_err(|error| match error {
            DialError::Hypervisor(HypervisorError::NotListening(_)) => Unready::Yet(told(&error)),
            DialError::NoSecret
            | DialError::Hypervisor(_)
            | DialError::Handshake(HandshakeError::Proof | HandshakeError::Random(_)) => Unready::Final(told(&error)),
            DialError::Handshake(_) | DialError::Http(_) => Unready::Yet(told(&error)),
        })?;
        let request = HealthCheckRequest { service: String::new() };
        match HealthClient::new(connection).check(request).await {
            Ok(answer) => Ok(answer.into_inner().status() == ServingStatus::Serving),
            Err(status) => Err(Unready::Yet(GuestError(status.message().to_owned()))),
        }
    }
}

fn told(error: &dyn Error) -> GuestError {
    GuestError(crate::rpc::error::chain(error))
}
