//! Devices of the machine that a container is given.

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    a_device_is_given_as_far_as_its_permissions_go,
    a_rule_opens_devices_that_the_container_makes,
    what_is_no_device_is_refused_in_dockers_words,
    graphics_cards_are_refused_in_dockers_words,
];

fn a_device_is_given_as_far_as_its_permissions_go(world: &World) -> Result<()> {
    let _use = world.shared();
    let other = world.docker(&[
        "run",
        "--rm",
        "--device",
        "/dev/zero:/deep/er/zero",
        BUSYBOX,
        "head",
        "-c",
        "1",
        "/deep/er/zero",
    ])?;
    ensure!(other.ok()?.bytes == [0], "no zero");
    world.says(&["create", "--name", "with-device", "--device", "/dev/vda:/dev/x:rw", BUSYBOX, "true"])?;
    let kept = world.says(&["inspect", "-f", "{{json .HostConfig.Devices}}", "with-device"])?;
    world.docker(&["rm", "with-device"])?.ok()?;
    ensure!(kept == r#"[{"PathOnHost":"/dev/vda","PathInContainer":"/dev/x","CgroupPermissions":"rw"}]"#, "{kept}");
    // The oracle's own host forbids it its disk, and has the first version.
    world.needs_cgroup_v2()?;
    let look = "stat -c %F /dev/disk; head -c 512 /dev/disk | wc -c; head -c 1 /dev/zero > /dev/disk && echo written";
    let said = world.docker(&["run", "--rm", "--device", "/dev/vda:/dev/disk:r", BUSYBOX, "sh", "-c", look])?;
    ensure!(said.stdout == "block special file\n512", "{said}");
    ensure!(said.stderr.contains("Operation not permitted"), "{said}");
    Ok(())
}

fn a_rule_opens_devices_that_the_container_makes(world: &World) -> Result<()> {
    let _use = world.shared();
    // kmsg is 1:11, of which the usual rules know nothing.
    let make = "mknod /log c 1 11; true < /log && echo open";
    let closed = world.docker(&["run", "--rm", BUSYBOX, "sh", "-c", make])?;
    ensure!(closed.code() != 0 && closed.stderr.contains("Operation not permitted"), "{closed}");
    let options = ["run", "--rm", "--device-cgroup-rule", "c 1:* r", "--cap-add", "SYSLOG", BUSYBOX, "sh", "-c", make];
    ensure!(world.says(&options)? == "open", "it stays shut");
    let refused = world.docker(&["run", "--rm", "--device-cgroup-rule", "c 1:11", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("device cgroup")?;
    Ok(())
}

fn what_is_no_device_is_refused_in_dockers_words(world: &World) -> Result<()> {
    let _use = world.shared();
    for (path, reason) in [
        ("/dev/nosuch", "no such file or directory"),
        ("/proc/version", "not a device node"),
        ("/dev/hvc0", "it leads to the host, which no container gets"),
    ] {
        if path == "/dev/hvc0" {
            world.only_cove();
        }
        let done = world.docker(&["run", "--rm", "--device", path, BUSYBOX, "true"])?;
        ensure!(done.code() != 0, "{path}: {done}");
        let words = format!("error gathering device information while adding custom device \"{path}\": {reason}");
        done.complains(&words)?;
    }
    Ok(())
}

fn graphics_cards_are_refused_in_dockers_words(world: &World) -> Result<()> {
    let _use = world.shared();
    let refused = world.docker(&["run", "--rm", "--gpus", "all", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("could not select device driver \"\" with capabilities: [[gpu]]")?;
    Ok(())
}
