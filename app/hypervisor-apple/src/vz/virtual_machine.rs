//! Create, start, stop, connect: each is work on the queue whose handler answers by a channel.
#![expect(unsafe_code, reason = "calls of VZ, which the bindings do not call safe")]

use std::{cell::Cell, os::fd::OwnedFd};

use block2::{DynBlock, RcBlock};
use cove_machine::hypervisor::{BoxFuture, Connection, HypervisorError};
use objc2::{AnyThread, rc::Retained, runtime::ProtocolObject};
use objc2_foundation::NSError;
use objc2_virtualization::{VZVirtioSocketConnection, VZVirtioSocketDevice, VZVirtualMachine};
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{
    configuration::configure,
    delegate::Delegate,
    descriptor,
    failure::{failed, text},
    on_queue::OnQueue,
};
use crate::{exit::Stopped, machine::Controls, plan::VzPlan};

/// A machine of VZ. It ends when this is dropped.
pub(crate) struct VirtualMachine(OnQueue<Objects>);

struct Objects {
    machine: Retained<VZVirtualMachine>,
    /// The machine does not hold its delegate.
    _delegate: Retained<Delegate>,
}

/// A handler that is told an error or nothing.
type Completion = DynBlock<dyn Fn(*mut NSError)>;

impl VirtualMachine {
    /// Makes a machine that does not run yet. What its guest writes goes to `console`; that it has stopped is told to
    /// `stops`, unless [`Controls::stop`] did it.
    pub(crate) async fn create(
        plan: VzPlan,
        console: OwnedFd,
        stops: UnboundedSender<Stopped>,
    ) -> Result<Self, HypervisorError> {
        let make = move |queue: &dispatch2::DispatchQueue| {
            let configuration = configure(&plan, console)?;
            // SAFETY: the configuration is valid, and this runs on the queue that the machine is to have.
            let machine = unsafe {
                VZVirtualMachine::initWithConfiguration_queue(VZVirtualMachine::alloc(), &configuration, queue)
            };
            let delegate = Delegate::new(stops);
            // SAFETY: on the queue; the delegate lives beside the machine.
            unsafe { machine.setDelegate(Some(ProtocolObject::from_ref(&*delegate))) };
            Ok(Objects { machine, _delegate: delegate })
        };
        OnQueue::make("cove.machine", make).await.map(Self)
    }

    /// Starts it and answers when it runs.
    pub(crate) async fn start(&self) -> Result<(), HypervisorError> {
        self.ask("start the machine", |machine, done| {
            // SAFETY: on the queue.
            unsafe { machine.startWithCompletionHandler(done) };
        })
        .await
    }

    async fn ask(
        &self,
        operation: &str,
        method: impl FnOnce(&VZVirtualMachine, &Completion) + Send + 'static,
    ) -> Result<(), HypervisorError> {
        let (tell, answer) = oneshot::channel();
        self.0.run(move |objects| {
            // A handler may be called often, as far as its type says; this one is called once.
            let tell = Cell::new(Some(tell));
            let done = RcBlock::new(move |error: *mut NSError| {
                // SAFETY: null or an error that lives as long as this call.
                let error = unsafe { error.as_ref() }.map(text);
                if let Some(tell) = tell.take() {
                    tell.send(error).ok();
                }
            });
            method(&objects.machine, &done);
        });
        match answer.await {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(failed(operation, &error)),
            Err(_) => Err(failed(operation, &"Virtualization.framework did not answer")),
        }
    }

    /// VZ does not document how it tells a port on which nobody listens from other failures.
    async fn dial(&self, port: u32) -> Result<Connection, String> {
        let (tell, answer) = oneshot::channel();
        self.0.run(move |objects| {
            let Some(device) = socket_device(&objects.machine) else {
                tell.send(Err("the machine has no vsock device".to_owned())).ok();
                return;
            };
            let tell = Cell::new(Some(tell));
            let done = RcBlock::new(move |connection: *mut VZVirtioSocketConnection, error: *mut NSError| {
                // SAFETY: null, or it lives as long as this call.
                let connection = unsafe { connection.as_ref() };
                // SAFETY: as above.
                let error = unsafe { error.as_ref() };
                if let Some(tell) = tell.take() {
                    // If nobody waits any more the descriptor closes here.
                    tell.send(dialled(connection, error)).ok();
                }
            });
            // SAFETY: on the queue.
            unsafe { device.connectToPort_completionHandler(port, &done) };
        });
        let socket = answer.await.map_err(|_| "Virtualization.framework did not answer".to_owned())??;
        descriptor::stream(socket).map_err(|error| error.to_string())
    }
}

impl Controls for VirtualMachine {
    fn stop(&self) -> BoxFuture<'_, Result<(), HypervisorError>> {
        Box::pin(self.ask("end the machine", |machine, done| {
            // SAFETY: on the queue.
            unsafe { machine.stopWithCompletionHandler(done) };
        }))
    }

    fn connect(&self, port: u32) -> BoxFuture<'_, Result<Connection, String>> {
        Box::pin(self.dial(port))
    }
}

fn dialled(connection: Option<&VZVirtioSocketConnection>, error: Option<&NSError>) -> Result<OwnedFd, String> {
    match (connection, error) {
        (Some(connection), _) => descriptor::take(connection).map_err(|error| error.to_string()),
        (None, Some(error)) => Err(text(error)),
        (None, None) => Err("neither a connection nor an error".to_owned()),
    }
}

/// To be called on the queue.
fn socket_device(machine: &VZVirtualMachine) -> Option<Retained<VZVirtioSocketDevice>> {
    // SAFETY: the callers run on the queue.
    let devices = unsafe { machine.socketDevices() };
    devices.firstObject()?.downcast::<VZVirtioSocketDevice>().ok()
}
