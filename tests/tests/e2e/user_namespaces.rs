//! User namespaces: the root of a container that has one is nobody in the machine. And clocks of a container's own.

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    image::{self, BUSYBOX},
    world::World,
};

use crate::life;

crate::tests![
    root_of_a_container_is_nobody_in_the_machine,
    files_are_as_in_any_other_container,
    files_are_copied_with_the_owners_that_the_container_sees,
    what_is_made_of_a_container_has_the_owners_that_it_sees,
    volumes_are_shared_by_containers_with_and_without,
    memory_images_and_parts_of_volumes_have_the_right_owners,
    devices_are_there_and_none_can_be_made,
    streams_can_be_opened_again,
    an_exec_is_in_the_same_user_namespace,
    limits_above_the_machines_are_set,
    networks_are_as_of_any_other_container,
    namespaces_are_shared_with_those_of_the_same_user_namespace,
    a_program_of_roots_is_the_containers_roots,
    all_capabilities_are_worth_nothing_outside,
    what_does_not_go_together_is_refused_in_dockerds_words,
    all_containers_have_one_when_the_user_says_so,
    clocks_differ_from_the_machines_on_request,
];

const REMAP: [&str; 2] = ["--label", "dev.cove.userns=remap"];

/// What `docker run` says of a shell in a container with a user namespace.
fn remapped(world: &World, options: &[&str], script: &str) -> Result<String> {
    world.says(&[&["run", "--rm"], &REMAP[..], options, &[BUSYBOX, "sh", "-c", script]].concat())
}

fn plain(world: &World, options: &[&str], script: &str) -> Result<String> {
    world.says(&[&["run", "--rm"], options, &[BUSYBOX, "sh", "-c", script]].concat())
}

fn start(world: &World, name: &str, options: &[&str]) -> Result<()> {
    world.says(&[&["run", "-d", "--name", name], options, &[BUSYBOX, "sleep", "1000"]].concat()).map(drop)
}

fn remove(world: &World, names: &[&str]) -> Result<()> {
    world.docker(&[&["rm", "-f", "-v"], names].concat())?.ok().map(drop)
}

/// The ids that the machine knows the first process of a container by: real, effective, saved, of files.
fn ids(world: &World, container: &str) -> Result<String> {
    let pid = world.says(&["inspect", "-f", "{{.State.Pid}}", container])?;
    let status = plain(world, &["--pid", "host"], &format!("grep ^Uid /proc/{pid}/status"))?;
    Ok(status.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
}

fn root_of_a_container_is_nobody_in_the_machine(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let said = remapped(world, &[], "id -u; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups")?;
    let words: Vec<&str> = said.split_whitespace().collect();
    ensure!(words == ["0", "0", "100000", "65536", "0", "100000", "65536", "allow"], "{said}");
    start(world, "userns-ids", &REMAP)?;
    start(world, "userns-user", &[&REMAP[..], &["--user", "1000:1000", "--group-add", "7"]].concat())?;
    let (root, user) = (ids(world, "userns-ids")?, ids(world, "userns-user")?);
    let groups = world.says(&["exec", "userns-user", "id"])?;
    let shown = world.says(&["inspect", "-f", "-{{.HostConfig.UsernsMode}}-", "userns-ids"])?;
    remove(world, &["userns-ids", "userns-user"])?;
    ensure!(
        (root.as_str(), user.as_str()) == ("100000 100000 100000 100000", "101000 101000 101000 101000"),
        "{root}, {user}"
    );
    ensure!(groups.contains("groups=7"), "{groups}");
    ensure!(shown == "--", "{shown}");
    let outside = world.docker(&[&["run", "--rm"], &REMAP[..], &["--user", "70000", BUSYBOX, "true"]].concat())?;
    outside.exits(125)?.complains("invalid argument")?;
    Ok(())
}

fn files_are_as_in_any_other_container(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    // What the image has is root's and can be changed, moved, removed; what is made has its maker's ids.
    let script = "set -e
        stat -c %u:%g / /bin/busybox /etc /etc/hosts /etc/resolv.conf /etc/hostname /proc /sys /dev /dev/shm | sort -u
        echo 127.0.0.9 nine >> /etc/hosts
        mkdir -p /new/deep; echo x > /new/deep/file; chown -R 1000:1001 /new; chmod 4755 /new/deep/file
        mv /etc /moved; rm -r /moved; mkdir /etc; rm /bin/busybox.none 2>/dev/null || true
        mv /new /newer; stat -c '%u:%g %a' /newer/deep/file";
    let looked =
        remapped(world, &[], "stat -c '%u:%g' / /etc/hosts /proc /sys /dev/null | sort -u; ls -ld /tmp | cut -c1-10")?;
    ensure!(looked.starts_with("0:0\n"), "{looked}");
    world.says(&[&["create", "--name", "userns-files"], &REMAP[..], &[BUSYBOX, "sh", "-c", script]].concat())?;
    let first = world.docker(&["start", "-a", "userns-files"])?;
    world.docker(&["rm", "-f", "userns-files"])?.ok()?;
    // /etc/hosts is a mount, which no container can move.
    ensure!(first.stdout.starts_with("0:0"), "{first}");
    let script =
        "set -e; touch /made; mkdir /bin2; cp /bin/busybox /bin2/; rm /bin/vi; mv /bin2 /bin3; chown 5:6 /bin3/busybox
        stat -c %u:%g /made /bin3/busybox; ls /bin/vi 2>/dev/null || echo gone";
    let said = remapped(world, &[], script)?;
    ensure!(said == "0:0\n5:6\ngone", "{said}");
    let said = remapped(
        world,
        &["--read-only", "--tmpfs", "/scratch"],
        "touch /x 2>/dev/null || echo no; touch /scratch/x && echo yes",
    )?;
    ensure!(said == "no\nyes", "{said}");
    let said = remapped(world, &["--init", "--user", "1000"], "tr '\\0' ' ' < /proc/1/cmdline")?;
    ensure!(said.contains("docker-init"), "{said}");
    let said = remapped(world, &["--workdir", "/made/for/it", "--user", "1000"], "pwd; stat -c %u .")?;
    ensure!(said == "/made/for/it\n0", "{said}");
    Ok(())
}

/// A tar of files that belong to others: one may do what its owner may not.
fn belongings() -> Result<Vec<u8>> {
    // cap_net_raw=ep of the second version, which says nothing of a user namespace.
    const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let busybox = image::root_tar(&[])?;
    let mut busybox = tar::Archive::new(busybox.as_slice());
    let mut busybox = busybox
        .entries()?
        .find_map(|entry| entry.ok().filter(|entry| entry.path().is_ok_and(|path| path.ends_with("bin/busybox"))));
    let mut may = Vec::new();
    std::io::Read::read_to_end(busybox.as_mut().context("no busybox")?, &mut may)?;
    let mut builder = tar::Builder::new(Vec::new());
    let mut put = |path: &str, content: &[u8], owner: (u64, u64), mode: u32| -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(if path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        if path == "d/busybox" {
            builder.append_pax_extensions([("SCHILY.xattr.security.capability", &CAPABILITY[..])])?;
        }
        Ok(builder.append_data(&mut header, path, content)?)
    };
    put("d/", b"", (1000, 1001), 0o750)?;
    put("d/busybox", &may, (0, 0), 0o755)?;
    put("d/f", b"x", (123, 45), 0o4750)?;
    Ok(builder.into_inner()?)
}

/// Owners, permissions and attributes in a tar, by names.
fn owners(tar: &[u8]) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let mut words = format!(
            "{} {}:{} {:o}",
            entry.path()?.display(),
            entry.header().uid()?,
            entry.header().gid()?,
            entry.header().mode()?
        );
        for extension in entry.pax_extensions()?.into_iter().flatten() {
            let extension = extension?;
            if extension.key()?.starts_with("SCHILY.xattr") {
                words.push_str(&format!(" {} bytes of {}", extension.value_bytes().len(), extension.key()?));
            }
        }
        said.push(words);
    }
    Ok(said)
}

fn files_are_copied_with_the_owners_that_the_container_sees(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let tar = belongings()?;
    let expected =
        ["d/ 1000:1001 750", "d/busybox 0:0 755 20 bytes of SCHILY.xattr.security.capability", "d/f 123:45 4750"];
    ensure!(owners(&tar)? == expected, "{:?}", owners(&tar)?);
    for run in [&["run", "-d"][..], &["create"]] {
        let user = ["-u", "1000:1001", "--cap-add", "NET_RAW", "--name", "userns-cp", BUSYBOX, "sleep", "1000"];
        world.says(&[run, &REMAP[..], &user].concat())?;
        world.docker_with(&["cp", "-", "userns-cp:/tmp"], &tar)?.ok()?;
        world.docker_with(&["cp", "-a", "-", "userns-cp:/home"], &tar)?.ok()?;
        let out = world.docker(&["cp", "userns-cp:/tmp/d", "-"])?.ok()?.bytes;
        ensure!(owners(&out)? == expected, "{run:?}: {:?}", owners(&out)?);
        world.docker(&["start", "userns-cp"])?.ok()?;
        let said = world.says(&["exec", "userns-cp", "stat", "-c", "%u:%g %a", "/tmp/d", "/tmp/d/f", "/home/d/f"])?;
        ensure!(said == "1000:1001 750\n123:45 4750\n1000:1001 4750", "{run:?}: {said}");
        // What the file may do, it may do in there.
        let may = world.says(&["exec", "userns-cp", "/tmp/d/busybox", "grep", "CapEff", "/proc/self/status"])?;
        ensure!(may.ends_with("0000000000002000"), "{run:?}: {may}");
        remove(world, &["userns-cp"])?;
    }
    Ok(())
}

fn what_is_made_of_a_container_has_the_owners_that_it_sees(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let script =
        "echo x > /mark; chown 5:6 /mark; chmod 2750 /mark; rm /bin/vi; chown 7 /home; echo done; exec sleep 1000";
    world.says(&[&["run", "-d", "--name", "userns-made"], &REMAP[..], &[BUSYBOX, "sh", "-c", script]].concat())?;
    world.log_line("userns-made", "done")?;
    let of = |all: Vec<String>, name: &str| all.into_iter().find(|line| line.starts_with(name)).unwrap_or_default();
    for state in ["running", "exited"] {
        let changes = world.says(&["diff", "userns-made"])?;
        let mut changes: Vec<&str> = changes.lines().collect();
        changes.sort_unstable();
        ensure!(changes == ["A /mark", "C /bin", "C /home", "D /bin/vi"], "{state}: {changes:?}");
        let exported = owners(&world.docker(&["export", "userns-made"])?.ok()?.bytes)?;
        ensure!(of(exported.clone(), "mark ") == "mark 5:6 2750", "{state}: {exported:?}");
        ensure!(of(exported.clone(), "bin/busybox ") == "bin/busybox 0:0 755", "{state}: {exported:?}");
        ensure!(of(exported.clone(), "home/ ") == "home/ 7:0 755", "{state}: {exported:?}");
        world.says(&["commit", "userns-made", "cove-test/userns-made:1"])?;
        for options in [&[][..], &REMAP] {
            let look = ["cove-test/userns-made:1", "stat", "-c", "%u:%g %a", "/mark", "/home", "/bin/busybox"];
            let said = world.says(&[&["run", "--rm"], options, &look].concat())?;
            ensure!(said == "5:6 2750\n7:0 755\n0:0 755", "{state} {options:?}: {said}");
        }
        world.docker(&["rmi", "cove-test/userns-made:1"])?.ok()?;
        world.docker(&["stop", "-t", "0", "userns-made"])?.ok()?;
    }
    remove(world, &["userns-made"])
}

fn volumes_are_shared_by_containers_with_and_without(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let volume = ["-v", "userns-shared:/data"];
    world.docker(&["volume", "create", "userns-shared"])?.ok()?;
    remapped(world, &volume, "echo r > /data/of-root; echo u > /data/of-user; chown 1000:1001 /data/of-user")?;
    let seen = plain(world, &volume, "stat -c '%n %u:%g' /data/of-*; echo p > /data/of-plain; chown 7 /data/of-plain")?;
    ensure!(seen == "/data/of-root 0:0\n/data/of-user 1000:1001", "{seen}");
    let seen = remapped(world, &volume, "stat -c %u /data/of-plain; rm /data/of-plain /data/of-root && ls /data")?;
    ensure!(seen == "7\nof-user", "{seen}");
    let refused = remapped(world, &[&volume[..], &["--user", "999"]].concat(), "rm -f /data/of-user || echo no")?;
    ensure!(refused == "no", "{refused}");
    let read_only = remapped(world, &["-v", "userns-shared:/data:ro"], "touch /data/x 2>/dev/null || echo no")?;
    ensure!(read_only == "no", "{read_only}");
    // A volume without a name takes what the image has at its place, and its owners.
    let filled = remapped(world, &["-v", "/bin"], "stat -c %u:%g /bin /bin/busybox; touch /bin/x && echo yes")?;
    ensure!(filled == "0:0\n0:0\nyes", "{filled}");
    world.docker(&["volume", "rm", "userns-shared"])?.ok()?;
    Ok(())
}

fn memory_images_and_parts_of_volumes_have_the_right_owners(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let memory =
        remapped(world, &["--tmpfs", "/m:uid=1000,gid=1001,mode=0700", "--tmpfs", "/r"], "stat -c %u:%g /m /r")?;
    ensure!(memory == "1000:1001\n0:0", "{memory}");
    let image = format!("type=image,source={BUSYBOX},target=/other");
    let shown = remapped(
        world,
        &["--mount", &image],
        "stat -c %u:%g /other/bin/busybox; touch /other/x 2>/dev/null || echo no",
    )?;
    ensure!(shown == "0:0\nno", "{shown}");
    world.docker(&["volume", "create", "userns-part"])?.ok()?;
    remapped(world, &["-v", "userns-part:/v"], "mkdir /v/sub; echo deep > /v/sub/file")?;
    let part = "type=volume,source=userns-part,target=/p,volume-subpath=sub";
    let said = remapped(world, &["--mount", part], "cat /p/file; stat -c %u /p/file")?;
    ensure!(said == "deep\n0", "{said}");
    let options =
        ["volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=uid=33", "userns-memory"];
    world.docker(&options)?.ok()?;
    let said = remapped(world, &["-v", "userns-memory:/v"], "stat -c %u /v; touch /v/x; stat -c %u /v/x")?;
    world.docker(&["volume", "rm", "userns-part", "userns-memory"])?.ok()?;
    ensure!(said == "33\n0", "{said}");
    Ok(())
}

fn devices_are_there_and_none_can_be_made(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let script = "stat -c '%u %a %t:%T' /dev/null /dev/zero /dev/tty; echo x > /dev/null; head -c 4 /dev/zero | wc -c
        readlink /dev/fd; ls -d /dev/pts/ptmx /dev/mqueue; df -k /dev/shm | tail -1 | awk '{print $2}'
        mknod /tmp/n c 1 3 2>/dev/null || echo none";
    let said = remapped(world, &["--shm-size", "2m", "--cap-add", "MKNOD"], script)?;
    let expected = "0 666 1:3\n0 666 1:5\n0 666 5:0\n4\n/proc/self/fd\n/dev/mqueue\n/dev/pts/ptmx\n2048\nnone";
    let sorted = said.replace("/dev/pts/ptmx\n/dev/mqueue", "/dev/mqueue\n/dev/pts/ptmx");
    ensure!(sorted == expected, "{said}");
    let devices = [
        "--device",
        "/dev/zero:/dev/deep/nothing",
        "--device",
        "/dev/full:/srv/full",
        "--device",
        "/dev/loop-control:/srv/l:r",
    ];
    let script = "head -c 3 /dev/deep/nothing | wc -c; stat -c '%u %F' /srv/full; echo x > /srv/full; ls -A /dev | grep -c device";
    let said = world.docker(&[&["run", "--rm"], &REMAP[..], &devices[..4], &[BUSYBOX, "sh", "-c", script]].concat())?;
    ensure!(said.stdout == "3\n0 character special file\n0", "{said}");
    ensure!(said.stderr.contains("No space left"), "{said}");
    // As everywhere, what was not given cannot be opened, though there were a node of it.
    let disk = remapped(world, &[], "ls /dev | grep -c vd; cat /proc/partitions | grep -c vda")?;
    ensure!(disk.starts_with("0\n"), "{disk}");
    Ok(())
}

fn streams_can_be_opened_again(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    for user in ["0", "1000"] {
        let said = remapped(world, &["--user", user], "echo out > /dev/stdout; echo err > /proc/self/fd/2")?;
        ensure!(said == "out", "{user}: {said}");
    }
    let run = [&["run", "--rm", "-i"], &REMAP[..], &["--user", "1000", BUSYBOX, "sh", "-c", "cat /dev/stdin"]].concat();
    let said = world.docker_with(&run, b"typed")?;
    ensure!(said.stdout == "typed", "{said}");
    world.says(&[&["run", "-d", "--name", "userns-tty", "-t"], &REMAP[..], &[BUSYBOX, "sleep", "1000"]].concat())?;
    let script = "stat -c '%u %F' /proc/1/fd/0 /dev/console; tty < /proc/1/fd/0";
    let said = world.says(&["exec", "userns-tty", "sh", "-c", script])?;
    let exec = world.says(&["exec", "-t", "userns-tty", "sh", "-c", "tty; stat -L -c %u /proc/self/fd/0"])?;
    remove(world, &["userns-tty"])?;
    ensure!(said.contains("0 character special file") && said.contains("/dev/pts/0"), "{said}");
    ensure!(exec.replace('\r', "") == "/dev/pts/1\n0", "{exec:?}");
    Ok(())
}

fn an_exec_is_in_the_same_user_namespace(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let health = ["--health-cmd", "test $(id -u) = 0", "--health-interval", "1s"];
    start(world, "userns-exec", &[&REMAP[..], &health[..], &["--oom-score-adj", "-300"]].concat())?;
    let exec = |options: &[&str], script: &str| {
        world.says(&[&["exec"], options, &["userns-exec", "sh", "-c", script]].concat())
    };
    for kind in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"] {
        let same = exec(&[], &format!("for p in 1 self; do readlink /proc/$p/ns/{kind}; done | uniq | wc -l"))?;
        ensure!(same == "1", "not in the {kind} namespace");
    }
    let said = exec(&[], "id -u; cat /proc/self/oom_score_adj; echo again > /dev/stdout; kill -0 1 && echo may")?;
    ensure!(said == "0\n-300\nagain\nmay", "{said}");
    ensure!(exec(&["--user", "1000:7"], "id -u; id -g; echo x > /dev/stdout")? == "1000\n7\nx", "as a user");
    ensure!(
        exec(&["--privileged"], "cat /proc/self/uid_map | tr -s ' '; mknod /n c 1 3 2>/dev/null || echo none")?
            .ends_with("none"),
        "privileged"
    );
    let said = world.docker_with(&["exec", "-i", "userns-exec", "cat"], b"piped")?;
    ensure!(said.stdout == "piped", "{said}");
    life::comes(world, "userns-exec", "{{.State.Health.Status}}", "healthy")?;
    remove(world, &["userns-exec"])
}

fn limits_above_the_machines_are_set(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let limits =
        ["--ulimit", "memlock=-1:-1", "--ulimit", "nofile=700:800", "--oom-score-adj", "-500", "--memory", "32m"];
    let said = remapped(
        world,
        &limits,
        "ulimit -l; ulimit -n; ulimit -Hn; ulimit -u; cat /proc/self/oom_score_adj /sys/fs/cgroup/memory.max",
    )?;
    ensure!(said == "unlimited\n700\n800\nunlimited\n-500\n33554432", "{said}");
    Ok(())
}

fn networks_are_as_of_any_other_container(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    start(world, "userns-net", &[&REMAP[..], &["--user", "1000", "--sysctl", "net.core.somaxconn=77"]].concat())?;
    let address = world.says(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", "userns-net"])?;
    let own = world.says(&[
        "exec",
        "userns-net",
        "sh",
        "-c",
        "ip -4 addr show eth0 | grep -o 'inet [0-9.]*'; cat /proc/sys/net/core/somaxconn",
    ])?;
    ensure!(own == format!("inet {address}\n77"), "{own}");
    // Ports below 1024 and pings are for all users.
    let groups = world.says(&["exec", "userns-net", "cat", "/proc/sys/net/ipv4/ping_group_range"])?;
    ensure!(groups == "0\t65535", "{groups}");
    world.docker(&["exec", "-d", "userns-net", "nc", "-l", "-p", "80", "-e", "echo", "hello"])?.ok()?;
    let said = plain(world, &[], &format!("until nc {address} 80; do sleep 0.1; done"))?;
    ensure!(said == "hello", "{said}");
    remapped(world, &[], &format!("ping -c 1 {address}"))?;
    remove(world, &["userns-net"])?;
    let said = remapped(
        world,
        &["--network", "none"],
        "ip -o link | wc -l; ping -c 1 127.0.0.1 | grep -c '1 packets received'",
    )?;
    ensure!(said == "1\n1", "{said}");
    let said =
        remapped(world, &["--cap-add", "NET_ADMIN"], "ip link set lo down && ip link set eth0 down && echo own")?;
    ensure!(said == "own", "{said}");
    Ok(())
}

fn namespaces_are_shared_with_those_of_the_same_user_namespace(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    start(world, "userns-donor", &[&REMAP[..], &["--ipc", "shareable"]].concat())?;
    start(world, "userns-plain", &["--ipc", "shareable"])?;
    let user = |container: &str| world.says(&["exec", container, "readlink", "/proc/self/ns/user"]);
    let donors = user("userns-donor")?;
    world.docker(&["exec", "userns-donor", "sh", "-c", "echo shared > /dev/shm/word"])?.ok()?;
    for kind in ["pid", "ipc", "network"] {
        let options = [format!("--{kind}"), "container:userns-donor".to_owned()];
        let options = options.each_ref().map(String::as_str);
        let look = "readlink /proc/self/ns/user; id -u; cat /dev/shm/word 2>/dev/null; true";
        let said = plain(world, &options, look)?;
        ensure!(said.starts_with(&format!("{donors}\n0")), "{kind}: {said}");
        ensure!(said.ends_with("shared") == (kind == "ipc"), "{kind}: {said}");
    }
    // The machine's root is one of those who may join.
    let host = ["--userns", "host", "--network", "container:userns-donor"];
    let said = plain(world, &host, "ip -o addr | grep -c eth0; cat /proc/self/uid_map | tr -s ' '")?;
    ensure!(said == "1\n 0 0 4294967295", "{said}");
    for kind in ["pid", "ipc", "network"] {
        let share = [format!("--{kind}"), "container:userns-plain".to_owned()];
        let share = share.each_ref().map(String::as_str);
        let run = [&["run", "--rm"], &REMAP[..], &share, &[BUSYBOX, "true"]].concat();
        world.docker(&run)?.exits(125)?.complains("which has no user namespace, when user namespaces are enabled")?;
    }
    start(world, "userns-other", &REMAP)?;
    let two = ["--network", "container:userns-donor", "--pid", "container:userns-other", BUSYBOX, "true"];
    world.docker(&[&["run", "--rm"], &two[..]].concat())?.exits(125)?.complains("with different user namespaces")?;
    ensure!(user("userns-other")? != donors, "two containers have one user namespace");
    remove(world, &["userns-donor", "userns-plain", "userns-other"])
}

fn a_program_of_roots_is_the_containers_roots(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let volume = ["-v", "userns-setuid:/v"];
    // busybox itself gives up such rights.
    let image = image::with_program(world, "attack")?;
    let copy = ["sh", "-c", "cp /attack /v/; chmod 4755 /v/attack"];
    world.says(&[&["run", "--rm"], &volume[..], &[&image], &copy[..]].concat())?;
    let run = [&["run", "-d", "--name", "userns-setuid", "--user", "1000"], &REMAP[..], &volume[..]].concat();
    world.says(&[&run[..], &[&image, "/v/attack", "wait"]].concat())?;
    let ids = ids(world, "userns-setuid")?;
    remove(world, &["userns-setuid"])?;
    world.docker(&["volume", "rm", "userns-setuid"])?.ok()?;
    ensure!(ids == "101000 100000 100000 100000", "{ids}");
    Ok(())
}

/// Each would succeed in a privileged container.
fn all_capabilities_are_worth_nothing_outside(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let options =
        ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"];
    let script = r#"
        try() { if "$@" > /dev/null 2>&1; then echo "did: $*"; fi; }
        put() { sh -c "echo $1 > $2"; }
        mkdir -p /mnt
        try put x /proc/sys/kernel/core_pattern
        try put 1 /proc/sys/kernel/panic
        try put 1 /proc/sys/vm/drop_caches
        try put s /proc/sysrq-trigger
        try put 1 /proc/sys/fs/protected_symlinks
        try put 1 /sys/fs/cgroup/cgroup.procs
        try put -1000 /proc/self/oom_score_adj
        try mount -t ext4 /dev/vda /mnt
        try mount -t devtmpfs none /mnt
        try mount -t debugfs none /mnt
        try mknod /vda b 254 0
        try mknod /kmsg c 1 11
        try dmesg
        try sh -c 'date -s 2001-01-01; date | grep 2001'
        try chroot /proc/1/root/../.. ls /init
        try nice -n -5 true
        try cat /proc/kcore
        # What is its own it may do.
        hostname own && mount -t tmpfs none /mnt && echo may"#;
    let said = remapped(world, &options, script)?;
    ensure!(said == "may", "{said}");
    // The default filter keeps it from making namespaces, in which there is more of the kernel to attack.
    let nested =
        remapped(world, &[], "unshare -U true 2>/dev/null || echo no; unshare -r true 2>/dev/null || echo no")?;
    ensure!(nested == "no\nno", "{nested}");
    let nested = remapped(
        world,
        &options,
        "unshare -r sh -c 'mknod /n c 1 3 2>/dev/null || echo no; cat /proc/self/uid_map | tr -s \" \"'",
    )?;
    ensure!(nested == "no\n 0 0 1", "{nested}");
    Ok(())
}

fn what_does_not_go_together_is_refused_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    for (option, words) in [
        (
            "--privileged",
            "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace",
        ),
        ("--network=host", "cannot share the host's network namespace when user namespaces are enabled"),
        ("--pid=host", "cannot share the host PID namespace when user namespaces are enabled"),
        ("--ipc=host", "cannot share the host IPC namespace when user namespaces are enabled"),
        ("--userns=host", "conflicting options: --userns and the label dev.cove.userns"),
    ] {
        let run = [&["run", "--rm"], &REMAP[..], &[option, BUSYBOX, "true"]].concat();
        world.docker(&run)?.exits(125)?.complains(words)?;
    }
    let wrong = world.docker(&["run", "--rm", "--label", "dev.cove.userns=yes", BUSYBOX, "true"])?.exits(125)?;
    wrong.complains("invalid label dev.cove.userns=yes")?;
    // What shares nothing that matters is fine.
    let said = remapped(
        world,
        &["--uts", "host", "--cgroupns", "host"],
        "hostname; cat /proc/self/cgroup | cut -c1-15; ls -d /sys/fs/cgroup/cove",
    )?;
    ensure!(said == "cove\n0::/containers/\n/sys/fs/cgroup/cove", "{said}");
    let said = plain(world, &["--userns", "host", "--privileged"], "cat /proc/self/uid_map | tr -s ' '")?;
    ensure!(said == " 0 0 4294967295", "{said}");
    Ok(())
}

fn all_containers_have_one_when_the_user_says_so(world: &World) -> Result<()> {
    let _use = world.alone();
    world.only_cove();
    let info = || world.says(&["info", "-f", "{{.SecurityOptions}}"]);
    ensure!(!info()?.contains("userns"), "it is on already");
    world.says(&[
        "run",
        "--name",
        "userns-before",
        BUSYBOX,
        "sh",
        "-c",
        "id -u >> /kept; stat -c %u /kept; cat /proc/self/uid_map",
    ])?;
    let changed = world.cove(&["settings", "--user-namespaces", "on", "--format", "json"])?.ok()?.json()?;
    ensure!(changed["user_namespaces"] == true && changed["restart_needed"] == true, "{changed}");
    world.cove(&["restart", "--time", "2"])?.ok()?;
    ensure!(info()? == "[name=seccomp,profile=builtin name=userns name=cgroupns]", "{}", info()?);
    let map = |options: &[&str]| plain(world, options, "cat /proc/self/uid_map | tr -s ' '");
    ensure!(map(&[])? == " 0 100000 65536", "not in a user namespace");
    ensure!(map(&["--userns", "host", "--privileged"])? == " 0 0 4294967295", "not in the machine's");
    let refused = world.docker(&["run", "--rm", "--privileged", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("privileged mode is incompatible with user namespaces.")?;
    // A container that was made before has one from now on, and its files are still its own.
    let again = world.says(&["start", "-a", "userns-before"])?;
    ensure!(again.split_whitespace().collect::<Vec<_>>() == ["0", "0", "100000", "65536"], "{again}");
    world.cove(&["settings", "--reset"])?.ok()?;
    world.cove(&["restart", "--time", "2"])?.ok()?;
    let last = world.says(&["start", "-a", "userns-before"])?;
    ensure!(last.split_whitespace().collect::<Vec<_>>() == ["0", "0", "0", "4294967295"], "{last}");
    remove(world, &["userns-before"])
}

fn clocks_differ_from_the_machines_on_request(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let uptime = |options: &[&str]| -> Result<f64> {
        let said = plain(world, options, "cut -d' ' -f1 /proc/uptime")?;
        said.parse().context(said)
    };
    let ahead = ["--label", "dev.cove.clock.boottime=86400", "--label", "dev.cove.clock.monotonic=3600"];
    let (machines, ours) = (uptime(&[])?, uptime(&ahead)?);
    ensure!(ours >= machines + 86400.0 && ours < machines + 90000.0, "{machines} and {ours}");
    let both = uptime(&[&REMAP[..], &ahead[..]].concat())?;
    ensure!(both >= ours, "{both} with a user namespace, {ours} without");
    start(world, "clocks", &ahead)?;
    let said = world.says(&[
        "exec",
        "clocks",
        "sh",
        "-c",
        "cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets | tr -s ' '",
    ])?;
    remove(world, &["clocks"])?;
    let (uptime, offsets) = said.split_once('\n').context("one line")?;
    ensure!(uptime.parse::<f64>()? >= ours.floor() && offsets == "monotonic 3600 0\nboottime 86400 0", "{said}");
    for (value, code, words) in [
        ("1h", 125, "invalid label dev.cove.clock.boottime=1h"),
        ("-86400", 125, "set the monotonic clock by 0 s and boottime by -86400 s"),
    ] {
        let label = format!("dev.cove.clock.boottime={value}");
        world.docker(&["run", "--rm", "--label", &label, BUSYBOX, "true"])?.exits(code)?.complains(words)?;
    }
    Ok(())
}
