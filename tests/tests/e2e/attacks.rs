//! Attacks on container runtimes that have worked elsewhere, each tried: what a container may not, it cannot.

use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::Watched,
    http::Connection,
    image::{self, BUSYBOX},
    world::World,
};
use serde_json::json;

crate::tests![
    the_default_profile_refuses_what_dockers_does,
    sockets_of_the_kernels_own_are_shut,
    the_engines_program_is_not_overwritten_through_proc,
    no_descriptor_of_the_engine_is_left_open_and_no_working_folder_leads_out,
    an_image_whose_folders_are_links_writes_nowhere_else,
    masks_are_the_kernels_null_whatever_the_image_has,
    what_comes_and_goes_in_dev_leads_no_mask_and_no_terminal_astray,
    what_the_engine_writes_reaches_the_kernel_whatever_covers_proc,
    users_are_the_images_whoever_says_them,
    a_user_that_is_no_number_is_not_root,
    nothing_is_inheritable_and_users_have_nothing,
    kernel_settings_and_cgroups_are_not_written,
    processes_of_others_are_not_traced,
    a_cgroup_of_the_first_version_is_not_mounted,
    no_abstract_socket_of_the_engine_is_in_the_machines_network,
    no_mount_of_the_machine_is_in_sight,
];

fn attack(world: &World, options: &[&str], arguments: &[&str]) -> Result<String> {
    let image = image::with_program(world, "attack")?;
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

/// Execs of the container whose program tries to overwrite what executes them. 1,000 would be a minute of a machine that
/// is emulated; each of these is in sight for hundreds of the program's tries.
const EXECS: usize = 150;

/// CVE-2019-5736: what executes in a container is opened for writing through /proc while execs come in.
fn the_engines_program_is_not_overwritten_through_proc(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let hash = ["run", "--rm", "--privileged", "--pid", "host", BUSYBOX, "sha256sum", "/proc/1/exe"];
    let before = world.says(&hash)?;
    let image = image::with_program(world, "attack")?;
    let options =
        ["run", "-d", "--init", "--name", "overwriter", "--cap-add", "SYS_PTRACE", &image, "/attack", "overwrite"];
    world.says(&options)?;
    let mut watched = Watched::start(world.docker_command(&["logs", "-f", "overwriter"]))?;
    watched.line("begin")?;
    let mut api = world.api()?;
    for _ in 0..EXECS {
        exec(&mut api, "overwriter", &json!({ "Cmd": ["true"] }))?;
    }
    world.says(&["exec", "overwriter", "touch", "/stop"])?;
    let said = watched.line("opened ")?;
    // Some were seen, or nothing was tried.
    ensure!(said.starts_with("opened 0 of ") && !said.ends_with(" 0"), "of the engine's programs: {said}");
    world.docker(&["rm", "-f", "overwriter"])?.ok()?;
    // What is in the container under that name is the engine, which does nothing there.
    let interpreted = image::root_tar(&[("script", b"#!/proc/self/exe\n".to_vec(), 0o755)])?;
    let archive = image::docker_archive("cove-test/interpreted:1", &interpreted, json!({ "Env": ["PATH=/bin"] }))?;
    world.docker_with(&["load"], &archive)?.ok()?;
    for program in
        [&["/proc/self/exe"][..], &["/proc/self/exe", "supervise"], &["/proc/self/exe", "agent"], &["/script"]]
    {
        let done = world.docker(&[&["run", "--rm", "cove-test/interpreted:1"], program].concat())?;
        ensure!(done.code() != 0, "{program:?} runs in a container\n{done}");
    }
    ensure!(world.says(&hash)? == before, "the engine's program has changed");
    Ok(())
}

/// Starts a further process and waits for nothing but that; whether it was started.
fn exec(api: &mut Connection<UnixStream>, container: &str, config: &serde_json::Value) -> Result<bool> {
    const JSON: &str = "application/json";
    let made = api.request("POST", &format!("/containers/{container}/exec"), JSON, config.to_string().as_bytes())?;
    ensure!(made.status == 201, "{}", String::from_utf8_lossy(&made.body));
    let made: serde_json::Value = serde_json::from_slice(&made.body)?;
    let id = made["Id"].as_str().context("no id")?;
    let started = api.request("POST", &format!("/exec/{id}/start"), JSON, br#"{"Detach": true}"#)?;
    Ok(started.status == 200)
}

/// CVE-2024-21626.
fn no_descriptor_of_the_engine_is_left_open_and_no_working_folder_leads_out(world: &World) -> Result<()> {
    let _use = world.shared();
    // It looks at 3 to 1023 by itself.
    let open = attack(world, &[], &["descriptors"])?;
    ensure!(open.lines().all(|line| ["0 ", "1 ", "2 "].iter().any(|number| line.starts_with(number))), "{open}");
    for number in 3..10 {
        let folder = format!("/proc/self/fd/{number}");
        let look = "cat /proc/self/cwd/cove/stage; pwd; ls";
        let done = world.docker(&["run", "--rm", "-w", &folder, BUSYBOX, "sh", "-c", look])?;
        ensure!(!done.stdout.contains("unreachable") && !done.stdout.contains("stage"), "{folder}: {done}");
    }
    world.says(&["run", "-d", "--name", "cwd", BUSYBOX, "sleep", "1000"])?;
    let mut api = world.api()?;
    // Beyond what PID 1 has open there is nothing to be left.
    for number in 3..64 {
        let folder = format!("/proc/self/fd/{number}");
        let entered = exec(&mut api, "cwd", &json!({ "Cmd": ["true"], "WorkingDir": folder }))?;
        ensure!(!entered, "a process was started in {folder}");
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
        let archive = image::docker_archive(&reference, &root, json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] }))?;
        world.docker_with(&["load"], &archive)?.ok()?;
        let done = world.docker(&["run", "--rm", &reference, "sh", "-c", "ls /tmp /run"])?;
        ensure!(done.code() != 0, "/{name} -> {goal}: {done}");
    }
    // Where the engine's own files go, links are followed, within the image.
    let root = image::with_link(&image::root_tar(&[])?, "sbin", "/proc/self/root/../../cove")?;
    let archive =
        image::docker_archive("cove-test/link-sbin:1", &root, json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] }))?;
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
    let config = json!({ "Cmd": ["sh"], "Env": ["PATH=/bin"] });
    world.docker_with(&["load"], &image::docker_archive("cove-test/null:1", &root, config)?)?.ok()?;
    let look = "stat -c '%F %t:%T' /dev/null /proc/kcore; echo x > /proc/sys/kernel/core_pattern || echo refused; \
                cat /proc/sys/kernel/core_pattern";
    let said = world.docker(&["run", "--rm", "cove-test/null:1", "sh", "-c", look])?;
    let lines: Vec<&str> = said.stdout.lines().collect();
    ensure!(lines.len() == 4 && lines[..2] == ["character special file 1:3"; 2] && lines[2] == "refused", "{said}");
    ensure!(lines[3] != "x", "{said}");
    Ok(())
}

/// The same, with a volume for /dev in which another container exchanges files for links.
fn what_comes_and_goes_in_dev_leads_no_mask_and_no_terminal_astray(world: &World) -> Result<()> {
    let _use = world.shared();
    let image = image::with_program(world, "attack")?;
    let pattern = "/proc/sys/kernel/core_pattern";
    world.says(&["volume", "create", "dev-race"])?;
    world.says(&["run", "--rm", "-v", "dev-race:/v", BUSYBOX, "mkdir", "-p", "/v/pts", "/v/shm", "/v/mqueue"])?;
    for name in ["null", "console", "pts/0"] {
        let path = format!("/v/{name}");
        let racer =
            ["run", "-d", "--name", "dev-racer", "-v", "dev-race:/v", &image, "/attack", "exchange", &path, pattern];
        world.says(&[&racer[..], &["/proc/self/fd/3", "../../../../../run"]].concat())?;
        world.log_line("dev-racer", "begin")?;
        let look =
            format!("echo x > {pattern} && echo written; echo y > /dev/null; echo z > /dev/console; cat {pattern}");
        for options in [&[][..], &["-t"]] {
            for _ in 0..2 {
                let run = [&["run", "--rm", "-v", "dev-race:/dev"], options, &[BUSYBOX, "sh", "-c", &look]].concat();
                let done = world.docker(&run)?;
                let last = done.stdout.lines().last().unwrap_or_default().trim_end();
                // It starts, without having been led to what it must not write, or it does not start.
                let harmless = done.code() == 0 && !done.stdout.contains("written") && !["x", "y", "z"].contains(&last);
                ensure!(harmless || done.code() == 125 || done.code() == 127, "{name}: {done}");
            }
        }
        world.docker(&["rm", "-f", "dev-racer"])?.ok()?;
    }
    world.docker(&["volume", "rm", "dev-race"])?.ok()?;
    Ok(())
}

/// CVE-2025-52881 and CVE-2019-19921: what the engine writes to /proc for a container goes to a file of that container.
fn what_the_engine_writes_reaches_the_kernel_whatever_covers_proc(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let writes = ["--sysctl", "net.ipv4.ip_default_ttl=77", "--oom-score-adj", "321"];
    // Where the kernel's own is covered, nothing starts.
    for cover in ["/proc", "/proc/sys", "/proc/sys/net/ipv4", "/proc/self"] {
        for option in [&["-v", &format!("cover:{cover}")][..], &["--tmpfs", cover]] {
            let done = world.docker(&[&["run", "--rm"], &writes[..], option, &[BUSYBOX, "true"]].concat())?;
            done.exits(125)?.complains("cannot be mounted because it is")?;
        }
    }
    // Links of a volume that lead there are followed by nobody.
    let image = image::with_program(world, "attack")?;
    world.says(&["volume", "create", "cover"])?;
    let exchange = ["/attack", "exchange", "/v/sub", "/proc", "/proc/sys/net/ipv4", "../../proc"];
    world.says(&[&["run", "-d", "--name", "coverer", "-v", "cover:/v", &image], &exchange[..]].concat())?;
    world.log_line("coverer", "begin")?;
    for _ in 0..6 {
        let look = "cat /proc/sys/net/ipv4/ip_default_ttl /proc/self/oom_score_adj";
        let mounts = ["-v", "cover:/v", "--tmpfs", "/v/sub"];
        let done = world.docker(&[&["run", "--rm"], &writes[..], &mounts, &[BUSYBOX, "sh", "-c", look]].concat())?;
        ensure!(done.code() == 125 || done.stdout == "77\n321", "{done}");
    }
    world.docker(&["rm", "-f", "coverer"])?.ok()?;
    // A container that has covered its own /proc meanwhile is written to as before.
    world.says(&["run", "-d", "--name", "covers", "--cap-add", "SYS_ADMIN", BUSYBOX, "sleep", "1000"])?;
    let cover =
        "mount -t tmpfs none /proc && mkdir -p /proc/self /proc/thread-self && echo own > /proc/self/oom_score_adj";
    world.docker(&["exec", "covers", "sh", "-c", cover])?.ok()?;
    let own = world.says(&["exec", "covers", "cat", "/proc/self/oom_score_adj"])?;
    world.docker(&["rm", "-f", "covers"])?.ok()?;
    ensure!(own == "own", "an exec wrote {own} into the container's file");
    world.docker(&["volume", "rm", "cover"])?.ok()?;
    Ok(())
}

fn users_are_the_images_whoever_says_them(world: &World) -> Result<()> {
    let _use = world.shared();
    let archive = image::docker_archive(
        "cove-test/user:1",
        &image::root_tar(&[])?,
        json!({ "Env": ["PATH=/bin"], "User": "user:root" }),
    )?;
    world.docker_with(&["load"], &archive)?.ok()?;
    let own = [
        ("", "1000 0"),
        ("user", "1000 1000"),
        ("1000:4711", "1000 4711"),
        ("user:root", "1000 0"),
        ("4711", "4711 0"),
        ("root:user", "0 1000"),
        ("2147483647:2147483647", "2147483647 2147483647"),
    ];
    world.says(&["run", "-d", "--name", "of-user", "cove-test/user:1", "sleep", "1000"])?;
    for (user, expected) in own {
        let option = if user.is_empty() { &[][..] } else { &["-u", user] };
        let look = ["sh", "-c", "echo $(id -u) $(id -g)"];
        let run = world.says(&[&["run", "--rm"], option, &["cove-test/user:1"], &look].concat())?;
        let exec = world.says(&[&["exec"], option, &["of-user"], &look].concat())?;
        ensure!(run == expected && exec == expected, "{user:?}: {run:?} by run, {exec:?} by exec");
    }
    world.docker(&["rm", "-f", "of-user"])?.ok()?;
    for (user, words) in [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("user:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("0:4294967296", "uids and gids must be in range 0-2147483647"),
    ] {
        world.docker(&["run", "--rm", "-u", user, BUSYBOX, "true"])?.exits(125)?.complains(words)?;
    }
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
    let image = image::with_program(world, "attack")?;
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
