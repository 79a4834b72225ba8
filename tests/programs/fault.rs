//! Makes things go wrong that go wrong rarely. What it did is said in lines.
//!
//! It runs in a privileged container that sees the machine's processes, and kills by counting system calls with ptrace(2):
//! so the engine can be killed at each of its steps without having a place for that in it.

use std::{
    env, fs, io,
    os::{
        fd::AsRawFd,
        raw::{c_int, c_long, c_ulong, c_void},
        unix::fs::FileExt,
    },
    ptr,
    thread::sleep,
    time::Duration,
};

unsafe extern "C" {
    fn ptrace(request: c_long, pid: c_long, address: *mut c_void, data: *mut c_void) -> c_long;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn kill(pid: c_int, signal: c_int) -> c_int;
    fn ioctl(file: c_int, request: c_ulong, argument: *const u32) -> c_int;
    fn prlimit64(pid: c_int, resource: c_int, new: *const [u64; 2], old: *mut [u64; 2]) -> c_int;
    fn clone(main: extern "C" fn(*mut c_void) -> c_int, stack: *mut c_void, flags: c_int, argument: *mut c_void) -> c_int;
}

// linux/ptrace.h, asm/signal.h, bits/wait.h, sched.h
const PTRACE_POKEUSER: c_long = 6;
const PTRACE_CONT: c_long = 7;
const PTRACE_SYSCALL: c_long = 24;
const PTRACE_SEIZE: c_long = 0x4206;
const PTRACE_INTERRUPT: c_long = 0x4207;
const PTRACE_GET_SYSCALL_INFO: c_long = 0x420e;
const TRACE_CALLS_AND_CHILDREN: usize = 1 | 2 | 4 | 8;
const ENTRY: u8 = 1;
/// Where struct user_regs_struct has the number of the call, and its result.
const CALL: usize = 15 * 8;
const RESULT: usize = 10 * 8;
/// ENOMEM, EIO, EMFILE, EPERM: why a call may fail at any time, and why it should not.
const FAILURES: [i64; 4] = [12, 5, 24, 1];
const SIGKILL: c_int = 9;
const SIGTRAP: c_int = 5;
const SIGCHLD: c_int = 17;
const WALL: c_int = 0x4000_0000;
/// linux/ext4.h: _IOR('X', 125, u32).
const EXT4_IOC_SHUTDOWN: c_ulong = 0x8004_587d;
const RLIMIT_NOFILE: c_int = 7;
const CLONE_VM_VFORK: c_int = 0x100 | 0x4000;

/// Calls of x86_64 by which a process changes something that others see: files, mounts, limits, messages, processes.
const CHANGES: [u64; 33] = [
    18, 20, 44, 46, 56, 57, 58, 74, 75, 77, 82, 83, 84, 87, 90, 257, 258, 259, 263, 264, 265, 266, 272, 285, 308, 316,
    321, 428, 429, 430, 431, 432, 435,
];
const WRITE: u64 = 1;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().unwrap_or(0);
    match words.as_slice() {
        ["kill-agent", step] => at_change_of_agent(number(step), |agent, _| Next::Kill(agent)),
        ["fail-agent", step] => at_change_of_agent(number(step), |_, task| Next::Fail(task, failure(number(step)))),
        ["kill-first-process", step] => at_call_of_first_process(number(step), Next::Kill),
        ["fail-first-process", step] => {
            at_call_of_first_process(number(step), |task| Next::Fail(task, failure(number(step))));
        }
        ["damage", file, agents] => damage(file, number(agents)),
        ["limit", process, spare, seconds] => limit(number(process) as c_int, number(spare), number(seconds)),
        ["shut-down", folder] => shut_down(folder),
        ["memory"] => memory(),
        ["orphans", count] => orphans(number(count)),
        ["files", folder] => files(folder),
        ["descriptors"] => descriptors(),
        other => println!("no such fault: {other:?}"),
    }
}

fn failure(step: u64) -> i64 {
    FAILURES[step as usize % FAILURES.len()]
}

/// Does something when the agent is about to make so many changes.
fn at_change_of_agent(step: u64, then: impl Fn(c_int, c_int) -> Next) {
    let Some(agent) = process_named("agent") else { return println!("no agent") };
    let tasks = fs::read_dir(format!("/proc/{agent}/task")).into_iter().flatten().flatten();
    let tasks: Vec<c_int> = tasks.filter_map(|task| task.file_name().to_string_lossy().parse().ok()).collect();
    for task in tasks {
        seize(task, TRACE_CALLS_AND_CHILDREN);
        trace(PTRACE_INTERRUPT, task, 0);
    }
    println!("ready");
    let mut changes = 0;
    follow(false, |task, call| {
        let Some((number, arguments)) = call else { return Next::Calls };
        // A number of eight bytes wakes a thread of its own; that is no change.
        if CHANGES.contains(&number) || (number == WRITE && arguments[2] != 8) {
            changes += 1;
        }
        if changes == step { then(agent, task) } else { Next::Calls }
    });
}

/// Does something when the next child of PID 1 is about to make its system call of this number.
fn at_call_of_first_process(step: u64, then: impl Fn(c_int) -> Next) {
    seize(1, TRACE_CALLS_AND_CHILDREN);
    println!("ready");
    let mut calls = 0;
    follow(true, |task, call| match call {
        _ if task == 1 => Next::Children,
        None => Next::Calls,
        Some(_) => {
            calls += 1;
            if calls == step { then(task) } else { Next::Calls }
        }
    });
}

/// What a stopped thread is to do.
enum Next {
    /// Go on to its next system call.
    Calls,
    /// Go on to its next child.
    Children,
    /// End, it or another.
    Kill(c_int),
    /// Get this error for the call that it is about to make, and go on.
    Fail(c_int, i64),
}

/// Lets traced threads go from stop to stop, until one is killed, or has been told of a failure, or none is left.
fn follow(whole_process: bool, mut decide: impl FnMut(c_int, Option<(u64, [u64; 6])>) -> Next) {
    let mut failing: Option<(c_int, i64)> = None;
    loop {
        let mut status = 0;
        // SAFETY: the status is ours.
        let task = unsafe { waitpid(-1, &raw mut status, WALL) };
        if task < 0 {
            return println!("past: {}", io::Error::last_os_error());
        }
        if status & 0xff != 0x7f {
            // Threads of the agent come and go; the child of PID 1 that was waited for is the only one.
            if whole_process && status & 0xff00 == 0 { return println!("past") } else { continue }
        }
        let (signal, event) = ((status >> 8) & 0xff, status >> 16);
        let call = if signal == SIGTRAP | 0x80 { entered(task) } else { None };
        let pass_on = if event == 0 && signal != SIGTRAP | 0x80 { signal } else { 0 };
        if let Some((_, error)) = failing.filter(|(failing, _)| *failing == task && signal == SIGTRAP | 0x80) {
            poke(task, RESULT, -error);
            trace(PTRACE_CONT, task, 0);
            return println!("failed with {error}");
        }
        match decide(task, call) {
            Next::Calls => trace(PTRACE_SYSCALL, task, pass_on),
            Next::Children => trace(PTRACE_CONT, task, pass_on),
            Next::Kill(process) => {
                // SAFETY: it takes no pointers.
                unsafe { kill(process, SIGKILL) };
                return println!("killed at {call:?}");
            }
            Next::Fail(task, error) => {
                // There is no call of this number, so nothing is done; what is answered is changed before it is seen.
                poke(task, CALL, -1);
                failing = Some((task, error));
                trace(PTRACE_SYSCALL, task, 0);
            }
        }
    }
}

fn seize(task: c_int, options: usize) {
    // SAFETY: with this request the third argument is null and the fourth a number.
    let seized = unsafe { ptrace(PTRACE_SEIZE, task.into(), ptr::null_mut(), ptr::without_provenance_mut(options)) };
    if seized != 0 {
        println!("{task} is not traced: {}", io::Error::last_os_error());
    }
}

/// Changes a register of a stopped thread.
fn poke(task: c_int, register: usize, value: i64) {
    let (register, value) = (ptr::without_provenance_mut(register), ptr::without_provenance_mut(value as usize));
    // SAFETY: with this request both are numbers.
    unsafe { ptrace(PTRACE_POKEUSER, task.into(), register, value) };
}

fn trace(request: c_long, task: c_int, signal: c_int) {
    // SAFETY: with these requests the third argument is null and the fourth a number.
    unsafe { ptrace(request, task.into(), ptr::null_mut(), ptr::without_provenance_mut(signal as usize)) };
}

/// The system call that a thread is about to make.
fn entered(task: c_int) -> Option<(u64, [u64; 6])> {
    let mut facts = [0_u64; 11];
    let room = ptr::without_provenance_mut(size_of_val(&facts));
    // SAFETY: it fills as much of struct ptrace_syscall_info as there is room for.
    let length = unsafe { ptrace(PTRACE_GET_SYSCALL_INFO, task.into(), room, facts.as_mut_ptr().cast()) };
    let is_entry = length >= 80 && facts[0].to_ne_bytes()[0] == ENTRY;
    is_entry.then(|| (facts[3], [facts[4], facts[5], facts[6], facts[7], facts[8], facts[9]]))
}

/// The engine's process with this argument.
fn process_named(argument: &str) -> Option<c_int> {
    let mut processes: Vec<c_int> =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect();
    processes.sort_unstable();
    let named = format!("cove-guest\0{argument}\0");
    processes.into_iter().find(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == named))
}

/// Lets a process open so many files more and no others, for so long.
fn limit(process: c_int, spare: u64, seconds: u64) {
    let mut old = [0; 2];
    // SAFETY: both are what the call reads and writes.
    unsafe { prlimit64(process, RLIMIT_NOFILE, ptr::null(), &raw mut old) };
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().count() as u64;
    let new = [open + spare, old[1]];
    // SAFETY: as above.
    let set = unsafe { prlimit64(process, RLIMIT_NOFILE, &raw const new, ptr::null_mut()) };
    println!("limited to {}: {set}", new[0]);
    sleep(Duration::from_secs(seconds));
    // SAFETY: as above.
    unsafe { prlimit64(process, RLIMIT_NOFILE, &raw const old, ptr::null_mut()) };
}

/// Damages the beginning of a file of the agent's, kills the agent, and mends the file when so many agents have come.
fn damage(path: &str, agents: u64) {
    let Ok(file) = fs::File::options().read(true).write(true).open(path) else { return println!("no file {path}") };
    let mut whole = [0; 16];
    if let Err(error) = file.read_exact_at(&mut whole, 0).and_then(|()| file.write_all_at(&[0; 16], 0)) {
        return println!("{path}: {error}");
    }
    let mut last = process_named("agent");
    if let Some(agent) = last {
        // SAFETY: it takes no pointers.
        unsafe { kill(agent, SIGKILL) };
    }
    let mut come = 0;
    while come < agents {
        let now = process_named("agent");
        come += u64::from(now.is_some() && now != last);
        last = now.or(last);
        sleep(Duration::from_millis(10));
    }
    let mended = file.write_all_at(&whole, 0);
    println!("{mended:?} after {come} agents");
}

/// Has a file system of ext4 behave as if its disk had failed: nothing reaches it any more.
fn shut_down(folder: &str) {
    let without_its_journal = 2_u32;
    let done = fs::File::open(folder).map(|folder| {
        // SAFETY: it reads a number of four bytes.
        unsafe { ioctl(folder.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const without_its_journal) }
    });
    println!("shut down: {done:?}");
}

/// Takes memory until something ends this.
fn memory() {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![1_u8; 16 << 20]);
    }
}

extern "C" fn end(_: *mut c_void) -> c_int {
    0
}

/// Leaves so many processes that have ended to who does not wait for them, and lives on.
fn orphans(count: u64) {
    let mut stack = vec![0_u8; 64 * 1024];
    let mut parent = vec![0_u8; 64 * 1024];
    extern "C" fn leave_orphans(argument: *mut c_void) -> c_int {
        // SAFETY: what `orphans` passes lives until this has ended.
        let (count, top) = unsafe { *argument.cast::<(u64, *mut c_void)>() };
        for _ in 0..count {
            // SAFETY: the child has a stack of its own, and this waits until it has ended.
            unsafe { clone(end, top, CLONE_VM_VFORK | SIGCHLD, ptr::null_mut()) };
        }
        0
    }
    let mut argument = (count, stack.as_mut_ptr_range().end.cast::<c_void>());
    // SAFETY: as above.
    let made =
        unsafe { clone(leave_orphans, parent.as_mut_ptr_range().end.cast(), CLONE_VM_VFORK | SIGCHLD, (&raw mut argument).cast()) };
    println!("{count} orphans of {made}");
    loop {
        std::thread::park();
    }
}

/// Makes empty files until none can be made any more.
fn files(folder: &str) {
    let _ = fs::create_dir_all(folder);
    let mut count = 0_u64;
    let error = loop {
        match fs::File::create(format!("{folder}/{count}")) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    println!("{count} files: {error}");
}

/// Opens files until none can be opened any more, and lives on with them.
fn descriptors() {
    let mut open = Vec::new();
    let error = loop {
        match fs::File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) => break error,
        }
    };
    println!("{} files are open: {error}", open.len());
    loop {
        std::thread::park();
    }
}
