//! What bodies become, and which are refused with which words.

use cove_proto::v1::{RestartPolicyKind, SeccompProfile};
use serde_json::json;

use super::*;

fn refusal(body: Value) -> String {
    from_body(body).unwrap_err().to_string()
}

#[test]
fn the_body_of_docker_run_is_understood() {
    let body = serde_json::from_str(include_str!("../../tests/data/create.json")).unwrap();
    let Wanted { spec, warnings, .. } = from_body(body).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(spec.image, "busybox");
    assert_eq!(spec.cmd.unwrap().values, ["echo", "hi"]);
    assert_eq!(spec.entrypoint, None);
    assert!(spec.auto_remove);
    assert_eq!(spec.network_mode, "");
    assert_eq!(spec.client_data.len(), 2, "{:?}", spec.client_data);
    assert_eq!(spec.client_data[client_data::ATTACH_STDOUT], "true");
}

#[test]
fn limits_and_rights_are_taken_over() {
    let body = json!({"Image": "x", "Tty": true, "Entrypoint": [""], "Cmd": "sh", "StopTimeout": 3, "HostConfig": {
        "NanoCpus": 1_500_000_000, "Memory": 67_108_864, "MemorySwap": -1, "PidsLimit": 50, "OomScoreAdj": 7,
        "CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"],
        "ReadonlyRootfs": true, "ConsoleSize": [24, 80], "NetworkMode": "none", "MaskedPaths": [],
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}], "OomKillDisable": true}});
    let Wanted { spec, warnings, .. } = from_body(body).unwrap();
    assert_eq!(warnings.len(), 1);
    let (resources, security) = (spec.resources.unwrap(), spec.security.unwrap());
    assert_eq!((resources.nano_cpus, resources.memory_bytes, resources.pids_limit), (1_500_000_000, 67_108_864, 50));
    assert_eq!((resources.memory_swap_bytes, resources.oom_score_adj), (-1, 7));
    assert!(security.no_new_privileges && security.read_only_rootfs);
    assert_eq!(security.seccomp(), SeccompProfile::Unconfined);
    assert_eq!(security.masked_paths.unwrap().values, Vec::<String>::new());
    assert_eq!(security.read_only_paths, None);
    assert_eq!((spec.network_mode.as_str(), spec.stop_timeout_seconds), ("none", Some(3)));
    assert_eq!(spec.entrypoint.unwrap().values, Vec::<String>::new());
    assert_eq!(spec.cmd.unwrap().values, ["sh"]);
    assert_eq!(spec.terminal, Some(TerminalSize { rows: 24, columns: 80 }));
    assert_eq!(spec.ulimits[0].hard, 200);
}

#[test]
fn what_is_not_built_is_refused_by_the_name_of_its_option() {
    for (host_config, option) in [
        (json!({"LogConfig": {"Type": "syslog"}}), "--log-driver"),
        (json!({"LogConfig": {"Type": "", "Config": {"mode": "non-blocking"}}}), "--log-opt mode=non-blocking"),
        (json!({"Runtime": "runc"}), "--runtime"),
    ] {
        let error = from_body(json!({"Image": "x", "HostConfig": host_config.clone()})).unwrap_err();
        assert_eq!(error.status(), 501, "{host_config}");
        let text = error.to_string();
        assert!(text.starts_with(option) && text.ends_with("not supported by this version of Cove yet"), "{text}");
    }
}

#[test]
fn what_asks_for_nothing_is_let_through() {
    for body in [
        json!({"Image": "x", "HostConfig": null}),
        json!({"Image": "x", "Healthcheck": {"Test": ["NONE"]}, "Volumes": {}, "HostConfig": {
            "RestartPolicy": {"Name": "no"}, "MemorySwappiness": -1, "Init": false,
            "Binds": [], "LogConfig": {"Type": "json-file", "Config": {}}, "SecurityOpt": ["label=disable"]}}),
        json!({"Image": "x", "NetworkingConfig": {"EndpointsConfig": {"default": {"Aliases": null, "GwPriority": 0}}}}),
    ] {
        assert_eq!(from_body(body.clone()).unwrap().spec.image, "x", "{body}");
    }
}

#[test]
fn restart_policies_and_health_checks_are_read_in_dockerds_words() {
    let of = |policy: Value| from_body(json!({"Image": "x", "HostConfig": {"RestartPolicy": policy}}));
    let policy = of(json!({"Name": "on-failure", "MaximumRetryCount": 3})).unwrap().spec.restart_policy.unwrap();
    assert_eq!((policy.kind(), policy.maximum_retry_count), (RestartPolicyKind::OnFailure, 3));
    assert_eq!(of(json!({"Name": "", "MaximumRetryCount": 0})).unwrap().spec.restart_policy, None);
    for (policy, words) in [
        (json!({"Name": "foo"}), "unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"),
        (json!({"Name": "always", "MaximumRetryCount": 3}), "maximum retry count can only be used with 'on-failure'"),
        (json!({"Name": "", "MaximumRetryCount": 3}), "maximum retry count can only be used with 'on-failure'"),
        (json!({"Name": "on-failure", "MaximumRetryCount": -3}), "maximum retry count cannot be negative"),
    ] {
        assert_eq!(of(policy).unwrap_err().to_string(), format!("invalid restart policy: {words}"));
    }
    let check = json!({"Test": ["CMD-SHELL", "true"], "Interval": 1_000_000_000, "Retries": 2});
    let check = from_body(json!({"Image": "x", "Healthcheck": check})).unwrap().spec.healthcheck.unwrap();
    assert_eq!(
        (check.test, check.interval_nanos, check.retries),
        (vec!["CMD-SHELL".into(), "true".into()], 1_000_000_000, 2)
    );
    let negative = json!({"Image": "x", "Healthcheck": {"Retries": -1}});
    assert_eq!(refusal(negative), "Retries in Healthcheck cannot be negative");
}

#[test]
fn an_update_tells_no_change_from_no_limit() {
    let of = |body: Value| update_from_body("c".into(), body).unwrap().0;
    let nothing = of(Value::Null);
    assert_eq!((nothing.resources, nothing.restart_policy), (Some(Default::default()), None));
    let some = of(json!({"PidsLimit": 0, "Memory": 67_108_864, "MemorySwap": -1, "RestartPolicy": {"Name": "no"}}));
    let resources = some.resources.unwrap();
    assert_eq!((resources.pids_limit, resources.memory_bytes, resources.memory_swap_bytes), (-1, 67_108_864, -1));
    assert_eq!(some.restart_policy.unwrap().kind(), RestartPolicyKind::No);
    let (_, warnings) = update_from_body("c".into(), json!({"OomKillDisable": true})).unwrap();
    assert_eq!(warnings.len(), 1);
}

#[test]
fn namespaces_names_and_devices_are_taken_over() {
    let body = json!({"Image": "x", "HostConfig": {
        "NetworkMode": "container:net", "PidMode": "host", "IpcMode": "container:ipc", "UTSMode": "host",
        "CgroupnsMode": "host", "UsernsMode": "host", "Init": true, "GroupAdd": ["audio"],
        "Sysctls": {"net.core.somaxconn": "7"}, "Annotations": {"a": "b"}, "ExtraHosts": ["db:1.2.3.4"],
        "Dns": ["1.1.1.1"], "DnsOptions": ["rotate"], "DnsSearch": ["example"],
        "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
        "DeviceCgroupRules": ["c 1:* rwm"], "CpusetMems": "0", "MemorySwappiness": 3, "BlkioWeight": 300,
        "BlkioWeightDevice": [{"Path": "/dev/vda", "Weight": 100}],
        "BlkioDeviceReadBps": [{"Path": "/dev/vda", "Rate": 1000}],
        "BlkioDeviceWriteIOps": [{"Path": "/dev/vda", "Rate": 7}]}});
    let spec = from_body(body).unwrap().spec;
    assert_eq!(spec.network_mode, "container:net");
    let modes = [&spec.pid_mode, &spec.ipc_mode, &spec.uts_mode, &spec.cgroupns_mode, &spec.userns_mode];
    assert_eq!(modes, ["host", "container:ipc", "host", "host", "host"]);
    assert!(spec.init && spec.group_add == ["audio"] && spec.sysctls["net.core.somaxconn"] == "7");
    assert_eq!(
        (&spec.annotations["a"], spec.extra_hosts.as_slice()),
        (&"b".to_owned(), &["db:1.2.3.4".to_owned()][..])
    );
    assert_eq!([&spec.dns_servers[0], &spec.dns_options[0], &spec.dns_search[0]], ["1.1.1.1", "rotate", "example"]);
    let device = &spec.devices[0];
    assert_eq!([&device.source, &device.target, &device.permissions], ["/dev/fuse", "/dev/x", "r"]);
    assert_eq!(spec.device_cgroup_rules, ["c 1:* rwm"]);
    let resources = spec.resources.unwrap();
    assert_eq!((resources.cpuset_mems.as_str(), resources.memory_swappiness, resources.io_weight), ("0", Some(3), 300));
    assert_eq!(resources.io_device_weights[0].limit, 100);
    assert_eq!((resources.io_read_bytes_per_second[0].limit, resources.io_writes_per_second[0].limit), (1000, 7));
}

#[test]
fn security_options_are_dockerds() {
    let security = |options: &[&str]| {
        let body = json!({"Image": "x", "HostConfig": {"SecurityOpt": options}});
        from_body(body).map(|wanted| wanted.spec.security.unwrap()).map_err(|error| error.to_string())
    };
    let own = security(&[r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#, "apparmor=x", "label=user:me"]).unwrap();
    assert_eq!(own.seccomp_json, r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#);
    assert_eq!(own.options.len(), 3);
    assert!(security(&["no-new-privileges=T"]).unwrap().no_new_privileges);
    assert_eq!(security(&["writable-cgroups"]).unwrap().writable_cgroups, Some(true));
    assert_eq!(security(&["writable-cgroups=false"]).unwrap().writable_cgroups, Some(false));
    assert_eq!(security(&["zork"]).unwrap_err(), r#"invalid --security-opt 1: "zork""#);
    for wrong in ["no-new-privileges=x", "writable-cgroups=x", "systempaths=unconfined"] {
        assert_eq!(security(&[wrong]).unwrap_err(), format!("invalid --security-opt 2: {wrong:?}"));
    }
}

#[test]
fn what_dockerd_refuses_is_refused_in_its_words() {
    for (body, status, words) in [
        (
            json!({"Image": "x", "HostConfig": {"DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]]}]}}),
            500,
            "could not select device driver \"\" with capabilities: [[gpu]]",
        ),
        (
            json!({"Image": "x", "HostConfig": {"StorageOpt": {"size": "1G"}}}),
            500,
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
        ),
        (
            json!({"Image": "x", "ExposedPorts": {"80/tcp": {}}, "HostConfig": {"NetworkMode": "container:x"}}),
            400,
            "conflicting options: port exposing and the container type network mode",
        ),
        (
            json!({"Image": "x", "HostConfig": {"NetworkMode": "container:x", "PortBindings": {"80/tcp": [{}]}}}),
            400,
            "conflicting options: port publishing and the container type network mode",
        ),
    ] {
        let error = from_body(body).unwrap_err();
        assert_eq!((error.status().as_u16(), error.to_string().as_str()), (status, words));
    }
    let body = json!({"Image": "x", "HostConfig": {"KernelMemory": 1_000_000}});
    assert!(from_body(body).unwrap().warnings[0].contains("kernel memory limit"));
    let body = json!({"Image": "x", "HostConfig": {"NetworkMode": "host", "PortBindings": {"80/tcp": [{}]}}});
    assert_eq!(from_body(body).unwrap().warnings, ["Published ports are discarded when using host network mode"]);
}

#[test]
fn where_output_goes_is_the_engines_to_judge() {
    let spec = |log: Value| from_body(json!({"Image": "x", "HostConfig": {"LogConfig": log}})).unwrap().spec.log_config;
    assert_eq!(spec(json!({"Type": "", "Config": {}})), None);
    assert_eq!(spec(json!({"Type": "none"})).unwrap().driver, "none");
    let asked = spec(json!({"Type": "nosuch", "Config": {"max-size": "1m"}})).unwrap();
    assert_eq!((asked.driver.as_str(), asked.options["max-size"].as_str()), ("nosuch", "1m"));
}

#[test]
fn the_network_and_how_the_container_is_on_it_are_taken_over() {
    let body = json!({"Image": "x", "ExposedPorts": {"80/tcp": {}}, "HostConfig": {"NetworkMode": "back"},
        "NetworkingConfig": {"EndpointsConfig": {"back": {"Aliases": ["db"]}, "front": null}}});
    let spec = from_body(body).unwrap().spec;
    assert_eq!((spec.network_mode.as_str(), spec.exposed_ports.as_slice()), ("back", ["80/tcp".to_owned()].as_slice()));
    let attachments = spec.networks.unwrap().attachments;
    assert_eq!(
        (attachments[0].network.as_str(), attachments[0].aliases.as_slice()),
        ("back", ["db".to_owned()].as_slice())
    );
    assert_eq!(attachments[1].network, "front");
    assert_eq!(
        from_body(json!({"Image": "x", "HostConfig": {"NetworkMode": "bridge"}})).unwrap().spec.network_mode,
        ""
    );
}

#[test]
fn nonsense_is_a_bad_request() {
    let error = from_body(json!({})).unwrap_err();
    assert_eq!(
        (error.status().as_u16(), error.to_string().as_str()),
        (400, "config cannot be empty in order to create a container")
    );
    let error = from_body(json!({"Image": "x", "HostConfig": {"Memory": "a"}})).unwrap_err();
    assert_eq!(error.status(), 400);
    assert!(error.to_string().starts_with("invalid JSON: "), "{error}");
    let error = from_body(json!({"Image": "x", "HostConfig": {"SecurityOpt": ["zork"]}})).unwrap_err();
    assert_eq!(error.to_string(), "invalid --security-opt 1: \"zork\"");
}
