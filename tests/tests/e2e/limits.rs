//! What a container may use: memory, processes, CPU.

use anyhow::{Result, ensure};
use cove_tests::{command::Watched, image::BUSYBOX, world::World};

crate::tests![
    a_container_that_takes_too_much_memory_is_killed_and_says_so,
    a_kill_for_want_of_memory_is_told_though_the_container_goes_on,
    a_fork_bomb_stops_at_the_limit,
    the_cpu_limit_is_the_kernels,
    the_memory_limit_is_the_kernels,
    memory_nodes_are_as_asked,
    a_container_is_below_the_cgroup_that_was_asked_for_and_its_limits,
    the_limits_of_disks_are_the_kernels,
    what_the_kernel_lacks_is_discarded_with_dockers_warning,
    what_cannot_be_had_is_refused_in_dockers_words,
];

fn a_container_that_takes_too_much_memory_is_killed_and_says_so(world: &World) -> Result<()> {
    let _use = world.shared();
    // `tail` keeps the last line, and this one never ends.
    world.docker(&["run", "--name", "greedy", "-m", "32m", BUSYBOX, "tail", "/dev/zero"])?.exits(137)?;
    let state = world.says(&["inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", "greedy"])?;
    ensure!(state == "true 137", "{state}");
    world.docker(&["rm", "greedy"])?.ok()?;
    // The same exit code from another hand is told apart.
    world.says(&["run", "-d", "--name", "modest", "-m", "32m", BUSYBOX, "sleep", "1000"])?;
    world.docker(&["kill", "modest"])?.ok()?;
    ensure!(world.says(&["wait", "modest"])? == "137", "not 137");
    let state = world.says(&["inspect", "-f", "{{.State.OOMKilled}}", "modest"])?;
    ensure!(state == "false", "{state}");
    world.docker(&["rm", "modest"])?.ok()?;
    Ok(())
}

fn a_kill_for_want_of_memory_is_told_though_the_container_goes_on(world: &World) -> Result<()> {
    let _use = world.shared();
    let since = world.says(&["info", "--format", "{{.SystemTime}}"])?;
    let script = "tail /dev/zero; echo went on; exec sleep 1000";
    world.says(&["run", "-d", "--name", "tough", "-m", "32m", BUSYBOX, "sh", "-c", script])?;
    world.log_line("tough", "went on")?;
    let asked = ["events", "--since", &since, "--filter", "container=tough", "--filter", "event=oom"];
    Watched::start(world.docker_command(&asked))?.line("container oom")?;
    let state = world.says(&["inspect", "-f", "{{.State.OOMKilled}} {{.State.Status}}", "tough"])?;
    ensure!(state == "true running", "{state}");
    world.docker(&["rm", "-f", "tough"])?.ok()?;
    Ok(())
}

fn a_fork_bomb_stops_at_the_limit(world: &World) -> Result<()> {
    let _use = world.shared();
    // The shells that cannot fork end, so the bomb burns down; the first process stays to be looked at.
    let bomb = "bomb() { bomb | bomb & }; bomb; exec sleep 1000";
    world.says(&["run", "-d", "--name", "bomb", "--pids-limit", "40", BUSYBOX, "sh", "-c", bomb])?;
    world.log_line("bomb", "fork")?;
    // The neighbours do not notice.
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "unharmed"])? == "unharmed", "a neighbour suffers");
    let processes = world.says(&["top", "bomb"])?.lines().count().saturating_sub(1);
    ensure!((1..=40).contains(&processes), "{processes} processes");
    world.docker(&["rm", "-f", "bomb"])?.ok()?;
    Ok(())
}

/// The words of files of its cgroup in a container with these options; the second ones where a dockerd's host has the first
/// version of cgroups.
fn limited(world: &World, options: &[&str], files: &str, files_of_v1: &str) -> Result<Vec<String>> {
    let files = if world.has_cgroup_v2()? { files } else { files_of_v1 };
    let show = format!("cd /sys/fs/cgroup && cat {files}");
    let said = world.says(&[&["run", "--rm"], options, &[BUSYBOX, "sh", "-c", &show]].concat())?;
    Ok(said.split_whitespace().map(str::to_owned).collect())
}

fn the_cpu_limit_is_the_kernels(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = limited(world, &["--cpus", "0.5"], "cpu.max", "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us")?;
    ensure!(said == ["50000", "100000"], "{said:?}");
    Ok(())
}

fn the_memory_limit_is_the_kernels(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["-m", "64m", "--pids-limit", "77"];
    let said = limited(world, &options, "memory.max pids.max", "memory/memory.limit_in_bytes pids/pids.max")?;
    ensure!(said == ["67108864", "77"], "{said:?}");
    Ok(())
}

fn memory_nodes_are_as_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = limited(world, &["--cpuset-mems", "0"], "cpuset.mems", "cpuset/cpuset.mems")?;
    ensure!(said == ["0"], "{said:?}");
    let refused = world.docker(&["run", "--rm", "--cpuset-mems", "1023", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("Requested memory nodes are not available - requested 1023, available: 0")?;
    Ok(())
}

/// The limits are set before there is a container, and hold after the last one, as with dockerd.
fn a_container_is_below_the_cgroup_that_was_asked_for_and_its_limits(world: &World) -> Result<()> {
    let _use = world.shared();
    let create = ["create", "--name", "member", "--cgroup-parent", "/team/part", "--cgroupns", "host"];
    world.says(&[&create[..], &[BUSYBOX, "cat", "/proc/self/cgroup"]].concat())?;
    let shown = world.says(&["inspect", "-f", "{{.HostConfig.CgroupParent}}", "member"])?;
    ensure!(shown == "/team/part", "{shown}");
    // A dockerd would change the cgroups of its own host.
    if !world.is_cove() {
        world.docker(&["rm", "member"])?.ok()?;
    }
    world.only_cove();
    let team = "/sys/fs/cgroup/containers/team";
    let whole = ["run", "--rm", "--privileged", "--cgroupns", "host", BUSYBOX, "sh", "-c"];
    let limit = format!("mkdir {team} && echo 3 > {team}/pids.max");
    world.docker(&[&whole[..], &[&limit]].concat())?.ok()?;
    for _ in 0..2 {
        let path = world.says(&["start", "-a", "member"])?;
        ensure!(
            path.starts_with("0::/containers/team/part/") && path.ends_with(|c: char| c.is_ascii_hexdigit()),
            "{path}"
        );
    }
    world.docker(&["rm", "member"])?.ok()?;
    let forks = "true & true & true & true & true & true & wait";
    let below = ["run", "--rm", "--cgroup-parent", "../team", BUSYBOX, "sh", "-c", forks];
    world.docker(&below)?.exits(2)?.complains("can't fork")?;
    ensure!(world.says(&["run", "--rm", BUSYBOX, "sh", "-c", forks]).is_ok(), "others are limited, too");
    let left = format!("cat {team}/pids.max; find {team} -mindepth 1 -type d; rmdir {team}/part {team}");
    ensure!(world.says(&[&whole[..], &[&left]].concat())? == format!("3\n{team}/part"), "not what was there before");
    Ok(())
}

fn the_limits_of_disks_are_the_kernels(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = [
        "--device-read-bps=/dev/vda:1mb",
        "--device-write-bps=/dev/vda:2mb",
        "--device-read-iops=/dev/vda:30",
        "--device-write-iops=/dev/vda:40",
    ];
    let of_v1 =
        ["read_bps", "write_bps", "read_iops", "write_iops"].map(|what| format!("blkio/blkio.throttle.{what}_device"));
    let said = limited(world, &options, "io.max", &of_v1.join(" "))?;
    // Behind the number of the device: names and values; or of each file the device and its value.
    let limits: Vec<&str> =
        said.iter().skip(1).step_by(if world.has_cgroup_v2()? { 1 } else { 2 }).map(String::as_str).collect();
    let values: Vec<&str> =
        limits.iter().map(|limit| limit.split_once('=').map_or(*limit, |(_, value)| value)).collect();
    ensure!(values == ["1048576", "2097152", "30", "40"], "{said:?}");
    let missing = world.docker(&["run", "--rm", "--device-read-bps", "/dev/nosuch:1mb", BUSYBOX, "true"])?;
    missing.exits(127)?.complains("stat /dev/nosuch: no such file or directory")?;
    // The first version has a weight only where a scheduler of disks keeps it, and the oracle's has none.
    world.needs_cgroup_v2()?;
    let weight = ["run", "--rm", "--blkio-weight", "500", BUSYBOX, "cat", "/sys/fs/cgroup/io.weight"];
    ensure!(world.says(&weight)? == "default 4950", "another weight");
    Ok(())
}

fn what_the_kernel_lacks_is_discarded_with_dockers_warning(world: &World) -> Result<()> {
    let _use = world.shared();
    // The first version has all of these.
    world.needs_cgroup_v2()?;
    for (option, words) in [
        ("--memory-swappiness=10", "Memory swappiness discarded."),
        ("--blkio-weight-device=/dev/vda:100", "Weight-device discarded."),
        ("--oom-kill-disable", "OomKillDisable discarded."),
    ] {
        world.docker(&["run", "--rm", option, BUSYBOX, "true"])?.ok()?.complains(words)?;
    }
    Ok(())
}

fn what_cannot_be_had_is_refused_in_dockers_words(world: &World) -> Result<()> {
    let _use = world.shared();
    for (option, words) in [
        ("--storage-opt=size=1G", "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
        ("--ip=1.2.3.4", "user specified IP address is supported on user defined networks only"),
        ("--ip6=2001:db8::1", "user specified IP address is supported on user defined networks only"),
        ("--network-alias=x", "network-scoped aliases are only supported for user-defined networks"),
        ("--blkio-weight=5", "Range of blkio weight is from 10 to 1000"),
    ] {
        // See the_limits_of_disks_are_the_kernels.
        if option.starts_with("--blkio-weight") {
            world.needs_cgroup_v2()?;
        }
        world.docker(&["run", "--rm", option, BUSYBOX, "true"])?.exits(125)?.complains(words)?;
    }
    Ok(())
}
