//! Says, inside a container, what inotify tells of a folder: watch FOLDER. A line for each event: what, and the name.

use std::{
    env,
    ffi::{CString, c_char, c_int},
    fs::File,
    io::Read,
    os::fd::FromRawFd,
};

unsafe extern "C" {
    fn inotify_init() -> c_int;
    fn inotify_add_watch(descriptor: c_int, path: *const c_char, mask: u32) -> c_int;
}

/// Bits of inotify(7) and what is said of them.
const WORDS: [(u32, &str); 6] =
    [(0x2, "changed"), (0x4, "attributes"), (0x40, "from"), (0x80, "to"), (0x100, "made"), (0x200, "removed")];

fn main() {
    let folder = CString::new(env::args().nth(1).expect("which folder?")).expect("a path");
    let mask = WORDS.iter().fold(0, |mask, (bit, _)| mask | bit);
    // SAFETY: no arguments.
    let descriptor = unsafe { inotify_init() };
    // SAFETY: the path is a string that ends with NUL.
    assert!(unsafe { inotify_add_watch(descriptor, folder.as_ptr(), mask) } >= 0, "cannot watch");
    // SAFETY: nobody else has it.
    let mut events = unsafe { File::from_raw_fd(descriptor) };
    println!("watching");
    let mut room = [0; 8192];
    loop {
        let length = events.read(&mut room).expect("read events");
        let mut rest = &room[..length];
        while let Some((header, behind)) = rest.split_at_checked(16) {
            let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let (name, next) = behind.split_at(word(12) as usize);
            let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
            for (_, what) in WORDS.iter().filter(|(bit, _)| word(4) & bit != 0) {
                println!("{what} {name}");
            }
            rest = next;
        }
    }
}
