//! Tries, from inside a container, what no container may. One line for each try: what was tried, what the kernel said.

use std::{
    env,
    ffi::{CString, c_long},
    fs, io,
    net::TcpStream,
    path::Path,
};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// Makes a system call with three arguments; what it returned, or why it was refused.
fn call(number: c_long, arguments: [c_long; 3]) -> Result<c_long, i32> {
    // SAFETY: the calls below get numbers only, and what they take for an address is null.
    match unsafe { syscall(number, arguments[0], arguments[1], arguments[2]) } {
        returned if returned >= 0 => Ok(returned),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}

/// System calls that Docker's default profile refuses to a container with the default capabilities, on x86_64.
const REFUSED: [(&str, c_long, [c_long; 3]); 29] = [
    ("mount", 165, [0; 3]),
    ("umount2", 166, [0; 3]),
    ("swapon", 167, [0; 3]),
    ("reboot", 169, [0; 3]),
    ("sethostname", 170, [0; 3]),
    ("init_module", 175, [0; 3]),
    ("delete_module", 176, [0; 3]),
    ("quotactl", 179, [0; 3]),
    ("acct", 163, [0; 3]),
    ("settimeofday", 164, [0; 3]),
    ("pivot_root", 155, [0; 3]),
    ("iopl", 172, [3, 0, 0]),
    ("kexec_load", 246, [0; 3]),
    ("add_key", 248, [0; 3]),
    ("request_key", 249, [0; 3]),
    ("keyctl", 250, [0; 3]),
    ("move_pages", 279, [0; 3]),
    ("unshare", 272, [0x1000_0000, 0, 0]),
    ("clone", 56, [0x1000_0000 | 17, 0, 0]),
    ("perf_event_open", 298, [0; 3]),
    ("open_by_handle_at", 304, [0; 3]),
    ("setns", 308, [0; 3]),
    ("finit_module", 313, [0; 3]),
    ("bpf", 321, [0; 3]),
    ("userfaultfd", 323, [0; 3]),
    ("io_uring_setup", 425, [1, 0, 0]),
    ("open_tree", 428, [0; 3]),
    ("fsopen", 430, [0; 3]),
    ("personality", 135, [0x0040_0000, 0, 0]),
];

/// Programs of the image, which it may write to as it likes.
const OWN: [&str; 2] = ["/attack", "/bin/busybox"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["profile"] => profile(),
        ["socket", family] => sockets(family.parse().unwrap_or(0)),
        ["ptrace", pid] => println!("ptrace {pid}: {:?}", call(101, [16, pid.parse().unwrap_or(0), 0])),
        ["overwrite"] => overwrite(),
        ["descriptors"] => descriptors(),
        ["wait"] => loop {
            std::thread::park();
        },
        ["exchange", path, goals @ ..] => exchange(path, goals),
        ["scan", address] => scan(address),
        other => println!("no such attack: {other:?}"),
    }
}

/// Names what is not refused as Docker's profile refuses it.
fn profile() {
    for (name, number, arguments) in REFUSED {
        // A filter decides before the kernel looks at arguments: nothing but EPERM shows that it did.
        if call(number, arguments) != Err(1) {
            println!("{name} is not refused");
        }
    }
    match call(435, [0, 0, 0]) {
        Err(38) => {}
        other => println!("clone3: {other:?}"),
    }
    println!("tried {}", REFUSED.len() + 1);
}

/// By the usual call, and by the one of 32-bit programs would be `socketcall`.
fn sockets(family: c_long) {
    println!("socket {family}: {:?}", call(41, [family, 1, 0]));
    println!("socket {family} with more bits: {:?}", call(41, [(1 << 32) | family, 1, 0]));
}

/// Opens every program that it can see running for writing, again and again, until there is a file /stop.
fn overwrite() {
    let (mut seen, mut opened) = (0_u64, 0);
    println!("begin");
    while !Path::new("/stop").exists() {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let link = entry.path().join("exe");
            let own = fs::read_link(&link).is_ok_and(|goal| OWN.iter().any(|program| goal == Path::new(program)));
            seen += u64::from(!own);
            if !own && fs::OpenOptions::new().write(true).open(&link).is_ok() {
                opened += 1;
            }
        }
    }
    println!("opened {opened} of {seen}");
}

/// Exchanges a file for links to these goals, again and again.
fn exchange(path: &str, goals: &[&str]) {
    let name = |path: &str| CString::new(path).unwrap_or_default();
    let aside = format!("{path}.aside");
    println!("begin");
    for goal in goals.iter().cycle() {
        let _ = fs::remove_file(&aside);
        let _ = std::os::unix::fs::symlink(goal, &aside);
        if !Path::new(path).exists() {
            let _ = fs::write(path, "");
        }
        for _ in 0..100 {
            // SAFETY: renameat2 with two paths that live through the call, and RENAME_EXCHANGE.
            unsafe { syscall(316, -100_i64, name(path).as_ptr(), -100_i64, name(&aside).as_ptr(), 2_i64) };
        }
    }
}

/// Tries all ports of an address.
fn scan(address: &str) {
    let open = |port: &u16| TcpStream::connect((address, *port)).is_ok();
    for port in (1..=u16::MAX).filter(open) {
        println!("{address}:{port} is open");
    }
    println!("scanned {address}");
}

/// Lists what it was started with, and the numbers by which there is something to enter.
fn descriptors() {
    for number in 3..1024 {
        if env::set_current_dir(format!("/proc/self/fd/{number}")).is_ok() || call(72, [number, 1, 0]).is_ok() {
            println!("{number} is open");
        }
    }
    let listed = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let paths: Vec<_> = listed.map(|entry| entry.path()).collect();
    for path in paths {
        // The one with which the list was read is gone by now.
        if let Ok(goal) = fs::read_link(&path) {
            println!("{} {}", path.file_name().unwrap_or_default().to_string_lossy(), goal.display());
        }
    }
}
