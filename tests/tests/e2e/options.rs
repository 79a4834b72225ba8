//! What `docker run` can say of one container's program, names and kernel parameters.

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    an_init_reaps_passes_on_signals_and_ends_as_the_program_ends,
    an_init_says_why_a_program_cannot_be_executed,
    groups_are_added_by_name_and_number,
    kernel_parameters_of_its_namespaces_are_set_and_others_refused,
    hosts_and_name_servers_are_as_asked,
    host_and_domain_names_are_as_asked,
    notes_are_kept,
    every_limit_of_processes_is_set,
    processes_are_listed_as_ps_lists_them,
    what_has_no_terminal_has_no_size_to_change,
];

fn an_init_reaps_passes_on_signals_and_ends_as_the_program_ends(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["run", "-d", "--init", "--name", "with-init", BUSYBOX, "sh", "-c"];
    // The orphan ends at once; process 1 must reap it. A program that is not process 1 dies of SIGTERM by itself.
    world.says(&[&options[..], &["(sleep 0 &) ; echo ready; exec sleep 1000"]].concat())?;
    world.log_line("with-init", "ready")?;
    let top = world.says(&["top", "with-init", "-o", "pid,args"])?;
    ensure!(top.contains("/sbin/docker-init -- sh -c") && top.contains("sleep 1000"), "{top}");
    let inside = world.says(&["exec", "with-init", "ps", "-o", "pid,stat,args"])?;
    ensure!(inside.lines().any(|line| line.trim_start().starts_with("1 ") && line.contains("docker-init")), "{inside}");
    ensure!(!inside.contains(" Z"), "a zombie is left\n{inside}");
    // Its program is read-only, whatever the container tries (CVE-2019-5736).
    let write =
        world.docker(&["exec", "with-init", "sh", "-c", "echo x >> /sbin/docker-init || echo x > /proc/1/exe"])?;
    ensure!(write.code() != 0, "it can write to its init\n{write}");
    world.docker(&["stop", "with-init"])?.ok()?;
    let ended = world.says(&["inspect", "-f", "{{.State.ExitCode}} {{.Path}} {{.HostConfig.Init}}", "with-init"])?;
    ensure!(ended == "143 sh true", "{ended}");
    world.docker(&["rm", "with-init"])?.ok()?;
    world.docker(&["run", "--rm", "--init", BUSYBOX, "sh", "-c", "exit 7"])?.exits(7)?;
    world.docker(&["run", "--rm", "--init", BUSYBOX, "sh", "-c", "kill -9 $$"])?.exits(137)?;
    Ok(())
}

fn an_init_says_why_a_program_cannot_be_executed(world: &World) -> Result<()> {
    let _use = world.shared();
    let missing = world.docker(&["run", "--rm", "--init", BUSYBOX, "nosuchprogram"])?.exits(127)?;
    missing.complains("exec nosuchprogram failed: No such file or directory")?;
    let refused = world.docker(&["run", "--rm", "--init", BUSYBOX, "/etc/passwd"])?.exits(126)?;
    refused.complains("exec /etc/passwd failed: Permission denied")?;
    Ok(())
}

fn groups_are_added_by_name_and_number(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["run", "--rm", "-u", "1000", "--group-add", "root", "--group-add", "4711", BUSYBOX];
    let said = world.says(&[&options[..], &["grep", "Groups", "/proc/self/status"]].concat())?;
    ensure!(said.split_whitespace().collect::<Vec<_>>() == ["Groups:", "0", "1000", "4711"], "{said}");
    let refused = world.docker(&["run", "--rm", "--group-add", "nosuch", BUSYBOX, "true"])?;
    ensure!(refused.code() != 0, "{refused}");
    refused.complains("unable to find group nosuch: no matching entries in group file")?;
    Ok(())
}

fn kernel_parameters_of_its_namespaces_are_set_and_others_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["run", "--rm", "--sysctl", "net.core.somaxconn=777", "--sysctl", "kernel.msgmax=7777"];
    let show = [BUSYBOX, "cat", "/proc/sys/net/core/somaxconn", "/proc/sys/kernel/msgmax"];
    let said = world.says(&[&options[..], &show].concat())?;
    ensure!(said == "777\n7777", "{said}");
    // docker itself lets such names through to no engine.
    for parameter in ["kernel.panic=1", "net/../kernel/core_pattern=x"] {
        let refused = world.cove(&["run", "--rm", "--sysctl", parameter, BUSYBOX, "true"])?.exits(125)?;
        refused.complains("is not in a separate kernel namespace")?;
    }
    for (options, words) in [
        (
            &["--network", "host", "--sysctl", "net.core.somaxconn=1"][..],
            r#"sysctl "net.core.somaxconn" not allowed in host network namespace"#,
        ),
        (
            &["--ipc", "host", "--sysctl", "kernel.shmmax=1"],
            r#"sysctl "kernel.shmmax" is not allowed in the hosts ipc namespace"#,
        ),
    ] {
        let arguments = [&["run", "--rm"], options, &[BUSYBOX, "true"]].concat();
        world.docker(&arguments)?.exits(125)?.complains(words)?;
    }
    let missing = world.docker(&["run", "--rm", "--sysctl", "net.nosuch=1", BUSYBOX, "true"])?.exits(127)?;
    missing.complains("open /proc/sys/net/nosuch: no such file or directory")?;
    Ok(())
}

fn hosts_and_name_servers_are_as_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    let options =
        ["--add-host", "db:10.0.0.7", "--dns", "1.1.1.1", "--dns-search", "example.org", "--dns-opt", "rotate"];
    let show = [BUSYBOX, "cat", "/etc/hosts", "/etc/resolv.conf"];
    let said = world.says(&[&["run", "--rm"], &options[..], &show].concat())?;
    for line in ["127.0.0.1\tlocalhost", "10.0.0.7\tdb", "nameserver 1.1.1.1", "search example.org", "options rotate"] {
        ensure!(said.lines().any(|said| said == line), "no line {line:?} in\n{said}");
    }
    let conflict = ["run", "--rm", "--network", "container:x", "--dns", "1.1.1.1", BUSYBOX, "true"];
    world.docker(&conflict)?.exits(125)?.complains("conflicting options: dns and the network mode")?;
    Ok(())
}

fn host_and_domain_names_are_as_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["run", "--rm", "--hostname", "box", "--domainname", "example.org", BUSYBOX];
    let said =
        world.says(&[&options[..], &["cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"]].concat())?;
    ensure!(said == "box\nexample.org", "{said}");
    let long = "h".repeat(65);
    let refused = world.docker(&["run", "--rm", "--hostname", &long, BUSYBOX, "true"])?.exits(125)?;
    refused.complains("sethostname: invalid argument")?;
    Ok(())
}

fn notes_are_kept(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["create", "--name", "noted", "--annotation", "org.example.a=b", BUSYBOX, "true"])?;
    let said = world.says(&["inspect", "-f", "{{json .HostConfig.Annotations}}", "noted"])?;
    world.docker(&["rm", "noted"])?.ok()?;
    ensure!(said == r#"{"org.example.a":"b"}"#, "{said}");
    Ok(())
}

fn every_limit_of_processes_is_set(world: &World) -> Result<()> {
    let _use = world.shared();
    let limits = [
        ("core", "Max core file size", "1024"),
        ("cpu", "Max cpu time", "101"),
        ("data", "Max data size", "104857600"),
        ("fsize", "Max file size", "104857601"),
        ("locks", "Max file locks", "102"),
        ("memlock", "Max locked memory", "65536"),
        ("msgqueue", "Max msgqueue size", "819201"),
        ("nice", "Max nice priority", "5"),
        ("nofile", "Max open files", "1025"),
        ("nproc", "Max processes", "5001"),
        ("rss", "Max resident set", "104857602"),
        ("rtprio", "Max realtime priority", "6"),
        ("rttime", "Max realtime timeout", "100000"),
        ("sigpending", "Max pending signals", "1003"),
        ("stack", "Max stack size", "8388608"),
    ];
    let options: Vec<String> = limits.iter().map(|(name, _, value)| format!("--ulimit={name}={value}")).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let said = world.says(&[&["run", "--rm"], &options[..], &[BUSYBOX, "cat", "/proc/self/limits"]].concat())?;
    for (name, words, value) in limits {
        let line = said.lines().find(|line| line.starts_with(words)).unwrap_or_default();
        let numbers: Vec<&str> = line[words.len().min(line.len())..].split_whitespace().take(2).collect();
        ensure!(numbers == [value, value], "{name}: {line:?}");
    }
    let unlimited = world.says(&["run", "--rm", "--ulimit", "core=-1", BUSYBOX, "sh", "-c", "ulimit -c"])?;
    ensure!(unlimited == "unlimited", "{unlimited}");
    Ok(())
}

fn processes_are_listed_as_ps_lists_them(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "listed", BUSYBOX, "sleep", "1000"])?;
    for (arguments, titles) in [
        (&[][..], "UID PID PPID C STIME TTY TIME CMD"),
        (&["aux"], "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
        (&["-eo", "pid,user,stat,nlwp,ni,comm,args"], "PID USER STAT NLWP NI COMMAND COMMAND"),
    ] {
        let said = world.says(&[&["top", "listed"], arguments].concat())?;
        let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
        ensure!(lines.len() == 2 && lines[0].join(" ") == titles, "{said}");
        ensure!(lines[1].contains(&"root") && said.ends_with("sleep 1000"), "{said}");
    }
    let some = world.says(&["top", "listed", "-eo", "pid,stat,nlwp,ni,comm"])?;
    ensure!(
        some.lines().last().is_some_and(|line| line.split_whitespace().skip(1).eq(["Ss", "1", "0", "sleep"])),
        "{some}"
    );
    world.docker(&["top", "listed", "-o", "args"])?.exits(1)?.complains("Couldn't find PID field in ps output")?;
    world.docker(&["rm", "-f", "listed"])?.ok()?;
    Ok(())
}

fn what_has_no_terminal_has_no_size_to_change(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "sizeless", "--isolation", "default", BUSYBOX, "sleep", "1000"])?;
    let answer = world.api()?.request("POST", "/containers/sizeless/resize?h=50&w=50", "application/json", b"")?;
    ensure!(answer.status == 200, "{}", answer.status);
    ensure!(world.says(&["inspect", "-f", "{{.HostConfig.Isolation}}", "sizeless"])? == "default");
    world.docker(&["rm", "-f", "sizeless"])?.ok()?;
    Ok(())
}
