//! Tries, from inside a container, to reach anything over vsock. One line for each try: what was tried, what the kernel
//! said. With the word "beside", the lines go to a file beside the program.

use std::{
    arch::asm,
    env,
    ffi::{c_int, c_long},
    fs::File,
    io::{self, Write},
    mem,
};

const AF_VSOCK: c_int = 40;
const SOCK_STREAM: c_int = 1;
/// Seconds and microseconds: what is there answers at once.
static ANSWER_WITHIN: [i64; 2] = [0, 100_000];

/// struct sockaddr_vm of linux/vm_sockets.h.
#[repr(C)]
struct Address {
    family: u16,
    reserved: u16,
    port: u32,
    cid: u32,
    zero: [u8; 4],
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
    fn connect(socket: c_int, address: *const Address, length: u32) -> c_int;
    fn setsockopt(socket: c_int, level: c_int, name: c_int, value: *const [i64; 2], length: u32) -> c_int;
    fn bind(socket: c_int, address: *const Address, length: u32) -> c_int;
    fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
}

fn main() {
    let mut words = env::args();
    let mut said: Box<dyn Write> = match (words.next(), words.next().as_deref()) {
        (Some(program), Some("beside")) => Box::new(File::create(program + ".said").expect("the file can be made")),
        _ => Box::new(io::stdout()),
    };
    let mut say = |line: String| writeln!(said, "{line}").expect("somebody reads");
    // SAFETY: socket takes no pointers.
    let vsock = unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) };
    say(format!("socket: {}", if vsock < 0 { io::Error::last_os_error().to_string() } else { "open".to_owned() }));
    // SAFETY: an io_uring_setup without parameters makes nothing.
    let ring = unsafe { syscall(425, 1_u64, 0_u64) };
    say(format!("io_uring: {ring} {}", io::Error::last_os_error()));
    for (name, number, arguments) in [("socket", 359, [40, 1, 0]), ("socketcall", 102, [1, 0, 0]), ("io_uring", 425, [1, 0, 0])] {
        say(format!("{name} of 32 bits: {}", of_32_bits(number, arguments)));
    }
    if vsock < 0 {
        return;
    }
    for cid in [0, 1, 2, 3, 4, u32::MAX] {
        let ports = (1..=64).chain([1023, 1024, 1025, 2375, 2376, 9000, u32::MAX]);
        let answers: Vec<String> = ports.filter_map(|port| connected(cid, port)).collect();
        say(format!("cid {cid}: {}", if answers.is_empty() { "nothing".to_owned() } else { answers.join(", ") }));
    }
    for port in [1024, 1025] {
        say(format!("bind {port}: {}", bound(port)));
    }
}

/// What answers there.
fn connected(cid: u32, port: u32) -> Option<String> {
    // SAFETY: as above.
    let vsock = unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) };
    // What is addressed to nobody is not refused but lost: without SO_VM_SOCKETS_CONNECT_TIMEOUT each try takes two seconds.
    // SAFETY: a struct timeval, of the length that is said.
    unsafe { setsockopt(vsock, AF_VSOCK, 6, &raw const ANSWER_WITHIN, 16) };
    let address = Address { family: 40, reserved: 0, port, cid, zero: [0; 4] };
    // SAFETY: the address lives through the call and has the length that is said.
    let connected = unsafe { connect(vsock, &raw const address, mem::size_of::<Address>() as u32) } == 0;
    connected.then(|| format!("{port} connected"))
}

fn bound(port: u32) -> String {
    // SAFETY: as above.
    let vsock = unsafe { socket(AF_VSOCK, SOCK_STREAM, 0) };
    let address = Address { family: 40, reserved: 0, port, cid: u32::MAX, zero: [0; 4] };
    // SAFETY: as above.
    match unsafe { bind(vsock, &raw const address, mem::size_of::<Address>() as u32) } {
        0 => "taken".to_owned(),
        _ => io::Error::last_os_error().to_string(),
    }
}

/// A system call as a 32-bit program makes it, in a process of its own: a kernel that has none ends it.
fn of_32_bits(number: u32, arguments: [u32; 3]) -> String {
    // socketcall(SYS_SOCKET, {AF_VSOCK, SOCK_STREAM, 0}) wants its array below 4 GiB.
    // SAFETY: an anonymous mapping, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT.
    let low = unsafe { syscall(9, 0_u64, 4096_u64, 3_u64, 0x62_u64, -1_i64, 0_u64) } as usize;
    // SAFETY: it is ours.
    unsafe { std::ptr::with_exposed_provenance_mut::<[u32; 3]>(low).write([40, 1, 0]) };
    let [first, second, third] = arguments;
    let second = if number == 102 { low as u32 } else { second };
    // SAFETY: there is one thread.
    let child = unsafe { fork() };
    if child == 0 {
        let returned: i32;
        // SAFETY: none of the calls writes through what it is given.
        unsafe {
            asm!("push rbx", "mov ebx, {first:e}", "int 0x80", "pop rbx", first = in(reg) first,
                 inlateout("eax") number => returned, in("ecx") second, in("edx") third,
                 out("r8") _, out("r9") _, out("r10") _, out("r11") _);
        }
        std::process::exit(if returned < 0 { -returned } else { 0 });
    }
    let mut status = 0;
    // SAFETY: the status is ours.
    unsafe { waitpid(child, &raw mut status, 0) };
    match (status & 0x7f, status >> 8 & 0xff) {
        (0, 0) => "open".to_owned(),
        (0, errno) => io::Error::from_raw_os_error(errno).to_string(),
        (signal, _) => format!("signal {signal}"),
    }
}
