//! Published ports: what a client of the host meets, and what is said about them.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use cove_tests::{
    command::{DEADLINE, Stranger, kill},
    image::{self, BUSYBOX},
    outside::Borrowed,
    world::World,
};

use crate::lifecycle::fact;

crate::tests![
    forms_of_publishing_are_shown_as_dockerd_shows_them,
    ports_that_are_taken_are_refused_in_dockerds_words,
    ports_are_free_when_the_container_has_stopped,
    networks_that_publish_nothing_publish_nothing,
    bytes_of_every_write_size_come_back_whole,
    ends_and_resets_pass_in_both_directions,
    datagrams_of_every_size_come_back,
    both_versions_of_the_internet_protocol_are_served,
    clients_are_seen_with_their_own_addresses,
    many_clients_leave_nothing_behind,
    a_restart_keeps_the_port,
    only_what_is_published_is_reached,
    the_next_daemon_opens_the_same_ports,
    containers_reach_their_own_published_ports_and_those_of_others,
    who_listens_in_the_machines_network_is_found_on_the_loopback,
];

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// COVE_PORTS_CLIENTS: how many clients come one after another.
const CLIENTS: usize = 2_000;
const AT_ONCE: usize = 500;

/// A container of tests/programs/serve.rs, listening.
struct Server<'a> {
    world: &'a World,
    name: &'static str,
}

impl<'a> Server<'a> {
    fn start(world: &'a World, name: &'static str, options: &[&str]) -> Result<Self> {
        let image = image::with_program(world, "serve")?;
        world.says(&[&["run", "-d", "--name", name], options, &[&image, "/serve"]].concat())?;
        let server = Self { world, name };
        world.log_line(name, "serving")?;
        Ok(server)
    }

    /// Where a port of it is on the host.
    fn at(&self, port: &str) -> Result<SocketAddr> {
        let said = self.world.says(&["port", self.name, port])?;
        let first = said.lines().next().with_context(|| format!("{port} is not published"))?;
        Ok(first.replace("0.0.0.0", "127.0.0.1").parse()?)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.world.docker(&["rm", "-f", self.name]);
    }
}

fn connect(at: SocketAddr) -> Result<TcpStream> {
    let client = TcpStream::connect_timeout(&at, DEADLINE).with_context(|| format!("connect to {at}"))?;
    client.set_read_timeout(Some(DEADLINE))?;
    client.set_write_timeout(Some(DEADLINE))?;
    Ok(client)
}

/// Sends, ends, and hears all that comes.
fn exchange(at: SocketAddr, bytes: &[u8], at_once: usize) -> Result<Vec<u8>> {
    let client = connect(at)?;
    let (mut reader, mut writer) = (client.try_clone()?, client);
    thread::scope(|scope| {
        let sent = scope.spawn(move || -> Result<()> {
            for piece in bytes.chunks(at_once) {
                writer.write_all(piece)?;
            }
            Ok(writer.shutdown(Shutdown::Write)?)
        });
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard)?;
        sent.join().unwrap_or_else(|_| bail!("the writer panicked"))?;
        Ok(heard)
    })
}

/// A port that is free on all addresses.
fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?.local_addr()?.port())
}

/// Bytes that no shift or repetition maps onto themselves.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn forms_of_publishing_are_shown_as_dockerd_shows_them(world: &World) -> Result<()> {
    let _use = world.shared();
    let port = free()?;
    let (bound, udp) = (format!("{port}:80"), format!("127.0.0.1:{port}:81/udp"));
    let options = ["-p", &bound, "-p", &udp, "--expose", "99", "--name", "formed"];
    world.says(&[&["run", "-d"], &options[..], &[BUSYBOX, "sleep", "1000"]].concat())?;
    let ports = world.says(&["port", "formed"])?;
    ensure!(ports == format!("80/tcp -> 0.0.0.0:{port}\n80/tcp -> [::]:{port}\n81/udp -> 127.0.0.1:{port}"), "{ports}");
    let row = world.says(&["ps", "--filter", "name=formed", "--format", "{{.Ports}}"])?;
    for part in ["99/tcp", &format!("0.0.0.0:{port}->80/tcp"), &format!("127.0.0.1:{port}->81/udp")] {
        ensure!(row.contains(part), "{row} lacks {part}");
    }
    let shapes = "{{json .NetworkSettings.Ports}}\n{{json .HostConfig.PortBindings}}\n{{json .Config.ExposedPorts}}";
    let shapes = world.says(&["inspect", "-f", shapes, "formed"])?;
    let expected = format!(
        r#"{{"80/tcp":[{{"HostIp":"0.0.0.0","HostPort":"{port}"}},{{"HostIp":"::","HostPort":"{port}"}}],"81/udp":[{{"HostIp":"127.0.0.1","HostPort":"{port}"}}],"99/tcp":null}}
{{"80/tcp":[{{"HostIp":"","HostPort":"{port}"}}],"81/udp":[{{"HostIp":"127.0.0.1","HostPort":"{port}"}}]}}
{{"80/tcp":{{}},"81/udp":{{}},"99/tcp":{{}}}}"#
    );
    ensure!(shapes == expected, "{shapes}");
    world.docker(&["stop", "-t", "0", "formed"])?.ok()?;
    ensure!(
        world.says(&["inspect", "-f", "{{json .NetworkSettings.Ports}}", "formed"])? == "{}",
        "ports of a stopped one"
    );
    world.docker(&["rm", "-f", "formed"])?.ok()?;
    let all = ["run", "-d", "-P", "--expose", "80", "--expose", "53/udp", "--name", "formed", BUSYBOX, "sleep", "1000"];
    world.says(&all)?;
    let ports = world.says(&["port", "formed"])?;
    let of: Vec<&str> = ports.lines().filter_map(|line| line.split(" -> ").next()).collect();
    ensure!(of == ["53/udp", "53/udp", "80/tcp", "80/tcp"], "{ports}");
    world.docker(&["rm", "-f", "formed"])?.ok()?;
    Ok(())
}

fn ports_that_are_taken_are_refused_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    let port = free()?;
    let bound = format!("{port}:80");
    world.says(&["run", "-d", "-p", &bound, "--name", "taker", BUSYBOX, "sleep", "1000"])?;
    let prefix =
        "failed to set up container networking: driver failed programming external connectivity on endpoint late (";
    for (asked, refused) in [
        (bound, format!("Bind for 0.0.0.0:{port} failed: port is already allocated")),
        (format!("127.0.0.1:{port}:80"), format!("Bind for 127.0.0.1:{port} failed: port is already allocated")),
    ] {
        let done = world.docker(&["run", "--name", "late", "-p", &asked, BUSYBOX, "true"])?.exits(125)?;
        // dockerd names the address that is taken where another was asked for.
        let taken = format!("Bind for 0.0.0.0:{port} failed: port is already allocated");
        ensure!(done.stderr.contains(prefix), "{done}");
        ensure!(done.stderr.contains(&refused) || done.stderr.contains(&taken), "{done}");
        let state = world.says(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "late"])?;
        ensure!(state == "created 128", "{state}");
        world.docker(&["rm", "late"])?.ok()?;
    }
    world.docker(&["rm", "-f", "taker"])?.ok()?;
    let other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = other.local_addr()?.port();
    let done = world.docker(&["run", "--name", "late", "-p", &format!("{port}:80"), BUSYBOX, "true"])?.exits(125)?;
    ensure!(done.stderr.contains(&format!("failed to bind host port for 0.0.0.0:{port}:172.17.")), "{done}");
    ensure!(done.stderr.contains(":80/tcp: address already in use"), "{done}");
    ensure!(!world.is_cove() || done.stderr.contains(&format!("process {}", std::process::id())), "{done}");
    world.docker(&["rm", "late"])?.ok()?;
    let absent = ["run", "--rm", "-p", "192.0.2.1:18097:80", BUSYBOX, "true"];
    world.docker(&absent)?.exits(125)?.complains("cannot assign requested address")?;
    Ok(())
}

fn ports_are_free_when_the_container_has_stopped(world: &World) -> Result<()> {
    let _use = world.shared();
    let bound = format!("127.0.0.1:{}:80", free()?);
    for _ in 0..3 {
        world.says(&["run", "-d", "-p", &bound, "--name", "first", BUSYBOX, "sleep", "1000"])?;
        world.docker(&["stop", "-t", "0", "first"])?.ok()?;
        world.says(&["run", "-d", "-p", &bound, "--name", "second", BUSYBOX, "sleep", "1000"])?;
        let refused = world.docker(&["start", "first"])?.exits(1)?;
        ensure!(refused.stderr.contains("port is already allocated"), "{refused}");
        world.docker(&["rm", "-f", "first", "second"])?.ok()?;
    }
    world.docker(&["run", "--rm", "-p", &bound, BUSYBOX, "true"])?.ok()?;
    world.docker(&["run", "--rm", "-p", &bound, BUSYBOX, "true"])?.ok()?;
    Ok(())
}

fn networks_that_publish_nothing_publish_nothing(world: &World) -> Result<()> {
    let _use = world.shared();
    let host = world.docker(&["run", "--rm", "--network", "host", "-p", "80:80", BUSYBOX, "true"])?.ok()?;
    ensure!(host.stderr.contains("Published ports are discarded when using host network mode"), "{host}");
    world.docker(&["run", "--rm", "--network", "none", "-p", "80:80", BUSYBOX, "true"])?.ok()?;
    let joined = ["run", "--rm", "--network", "container:nobody", "-p", "80:80", BUSYBOX, "true"];
    let words = "conflicting options: port publishing and the container type network mode";
    world.docker(&joined)?.exits(125)?.complains(words)?;
    world.says(&["network", "create", "--internal", "inside"])?;
    let port = format!("{}:80", free()?);
    world.says(&["run", "-d", "--network", "inside", "-p", &port, "--name", "insider", BUSYBOX, "sleep", "1000"])?;
    ensure!(world.says(&["port", "insider"])?.is_empty(), "an internal network publishes");
    world.docker(&["rm", "-f", "insider"])?.ok()?;
    world.docker(&["network", "rm", "inside"])?.ok()?;
    Ok(())
}

fn bytes_of_every_write_size_come_back_whole(world: &World) -> Result<()> {
    let _use = world.shared();
    let server = Server::start(world, "echoing", &["-p", "127.0.0.1::7"])?;
    let at = server.at("7")?;
    for size in [1, 7, 1460, 4096, 16_380, 16_384, 16_385, 32_768, 36_864, 65_536, 262_144] {
        let bytes = noise(if size == 1 { 3_000 } else { 1 << 19 });
        let heard = exchange(at, &bytes, size)?;
        ensure!(heard == bytes, "{} of {} bytes came back, written {size} at once", heard.len(), bytes.len());
    }
    Ok(())
}

fn ends_and_resets_pass_in_both_directions(world: &World) -> Result<()> {
    let _use = world.shared();
    let ports = ["-p", "127.0.0.1::7", "-p", "127.0.0.1::9", "-p", "127.0.0.1::10", "-p", "127.0.0.1::11"];
    let server = Server::start(world, "ending", &ports)?;
    // It answers after the end.
    ensure!(exchange(server.at("10")?, &noise(100_000), 5_000)? == b"100000 bytes\n", "no answer after the end");
    // It resets: an error, not an end.
    let mut client = connect(server.at("9")?)?;
    client.write_all(b"!")?;
    let heard = client.read(&mut [0; 16]);
    ensure!(heard.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset), "{heard:?}");
    // Nobody listens: dockerd's proxy ends the connection; here it is reset.
    let heard = connect(server.at("11")?).and_then(|mut client| Ok(client.read(&mut [0; 16])?));
    ensure!(!matches!(heard, Ok(1..)), "{heard:?}");
    // The client resets: what it talked to is not kept waiting, and the next one is served.
    for _ in 0..20 {
        let mut client = connect(server.at("7")?)?;
        client.write_all(&noise(1000))?;
        // It has not read what came back, so that the system resets it.
        thread::sleep(Duration::ZERO);
        drop(client);
    }
    ensure!(exchange(server.at("7")?, b"still there", 100)? == b"still there", "it does not answer any more");
    Ok(())
}

fn datagrams_of_every_size_come_back(world: &World) -> Result<()> {
    let _use = world.shared();
    let server = Server::start(world, "datagrams", &["-p", "127.0.0.1::7/udp"])?;
    let at = server.at("7/udp")?;
    let clients: Vec<UdpSocket> = (0..3).map(|_| UdpSocket::bind((LOOPBACK, 0))).collect::<Result<_, _>>()?;
    let mut buffer = vec![0; 70_000];
    for length in [1, 100, 1472, 9_000, 16_380, 16_381, 60_000] {
        for client in &clients {
            client.connect(at)?;
            client.set_read_timeout(Some(DEADLINE))?;
            let datagram = noise(length);
            client.send(&datagram)?;
            let heard = client.recv(&mut buffer).with_context(|| format!("{length} bytes do not come back"))?;
            ensure!(buffer[..heard] == datagram, "{length} bytes come back as {heard}");
        }
    }
    Ok(())
}

fn both_versions_of_the_internet_protocol_are_served(world: &World) -> Result<()> {
    let _use = world.shared();
    let server = Server::start(world, "versions", &["-p", "7", "-p", "[::1]::8"])?;
    let (four, six) = (server.at("7")?, server.at("8")?);
    ensure!(exchange(four, b"four", 4)? == b"four", "IPv4 does not answer");
    ensure!(six.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST), "{six}");
    let both = SocketAddr::from((Ipv6Addr::LOCALHOST, four.port()));
    ensure!(exchange(both, b"six", 3)? == b"six", "IPv6 does not answer");
    // Clients of the host's loopback are the gateway to the container, as with dockerd's proxy.
    let told = String::from_utf8(exchange(six, b"", 1)?)?;
    ensure!(told.trim() == "172.17.0.1", "{told}");
    Ok(())
}

fn clients_are_seen_with_their_own_addresses(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let _address = Borrowed::address("198.51.100.9/32")?;
    let server = Server::start(world, "sees", &["-p", "8", "-p", "8/udp"])?;
    // Who connects to an address of its own has that address.
    let own = |at: SocketAddr| SocketAddr::from((Ipv4Addr::new(198, 51, 100, 9), at.port()));
    for _ in 0..20 {
        let told = String::from_utf8(exchange(own(server.at("8")?), b"", 1)?)?;
        ensure!(told.trim() == "198.51.100.9", "{told}");
    }
    let client = UdpSocket::bind("198.51.100.9:0")?;
    client.set_read_timeout(Some(DEADLINE))?;
    client.connect(own(server.at("8/udp")?))?;
    client.send(b"who am I?")?;
    let mut told = [0; 64];
    let length = client.recv(&mut told)?;
    ensure!(told[..length].trim_ascii() == b"198.51.100.9", "{}", String::from_utf8_lossy(&told[..length]));
    Ok(())
}

/// Descriptors of the daemon, and of the agent.
fn descriptors(world: &World) -> Result<(usize, usize)> {
    let daemon = fact(world, "/daemon/pid")?;
    let of_daemon = fs::read_dir(format!("/proc/{daemon}/fd"))?.count();
    let look = "for process in $(pidof cove-guest); do \
                if grep -q agent /proc/$process/cmdline; then ls /proc/$process/fd | wc -l; fi; done";
    let of_agent = world.says(&["exec", "looks", "sh", "-c", look])?;
    Ok((of_daemon, of_agent.lines().next().unwrap_or_default().trim().parse()?))
}

fn many_clients_leave_nothing_behind(world: &World) -> Result<()> {
    let _use = world.alone();
    world.only_cove();
    let clients = std::env::var("COVE_PORTS_CLIENTS").ok().map(|number| number.parse()).transpose()?.unwrap_or(CLIENTS);
    world.says(&["run", "-d", "--privileged", "--pid", "host", "--name", "looks", BUSYBOX, "sleep", "100000"])?;
    let server = Server::start(world, "crowded", &["-p", "127.0.0.1::7"])?;
    let at = server.at("7")?;
    let say = |number: usize| -> Result<()> {
        let said = format!("client {number}");
        let heard = exchange(at, said.as_bytes(), 100).with_context(|| said.clone())?;
        ensure!(heard == said.as_bytes(), "{said} heard {:?}", String::from_utf8_lossy(&heard));
        Ok(())
    };
    crowd(&say)?;
    let before = descriptors(world)?;
    (0..clients).try_for_each(&say)?;
    crowd(&say)?;
    let mut after = descriptors(world)?;
    // The last have been answered; their ends are on their way.
    for _ in 0..100 {
        if after.0 <= before.0 + 8 && after.1 <= before.1 + 8 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
        after = descriptors(world)?;
    }
    ensure!(after.0 <= before.0 + 8 && after.1 <= before.1 + 8, "{before:?} descriptors became {after:?}");
    drop(server);
    world.docker(&["rm", "-f", "looks"])?.ok()?;
    Ok(())
}

/// All at once.
fn crowd(say: &(impl Fn(usize) -> Result<()> + Sync)) -> Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|number| scope.spawn(move || say(number))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked")))
    })
}

fn a_restart_keeps_the_port(world: &World) -> Result<()> {
    let _use = world.shared();
    let server = Server::start(world, "restarted", &["-p", &format!("127.0.0.1:{}:7", free()?)])?;
    let at = server.at("7")?;
    for _ in 0..2 {
        world.docker(&["restart", "-t", "0", "restarted"])?.ok()?;
        ensure!(server.at("7")? == at, "the port has changed");
        // It is the server that is to be waited for, not the port.
        let answers = || exchange(at, b"again", 5).is_ok_and(|heard| heard == b"again");
        ensure!((0..200).any(|_| answers() || (thread::sleep(Duration::from_millis(50)), false).1), "no answer");
    }
    Ok(())
}

fn only_what_is_published_is_reached(world: &World) -> Result<()> {
    let _use = world.shared();
    let published = Server::start(world, "reachable", &["-p", "127.0.0.1::7"])?;
    let _hidden = Server::start(world, "hidden", &[])?;
    ensure!(exchange(published.at("7")?, b"yes", 3)? == b"yes", "the published port does not answer");
    for name in ["reachable", "hidden"] {
        let ports = world.says(&["inspect", "-f", "{{range $p, $b := .NetworkSettings.Ports}}{{$p}} {{end}}", name])?;
        ensure!(ports.trim() == if name == "hidden" { "" } else { "7/tcp" }, "{name}: {ports}");
    }
    world.docker(&["port", "hidden", "7"])?.exits(1)?;
    Ok(())
}

fn the_next_daemon_opens_the_same_ports(world: &World) -> Result<()> {
    let _use = world.alone();
    world.only_cove();
    let server = Server::start(world, "outliving", &["-p", "127.0.0.1::7"])?;
    let at = server.at("7")?;
    let pid = fact(world, "/daemon/pid")?;
    let daemon = Stranger::hold(pid)?;
    kill(pid);
    daemon.ends()?;
    // The next one is started by whoever needs it; docker starts none.
    world.cove(&["ps"])?.ok()?;
    ensure!(server.at("7")? == at, "the port has changed");
    let answers = || exchange(at, b"again", 5).is_ok_and(|heard| heard == b"again");
    ensure!((0..200).any(|_| answers() || (thread::sleep(Duration::from_millis(50)), false).1), "no answer");
    Ok(())
}

fn containers_reach_their_own_published_ports_and_those_of_others(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let _address = Borrowed::address("198.51.100.9/32")?;
    world.says(&["network", "create", "p-other"])?;
    let serve = "echo it > /tmp/index.html; exec httpd -f -p 80 -h /tmp";
    let run = ["run", "-d", "--name", "p-serves", "-p", "80", BUSYBOX, "sh", "-c", serve];
    world.says(&run)?;
    let port =
        world.says(&["inspect", "-f", "{{(index .NetworkSettings.Ports \"80/tcp\" 0).HostPort}}", "p-serves"])?;
    for host in ["host.docker.internal", "198.51.100.9"] {
        let url = format!("http://{host}:{port}/");
        let get = ["sh", "-c", "until wget -qO- $0; do :; done", &url];
        let own = world.says(&[&["exec", "p-serves"], &get[..]].concat())?;
        ensure!(own == "it", "its own at {url}: {own}");
        for network in ["bridge", "p-other"] {
            let said = world.says(&[&["run", "--rm", "--network", network, BUSYBOX], &get[..]].concat())?;
            ensure!(said == "it", "{url} from {network}: {said}");
        }
    }
    world.docker(&["rm", "-f", "p-serves"])?.ok()?;
    world.docker(&["network", "rm", "p-other"])?.ok()?;
    Ok(())
}

fn who_listens_in_the_machines_network_is_found_on_the_loopback(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let (first, second) = (free()?, free()?);
    // The second one ends when it has had a client, and the container lives on.
    let serve =
        format!("echo it > /tmp/index.html; httpd -p {first} -h /tmp; echo bye | nc -l -p {second}; sleep 1000");
    world.says(&["run", "-d", "--name", "p-host", "--network", "host", BUSYBOX, "sh", "-c", &serve])?;
    let until = Instant::now() + DEADLINE;
    let at = |port: u16| SocketAddr::from((LOOPBACK, port));
    let is_open = |port: u16| TcpStream::connect(at(port)).is_ok();
    let waits_for = |open: bool, port: u16| -> Result<()> {
        while is_open(port) != open {
            ensure!(Instant::now() < until, "port {port} is not {}", if open { "open" } else { "closed" });
        }
        Ok(())
    };
    waits_for(true, first)?;
    let said = exchange(at(first), b"GET / HTTP/1.0\r\n\r\n", 100)?;
    ensure!(said.ends_with(b"it\n"), "{}", String::from_utf8_lossy(&said));
    // To find it open is to be its client.
    waits_for(true, second)?;
    waits_for(false, second)?;
    ensure!(is_open(first), "the other one was closed too");
    world.docker(&["rm", "-f", "p-host"])?.ok()?;
    waits_for(false, first)?;
    Ok(())
}
