//! A project of three tiers from Debian's packages, and the tools of a developer in a folder of this computer. The image's
//! root is named by COVE_TEST_PROJECT, which `make project` does; without it there are no such tests. What they measure they
//! print, and judge nothing by it.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cove_tests::{
    command::{self, Done, Watched},
    world::World,
};

crate::tests![
    three_tiers_come_up_keep_their_data_and_reload,
    git_works_in_a_folder_of_this_computer,
    what_fio_writes_into_a_folder_of_this_computer_it_reads_back,
    a_folder_of_this_computer_is_measured_beside_a_volume,
];

/// The name of the variable.
pub(crate) const TAR: &str = "COVE_TEST_PROJECT";

const IMAGE: &str = "cove-test/project:1";

/// Under emulation a database alone takes a minute to come up.
const PATIENCE: Duration = Duration::from_secs(500);

const COMPOSE: &str = r#"
name: tiers
services:
  database:
    image: IMAGE
    user: postgres
    working_dir: /var/lib/postgresql
    command: sh -c '[ -s db/PG_VERSION ] || $BIN/initdb -D db; exec $BIN/postgres -D db -h "*" -k /tmp -c hba_file=/access'
    environment: {BIN: /usr/lib/postgresql/15/bin}
    configs: [{source: access, target: /access}]
    volumes: [data:/var/lib/postgresql]
    healthcheck: {test: pg_isready -q -h 127.0.0.1, interval: 1s, timeout: 60s, retries: 300}
  app:
    image: IMAGE
    command: python3 -B /app/serve.py
    volumes: [./app:/app:ro]
    depends_on: {database: {condition: service_healthy}}
    healthcheck: {test: grep -q ":1F90 00000000:0000 0A" /proc/net/tcp, interval: 1s, timeout: 60s, retries: 300}
  web:
    image: IMAGE
    command: nginx -g "daemon off;" -c /nginx.conf
    volumes: [./nginx.conf:/nginx.conf:ro]
    ports: ["127.0.0.1::80"]
    depends_on: {app: {condition: service_healthy}}
volumes: {data: {}}
configs: {access: {content: "host all all all trust"}}
"#;

const NGINX: &str = "
events {}
http {
    access_log off;
    server { listen 80; location / { proxy_pass http://app:8080; proxy_connect_timeout 60s; proxy_read_timeout 120s; } }
}
";

/// Starts anew when the kernel says that its source has changed, as the servers of web frameworks do.
const SERVE: &str = r#"
import ctypes, http.server, os, sys, threading
import psycopg2, page

MODIFY, MOVED_TO, CREATE = 0x2, 0x80, 0x100

def reload():
    libc = ctypes.CDLL(None)
    events = libc.inotify_init()
    libc.inotify_add_watch(events, b"/app", MODIFY | MOVED_TO | CREATE)
    print("serving", page.TEXT, flush=True)
    os.read(events, 4096)
    print("reloading", flush=True)
    os.execv(sys.executable, [sys.executable, "-B"] + sys.argv)

class Visit(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg2.connect("host=database user=postgres") as connection, connection.cursor() as cursor:
            cursor.execute("create table if not exists visits (at timestamptz default now())")
            cursor.execute("insert into visits default values")
            cursor.execute("select count(*) from visits")
            text = f"{page.TEXT} {cursor.fetchone()[0]}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

server = http.server.ThreadingHTTPServer(("", 8080), Visit)
threading.Thread(target=server.serve_forever, daemon=True).start()
reload()
"#;

/// Has the image, made once.
fn import(world: &World) -> Result<()> {
    if world.docker(&["image", "inspect", IMAGE])?.code() == 0 {
        return Ok(());
    }
    let tar = fs::read(env::var_os(TAR).context("no root of the project")?)?;
    let import = world.docker_command(&["import", "-c", "CMD [\"bash\"]", "-", IMAGE]);
    command::run_within(PATIENCE, import, &tar)?.ok().map(drop)
}

#[expect(clippy::print_stdout, reason = "what is measured is for whoever runs this by hand")]
fn measured(what: &str, took: Duration) {
    println!("{what}: {} ms", took.as_millis());
}

fn compose(world: &World, folder: &Path, arguments: &[&str]) -> Result<Done> {
    let mut command = world.command("docker-compose");
    command.current_dir(folder).args(["--ansi", "never"]).args(arguments);
    command::run_within(PATIENCE, command, &[])?.ok()
}

/// What the page says to a visitor, and how many there were.
fn visit(world: &World, folder: &Path) -> Result<(String, u32)> {
    let at: SocketAddr = compose(world, folder, &["port", "web", "80"])?.stdout.parse()?;
    let mut client = TcpStream::connect(at)?;
    client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut said = String::new();
    client.read_to_string(&mut said)?;
    let (text, count) = said.lines().last().and_then(|line| line.split_once(' ')).with_context(|| said.clone())?;
    Ok((text.to_owned(), count.parse().with_context(|| said.clone())?))
}

fn three_tiers_come_up_keep_their_data_and_reload(world: &World) -> Result<()> {
    let _use = world.alone();
    import(world)?;
    let folder = tempfile::Builder::new().prefix("tiers").tempdir()?;
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    fs::create_dir(folder.path().join("app"))?;
    put("compose.yaml", &COMPOSE.replace("IMAGE", IMAGE).replace("$BIN", "$$BIN"))?;
    put("nginx.conf", NGINX)?;
    put("app/serve.py", SERVE)?;
    put("app/page.py", "TEXT = 'first'\n")?;
    let (compose, visit) =
        (|arguments: &[&str]| compose(world, folder.path(), arguments), || visit(world, folder.path()));
    let up = |what: &str| -> Result<()> {
        let begin = Instant::now();
        compose(&["up", "-d", "--wait"])?;
        measured(what, begin.elapsed());
        Ok(())
    };
    up("up, with a database made anew")?;
    ensure!(visit()? == ("first".to_owned(), 1));

    let edit = |before: &str, text: &str| -> Result<()> {
        let mut follow = Watched::start(world.docker_command(&["logs", "-f", "tiers-app-1"]))?;
        follow.line(&format!("serving {before}"))?;
        let begin = Instant::now();
        put("app/page.py", &format!("TEXT = '{text}'\n"))?;
        follow.line("reloading")?;
        measured("from an edit here to its event there", begin.elapsed());
        while !visit().is_ok_and(|(shown, _)| shown == text) {
            ensure!(begin.elapsed() < PATIENCE, "it is not reloaded: {:?}", follow.lines());
        }
        measured("from an edit here to an answer by it", begin.elapsed());
        Ok(())
    };
    edit("first", "second")?;
    let (_, visits) = visit()?;
    compose(&["down"])?;
    up("up, with a database that was there")?;
    ensure!(visit()? == ("second".to_owned(), visits + 1), "the data is lost");

    let begin = Instant::now();
    world.cove(&["restart"])?.ok()?;
    up("up after a restart of the machine")?;
    measured("the same with the restart", begin.elapsed());
    ensure!(visit()? == ("second".to_owned(), visits + 2), "the data is lost with the machine");
    edit("second", "third")?;
    compose(&["down", "-v"])?;
    Ok(())
}

/// What a script of bash says in the image, with a folder of this computer at /x.
fn in_it(world: &World, folder: &Path, script: &str) -> Result<String> {
    let bind = format!("{}:/x", folder.display());
    let variables = ["-e", "GIT_AUTHOR_NAME=a", "-e", "GIT_COMMITTER_NAME=a", "-e", "EMAIL=a@b"];
    let run = ["run", "--rm", "-v", &bind, "-w", "/x"];
    says(world, &[&run[..], &variables, &[IMAGE, "bash", "-ec", script]].concat())
}

fn says(world: &World, arguments: &[&str]) -> Result<String> {
    Ok(command::run_within(PATIENCE, world.docker_command(arguments), &[])?.ok()?.stdout)
}

fn git_works_in_a_folder_of_this_computer(world: &World) -> Result<()> {
    let _use = world.alone();
    import(world)?;
    let folder = tempfile::Builder::new().prefix("git").tempdir()?;
    let make = "git init -q first; cd first; mkdir -p a/b; for n in $(seq 200); do echo $n > a/b/$n; done; git add .; \
                git commit -qm one; cd ..; git clone -q --bare first bare; git clone -q bare second; cd second; \
                git status --porcelain; git log --format=%s; git gc -q; git fsck; ls a/b | wc -l";
    let said = in_it(world, folder.path(), make)?;
    ensure!(said == "one\n200", "{said}");
    fs::write(folder.path().join("second/a/b/7"), "changed here\n")?;
    fs::remove_file(folder.path().join("second/a/b/8"))?;
    let said = in_it(
        world,
        folder.path(),
        "cd second; git status --porcelain; git commit -qam two; git push -q; git log --oneline | wc -l",
    )?;
    ensure!(said == " M a/b/7\n D a/b/8\n2", "{said}");
    Ok(())
}

fn what_fio_writes_into_a_folder_of_this_computer_it_reads_back(world: &World) -> Result<()> {
    let _use = world.alone();
    import(world)?;
    let folder = tempfile::Builder::new().prefix("fio").tempdir()?;
    for engine in ["psync", "mmap"] {
        let script = format!(
            "fio --name={engine} --rw=randrw --bs=4k --size=8m --verify=crc32c --ioengine={engine} --output=/tmp/said || \
             {{ cat /tmp/said; exit 1; }}; grep -o 'err= *[0-9]*' /tmp/said | sort -u"
        );
        let said = in_it(world, folder.path(), &script)?;
        ensure!(said == "err= 0", "{said}");
    }
    Ok(())
}

fn a_folder_of_this_computer_is_measured_beside_a_volume(world: &World) -> Result<()> {
    let _use = world.alone();
    import(world)?;
    let folder = tempfile::Builder::new().prefix("measured").tempdir()?;
    fs::create_dir(folder.path().join("tree"))?;
    for directory in 0..100 {
        let path = folder.path().join(format!("tree/{directory}"));
        fs::create_dir(&path)?;
        for file in 0..100 {
            fs::write(path.join(file.to_string()), format!("{directory} {file}\n"))?;
        }
    }
    let volume = "project-measured:/v";
    let bind = format!("{}:/x", folder.path().display());
    let run =
        ["run", "-d", "--name", "measured", "-v", &bind, "-v", volume, "-e", "EMAIL=a@b", IMAGE, "sleep", "100000"];
    world.says(&run)?;
    let inside = |script: &str| says(world, &["exec", "measured", "bash", "-ec", script]);
    let timed = |what: &str, script: &str| -> Result<()> {
        let begin = Instant::now();
        inside(script)?;
        measured(what, begin.elapsed());
        Ok(())
    };
    inside("cp -r /x/tree /v/tree; git config --global user.name a")?;
    for place in ["/v", "/x"] {
        // A privileged container drops what the kernel knows.
        let drop = ["run", "--rm", "--privileged", IMAGE, "sh", "-c", "sync; echo 2 > /proc/sys/vm/drop_caches"];
        world.docker(&drop)?.ok()?;
        timed(&format!("find, cold, {place}"), &format!("find {place}/tree -size +0 > /dev/null"))?;
        timed(&format!("find, warm, {place}"), &format!("find {place}/tree -size +0 > /dev/null"))?;
        timed(
            &format!("git init, add and commit of 10,000 files, {place}"),
            &format!("cd {place}/tree; git init -q; git add .; git commit -qm one"),
        )?;
        inside(&format!("cd {place}/tree; git status > /dev/null"))?;
        timed(&format!("git status, warm, {place}"), &format!("cd {place}/tree; git status > /dev/null"))?;
        timed(&format!("git status, warm again, {place}"), &format!("cd {place}/tree; git status > /dev/null"))?;
    }
    world.docker(&["rm", "-f", "measured"])?.ok()?;
    world.docker(&["volume", "rm", "project-measured"])?.ok()?;
    Ok(())
}
