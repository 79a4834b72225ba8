//! What the system's web view is told before it starts.

/// Switches off WebKitGTK's monitor of the computer's memory, which looks every few seconds whether a window is shown or
/// not: nearly all the time of the processor that a hidden window takes. Other web views have none. To be called first of
/// all: with a second thread about it does nothing.
pub fn keep_calm() {
    #[cfg(target_os = "linux")]
    imp::keep_calm();
}

#[cfg(target_os = "linux")]
mod imp {
    #![expect(unsafe_code, reason = "the environment of a process is changed by unsafe functions alone")]

    use std::{env, fs};

    pub(super) fn keep_calm() {
        if fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1) {
            // SAFETY: nobody else reads or writes the environment, since this is the only thread.
            unsafe { env::set_var("WEBKIT_DISABLE_MEMORY_PRESSURE_MONITOR", "1") };
        }
    }
}
