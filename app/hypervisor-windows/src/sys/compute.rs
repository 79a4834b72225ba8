//! computecore.dll: the Host Compute Service (HCS), with what its handles and callbacks need to be safe.
//!
//! Every function here that starts an operation waits for it, so all of them block.
#![expect(unsafe_code, reason = "HCS is a C library that is found at run time")]

use std::{ffi::c_void, io, mem, path::Path, ptr, sync::Arc};

use tokio::sync::mpsc;
use windows_sys::{
    Win32::{
        Foundation::{GENERIC_ALL, LocalFree},
        Security::SECURITY_DESCRIPTOR,
        System::HostComputeSystem::{
            HCS_EVENT, HCS_EVENT_CALLBACK, HCS_EVENT_OPTIONS, HCS_OPERATION, HCS_OPERATION_COMPLETION, HCS_SYSTEM,
            HcsEventOptionNone, HcsEventServiceDisconnect, HcsEventSystemCrashInitiated, HcsEventSystemCrashReport,
            HcsEventSystemExited,
        },
    },
    core::{HRESULT, PCWSTR, PWSTR},
};

use super::{
    library::{Address, Library},
    wide,
};
use crate::{fault::Fault, identity::MachineId};

/// Longer documents are not read to their end.
const MAX_DOCUMENT: usize = 1 << 20;

/// Without a limit of its own: the deadlines are the machine's.
const INFINITE: u32 = u32::MAX;

/// Declares a table of functions, and how it is filled from a library.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, by the names and with the parameters of computecore.h.
        #[allow(non_snake_case, reason = "the names are computecore.h's")]
        struct Functions { $($name: unsafe extern "system" fn($($argument),*) $(-> $result)?,)* }

        impl Functions {
            fn of(library: &Library) -> io::Result<Self> {
                Ok(Self { $($name: {
                    let address = library.address(concat!(stringify!($name), "\0"))?;
                    // SAFETY: computecore.h declares the function of this name with these parameters.
                    unsafe { mem::transmute::<Address, unsafe extern "system" fn($($argument),*) $(-> $result)?>(address) }
                },)* })
            }
        }
    };
}

functions! {
    HcsCreateOperation: fn(*const c_void, HCS_OPERATION_COMPLETION) -> HCS_OPERATION;
    HcsCloseOperation: fn(HCS_OPERATION);
    HcsWaitForOperationResult: fn(HCS_OPERATION, u32, *mut PWSTR) -> HRESULT;
    HcsEnumerateComputeSystems: fn(PCWSTR, HCS_OPERATION) -> HRESULT;
    HcsCreateComputeSystem: fn(PCWSTR, PCWSTR, HCS_OPERATION, *const SECURITY_DESCRIPTOR, *mut HCS_SYSTEM) -> HRESULT;
    HcsOpenComputeSystem: fn(PCWSTR, u32, *mut HCS_SYSTEM) -> HRESULT;
    HcsSetComputeSystemCallback: fn(HCS_SYSTEM, HCS_EVENT_OPTIONS, *const c_void, HCS_EVENT_CALLBACK) -> HRESULT;
    HcsStartComputeSystem: fn(HCS_SYSTEM, HCS_OPERATION, PCWSTR) -> HRESULT;
    HcsTerminateComputeSystem: fn(HCS_SYSTEM, HCS_OPERATION, PCWSTR) -> HRESULT;
    HcsCloseComputeSystem: fn(HCS_SYSTEM);
    HcsGrantVmAccess: fn(PCWSTR, PCWSTR) -> HRESULT;
}

/// What HCS tells about a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// It has ended; the document says how.
    Exited(String),
    /// The guest reported a crash.
    Crashed,
    /// The service has gone away.
    Disconnected,
}

/// The service.
pub(crate) struct Compute(Functions);

impl Compute {
    /// Finds it.
    ///
    /// # Errors
    /// If this Windows has none, or one that lacks a function.
    pub(crate) fn load() -> io::Result<Arc<Self>> {
        Library::load("computecore.dll").and_then(|library| Functions::of(&library)).map(|f| Arc::new(Self(f)))
    }

    /// Asks for the machines of an owner: changes nothing, and is refused to who may not have machines.
    pub(crate) fn enumerate(&self, owner: &str) -> Result<String, Fault> {
        let query = wide(format!(r#"{{"Owners":["{owner}"]}}"#));
        self.operate("list the machines", |operation| {
            // SAFETY: the query ends with a zero; the operation is open.
            unsafe { (self.0.HcsEnumerateComputeSystems)(query.as_ptr(), operation) }
        })
    }

    /// Lets the machine's worker process open a file.
    pub(crate) fn grant(&self, id: MachineId, file: &Path) -> Result<(), Fault> {
        let (id, path) = (wide(id.to_string()), wide(file));
        // SAFETY: both strings end with a zero.
        let code = unsafe { (self.0.HcsGrantVmAccess)(id.as_ptr(), path.as_ptr()) };
        let operation = || format!("let the machine open {}", file.display());
        if code < 0 { Err(Fault { operation: operation(), code, document: String::new() }) } else { Ok(()) }
    }

    /// Ends a machine of this id that is there already.
    pub(crate) fn end_left_behind(self: &Arc<Self>, id: MachineId) -> Result<(), Fault> {
        let name = wide(id.to_string());
        let mut handle = ptr::null_mut();
        // SAFETY: the name ends with a zero; the handle is ours to fill.
        let code = unsafe { (self.0.HcsOpenComputeSystem)(name.as_ptr(), GENERIC_ALL, &raw mut handle) };
        if code < 0 || handle.is_null() {
            // There is none, or it is none of ours; creating one tells which.
            return Ok(());
        }
        tracing::warn!(%id, "ending a machine that was left behind");
        System { compute: self.clone(), handle, context: ptr::null_mut() }.terminate()
    }

    /// Makes a machine; what HCS tells about it goes to `events`.
    pub(crate) fn create(
        self: &Arc<Self>,
        id: MachineId,
        document: &str,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<System, Fault> {
        let (name, document) = (wide(id.to_string()), wide(document));
        let mut handle = ptr::null_mut();
        let created = self.operate("create the machine", |operation| {
            // SAFETY: both strings end with a zero; the operation is open; the handle is ours to fill; without a security
            // descriptor the machine is this user's.
            unsafe {
                (self.0.HcsCreateComputeSystem)(
                    name.as_ptr(),
                    document.as_ptr(),
                    operation,
                    ptr::null(),
                    &raw mut handle,
                )
            }
        });
        // Even a machine whose creation failed may have a handle.
        let mut system = System { compute: self.clone(), handle, context: ptr::null_mut() };
        created?;
        system.listen(events)?;
        Ok(system)
    }

    /// Runs one operation to its end and gives its document.
    fn operate(&self, what: &str, call: impl FnOnce(HCS_OPERATION) -> HRESULT) -> Result<String, Fault> {
        let fault = |code, document| Fault { operation: what.to_owned(), code, document };
        let operation = Operation::open(self);
        let code = call(operation.handle);
        if code < 0 {
            return Err(fault(code, String::new()));
        }
        let (code, document) = operation.wait();
        if code < 0 { Err(fault(code, document)) } else { Ok(document) }
    }
}

struct Operation<'a> {
    functions: &'a Functions,
    handle: HCS_OPERATION,
}

impl<'a> Operation<'a> {
    /// A null handle, for want of memory, is refused by the call that gets it.
    fn open(compute: &'a Compute) -> Self {
        // SAFETY: neither a context nor a callback is given.
        let handle = unsafe { (compute.0.HcsCreateOperation)(ptr::null(), None) };
        Self { functions: &compute.0, handle }
    }

    fn wait(&self) -> (HRESULT, String) {
        let mut document = ptr::null_mut();
        // SAFETY: the operation is open and was started; the pointer is ours to fill.
        let code = unsafe { (self.functions.HcsWaitForOperationResult)(self.handle, INFINITE, &raw mut document) };
        let text = text(document);
        // SAFETY: HCS made the document with LocalAlloc (its documentation) or left the pointer null, which is allowed.
        unsafe { LocalFree(document.cast()) };
        (code, text)
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it is open and nobody uses it any more.
            unsafe { (self.functions.HcsCloseOperation)(self.handle) };
        }
    }
}

/// What a callback gets to know.
struct Listener(mpsc::UnboundedSender<Event>);

/// A machine. Dropping it closes its handle, which ends the machine, and blocks until its last callback has returned.
pub(crate) struct System {
    compute: Arc<Compute>,
    handle: HCS_SYSTEM,
    context: *mut Listener,
}

// SAFETY: HCS's handles belong to no thread; the listener is only freed here and only used by HCS, through &.
unsafe impl Send for System {}
// SAFETY: the functions that take & only pass the handle on, which HCS allows from several threads at once.
unsafe impl Sync for System {}

impl System {
    fn listen(&mut self, events: mpsc::UnboundedSender<Event>) -> Result<(), Fault> {
        self.context = Box::into_raw(Box::new(Listener(events)));
        // SAFETY: the context is freed after the handle has been closed, which ends the callbacks.
        let code = unsafe {
            (self.compute.0.HcsSetComputeSystemCallback)(
                self.handle,
                HcsEventOptionNone,
                self.context.cast(),
                Some(on_event),
            )
        };
        let operation = || "listen to the machine".to_owned();
        if code < 0 { Err(Fault { operation: operation(), code, document: String::new() }) } else { Ok(()) }
    }

    /// Starts it.
    pub(crate) fn start(&self) -> Result<(), Fault> {
        let started = self.compute.operate("start the machine", |operation| {
            // SAFETY: both handles are open; no options is what null says.
            unsafe { (self.compute.0.HcsStartComputeSystem)(self.handle, operation, ptr::null()) }
        });
        started.map(drop)
    }

    /// Ends it by force.
    pub(crate) fn terminate(&self) -> Result<(), Fault> {
        let ended = self.compute.operate("end the machine", |operation| {
            // SAFETY: both handles are open; no options is what null says.
            unsafe { (self.compute.0.HcsTerminateComputeSystem)(self.handle, operation, ptr::null()) }
        });
        ended.map(drop)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it is open and nobody uses it any more. The call waits for callbacks that run.
            unsafe { (self.compute.0.HcsCloseComputeSystem)(self.handle) };
        }
        if !self.context.is_null() {
            // SAFETY: it came from Box::into_raw, and after the close no callback sees it any more.
            drop(unsafe { Box::from_raw(self.context) });
        }
    }
}

/// Called by HCS on a thread of its own.
unsafe extern "system" fn on_event(event: *const HCS_EVENT, context: *const c_void) {
    // SAFETY: HCS passes an event for the length of the call.
    let Some(event) = (unsafe { event.as_ref() }) else { return };
    // SAFETY: this is the context that was given with the callback; it lives until the handle has been closed.
    let Some(listener) = (unsafe { context.cast::<Listener>().as_ref() }) else { return };
    #[expect(non_upper_case_globals, reason = "the names are computedefs.h's")]
    let told = match event.Type {
        HcsEventSystemExited => Event::Exited(text(event.EventData)),
        HcsEventSystemCrashInitiated | HcsEventSystemCrashReport => Event::Crashed,
        HcsEventServiceDisconnect => Event::Disconnected,
        _ => return,
    };
    // Nobody listens any more when the machine is being closed.
    let _ = listener.0.send(told);
}

/// A string of HCS; empty if there is none.
fn text(string: PCWSTR) -> String {
    if string.is_null() {
        return String::new();
    }
    let mut length = 0;
    while length < MAX_DOCUMENT {
        // SAFETY: the string ends with a zero, which has not been reached.
        let unit = unsafe { string.add(length) };
        // SAFETY: the same.
        if unsafe { *unit } == 0 {
            break;
        }
        length += 1;
    }
    // SAFETY: that many units have just been read.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(string, length) })
}
