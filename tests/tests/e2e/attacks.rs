//! Attacks on container runtimes that have worked elsewhere, each tried: what a container may not, it cannot.

use anyhow::{Result, ensure};
use cove_tests::{
    command::Watched,
    image::{self, BUSYBOX},
    world::World,
};

crate::tests![
    the_default_profile_refuses_what_dockers_does,
    sockets_of_the_kernels_own_are_shut,
    the_engines_program_is_not_overwritten_through_proc,
    no_descriptor_of_the_engine_is_left_open_and_no_working_folder_leads_out,
    an_image_whose_folders_are_links_writes_nowhere_else,
    masks_are_the_kernels_null_whatever_the_image_has,
    a_user_that_is_no_number_is_not_root,
    nothing_is_inheritable_and_users_have_nothing,
    kernel_settings_and_cgroups_are_not_written,
    processes_of_others_are_not_traced,
    a_cgroup_of_the_first_version_is_not_mounted,
    no_abstract_socket_of_the_engine_is_in_the_machines_network,
    no_mount_of_the_machine_is_in_sight,
];

/// An image with the program of tests/programs/attack.rs beside busybox.
pub(super) fn image(world: &World) -> Result<String> {
    let name = "cove-test/attack:1".to_owned();
    if world.docker(&["image", "inspect", &name])?.code() == 0 {
        return Ok(name);
    }
    let folder = world.scratch()?;
    let program = image::static_program("attack", folder.path())?;
    let root = image::root_tar(&[("attack", program, 0o755)])?;
    let archive = image::docker_archive(&name, &root, serde_json::json!({ "Env": ["PATH=/bin"] }))?;
    world.docker_with(&["load"], &archive)?.ok()?;
    Ok(name)
}

fn attack(world: &World, options: &[&str], arguments: &[&str]) -> Result<String> {
    let image = image(world)?;
    world.says(&[&["run", "--rm"], options, &[&image, "/attack"], arguments].concat())
}

fn the_default_profile_refuses_what_dockers_does(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = attack(world, &[], &["profile"])?;
    ensure!(said == "tried 30", "{said}");
    Ok(())
}

/// AF_ALG (CVE-2026-31431) and AF_VSOCK, the way to the engine.
fn sockets_of_the_kernels_own_are_shut(world: &World) -> Result<()> {
    let _use = world.shared();
    for (options, family) in
        [(&[][..], "38"), (&[], "40"), (&["--security-opt", "seccomp=unconfined"], "40"), (&["--privileged"], "40")]
    {
        let said = attack(world, options, &["socket", family])?;
        ensure!(said.lines().count() == 2 && !said.contains("Ok("), "{options:?}: {said}");
    }
    Ok(())
}

/// CVE-2019-5736: what executes in a container is opened for writing through /proc while execs come in.
fn the_engines_program_is_not_overwritten_through_proc(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let hash = ["run", "--rm", "--privileged", "--pid", "host", BUSYBOX, "sha256sum", "/proc/1/exe"];
    let before = world.says(&hash)?;
    let image = image(world)?;
    let options =
        ["run", "-d", "--init", "--name", "overwriter", "--cap-add", "SYS_PTRACE", &image, "/attack", "overwrite"];
    world.says(&options)?;
    let mut watched = Watched::start(world.docker_command(&["logs", "-f", "overwriter"]))?;
    watched.line("begin")?;
    for _ in 0..8 {
        // It may have ended already; that is as good.
        world.docker(&["exec", "overwriter", "true"])?;
    }
    ensure!(watched.line("opened ")?.ends_with("opened 0"), "a program of the engine was opened for writing");
    world.docker(&["rm", "-f", "overwriter"])?.ok()?;
    // What is in the container under that name is the engine, which does nothing there.
    for program in [&["/proc/self/exe"][..], &["/proc/self/exe", "supervise"], &["/proc/self/exe", "agent"]] {
        let done = world.docker(&[&["run", "--rm", BUSYBOX], program].concat())?;
        ensure!(done.code() != 0, "{program:?} runs in a container\n{done}");
    }
    ensure!(world.says(&hash)? == before, "the engine's program has changed");
    Ok(())
}

/// CVE-2024-21626.
fn no_descriptor_of_the_engine_is_left_open_and_no_working_folder_leads_out(world: &World) -> Result<()> {
    let _use = world.shared();
    let open = attack(world, &[], &["descriptors"])?;
    ensure!(open.lines().all(|line| ["0 ", "1 ", "2 "].iter().any(|number| line.starts_with(number))), "{open}");
    for number in 3..10 {
        let folder = format!("/proc/self/fd/{number}");
        let done = world.docker(&[
            "run",
            "--rm",
            "-w",
            &folder,
            BUSYBOX,
            "sh",
            "-c",
            "cat /proc/self/cwd/cove/stage; pwd; ls",
        ])?;
        ensure!(!done.stdout.contains("unreachable") && !done.stdout.contains("stage"), "{folder}: {done}");
    }
    world.says(&["run", "-d", "--name", "cwd", BUSYBOX, "sleep", "1000"])?;
    for number in 3..10 {
        let folder = format!("/proc/self/fd/{number}");
        let done = world.docker(&["exec", "-w", &folder, "cwd", "sh", "-c", "pwd; ls"])?;
        ensure!(done.code() != 0, "{folder}: {done}");
    }
    world.docker(&["rm", "-f", "cwd"])?.ok()?;
    Ok(())
}

/// CVE-2026-41579, CVE-2019-19921: the folders that the engine mounts on are links in the image.
fn an_image_whose_folders_are_links_writes_nowhere_else(world: &World) -> Result<()> {
    let _use = world.shared();
    for (name, goal) in [("proc", "/tmp"), ("sys", "tmp"), ("dev", "../../../../run"), ("dev", "/proc/1/root/dev")] {
        let reference = format!("cove-test/link-{name}:{}", goal.len());
        let root = image::root_tar(&[])?;
        let root = image::with_link(&root, name, goal)?;
        let archive =
            image::docker_archive(&reference, &root, serde_json::json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] }))?;
        world.docker_with(&["load"], &archive)?.ok()?;
        let done = world.docker(&["run", "--rm", &reference, "sh", "-c", "ls /tmp /run"])?;
        ensure!(done.code() != 0, "/{name} -> {goal}: {done}");
    }
    // Where the engine's own files go, links are followed, within the image.
    let root = image::with_link(&image::root_tar(&[])?, "sbin", "/proc/self/root/../../cove")?;
    let archive = image::docker_archive(
        "cove-test/link-sbin:1",
        &root,
        serde_json::json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] }),
    )?;
    world.docker_with(&["load"], &archive)?.ok()?;
    let done = world.docker(&["run", "--rm", "--init", "cove-test/link-sbin:1", "ls", "/cove"])?;
    ensure!(done.code() != 0 || done.stdout == "docker-init", "{done}");
    Ok(())
}

/// CVE-2025-31133 and CVE-2025-52565: /dev/null and /dev/console of an image lead elsewhere.
fn masks_are_the_kernels_null_whatever_the_image_has(world: &World) -> Result<()> {
    let _use = world.shared();
    let root = image::with_link(&image::root_tar(&[])?, "dev/null", "/proc/sys/kernel/core_pattern")?;
    let root = image::with_link(&root, "dev/console", "/proc/sys/kernel/core_pattern")?;
    let config = serde_json::json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] });
    world.docker_with(&["load"], &image::docker_archive("cove-test/null:1", &root, config)?)?.ok()?;
    let look = "stat -c '%F %t:%T' /dev/null /proc/kcore; echo x > /proc/sys/kernel/core_pattern || echo refused; \
                cat /proc/sys/kernel/core_pattern";
    let said = world.docker(&["run", "--rm", "cove-test/null:1", "sh", "-c", look])?;
    let lines: Vec<&str> = said.stdout.lines().collect();
    ensure!(lines.len() == 4 && lines[..2] == ["character special file 1:3"; 2] && lines[2] == "refused", "{said}");
    ensure!(lines[3] != "x", "{said}");
    Ok(())
}

/// CVE-2026-30892 and CVE-2024-40635.
fn a_user_that_is_no_number_is_not_root(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "users", BUSYBOX, "sleep", "1000"])?;
    for user in ["0x0", "2147483648", "4294967296", "-1", " 0", "0:4294967296", "+0"] {
        if user == "+0" {
            // dockerd takes it for root.
            world.only_cove();
        }
        let done = world.docker(&["exec", "-u", user, "users", "id", "-u"])?;
        ensure!(done.code() != 0, "{user:?} is {done}");
    }
    world.docker(&["rm", "-f", "users"])?.ok()?;
    Ok(())
}

/// CVE-2022-24769, CVE-2022-27650.
fn nothing_is_inheritable_and_users_have_nothing(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "caps", BUSYBOX, "sleep", "1000"])?;
    let look = ["grep", "-E", "Cap(Inh|Amb|Eff|Prm)", "/proc/self/status"];
    let zeros = "0000000000000000";
    for (start, user) in [(&["exec", "caps"][..], false), (&["exec", "-u", "1000", "caps"], true)] {
        let said = world.says(&[start, &look[..]].concat())?;
        for line in said.lines() {
            let must_be_zero = user || line.starts_with("CapInh") || line.starts_with("CapAmb");
            ensure!(!must_be_zero || line.ends_with(zeros), "{start:?}: {line}");
        }
        ensure!(said.lines().count() == 4, "{said}");
    }
    let first = world.says(&["exec", "caps", "grep", "-E", "Cap(Inh|Amb)", "/proc/1/status"])?;
    ensure!(first.lines().all(|line| line.ends_with(zeros)), "{first}");
    world.docker(&["rm", "-f", "caps"])?.ok()?;
    Ok(())
}

fn kernel_settings_and_cgroups_are_not_written(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    let tries = [
        "echo x > /proc/sys/kernel/core_pattern",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
        "echo b > /proc/sysrq-trigger",
        "mount -o remount,rw /proc/sys",
        "umount /proc/sys",
        "mkdir /sys/fs/cgroup/x",
        "echo 0 > /sys/fs/cgroup/cgroup.procs",
        "echo max > /sys/fs/cgroup/memory.max",
        "mount -t cgroup2 none /tmp",
        "echo 1 > /sys/kernel/uevent_helper",
        "mount -t proc none /tmp",
    ];
    let script: String =
        tries.iter().map(|attempt| format!("{{ {attempt}; }} 2>/dev/null && echo '{attempt}';")).collect();
    for options in [&[][..], &["--security-opt", "seccomp=unconfined"]] {
        let said =
            world.says(&[&["run", "--rm"], options, &[BUSYBOX, "sh", "-c", &format!("{script} true")]].concat())?;
        ensure!(said.is_empty(), "{options:?}: these succeed:\n{said}");
    }
    Ok(())
}

fn processes_of_others_are_not_traced(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image(world)?;
    world.says(&["run", "-d", "--name", "traced", BUSYBOX, "sleep", "1000"])?;
    let pid = world.says(&["inspect", "-f", "{{.State.Pid}}", "traced"])?;
    // It is not even there.
    let said = attack(world, &["--cap-add", "SYS_PTRACE"], &["ptrace", &pid])?;
    ensure!(said.ends_with("Err(3)"), "{said}");
    // In sight of the machine's processes, the engine's cannot be traced.
    for words in ["cove-guest supervise", "cove-guest agent"] {
        // Processes come in the order of their ids, and the engine's are the first.
        let find = format!("/attack ptrace $(ps -o pid,args | awk '/{words}/ {{ print $1; exit }}')");
        let said = world.says(&["run", "--rm", "--pid", "host", &image, "sh", "-c", &find])?;
        ensure!(said.ends_with("Err(1)"), "{words}: {said}");
    }
    world.docker(&["rm", "-f", "traced"])?.ok()?;
    Ok(())
}

/// CVE-2022-0492.
fn a_cgroup_of_the_first_version_is_not_mounted(world: &World) -> Result<()> {
    let _use = world.shared();
    let mount = "unshare -Ur -m sh -c 'mount -t cgroup -o memory none /tmp && echo mounted'; \
                 unshare -Ur -m sh -c 'mount -t cgroup -o rdma none /tmp && echo mounted'";
    for options in [&[][..], &["--security-opt", "seccomp=unconfined"]] {
        let done = world.docker(&[&["run", "--rm"], options, &[BUSYBOX, "sh", "-c", mount]].concat())?;
        ensure!(!done.stdout.contains("mounted"), "{options:?}: {done}");
    }
    Ok(())
}

/// CVE-2020-15257.
fn no_abstract_socket_of_the_engine_is_in_the_machines_network(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", "--network", "host", BUSYBOX, "cat", "/proc/net/unix"])?;
    ensure!(said.contains("RefCount") && !said.contains('@'), "{said}");
    Ok(())
}

fn no_mount_of_the_machine_is_in_sight(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", BUSYBOX, "awk", "{ print $5 }", "/proc/self/mountinfo"])?;
    let own = ["/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    for point in said.lines() {
        let below = ["/proc", "/dev", "/sys"].iter().any(|folder| point.starts_with(folder));
        ensure!(own.contains(&point) || below, "{point} in\n{said}");
    }
    Ok(())
}
