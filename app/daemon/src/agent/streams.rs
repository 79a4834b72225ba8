//! Raw streams into the present machine.

use std::{io, sync::Arc};

use cove_gateway::streams::{BoxFuture, Dial, Streams, Transport};
use cove_machine::hypervisor::Vm;
use cove_proto::ports;

use super::{Agent, DialError, connection};

impl Agent {
    /// Raw streams into a machine.
    #[must_use]
    pub fn streams(self: &Arc<Self>, vm: &Arc<dyn Vm>) -> Streams {
        Streams::new(Dialler { agent: Arc::clone(self), vm: Arc::clone(vm) })
    }
}

struct Dialler {
    agent: Arc<Agent>,
    vm: Arc<dyn Vm>,
}

impl Dial for Dialler {
    fn dial(&self) -> BoxFuture<'_, io::Result<Box<dyn Transport>>> {
        Box::pin(async {
            let secret = self.agent.secret().ok_or_else(|| io::Error::other(DialError::NoSecret))?;
            let proven = connection::prove(self.vm.clone(), ports::STREAMS, &secret).await;
            Ok(Box::new(proven.map_err(io::Error::other)?) as Box<dyn Transport>)
        })
    }
}
