//! VZ's word that the machine has stopped. It comes on the queue, so it is only passed on.
#![expect(unsafe_code, reason = "a class for Objective-C is declared by selectors")]
#![expect(non_snake_case, reason = "the class's methods are named by the protocol")]

use objc2::{AnyThread, DefinedClass, define_class, msg_send, rc::Retained};
use objc2_foundation::{NSError, NSObject, NSObjectProtocol};
use objc2_virtualization::{VZVirtualMachine, VZVirtualMachineDelegate};
use tokio::sync::mpsc::UnboundedSender;

use super::failure;
use crate::exit::Stopped;

define_class!(
    // SAFETY: NSObject asks nothing of its subclasses, and this one has no Drop.
    #[unsafe(super(NSObject))]
    #[name = "CoveMachineDelegate"]
    #[ivars = UnboundedSender<Stopped>]
    /// Passes on that a machine has stopped.
    pub(super) struct Delegate;

    // SAFETY: nothing is asked.
    unsafe impl NSObjectProtocol for Delegate {}

    // SAFETY: selectors and types are those of the protocol.
    unsafe impl VZVirtualMachineDelegate for Delegate {
        #[unsafe(method(guestDidStopVirtualMachine:))]
        fn guestDidStopVirtualMachine(&self, _machine: &VZVirtualMachine) {
            self.ivars().send(Stopped::ByGuest).ok();
        }

        #[unsafe(method(virtualMachine:didStopWithError:))]
        fn virtualMachine_didStopWithError(&self, _machine: &VZVirtualMachine, error: &NSError) {
            self.ivars().send(Stopped::ByError(failure::text(error))).ok();
        }
    }
);

impl Delegate {
    /// Tells this channel.
    pub(super) fn new(tell: UnboundedSender<Stopped>) -> Retained<Self> {
        let this = Self::alloc().set_ivars(tell);
        // SAFETY: NSObject's init has this signature.
        unsafe { msg_send![super(this), init] }
    }
}
