//! What containers share, and what their first process is given.

use std::collections::HashMap;

use cove_proto::v1::Security;

use super::*;
use crate::processes::launch::{Network, Seccomp, Shared, SharedMemory, With};

fn with(change: impl FnOnce(&mut ContainerSpec)) -> ContainerSpec {
    let mut spec = spec();
    change(&mut spec);
    spec
}

#[tokio::test]
async fn a_container_has_everything_of_its_own_unless_it_asks() {
    let world = World::new().await;
    let (id, _) = world.started("", spec()).await;
    let launch = world.launcher.last_container();
    assert_eq!((launch.network, launch.shared), (Network::Loopback, Shared::default()));
    let seen = world.containers.inspect(&id, false).await.unwrap().spec.unwrap();
    assert_eq!(
        (seen.ipc_mode.as_str(), seen.cgroupns_mode.as_str(), seen.pid_mode.as_str()),
        ("private", "private", "")
    );
    world
        .started(
            "",
            with(|spec| {
                for mode in [
                    &mut spec.network_mode,
                    &mut spec.pid_mode,
                    &mut spec.ipc_mode,
                    &mut spec.uts_mode,
                    &mut spec.cgroupns_mode,
                ] {
                    "host".clone_into(mode);
                }
            }),
        )
        .await;
    let launch = world.launcher.last_container();
    let guest = Shared {
        pid: With::Guest,
        ipc: With::Guest,
        network: None,
        uts: true,
        cgroup: true,
        memory: SharedMemory::Guest,
    };
    assert_eq!((launch.network, launch.shared), (Network::Host, guest));
}

#[tokio::test]
async fn containers_share_with_one_that_runs_whatever_it_is_called_by_then() {
    let world = World::new().await;
    let (donor, _) = world.started("donor", with(|spec| spec.ipc_mode = "shareable".into())).await;
    assert_eq!(world.launcher.last_container().shared.memory, SharedMemory::Shareable);
    let joiner = with(|spec| {
        (spec.network_mode, spec.pid_mode, spec.ipc_mode) =
            ("container:donor".into(), format!("container:{}", &donor[..12]), "container:donor".into());
    });
    let id = world.containers.create("joiner", joiner).await.unwrap();
    world.containers.rename("donor", "renamed").await.unwrap();
    world.containers.start("joiner").await.unwrap();
    let launch = world.launcher.last_container();
    assert_eq!(launch.network, Network::Joined);
    let expected = Shared {
        pid: With::Container(donor.clone()),
        ipc: With::Container(donor.clone()),
        network: Some(donor.clone()),
        memory: SharedMemory::Of(donor.clone()),
        ..Shared::default()
    };
    assert_eq!(launch.shared, expected);
    // Names come with the network.
    assert_eq!(launch.hostname, donor[..12]);
    assert!(launch.etc.hosts.to_string_lossy().contains(&donor) && !launch.etc.hosts.to_string_lossy().contains(&id));
}

#[tokio::test]
async fn who_cannot_be_joined_is_said_in_dockers_words() {
    let world = World::new().await;
    let private = world.started("private", spec()).await.0;
    let stopped = world.containers.create("stopped", spec()).await.unwrap();
    for (change, kind, words) in [
        (
            with(|spec| spec.network_mode = "container:stopped".into()),
            Kind::Conflict,
            "cannot join network namespace of a non running container: container stopped is created".to_owned(),
        ),
        (
            with(|spec| spec.network_mode = "container:nosuch".into()),
            Kind::Internal,
            "joining network namespace of container: No such container: nosuch".to_owned(),
        ),
        (
            with(|spec| spec.pid_mode = "container:stopped".into()),
            Kind::Internal,
            format!("failed to join PID namespace: container {stopped} is not running"),
        ),
        (
            with(|spec| spec.ipc_mode = "container:private".into()),
            Kind::Invalid,
            format!(
                "failed to join IPC namespace: container {private}: non-shareable IPC (hint: use IpcMode:shareable for \
                 the donor container)"
            ),
        ),
    ] {
        let id = world.containers.create("", change).await.unwrap();
        let error = world.containers.start(&id).await.unwrap_err();
        assert_eq!((error.kind(), text(&error)), (kind, words));
        assert_eq!(world.status(&id).await, ContainerStatus::Created);
    }
    for change in
        [with(|spec| spec.ipc_mode = "container:nosuch".into()), with(|spec| spec.pid_mode = "container:nosuch".into())]
    {
        let error = world.containers.create("", change).await.unwrap_err();
        assert_eq!((error.kind(), text(&error)), (Kind::Invalid, "No such container: nosuch".to_owned()));
    }
}

#[tokio::test]
async fn an_init_comes_before_the_program_unless_processes_are_shared() {
    let world = World::new().await;
    let (id, _) = world.started("", with(|spec| (spec.init, spec.group_add) = (true, vec!["audio".into()]))).await;
    let launch = world.launcher.last_container();
    assert!(launch.init);
    assert_eq!(launch.process.args, ["/sbin/docker-init", "--", "sh"]);
    assert_eq!(launch.process.groups, ["audio"]);
    let seen = world.containers.inspect(&id, false).await.unwrap();
    assert_eq!((seen.path.as_str(), seen.args.len()), ("sh", 0));
    world.started("", with(|spec| (spec.init, spec.pid_mode) = (true, "host".into()))).await;
    assert!(!world.launcher.last_container().init);
}

#[tokio::test]
async fn kernel_parameters_and_devices_are_looked_at_when_it_starts() {
    let world = World::new().await;
    let sysctls = |name: &str| HashMap::from([(name.to_owned(), "1".to_owned())]);
    world.started("", with(|spec| spec.sysctls = sysctls("net.ipv4.ip_forward"))).await;
    let parameter = ("net/ipv4/ip_forward".to_owned(), "1".to_owned());
    assert_eq!(world.launcher.last_container().sysctls, [parameter]);
    let id = world.containers.create("", with(|spec| spec.sysctls = sysctls("kernel.panic"))).await.unwrap();
    let error = world.containers.start(&id).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    let words = "runc create failed: sysctl \"kernel.panic\" is not in a separate kernel namespace: unknown";
    assert!(text(&error).ends_with(words), "{}", text(&error));
    let state = world.containers.inspect(&id, false).await.unwrap().state.unwrap();
    assert_eq!((state.exit_code, state.error), (128, text(&error)));
}

#[tokio::test]
async fn a_profile_of_ones_own_is_read_when_it_starts() {
    let world = World::new().await;
    let own = |json: &str| {
        with(|spec| {
            spec.security = Some(Security { seccomp_json: json.to_owned(), privileged: true, ..Security::default() });
        })
    };
    world.started("", own(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#)).await;
    assert!(matches!(world.launcher.last_launch().seccomp, Seccomp::Custom(_)));
    let id = world.containers.create("", own("{")).await.unwrap();
    let error = world.containers.start(&id).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    assert!(text(&error).starts_with("Decoding seccomp profile failed: "), "{}", text(&error));
}

/// The inode of what stands for a user namespace.
fn inode(launch: &crate::processes::launch::ContainerLaunch) -> Option<u64> {
    let namespace = launch.user_namespace.as_ref()?;
    Some(rustix::fs::fstat(namespace).unwrap().st_ino)
}

#[tokio::test]
async fn a_container_with_a_user_namespace_says_so_or_the_engine_does() {
    let world = World::new().await;
    world.started("", spec()).await;
    assert!(inode(&world.launcher.last_container()).is_none());
    world.started("", with(|spec| spec.userns_mode = "private".into())).await;
    assert!(inode(&world.launcher.last_container()).is_some());
    let wrong = with(|spec| {
        spec.userns_mode = "private".into();
        spec.pid_mode = "host".into();
    });
    let refused = world.containers.create("", wrong).await.unwrap_err();
    let words = "cannot share the host PID namespace when user namespaces are enabled";
    assert_eq!((refused.kind(), refused.to_string().as_str()), (Kind::Invalid, words));
}

#[tokio::test]
async fn who_shares_namespaces_of_another_has_its_user_namespace() {
    let world = World::new().await;
    let files = tempfile::tempdir().unwrap();
    let (donor, program) = world.started("donor", spec()).await;
    let joiner = |mode: &str, users: &str| {
        with(|spec| {
            spec.pid_mode = format!("container:{mode}");
            spec.userns_mode = users.into();
        })
    };
    let refused = world.containers.create("refused", joiner("donor", "private")).await.unwrap();
    let error = world.containers.start(&refused).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().contains(&format!("container {donor}, which has no user namespace")), "{error}");
    let place = |name: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, "").unwrap();
        path
    };
    *program.remapped.lock().unwrap() = Some(place("first"));
    let first = Some(rustix::fs::stat(files.path().join("first")).unwrap().st_ino);
    for users in ["", "private"] {
        world.started("", joiner("donor", users)).await;
        assert_eq!(inode(&world.launcher.last_container()), first);
    }
    let host = with(|spec| {
        spec.pid_mode = "container:donor".into();
        spec.network_mode = "host".into();
    });
    let host = world.containers.create("host", host).await.unwrap();
    let error = world.containers.start(&host).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot share the host's network namespace"), "{error}");
    world.started("", joiner("donor", "host")).await;
    assert_eq!(inode(&world.launcher.last_container()), None);
    let (_, other) = world.started("other", spec()).await;
    *other.remapped.lock().unwrap() = Some(place("second"));
    let two = with(|spec| {
        spec.pid_mode = "container:donor".into();
        spec.network_mode = "container:other".into();
    });
    let two = world.containers.create("two", two).await.unwrap();
    let error = world.containers.start(&two).await.unwrap_err();
    assert!(error.to_string().ends_with("with different user namespaces"), "{error}");
}

#[tokio::test]
async fn clocks_are_those_that_were_asked_for() {
    let world = World::new().await;
    world.started("", spec()).await;
    assert_eq!(world.launcher.last_container().clocks, None);
    let offsets = cove_proto::v1::ClockOffsets { monotonic_seconds: 1, boottime_seconds: -2 };
    world.started("", with(|spec| spec.clock_offsets = Some(offsets))).await;
    let asked = crate::processes::launch::ClockOffsets { monotonic: 1, boottime: -2 };
    assert_eq!(world.launcher.last_container().clocks, Some(asked));
}
