//! Where code may differ between operating systems, and where it may be unsafe. Both are read by fewer people and run in
//! fewer places than the rest, so they are few and known.

use crate::{none, rust_files};

/// Where `cfg` may ask for the operating system: a file, or a folder with a slash at its end.
const OS_DEPENDENT: &[&str] = &[
    // What differs between hosts is this crate's subject.
    "app/platform/",
    // The terminal and the detached daemon: a `windows` and a `unix` file behind one interface.
    "app/cli/src/terminal/",
    // Chooses the hypervisor of this host.
    "app/daemon/src/helper/",
    // The host's files: an implementation for each family of systems behind one trait.
    "app/shares/src/host/",
    // What differs between systems about listening.
    "app/gateway/src/ports/socket.rs",
    // A backend is a crate of one system: `#![cfg(...)]` on its first line.
    "app/hypervisor-qemu/",
    // Its planner and its verdicts are pure and tested everywhere.
    "app/hypervisor-apple/",
    "app/hypervisor-windows/",
];

/// Where `unsafe` may be written.
const UNSAFE: &[&str] = &[
    // System calls that no crate wraps.
    "guest-agent/src/sys/",
    // A child that leaves the session of its parent.
    "app/platform/src/process.rs",
    // How much memory the computer has: one call of the system.
    "app/platform/src/memory.rs",
    // A variable of the environment, set before there is a second thread.
    "app/platform/src/web_view.rs",
    // Children that end with their parent: a call between fork and exec.
    "app/hypervisor-qemu/src/children.rs",
    // Virtualization.framework: all calls of it, and the queue that they must be made on.
    "app/hypervisor-apple/src/vz/",
    // When a process began, on macOS: one call of libproc.
    "app/daemon/src/helper/process/born_macos.rs",
    // When a process began and its end, on Windows: calls of kernel32.
    "app/daemon/src/helper/process/born_windows.rs",
    "app/daemon/src/helper/process/force_windows.rs",
    // The Host Compute Service's library and hvsock: all calls of them.
    "app/hypervisor-windows/src/sys/",
    // The CPU's time stamp counter: one instruction.
    "app/hypervisor-qemu/src/host/tsc.rs",
];

#[test]
fn code_differs_between_operating_systems_in_known_places_only() {
    let violations = lines_that(asks_for_the_system, OS_DEPENDENT);
    none(&violations, "cfg on the operating system belongs into the places that platforms.rs lists:");
}

#[test]
fn unsafe_code_is_in_known_places_only() {
    let violations = lines_that(is_unsafe, UNSAFE);
    none(&violations, "unsafe code belongs into the places that platforms.rs lists:");
}

#[test]
fn a_place_that_is_listed_is_used() {
    let files = rust_files();
    let unused = |places: &'static [&str], holds: fn(&str) -> bool| {
        places
            .iter()
            .filter(move |place| !files.iter().any(|(path, text)| path.starts_with(**place) && text.lines().any(holds)))
    };
    let unused: Vec<String> = unused.clone()(OS_DEPENDENT, asks_for_the_system)
        .chain(unused(UNSAFE, is_unsafe))
        .map(ToString::to_string)
        .collect();
    none(&unused, "take these out of platforms.rs, nothing there needs to be listed any more:");
}

fn asks_for_the_system(line: &str) -> bool {
    let code = line.trim_start();
    let asks = ["target_os", "target_family", "unix", "windows", "target_vendor"];
    !code.starts_with("//")
        && (code.contains("cfg(") || code.contains("cfg!(") || code.contains("cfg_attr("))
        && asks.iter().any(|word| words(code).any(|found| found == *word))
}

fn is_unsafe(line: &str) -> bool {
    // What stands in quotes is no code.
    let code: String = line.split("//").next().unwrap_or("").split('"').step_by(2).collect();
    words(&code).any(|word| word == "unsafe")
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Tests of a crate may do as they need.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/")
}

/// "path:line: text" of each line that holds and is in none of the places.
fn lines_that(holds: fn(&str) -> bool, places: &[&str]) -> Vec<String> {
    rust_files()
        .iter()
        .filter(|(path, _)| !is_test(path) && !places.iter().any(|place| path.starts_with(place)))
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate().filter(|(_, line)| holds(line));
            lines.map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim())).collect::<Vec<_>>()
        })
        .collect()
}
