//! Names: made, moved, linked, listed, removed.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::ErrorKind,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _, symlink},
        net::UnixListener,
    },
};

use rustix::fs::{CWD, RenameFlags, XattrFlags, renameat_with};

use crate::fixture::Mounted;

#[test]
fn folders_are_made_moved_listed_and_removed() {
    let share = Mounted::folder();
    fs::create_dir_all(share.path("a/b/c")).unwrap();
    fs::write(share.path("a/b/c/f"), "x").unwrap();
    fs::rename(share.path("a/b"), share.path("moved")).unwrap();
    assert_eq!(fs::read(share.path("moved/c/f")).unwrap(), b"x");
    assert_eq!(fs::read(share.on_host("moved/c/f")).unwrap(), b"x");
    assert_eq!(fs::remove_dir(share.path("moved")).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs::remove_dir_all(share.path("moved")).unwrap();
    fs::remove_dir_all(share.path("a")).unwrap();
    assert_eq!(fs::read_dir(share.on_host("")).unwrap().count(), 0);
    assert_eq!(fs::metadata(share.path("a")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_large_folder_is_listed_whole_and_each_name_once() {
    let share = Mounted::folder();
    let names: BTreeSet<String> = (0..5000).map(|number| format!("a-name-of-some-length-{number:05}")).collect();
    names.iter().for_each(|name| drop(File::create(share.on_host(name)).unwrap()));
    let listed: Vec<String> =
        fs::read_dir(share.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!((listed.len(), listed.into_iter().collect::<BTreeSet<_>>()), (5000, names));
    for entry in fs::read_dir(share.path("")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(fs::read_dir(share.on_host("")).unwrap().count(), 0);
}

#[test]
fn a_name_is_bytes() {
    let share = Mounted::folder();
    for name in [&b"back\\slash"[..], b"\xff\xfe", b" ", b"...", b"CON", b"a:b", b"-rf", b"new\nline", &[b'n'; 255]] {
        let name = OsStr::from_bytes(name);
        fs::write(share.path("").join(name), "x").unwrap();
        assert!(share.on_host("").join(name).exists());
        assert!(fs::read_dir(share.path("")).unwrap().any(|entry| entry.unwrap().file_name() == name));
        fs::remove_file(share.path("").join(name)).unwrap();
    }
    assert_eq!(fs::write(share.path(&"n".repeat(256)), "x").unwrap_err().kind(), ErrorKind::InvalidFilename);
}

#[test]
fn moves_displace_refuse_or_exchange() {
    let share = Mounted::folder();
    let rename = |flags| renameat_with(CWD, share.path("a"), CWD, share.path("b"), flags);
    fs::write(share.path("a"), "a").unwrap();
    fs::write(share.path("b"), "b").unwrap();
    assert_eq!(rename(RenameFlags::NOREPLACE), Err(rustix::io::Errno::EXIST));
    rename(RenameFlags::EXCHANGE).unwrap();
    assert_eq!((fs::read(share.path("a")).unwrap(), fs::read(share.path("b")).unwrap()), (b"b".into(), b"a".into()));
    rename(RenameFlags::empty()).unwrap();
    assert_eq!((share.on_host("a").exists(), fs::read(share.on_host("b")).unwrap()), (false, b"b".into()));
}

#[test]
fn hard_links_are_one_file() {
    let share = Mounted::folder();
    fs::write(share.path("a"), "x").unwrap();
    fs::hard_link(share.path("a"), share.path("b")).unwrap();
    let (a, b) = (fs::metadata(share.path("a")).unwrap(), fs::metadata(share.path("b")).unwrap());
    assert_eq!((a.ino(), a.nlink()), (b.ino(), 2));
    fs::remove_file(share.path("a")).unwrap();
    fs::write(share.path("b"), "y").unwrap();
    assert_eq!(
        (fs::read(share.on_host("b")).unwrap(), fs::metadata(share.path("b")).unwrap().nlink()),
        (b"y".into(), 1)
    );
}

#[test]
fn links_are_data_and_lead_where_the_reader_is() {
    let share = Mounted::folder();
    for target in ["/etc/hostname", "../../..", "missing", "f"] {
        symlink(target, share.path("l")).unwrap();
        assert_eq!(fs::read_link(share.path("l")).unwrap(), OsStr::new(target));
        assert_eq!(fs::read_link(share.on_host("l")).unwrap(), OsStr::new(target));
        fs::remove_file(share.path("l")).unwrap();
    }
    fs::write(share.path("f"), "x").unwrap();
    symlink("f", share.path("l")).unwrap();
    assert_eq!(fs::read(share.path("l")).unwrap(), b"x");
}

#[test]
fn fifos_and_sockets_are_names_only() {
    let share = Mounted::folder();
    rustix::fs::mknodat(CWD, share.path("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(fs::symlink_metadata(share.on_host("fifo")).unwrap().file_type().is_fifo());
    let socket = UnixListener::bind(share.path("socket")).unwrap();
    assert!(fs::symlink_metadata(share.on_host("socket")).unwrap().file_type().is_socket());
    drop(socket);
}

#[test]
fn extended_attributes_are_the_users_alone() {
    let share = Mounted::folder();
    let path = share.path("f");
    fs::write(&path, "x").unwrap();
    let value = [7; 3000];
    rustix::fs::setxattr(&path, "user.mine", &value, XattrFlags::CREATE).unwrap();
    let mut read = [0; 4000];
    assert_eq!(rustix::fs::getxattr(&path, "user.mine", &mut read), Ok(3000));
    assert_eq!(rustix::fs::getxattr(share.on_host("f"), "user.mine", &mut read), Ok(3000));
    assert_eq!(rustix::fs::setxattr(&path, "user.mine", &value, XattrFlags::CREATE), Err(rustix::io::Errno::EXIST));
    assert_eq!(
        rustix::fs::listxattr(&path, &mut read).map(|length| read[..length].to_vec()),
        Ok(b"user.mine\0".into())
    );
    rustix::fs::removexattr(&path, "user.mine").unwrap();
    assert_eq!(rustix::fs::getxattr(&path, "user.mine", &mut read), Err(rustix::io::Errno::NODATA));
    for name in ["security.mine", "trusted.a", "user.cove.stat"] {
        assert_eq!(rustix::fs::setxattr(&path, name, b"1", XattrFlags::empty()), Err(rustix::io::Errno::OPNOTSUPP));
    }
}

#[test]
fn what_the_guest_forgets_is_forgotten() {
    let share = Mounted::folder();
    fs::create_dir(share.path("d")).unwrap();
    (0..500).for_each(|number| fs::write(share.path(&format!("d/{number}")), "x").unwrap());
    assert!(share.server().nodes() > 500);
    fs::remove_dir_all(share.path("d")).unwrap();
    // Forgets follow the last look, in a message of their own.
    let began = std::time::Instant::now();
    while share.server().nodes() > 1 && began.elapsed().as_secs() < 20 {
        fs::metadata(share.path("")).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(share.server().nodes(), 1);
}

#[test]
fn room_is_what_the_host_has() {
    let share = Mounted::folder();
    let (seen, host) = (rustix::fs::statvfs(share.path("")), rustix::fs::statvfs(share.on_host("")));
    let (seen, host) = (seen.unwrap(), host.unwrap());
    assert_eq!((seen.f_blocks, seen.f_frsize, seen.f_namemax), (host.f_blocks, host.f_frsize, host.f_namemax));
}
