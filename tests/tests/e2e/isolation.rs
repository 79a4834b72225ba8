//! Who gets nowhere: another user of this computer, a process without the secret of the boot, a container.

use std::{
    fs::{self, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{self, DEADLINE, Done},
    image::{self, BUSYBOX},
    world::World,
};

crate::tests![
    the_home_and_its_sockets_are_the_users_alone,
    another_user_gets_nowhere_even_with_open_modes,
    without_the_secret_of_the_boot_the_agent_hangs_up,
    a_container_reaches_nothing_over_vsock,
    root_of_the_machine_reaches_no_host_and_no_agent,
    no_port_of_the_machine_is_open_to_a_container,
    a_container_has_the_default_powers_only,
];

fn the_home_and_its_sockets_are_the_users_alone(world: &World) -> Result<()> {
    let _use = world.shared();
    for (path, mode) in [
        (world.home().to_owned(), 0o700),
        (world.home().join("run"), 0o700),
        (world.socket("engine"), 0o600),
        (world.socket("docker"), 0o600),
    ] {
        let found = fs::metadata(&path)?.permissions().mode() & 0o777;
        ensure!(found == mode, "{}: mode {found:o}, not {mode:o}", path.display());
    }
    Ok(())
}

/// The modes are opened for this test: what refuses then is the daemon, which asks the kernel who is there.
fn another_user_gets_nowhere_even_with_open_modes(world: &World) -> Result<()> {
    let _use = world.alone();
    let as_nobody = |socket: &Path| -> Result<Done> {
        let mut command = world.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "docker", "--host"]);
        command.arg(format!("unix://{}", socket.display())).args(["ps"]).env("DOCKER_CONFIG", "/nonexistent");
        command::run(command, &[])
    };
    ensure!(nix::unistd::geteuid().is_root(), "this test becomes another user: run it as root");
    as_nobody(&world.socket("docker"))?.exits(1)?.complains("permission denied")?;

    let open = [
        (world.home().parent().context("a home has a parent")?.to_owned(), 0o711),
        (world.home().to_owned(), 0o711),
        (world.home().join("run"), 0o711),
        (world.socket("docker"), 0o666),
        (world.socket("engine"), 0o666),
    ];
    let _closed_again = Modes::set(&open)?;
    let refused = as_nobody(&world.socket("docker"))?;
    ensure!(refused.code() == 1 && !refused.stdout.contains("CONTAINER"), "{refused}");
    ensure!(!refused.stderr.contains("permission denied"), "the mode refused, not the daemon\n{refused}");
    // The user is served as before.
    world.docker(&["ps"])?.ok()?;
    Ok(())
}

/// Modes of paths, put back in reverse order.
struct Modes(Vec<(PathBuf, Permissions)>);

impl Modes {
    fn set(modes: &[(PathBuf, u32)]) -> Result<Self> {
        let mut before = Self(Vec::new());
        for (path, mode) in modes {
            before.0.push((path.clone(), fs::metadata(path)?.permissions()));
            fs::set_permissions(path, Permissions::from_mode(*mode))?;
        }
        Ok(before)
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        for (path, mode) in self.0.iter().rev() {
            // A path that is gone needs no mode.
            let _ = fs::set_permissions(path, mode.clone());
        }
    }
}

/// With kernel vsock any user may dial the guest; here the socket of vhost-device-vsock stands for that, which this
/// user may open. What keeps strangers out is the handshake.
fn without_the_secret_of_the_boot_the_agent_hangs_up(world: &World) -> Result<()> {
    let _use = world.shared();
    let dial = socket_named("vsock.sock", &world.home().join("run"))
        .or_else(|| socket_named("vsock.sock", &world.home().join("machine")))
        .context("no socket of vhost-device-vsock: is the machine on kernel vsock?")?;
    for port in [1024, 1025] {
        for (what, opening) in [
            ("a wrong proof", [b"COVE1\n".as_slice(), &[7; 32]].concat()),
            ("gRPC without a handshake", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
            ("noise", vec![0x55; 64]),
        ] {
            let mut stream = dialled(&dial, port)?;
            // The agent may hang up before it has taken all: that is what is wanted of it.
            let _ = stream.write_all(&opening);
            if what == "a wrong proof" {
                // The agent's nonce and proof; then ours, which is wrong.
                stream.read_exact(&mut [0; 64])?;
                let _ = stream.write_all(&[9; 32]);
                let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
            }
            let mut said = Vec::new();
            // A reset is as good an end as a close; silence is none.
            let silent = stream.read_to_end(&mut said).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            ensure!(!silent, "port {port} does not hang up after {what}");
            ensure!(said.is_empty(), "port {port} answers to {what}: {said:?}");
        }
    }
    Ok(())
}

fn socket_named(name: &str, folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { socket_named(name, &path) } else { (path.file_name()? == name).then_some(path) }
    })
}

fn dialled(socket: &Path, port: u32) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(socket).with_context(|| format!("{}", socket.display()))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    // In one piece: the request is read as one.
    stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        let mut byte = [0];
        stream.read_exact(&mut byte).with_context(|| format!("port {port} does not accept"))?;
        answer.extend(byte);
    }
    ensure!(answer.starts_with(b"OK"), "port {port}: {}", String::from_utf8_lossy(&answer));
    Ok(stream)
}

/// By the usual call, by those of 32-bit programs, and by io_uring, which no filter looks into.
fn a_container_reaches_nothing_over_vsock(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let image = image::with_program(world, "vsock")?;
    for options in [
        &[][..],
        &["--network", "none"],
        &["--security-opt", "seccomp=unconfined"],
        &["--network", "host", "--security-opt", "seccomp=unconfined"],
        &["--privileged"],
        &["--privileged", "--network", "host", "--pid", "host", "--ipc", "host", "--uts", "host", "--cgroupns", "host"],
    ] {
        let said = world.says(&[&["run", "--rm"], options, &[&image, "/vsock"]].concat())?;
        ensure!(said.lines().count() == 5 && !said.contains(" open") && !said.contains(" 0 "), "{options:?}:\n{said}");
    }
    world.says(&["run", "-d", "--name", "execs-vsock", &image, "sleep", "1000"])?;
    let said = world.says(&["exec", "--privileged", "execs-vsock", "/vsock"])?;
    ensure!(said.lines().count() == 5 && !said.contains(" open"), "a privileged exec:\n{said}");
    world.docker(&["rm", "-f", "execs-vsock"])?.ok()?;
    Ok(())
}

/// A privileged container can have the kernel start a program outside of it, as root of the machine and without a filter.
/// What it finds there: no host that listens, an agent that hears nobody but the host, and ports that are taken.
fn root_of_the_machine_reaches_no_host_and_no_agent(world: &World) -> Result<()> {
    let _use = world.alone();
    let image = image::with_program(world, "vsock")?;
    let id = world.says(&["run", "-d", "--privileged", "--name", "escapes", &image, "sleep", "1000"])?;
    // The kernel takes 127 bytes.
    let escape = format!(
        "cp /vsock /v; echo '|/var/lib/cove/containers/{id}/upper/v beside' > /proc/sys/kernel/core_pattern; \
         sh -c 'kill -SEGV $$'; echo core > /proc/sys/kernel/core_pattern; \
         until grep -q 'bind 1025' /v.said; do sleep 0.1; done; cat /v.said"
    );
    let said = world.says(&["exec", "escapes", "sh", "-c", &escape])?;
    world.docker(&["rm", "-f", "escapes"])?.ok()?;
    ensure!(said.starts_with("socket: open"), "it did not get that far:\n{said}");
    ensure!(said.contains("cid 2: nothing") && !said.contains("connected") && !said.contains("taken"), "{said}");
    Ok(())
}

/// CVE-2025-9074: the engine's API, or anything else of it, at an address that containers reach.
fn no_port_of_the_machine_is_open_to_a_container(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let image = image::with_program(world, "attack")?;
    let said = world.says(&["run", "--rm", &image, "/attack", "scan", "172.17.0.1"])?;
    ensure!(said == "scanned 172.17.0.1", "{said}");
    // In the machine's own network nothing listens but the way out, on loopback, which hangs up on strangers; and what leads
    // outside leads nowhere.
    let look = r#"cd /proc/net
        awk '$4 == "0A" && $2 !~ /^(0100007F|00000000000000000000000001000000):/' tcp tcp6
        awk '$2 ~ /^0+:/ && $4 == "07"' udp udp6
        tail -n +2 packet
        ls /sys/class/net | grep -v ^veth | grep -v ^br-"#;
    let said = world.says(&["run", "--rm", "--network", "host", BUSYBOX, "sh", "-c", look])?;
    ensure!(said == "docker0\nlo\noutside", "{said}");
    Ok(())
}

fn a_container_has_the_default_powers_only(world: &World) -> Result<()> {
    let _use = world.shared();
    let said = world.says(&["run", "--rm", BUSYBOX, "grep", "-E", "CapEff|CapBnd|Seccomp:", "/proc/self/status"])?;
    // docker's fourteen capabilities, and a filter.
    ensure!(said.contains("CapEff:\t00000000a80425fb") && said.contains("CapBnd:\t00000000a80425fb"), "{said}");
    ensure!(said.contains("Seccomp:\t2"), "{said}");
    for forbidden in
        ["mount -t tmpfs none /tmp", "dmesg", "echo 1 > /proc/sys/kernel/panic", "cat /proc/kcore | head -c 1 | grep ."]
    {
        let done = world.docker(&["run", "--rm", BUSYBOX, "sh", "-c", forbidden])?;
        ensure!(done.code() != 0, "it may: {forbidden}\n{done}");
    }
    let links = world.says(&["run", "--rm", BUSYBOX, "ls", "/sys/class/net"])?;
    ensure!(links == "eth0\nlo", "its network has {links}");
    Ok(())
}
