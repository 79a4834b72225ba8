//! Who gets nowhere: another user of the host, and a guest without the secret.

use bytes::Bytes;
use tonic::Code;

use crate::fixture::{Fixture, client::status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_without_the_secret_is_not_talked_to() {
    let fixture = Fixture::new().await;
    fixture.guest.become_a_stranger();
    let refused = status(fixture.client().await.call("/cove.v1.Guest/GetGuest", Bytes::new()).await).await;
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains("does not know the secret of this boot"), "{refused}");
    assert_eq!(fixture.guest.connections(), 0);
}

/// The wall behind the walls: folders and sockets are opened to all, only the check of the peer's uid is left.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_of_the_host_is_hung_up_on_at_both_sockets() {
    use std::os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    };

    use std::{fs, path::Path, process::Command};

    let fixture = Fixture::new().await;
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let folder = fixture.home.path().parent().unwrap();
    if fs::metadata(folder).unwrap().uid() != 0 {
        // Only root can become somebody else; CI is root.
        return;
    }
    for folder in [folder, fixture.home.path(), &fixture.home.run()] {
        open(folder, 0o755).unwrap();
    }
    for endpoint in [fixture.home.engine_endpoint(), fixture.home.docker_endpoint()] {
        open(endpoint.path(), 0o666).unwrap();
        let request = "GET /_ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n";
        let program = format!(
            "socket(S,AF_UNIX,SOCK_STREAM,0) && connect(S,sockaddr_un($ARGV[0])) || die $!; $SIG{{PIPE}}='IGNORE'; \
             syswrite(S,\"{request}\"); exit(sysread(S,$b,1) ? 1 : 0)"
        );
        let mut perl = Command::new("/usr/bin/perl");
        perl.args(["-MSocket", "-e", &program]).arg(endpoint.path()).uid(65534).gid(65534);
        let ended = tokio::task::spawn_blocking(move || perl.status()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0), "a stranger was answered at {endpoint}");
    }
}
