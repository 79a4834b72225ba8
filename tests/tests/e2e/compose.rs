//! Projects of several containers, by docker compose.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{self, DEADLINE, Done},
    image::BUSYBOX,
    world::World,
};

crate::tests![
    services_find_each_other_by_name,
    projects_that_come_and_go_leave_nothing,
    a_project_with_all_that_compose_knows_comes_up_and_is_used,
];

/// Two services; the second asks the first, by its name, until it answers, and says what that said.
const PROJECT: &str = r#"
services:
  server:
    image: BUSYBOX
    command: sh -c 'while :; do echo from-the-server | nc -l -p 7777; done'
    networks:
      default:
        aliases: [other-name]
  client:
    image: BUSYBOX
    command: sh -c 'for name in server other-name; do until nc $$name 7777 </dev/null; do :; done; done; sleep 1000'
    depends_on: [server]
"#;

/// `docker compose` in a folder of a project.
fn compose(world: &World, folder: &Path, arguments: &[&str]) -> Result<Done> {
    let mut command = world.command("docker-compose");
    command.current_dir(folder).args(["--ansi", "never"]).args(arguments);
    command::run(command, &[])
}

fn project(world: &World, name: &str) -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("compose").tempdir()?;
    let text = format!("name: {name}\n{}", PROJECT.replace("BUSYBOX", BUSYBOX));
    fs::write(folder.path().join("compose.yaml"), text)?;
    compose(world, folder.path(), &["version"])?.ok().context("docker compose is missing; run: make setup")?;
    Ok(folder)
}

fn services_find_each_other_by_name(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = project(world, "find")?;
    compose(world, folder.path(), &["up", "-d"])?.ok()?;
    let said = compose(world, folder.path(), &["ps", "--format", "{{.Service}} {{.State}}"])?.ok()?.stdout;
    ensure!(said == "client running\nserver running", "{said}");
    loop {
        let said = compose(world, folder.path(), &["logs", "--no-log-prefix", "client"])?.ok()?.stdout;
        if said.matches("from-the-server").count() == 2 {
            break;
        }
    }
    ensure!(
        world.says(&["network", "ls", "--filter", "name=find_default", "--format", "{{.Name}}"])? == "find_default"
    );
    compose(world, folder.path(), &["down", "-t", "0"])?.ok()?;
    world.docker(&["network", "inspect", "find_default"])?.exits(1)?;
    Ok(())
}

fn projects_that_come_and_go_leave_nothing(world: &World) -> Result<()> {
    let _use = world.alone();
    let folder = project(world, "come")?;
    // Namespaces that are ready, and their links, are made anew in a moment.
    let settled = "while [ $(ls /sys/class/net | grep -c ^veth) -ne 4 ]; do :; done; ls /sys/class/net | grep -v ^veth";
    let links = || world.says(&["run", "--rm", "--network", "host", BUSYBOX, "sh", "-c", settled]);
    let namespaces = "for ns in /proc/[0-9]*/ns/net; do readlink $ns; done | sort -u | wc -l";
    let host = ["run", "--rm", "--privileged", "--network", "host", "--pid", "host", BUSYBOX, "sh", "-c", namespaces];
    let before = (links()?, world.says(&host)?);
    for round in 0..20 {
        compose(world, folder.path(), &["up", "-d"])?.ok().with_context(|| format!("up {round}"))?;
        compose(world, folder.path(), &["down", "-t", "0"])?.ok().with_context(|| format!("down {round}"))?;
    }
    let after = (links()?, world.says(&host)?);
    ensure!(before == after, "before: {before:?}\nafter: {after:?}");
    Ok(())
}

/// What compose has words for, in one project: each service waits for the one before.
const WHOLE: &str = r#"
name: whole
services:
  first:
    image: BUSYBOX
    command: sh -c 'cat /run/secrets/key /conf > /data/made'
    volumes: [data:/data]
    secrets: [key]
    configs: [{source: conf, target: /conf}]
  web:
    extends: {file: base.yaml, service: server}
    command: httpd -f -p 80 -h /data
    depends_on:
      first: {condition: service_completed_successfully}
    healthcheck: {test: wget -q -O /dev/null http://127.0.0.1/made, interval: 1s, retries: 60}
    ports: ["127.0.0.1::80"]
    volumes: [data:/data, ./site:/data/site]
    env_file: [web.env]
    develop:
      watch: [{action: sync, path: ./live, target: /data/live}]
  asks:
    image: BUSYBOX
    command: sleep 1000
    depends_on:
      web: {condition: service_healthy}
  spare:
    image: BUSYBOX
    command: sleep 1000
    profiles: [more]
volumes: {data: {}}
secrets: {key: {file: ./key}}
configs: {conf: {content: "${WORD} from a config"}}
"#;

/// What it extends.
const BASE: &str = r#"
services:
  server:
    image: BUSYBOX
    environment: {BASE: of-the-base}
    stop_grace_period: 0s
"#;

fn a_project_with_all_that_compose_knows_comes_up_and_is_used(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = tempfile::Builder::new().prefix("compose").tempdir()?;
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text.replace("BUSYBOX", BUSYBOX));
    put("compose.yaml", WHOLE)?;
    put("base.yaml", BASE)?;
    put(".env", "WORD=words\n")?;
    put("web.env", "FILE=of-the-file\n")?;
    put("key", "a secret\n")?;
    for name in ["site", "live"] {
        fs::create_dir(folder.path().join(name))?;
    }
    put("site/page", "before")?;
    let compose = |arguments: &[&str]| compose(world, folder.path(), arguments)?.ok();
    let says = |arguments: &[&str]| Ok::<_, anyhow::Error>(compose(arguments)?.stdout);

    compose(&["up", "-d", "--wait"])?;
    let states = says(&["ps", "--all", "--format", "{{.Service}} {{.State}} {{.Health}}"])?;
    ensure!(states.lines().map(str::trim_end).eq(["asks running", "first exited", "web running healthy"]), "{states}");
    let get = |path: &str| -> Result<String> {
        let at: SocketAddr = says(&["port", "web", "80"])?.parse()?;
        let mut client = TcpStream::connect(at)?;
        client.write_all(format!("GET /{path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut said = String::new();
        client.read_to_string(&mut said)?;
        Ok(said.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    };
    // Secret and config, through the volume of another service, the published port and this computer.
    ensure!(get("made")? == "a secret\nwords from a config", "{}", get("made")?);
    ensure!(get("site/page")? == "before");
    put("site/page", "after")?;
    ensure!(get("site/page")? == "after", "the bind is stale");
    ensure!(says(&["exec", "-T", "web", "sh", "-c", "echo $BASE $FILE"])? == "of-the-base of-the-file");
    ensure!(says(&["run", "--rm", "-T", "asks", "wget", "-qO-", "http://web/site/page"])?.ends_with("after"));
    compose(&["cp", "key", "web:/data/copied"])?;
    ensure!(get("copied")? == "a secret\n");

    let mut watch = world.command("docker-compose");
    watch.current_dir(folder.path()).args(["--ansi", "never", "watch", "--no-up"]);
    let mut watch = command::Watched::start(watch)?;
    watch.line("Watch enabled")?;
    put("live/file", "synced")?;
    watch.line("Syncing")?;
    let until = Instant::now() + DEADLINE;
    while get("live/file")? != "synced" {
        ensure!(Instant::now() < until, "it is not synced: {:?}", watch.lines());
    }
    drop(watch);

    compose(&["up", "-d", "--no-recreate", "--scale", "asks=3"])?;
    compose(&["--profile", "more", "up", "-d", "spare"])?;
    compose(&["restart", "-t", "0", "web"])?;
    let count = says(&["--profile", "more", "ps", "--format", "{{.Service}}"])?;
    ensure!(count == "asks\nasks\nasks\nspare\nweb", "{count}");
    compose(&["up", "-d", "--wait", "--no-recreate", "web"])?;
    ensure!(get("site/page")? == "after", "after a restart");
    compose(&["--profile", "more", "down", "-v", "-t", "0"])?;
    ensure!(world.says(&["volume", "ls", "-q", "--filter", "name=whole_data"])?.is_empty(), "the volume is left");
    Ok(())
}
