//! Whose the files are, on a host that keeps owners and on one that cannot.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink},
};

use crate::fixture::{How, MAPPED, Mounted};

fn mapped() -> Mounted {
    Mounted::new(How { ownership: MAPPED, ..How::default() }, |host| {
        fs::write(host.join("mine"), "x").unwrap();
        fs::write(host.join("others"), "x").unwrap();
        chown(host.join("others"), Some(7), Some(7)).unwrap();
    })
}

#[test]
fn a_host_that_keeps_owners_has_them_as_they_are() {
    let share = Mounted::folder();
    fs::write(share.path("f"), "x").unwrap();
    chown(share.path("f"), Some(999), Some(998)).unwrap();
    fs::set_permissions(share.path("f"), fs::Permissions::from_mode(0o4711)).unwrap();
    let host = fs::metadata(share.on_host("f")).unwrap();
    assert_eq!((host.uid(), host.gid(), host.mode() & 0o7777), (999, 998, 0o4711));
    symlink("x", share.path("l")).unwrap();
    lchown(share.path("l"), Some(5), Some(6)).unwrap();
    assert_eq!(fs::symlink_metadata(share.on_host("l")).unwrap().uid(), 5);
    fs::create_dir(share.path("d")).unwrap();
    chown(share.path("d"), None, Some(77)).unwrap();
    fs::set_permissions(share.path("d"), fs::Permissions::from_mode(0o2775)).unwrap();
    fs::create_dir(share.path("d/e")).unwrap();
    let inside = fs::metadata(share.on_host("d/e")).unwrap();
    assert_eq!((inside.gid(), inside.mode() & 0o2000), (77, 0o2000));
}

#[test]
fn this_users_files_are_the_containers_users() {
    let share = mapped();
    let owner = |name: &str| fs::metadata(share.path(name)).map(|seen| (seen.uid(), seen.gid())).unwrap();
    assert_eq!((owner("mine"), owner("others")), ((1000, 1001), (65534, 65534)));
}

#[test]
fn what_the_host_cannot_keep_is_noted_and_shown() {
    let share = mapped();
    // This process is the container's root, whom these files are not.
    fs::write(share.path("made"), "x").unwrap();
    let made = fs::metadata(share.path("made")).unwrap();
    assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (0, 0, 0o644));
    chown(share.path("mine"), Some(999), Some(998)).unwrap();
    fs::set_permissions(share.path("mine"), fs::Permissions::from_mode(0o400)).unwrap();
    let seen = fs::metadata(share.path("mine")).unwrap();
    assert_eq!((seen.uid(), seen.gid(), seen.mode() & 0o7777), (999, 998, 0o400));
    let host = fs::metadata(share.on_host("mine")).unwrap();
    assert_eq!((host.uid(), host.mode() & 0o777), (0, 0o600));
    // Back to what the host has: nothing needs to be noted.
    chown(share.path("mine"), Some(1000), Some(1001)).unwrap();
    fs::set_permissions(share.path("mine"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut names = [0; 100];
    assert_eq!(rustix::fs::listxattr(share.on_host("mine"), &mut names), Ok(0));
    assert_eq!(fs::metadata(share.on_host("mine")).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn a_mode_that_shuts_everybody_out_shuts_the_host_not_out() {
    let share = mapped();
    fs::create_dir(share.path("d")).unwrap();
    File::create(share.path("d/f")).unwrap();
    for name in ["d/f", "d"] {
        fs::set_permissions(share.path(name), fs::Permissions::from_mode(0o0)).unwrap();
        assert_eq!(fs::metadata(share.path(name)).unwrap().mode() & 0o7777, 0);
    }
    assert_eq!(fs::metadata(share.on_host("d")).unwrap().mode() & 0o777, 0o700);
    fs::write(share.path("d/f"), "root gets in").unwrap();
}
