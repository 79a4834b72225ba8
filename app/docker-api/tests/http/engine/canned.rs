//! The containers and images that the recordings of dockerd show, as the engine would tell them.

use std::collections::HashMap;

use cove_proto::v1::{self, ContainerStatus, StringList};

pub(crate) const IMAGE_ID: &str = "sha256:e6124180cd9aa5acf2a123c2ba59f33dc39367ee6c49cf9de3d9d69ff5b7e447";

fn time(text: &str) -> Option<prost_types::Timestamp> {
    let time: jiff::Timestamp = text.parse().unwrap();
    Some(prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

fn strings(values: &[&str]) -> Option<StringList> {
    Some(StringList { values: values.iter().map(|value| (*value).to_owned()).collect() })
}

fn facts(facts: &[(&str, &str)]) -> HashMap<String, String> {
    facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// `docker run -d --name c2 --network none bb:1 sleep 1000`, running.
pub(super) fn running() -> v1::Container {
    v1::Container {
        id: "a53dc3711eda82d335e8fa02f284de9c7d1745e0d9f5215bf048ac965acd973f".into(),
        name: "c2".into(),
        created_at: time("2026-11-24T04:53:03.441573389Z"),
        spec: kept(v1::ContainerSpec {
            image: "bb:1".into(),
            cmd: strings(&["sleep", "1000"]),
            network_mode: "none".into(),
            exposed_ports: vec!["80/tcp".into()],
            ..Default::default()
        }),
        image_id: IMAGE_ID.into(),
        path: "sleep".into(),
        args: vec!["1000".into()],
        exec_ids: vec!["f8ea4cd9a2ab7adb1fa0c2e93af4603d47ea5b155d25427a2857c31dd6401ab6".into()],
        state: Some(v1::ContainerState {
            status: ContainerStatus::Running.into(),
            pid: 25149,
            started_at: time("2026-11-24T04:53:03.510051416Z"),
            ..Default::default()
        }),
        files: Some(v1::ContainerFiles {
            hostname: "/h".into(),
            hosts: "/hosts".into(),
            resolv_conf: "/r".into(),
            log: "/l".into(),
        }),
        networks: on("none"),
        ..Default::default()
    }
}

/// A network that it is on.
fn on(network: &str) -> Vec<v1::NetworkEndpoint> {
    vec![v1::NetworkEndpoint { network: network.into(), ..Default::default() }]
}

/// `docker run -d --name ht --health-cmd "echo before; sleep 100" --health-timeout 1s --restart on-failure:2 ...`, running.
pub(super) fn checked() -> v1::Container {
    let mut container = running();
    let spec = container.spec.get_or_insert_default();
    spec.restart_policy =
        Some(v1::RestartPolicy { kind: v1::RestartPolicyKind::OnFailure.into(), maximum_retry_count: 2 });
    spec.healthcheck = Some(v1::Healthcheck {
        test: vec!["CMD-SHELL".into(), "echo before; sleep 100".into()],
        interval_nanos: 1_000_000_000,
        timeout_nanos: 1_000_000_000,
        retries: 1,
        ..Default::default()
    });
    container.state.get_or_insert_default().health = Some(v1::Health {
        status: v1::HealthStatus::Unhealthy.into(),
        failing_streak: 1,
        log: vec![v1::HealthResult {
            started_at: time("2026-11-24T08:20:28.081755262Z"),
            ended_at: time("2026-11-24T08:20:29.171671899Z"),
            exit_code: -1,
            output: b"Health check exceeded timeout (1s): before\n".to_vec(),
        }],
    });
    container
}

/// The defaults that the engine fills in when it makes a container.
fn kept(mut spec: v1::ContainerSpec) -> Option<v1::ContainerSpec> {
    spec.shm_bytes = 64 << 20;
    let security = spec.security.get_or_insert_default();
    security.masked_paths = strings(&[
        "/proc/asound",
        "/proc/acpi",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ]);
    security.read_only_paths = strings(&["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
    Some(spec)
}

/// `docker run -t --name c6 -m 64m --cpus 1.5 …`, ended.
pub(super) fn with_limits() -> v1::Container {
    v1::Container {
        id: "791888fbb49faeddc6645193d30794fc418afcca510c77c8b4da5a127390ef05".into(),
        name: "c6".into(),
        created_at: time("2026-11-24T04:53:04.29765767Z"),
        spec: kept(v1::ContainerSpec {
            image: "bb:1".into(),
            cmd: strings(&["echo", "hi"]),
            env: vec!["A=b".into()],
            working_dir: "/tmp".into(),
            user: "0:0".into(),
            hostname: "hh".into(),
            tty: true,
            labels: facts(&[("x", "y")]),
            stop_signal: "SIGINT".into(),
            stop_timeout_seconds: Some(3),
            resources: Some(v1::Resources {
                nano_cpus: 1_500_000_000,
                memory_bytes: 64 << 20,
                pids_limit: 50,
                ..Default::default()
            }),
            security: Some(v1::Security {
                cap_add: vec!["net_admin".into()],
                no_new_privileges: true,
                read_only_rootfs: true,
                ..Default::default()
            }),
            ulimits: vec![v1::Ulimit { name: "nofile".into(), soft: 100, hard: 200 }],
            client_data: facts(&[("docker.attach_stdout", "true"), ("docker.attach_stderr", "true")]),
            exposed_ports: vec!["80/tcp".into()],
            ..Default::default()
        }),
        path: "echo".into(),
        args: vec!["hi".into()],
        state: Some(v1::ContainerState {
            status: ContainerStatus::Exited.into(),
            started_at: time("2026-11-24T04:53:04.320061753Z"),
            finished_at: time("2026-11-24T04:53:04.499568098Z"),
            ..Default::default()
        }),
        image_id: IMAGE_ID.into(),
        files: running().files,
        writable_bytes: Some(0),
        rootfs_bytes: Some(1_982_305),
        networks: on("bridge"),
        ..Default::default()
    }
}

/// `docker create --name c1 bb:1 true`.
pub(super) fn created() -> v1::Container {
    let spec = v1::ContainerSpec { image: "bb:1".into(), cmd: strings(&["true"]), ..Default::default() };
    v1::Container {
        id: "f83d7bce054f7b5c2ee166945aa1c1743375590657e03884f2807e0ce00a2a33".into(),
        name: "c1".into(),
        created_at: time("2026-11-24T04:53:03.260397211Z"),
        spec: kept(spec),
        image_id: IMAGE_ID.into(),
        path: "true".into(),
        state: Some(v1::ContainerState { status: ContainerStatus::Created.into(), ..Default::default() }),
        networks: on("bridge"),
        ..Default::default()
    }
}

/// `docker run -d --name c4 bb:1 sleep "10 00"`, ended.
pub(super) fn failed() -> v1::Container {
    v1::Container {
        id: "d7b3da3e7f67eaf2cb862ca89f949a93f047c48d7fa13f7cede44aacf0577ac4".into(),
        name: "c4".into(),
        created_at: time("2026-11-24T04:53:03.9Z"),
        path: "sleep".into(),
        args: vec!["10 00".into()],
        state: Some(v1::ContainerState {
            status: ContainerStatus::Exited.into(),
            exit_code: 1,
            finished_at: time("2026-11-24T04:53:04Z"),
            ..Default::default()
        }),
        ..created()
    }
}

/// `docker import -c 'CMD ["sh"]' -c 'EXPOSE 80' - bb:1`.
pub(crate) fn image() -> v1::Image {
    v1::Image {
        id: IMAGE_ID.into(),
        tags: vec!["bb:1".into()],
        created_at: time("2026-11-24T04:53:03.167356405Z"),
        tagged_at: time("2026-11-24T04:53:03.175812714Z"),
        os: "linux".into(),
        arch: "amd64".into(),
        size_bytes: 1_982_305,
        layer_diff_ids: vec!["sha256:b5571735430d67047fbddec904d3d2a63d7f7204901dc63cd074e2e518df8cd5".into()],
        layer_bytes: vec![1_982_305],
        config_json: br#"{"docker_version":"28.5.2","config":{"Cmd":["sh"],"ExposedPorts":{"80/tcp":{}}},
            "history":[{"created":"2026-11-24T04:53:03.167356405Z","comment":"Imported from -"}]}"#
            .to_vec(),
        containers: 7,
        ..Default::default()
    }
}

/// An imported image without a configuration.
pub(super) fn plain_image() -> v1::Image {
    v1::Image {
        id: "sha256:3998bcfde1303ab30d2e28b11c9345f3390484f7821287fcdd77914535b01853".into(),
        tags: vec!["bb2:latest".into()],
        containers: 0,
        created_at: time("2026-11-24T04:53:03.234642628Z"),
        config_json: b"{}".to_vec(),
        ..image()
    }
}

/// What `c2` used at its n-th look.
pub(super) fn look(n: u64) -> v1::GetContainerStatsResponse {
    let eth0 = v1::NetworkStats { received_bytes: 1485, received_packets: 19, sent_bytes: 782, ..Default::default() };
    v1::GetContainerStatsResponse {
        id: running().id,
        name: "c2".into(),
        time: time(&format!("2026-11-24T04:53:0{n}Z")),
        running: true,
        cpu: Some(v1::CpuStats {
            usage_nanos: 100 * n,
            user_nanos: 70 * n,
            system_nanos: 30 * n,
            guest_nanos: 10_000 * n,
            online_cpus: 2,
            ..Default::default()
        }),
        memory: Some(v1::MemoryStats {
            usage_bytes: 700_416,
            limit_bytes: 67_108_864,
            details: [("inactive_file".to_owned(), 4096), ("new_in_this_kernel".to_owned(), 1)].into(),
            failures: 0,
        }),
        io: vec![v1::IoStats { major: 254, read_bytes: 4096, written_bytes: 8192, ..Default::default() }],
        pids: 2,
        pids_limit: 0,
        networks: [("eth0".to_owned(), eth0)].into(),
    }
}

/// The same of a container that does not run.
pub(super) fn nothing_used(look: v1::GetContainerStatsResponse) -> v1::GetContainerStatsResponse {
    v1::GetContainerStatsResponse { id: look.id, name: look.name, ..Default::default() }
}
