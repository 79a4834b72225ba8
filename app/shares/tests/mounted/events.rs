//! What happens on the host is seen at once, and heard by who watches; what was done here is not heard twice.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
};

use crate::fixture::{How, Mounted};

/// Who watches a folder of the mount.
struct Ear(OwnedFd);

/// What is told of a name.
type Heard = (ReadFlags, String);

impl Ear {
    fn on(share: &Mounted, below: &str) -> Self {
        let descriptor = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        let all = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::MODIFY | WatchFlags::ATTRIB;
        inotify::add_watch(&descriptor, share.path(below), all).unwrap();
        Self(descriptor)
    }

    /// What comes until an event of this kind and name has come; fails if it does not.
    fn until(&self, flags: ReadFlags, name: &str) -> Vec<Heard> {
        let mut heard = Vec::new();
        let last = (flags, name.to_owned());
        while !heard.contains(&last) {
            let most = Timespec::try_from(Duration::from_secs(20)).unwrap();
            let ready = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&most)).unwrap();
            assert!(ready > 0, "{last:?} did not come after {heard:?}");
            heard.extend(self.read());
        }
        heard
    }

    fn read(&self) -> Vec<Heard> {
        let mut room = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(&self.0, &mut room);
        let mut heard = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_str().unwrap().to_owned()).unwrap_or_default();
            heard.push((event.events(), name));
            if reader.is_buffer_empty() {
                break;
            }
        }
        heard
    }
}

fn watched() -> Mounted {
    Mounted::new(How { watched: true, ..How::default() }, |host| {
        fs::create_dir(host.join("d")).unwrap();
        fs::write(host.join("d/old"), "old").unwrap();
    })
}

/// Something that happens on the host last, and is heard last.
fn last(share: &Mounted, ear: &Ear) -> Vec<Heard> {
    fs::write(share.on_host("d/last"), "").unwrap();
    ear.until(ReadFlags::CREATE, "last")
}

#[test]
fn what_comes_goes_and_changes_on_the_host_is_heard() {
    let share = watched();
    assert_eq!(fs::read(share.path("d/old")).unwrap(), b"old");
    let ear = Ear::on(&share, "d");
    fs::write(share.on_host("d/new"), "").unwrap();
    ear.until(ReadFlags::CREATE, "new");
    OpenOptions::new().append(true).open(share.on_host("d/old")).unwrap().write_all(b" and more").unwrap();
    ear.until(ReadFlags::MODIFY, "old");
    assert_eq!(fs::read(share.path("d/old")).unwrap(), b"old and more");
    fs::set_permissions(share.on_host("d/old"), fs::Permissions::from_mode(0o600)).unwrap();
    ear.until(ReadFlags::ATTRIB, "old");
    fs::create_dir(share.on_host("d/sub")).unwrap();
    ear.until(ReadFlags::CREATE | ReadFlags::ISDIR, "sub");
    fs::rename(share.on_host("d/old"), share.on_host("d/older")).unwrap();
    let heard = ear.until(ReadFlags::MOVED_TO, "older");
    assert!(heard.contains(&(ReadFlags::MOVED_FROM, "old".to_owned())), "{heard:?}");
    fs::remove_file(share.on_host("d/older")).unwrap();
    ear.until(ReadFlags::DELETE, "older");
    fs::remove_dir(share.on_host("d/sub")).unwrap();
    ear.until(ReadFlags::DELETE | ReadFlags::ISDIR, "sub");
    std::os::unix::fs::symlink("old", share.on_host("d/link")).unwrap();
    ear.until(ReadFlags::CREATE, "link");
    // Nothing was done to the host.
    let names: Vec<_> = fs::read_dir(share.on_host("d")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((names.len(), fs::read_link(share.path("d/link")).unwrap()), (2, "old".into()));
}

#[test]
fn a_file_that_is_saved_by_renaming_is_the_new_one() {
    let share = watched();
    let ear = Ear::on(&share, "d");
    for round in 0..5 {
        assert!(fs::read(share.path("d/old")).is_ok());
        fs::write(share.on_host("d/.old.swp"), format!("saved {round}")).unwrap();
        fs::rename(share.on_host("d/.old.swp"), share.on_host("d/old")).unwrap();
        ear.until(ReadFlags::MOVED_TO, "old");
        assert_eq!(fs::read_to_string(share.path("d/old")).unwrap(), format!("saved {round}"));
    }
}

#[test]
fn what_is_done_here_is_heard_once() {
    let share = watched();
    let ear = Ear::on(&share, "d");
    fs::write(share.path("d/f"), "one").unwrap();
    fs::write(share.path("d/f"), "three").unwrap();
    fs::set_permissions(share.path("d/f"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(share.path("d/f"), share.path("d/g")).unwrap();
    fs::create_dir(share.path("d/sub")).unwrap();
    fs::remove_dir(share.path("d/sub")).unwrap();
    fs::remove_file(share.path("d/g")).unwrap();
    let own = ear.read();
    let count = |heard: &[Heard], flags: ReadFlags| heard.iter().filter(|(found, _)| found.contains(flags)).count();
    assert_eq!((count(&own, ReadFlags::CREATE), count(&own, ReadFlags::DELETE)), (2, 2), "{own:?}");
    let echoes: Vec<Heard> = last(&share, &ear).into_iter().filter(|(_, name)| name != "last").collect();
    assert!(echoes.is_empty(), "{echoes:?}");
}

#[test]
fn a_read_only_share_is_heard_and_nobody_else_replays() {
    let share = Mounted::new(How { watched: true, read_only: true, ..How::default() }, |host| {
        fs::create_dir(host.join("d")).unwrap();
    });
    let ear = Ear::on(&share, "d");
    fs::write(share.on_host("d/new"), "text").unwrap();
    ear.until(ReadFlags::CREATE, "new");
    assert_eq!(fs::read(share.path("d/new")).unwrap(), b"text");
    assert!(fs::remove_file(share.path("d/new")).is_err() && fs::write(share.path("d/x"), "").is_err());
}

#[test]
fn a_burst_is_heard_whole() {
    let share = watched();
    let ear = Ear::on(&share, "d");
    (0..500).for_each(|number| fs::write(share.on_host(&format!("d/{number}")), "x").unwrap());
    let mut heard = ear.until(ReadFlags::CREATE, "499");
    heard.extend(last(&share, &ear));
    let created = heard.iter().filter(|(flags, _)| flags.contains(ReadFlags::CREATE)).count();
    assert_eq!(created, 501);
}
