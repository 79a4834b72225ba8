//! What may be shared of a computer, and what is remembered of it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::{fs, path::Path};

use cove_daemon::shares::grants::{GrantError, Grants};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("home/project")).unwrap();
        fs::create_dir_all(folder.path().join("elsewhere")).unwrap();
        Self { folder }
    }

    fn path(&self, below: &str) -> String {
        self.folder.path().join(below).display().to_string()
    }

    fn grants(&self) -> Grants {
        Grants::open(self.folder.path().join("shares.json"), vec![self.folder.path().join("home")])
    }
}

#[test]
fn what_was_granted_has_the_same_id_also_after_a_restart() {
    let place = Place::new();
    let grant = place.grants().grant(&place.path("home/project"), false, true).unwrap();
    let again = place.grants().grant(&place.path("home/../home/project/."), false, true).unwrap();
    assert_eq!((&grant, grant.id.len()), (&again, 32));
    let read_only = place.grants().grant(&place.path("home/project"), true, true).unwrap();
    assert_ne!(grant.id, read_only.id);
    assert_eq!(place.grants().find(&grant.id).unwrap(), grant);
    assert!(matches!(place.grants().find("0"), Err(GrantError::Unknown(_))));
}

#[test]
fn what_is_missing_is_made_only_when_asked_for_and_only_where_it_may_be() {
    let place = Place::new();
    let (grants, missing) = (place.grants(), place.path("home/a/b"));
    let refused = grants.grant(&missing, false, false).unwrap_err();
    assert_eq!(refused.to_string(), format!("bind source path does not exist: {missing}"));
    let grant = grants.grant(&missing, false, true).unwrap();
    assert!(!Path::new(&missing).exists(), "dockerd makes it when a container starts");
    assert!(grants.find(&grant.id).is_ok() && Path::new(&missing).is_dir());
    let outside = place.path("elsewhere/c");
    assert!(matches!(grants.grant(&outside, false, true), Err(GrantError::Forbidden { .. })));
    assert!(!Path::new(&outside).exists());
}

#[test]
fn what_is_not_below_a_root_is_refused_and_the_setting_named() {
    let place = Place::new();
    let grants = place.grants();
    let refused = grants.grant(&place.path("elsewhere"), true, true).unwrap_err().to_string();
    assert!(refused.contains("is not shared from this computer") && refused.contains("cove share roots"), "{refused}");
    assert!(matches!(grants.grant("relative", true, true), Err(GrantError::Relative(_))));
    grants.set_roots(&[place.path("elsewhere")]).unwrap();
    assert!(place.grants().grant(&place.path("elsewhere"), true, true).is_ok());
    assert!(place.grants().grant(&place.path("home"), true, true).is_err());
    assert!(grants.set_roots(&["x".to_owned()]).is_err());
}

#[test]
fn a_link_is_what_it_leads_to_now_and_later() {
    let place = Place::new();
    let grants = place.grants();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("home/link")).unwrap();
    assert!(matches!(grants.grant(&place.path("home/link"), false, true), Err(GrantError::Forbidden { .. })));
    let grant = grants.grant(&place.path("home/project"), false, true).unwrap();
    fs::remove_dir(place.path("home/project")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("home/project")).unwrap();
    assert!(matches!(grants.find(&grant.id), Err(GrantError::Forbidden { .. })));
    assert!(matches!(grants.grant("/dev/null", false, false), Err(GrantError::Forbidden { .. })));
}

#[test]
fn a_grant_that_is_taken_back_is_gone() {
    let place = Place::new();
    let grants = place.grants();
    let grant = grants.grant(&place.path("home/project"), false, true).unwrap();
    grants.revoke(&grant.id).unwrap();
    assert!(grants.find(&grant.id).is_err() && grants.revoke(&grant.id).is_err() && place.grants().list().is_empty());
}

#[test]
fn dockers_socket_is_granted_wherever_it_is_looked_for_unless_the_user_says_no() {
    let place = Place::new();
    let own = place.folder.path().join("home/docker.sock");
    let grants = place.grants().with_docker_socket(own.clone());
    let granted = grants.grant("/var/run/docker.sock", true, true).unwrap();
    assert!(granted.docker_api && !granted.read_only && !granted.create_missing);
    assert_eq!(grants.grant("/var/./run//docker.sock", false, false).unwrap(), granted);
    for path in ["/run/docker.sock", own.to_str().unwrap()] {
        assert!(grants.grant(path, false, false).unwrap().docker_api, "{path}");
    }
    assert!(matches!(grants.grant("/var/run/docker.sock.old", false, false), Err(GrantError::Missing(_))));
    assert!(!grants.grant(&place.path("home/project"), false, false).unwrap().docker_api);

    grants.share_docker_api(false).unwrap();
    // Also for a daemon that comes after this one, and for who was granted it before.
    let later = place.grants();
    assert!(!later.shares_docker_api());
    assert!(matches!(later.find(&granted.id), Err(GrantError::NoDockerApi)));
    assert!(matches!(later.grant("/run/docker.sock", false, false), Err(GrantError::NoDockerApi)));
    later.share_docker_api(true).unwrap();
    assert_eq!(later.find(&granted.id).unwrap(), granted);
    later.revoke("/var/run/docker.sock").unwrap();
    assert!(matches!(later.find(&granted.id), Err(GrantError::Unknown(_))));
}
