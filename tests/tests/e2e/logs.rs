//! `docker logs`: what was written, and what is being written.

use anyhow::{Result, ensure};
use cove_tests::{command::Watched, image::BUSYBOX, world::World};

crate::tests![
    followed_logs_come_line_by_line_and_end_with_the_container,
    logs_of_a_container_that_has_ended_are_whole,
    the_last_lines_and_times_can_be_asked_for,
    until_ends_what_is_followed,
    a_limited_log_keeps_the_newest_lines_within_its_limit,
    the_local_driver_keeps_compressed_files_and_reads_them_back,
    without_a_log_there_is_attach_and_nothing_to_read,
    details_say_labels_variables_and_the_tag,
    log_options_are_refused_in_dockerds_words,
    log_options_are_inspected_as_they_were_given,
    a_flood_stays_within_its_limit_and_slows_nobody,
];

fn followed_logs_come_line_by_line_and_end_with_the_container(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&[
        "run",
        "-d",
        "-i",
        "--name",
        "talker",
        BUSYBOX,
        "sh",
        "-c",
        "echo first; read x; echo second; exit 4",
    ])?;
    let mut logs = Watched::start(world.docker_command(&["logs", "-f", "talker"]))?;
    logs.line("first")?;
    // A line of input makes it go on: what follows was certainly written after the logs were first read.
    world.docker_with(&["attach", "talker"], b"\n")?.exits(4)?;
    logs.line("second")?;
    let (code, _) = logs.end()?;
    ensure!(code == 0, "logs -f ended with {code}");
    world.docker(&["rm", "talker"])?.ok()?;
    Ok(())
}

fn logs_of_a_container_that_has_ended_are_whole(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--name", "ended", BUSYBOX, "sh", "-c", "seq 1 2000; printf tail; echo oops >&2"])?.ok()?;
    let logs = world.docker(&["logs", "ended"])?.ok()?;
    let expected = (1..=2000).map(|n| format!("{n}\n")).collect::<String>() + "tail";
    ensure!(logs.stdout == expected, "{logs}");
    ensure!(logs.stderr == "oops", "{logs}");
    world.docker(&["rm", "ended"])?.ok()?;
    Ok(())
}

fn the_last_lines_and_times_can_be_asked_for(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--name", "counted", BUSYBOX, "seq", "1", "20"])?.ok()?;
    ensure!(world.says(&["logs", "--tail", "2", "counted"])? == "19\n20", "the tail is not the tail");
    let stamped = world.says(&["logs", "-t", "--tail", "1", "counted"])?;
    let (time, line) = stamped.split_once(' ').unwrap_or_default();
    ensure!(line == "20" && time.len() == "2026-01-01T00:00:00.000000000Z".len() && time.ends_with('Z'), "{stamped}");
    world.docker(&["rm", "counted"])?.ok()?;
    Ok(())
}

fn until_ends_what_is_followed(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&["run", "-d", "--name", "until", BUSYBOX, "sh", "-c", "echo now; exec sleep 1000"])?;
    world.log_line("until", "now")?;
    let followed = world.says(&["logs", "-f", "--until", "1s", "until"])?;
    ensure!(followed == "now" || followed.is_empty(), "{followed}");
    ensure!(world.says(&["logs", "--until", "2000-01-01T00:00:00Z", "until"])?.is_empty(), "it is older than itself");
    ensure!(world.says(&["logs", "--since", "2000-01-01T00:00:00Z", "until"])? == "now", "it is not since then");
    ensure!(world.says(&["logs", "--since", "2100-01-01T00:00:00Z", "until"])?.is_empty(), "it is from the future");
    world.docker(&["rm", "-f", "until"])?.ok()?;
    Ok(())
}

/// The lines that are left must be the newest, without a gap, and `tail` must count them across files.
fn newest_of(world: &World, name: &str, last: usize, most_bytes: usize) -> Result<()> {
    let kept = world.says(&["logs", name])?;
    let numbers: Vec<usize> = kept.lines().map(str::parse).collect::<Result<_, _>>()?;
    ensure!(kept.len() <= most_bytes, "{} bytes are kept of at most {most_bytes}", kept.len());
    ensure!(numbers.len() > 2000, "only {} lines are kept", numbers.len());
    ensure!(numbers == (last + 1 - numbers.len()..=last).collect::<Vec<_>>(), "lines are missing between");
    let tail = world.says(&["logs", "--tail", "2000", name])?;
    ensure!(tail.lines().count() == 2000 && tail.ends_with(&last.to_string()), "the tail is not the tail");
    Ok(())
}

fn a_limited_log_keeps_the_newest_lines_within_its_limit(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["--log-opt", "max-size=10k", "--log-opt", "max-file=3"];
    let run = [&["run", "--name", "limited"], &options[..], &[BUSYBOX, "seq", "1", "50000"]].concat();
    let seen = world.docker(&run)?.ok()?.stdout;
    ensure!(seen.lines().count() == 50_000, "{} lines came to who was attached", seen.lines().count());
    newest_of(world, "limited", 50_000, 30_000)?;
    world.docker(&["rm", "limited"])?.ok()?;
    Ok(())
}

fn the_local_driver_keeps_compressed_files_and_reads_them_back(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["--log-driver", "local", "--log-opt", "max-size=10k"];
    let run = [&["run", "-d", "--name", "local"], &options[..], &[BUSYBOX, "seq", "1", "50000"]].concat();
    world.says(&run)?;
    world.says(&["wait", "local"])?;
    newest_of(world, "local", 50_000, 50_000)?;
    let facts = world.says(&["inspect", "-f", "{{.HostConfig.LogConfig.Type}} [{{.LogPath}}]", "local"])?;
    ensure!(facts == "local []", "{facts}");
    world.docker(&["rm", "local"])?.ok()?;
    Ok(())
}

fn without_a_log_there_is_attach_and_nothing_to_read(world: &World) -> Result<()> {
    let _use = world.shared();
    let script = "echo out; echo err >&2; seq 1 200000 | tail -n 1";
    let done = world.docker(&["run", "--name", "silent", "--log-driver", "none", BUSYBOX, "sh", "-c", script])?.ok()?;
    ensure!(done.stdout == "out\n200000" && done.stderr == "err", "{done}");
    let refused = world.docker(&["logs", "silent"])?.exits(1)?;
    refused.complains("configured logging driver does not support reading")?;
    let refused = world.cove(&["logs", "silent"])?.exits(1)?;
    refused.complains("configured logging driver does not support reading")?;
    world.docker(&["rm", "silent"])?.ok()?;
    let said = world.cove(&["run", "--rm", "--log-driver", "none", BUSYBOX, "echo", "heard"])?.ok()?;
    ensure!(said.stdout == "heard", "{said}");
    Ok(())
}

fn details_say_labels_variables_and_the_tag(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["--log-opt", "labels=team", "--log-opt", "env=OS", "--log-opt", "tag={{.Name}}"];
    let facts = ["--label", "team=a b", "--label", "other=x", "-e", "OS=linux"];
    let run = [&["run", "--name", "told"], &options[..], &facts, &[BUSYBOX, "echo", "line"]].concat();
    world.docker(&run)?.ok()?;
    let said = world.says(&["logs", "--details", "told"])?;
    ensure!(said == "OS=linux,tag=told,team=a+b line", "{said}");
    ensure!(world.says(&["logs", "told"])? == "line", "details nobody asked for");
    let said = world.cove(&["logs", "--details", "told"])?.ok()?.stdout;
    ensure!(said == "OS=linux,tag=told,team=a b line", "{said}");
    world.docker(&["rm", "told"])?.ok()?;
    Ok(())
}

fn log_options_are_refused_in_dockerds_words(world: &World) -> Result<()> {
    let _use = world.shared();
    for (options, words) in [
        (&["--log-driver", "nosuch"][..], "error looking up logging plugin nosuch: plugin \"nosuch\" not found"),
        (&["--log-opt", "nosuch=1"], "unknown log opt 'nosuch' for json-file log driver"),
        (&["--log-opt", "mode=fast"], "logger: logging mode not supported: fast"),
        (
            &["--log-opt", "max-size=abc"],
            "failed to create task for container: failed to initialize logging driver: invalid size: 'abc'",
        ),
        (
            &["--log-opt", "compress=true"],
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        (&["--log-driver", "syslog"], "--log-driver syslog is not supported by this version of Cove yet"),
    ] {
        if options == ["--log-driver", "syslog"] {
            world.only_cove();
        }
        let run = [&["run", "--rm"], options, &[BUSYBOX, "true"]].concat();
        world.docker(&run)?.exits(125)?.complains(words)?;
    }
    Ok(())
}

fn log_options_are_inspected_as_they_were_given(world: &World) -> Result<()> {
    let _use = world.shared();
    world.says(&[
        "run",
        "-d",
        "--name",
        "asked",
        "--log-opt",
        "max-size=1m",
        "--log-opt",
        "max-file=2",
        BUSYBOX,
        "true",
    ])?;
    let asked = world.says(&["inspect", "-f", "{{json .HostConfig.LogConfig}}", "asked"])?;
    ensure!(asked == r#"{"Type":"json-file","Config":{"max-file":"2","max-size":"1m"}}"#, "{asked}");
    ensure!(!world.says(&["inspect", "-f", "{{.LogPath}}", "asked"])?.is_empty(), "no path of the log");
    world.docker(&["rm", "-f", "asked"])?.ok()?;
    Ok(())
}

fn a_flood_stays_within_its_limit_and_slows_nobody(world: &World) -> Result<()> {
    let _use = world.shared();
    // One gibibyte, and then a last word.
    let script = "dd if=/dev/zero bs=1M count=1024 2>/dev/null; echo; echo over";
    let limits = ["--log-opt", "max-size=1m", "--log-opt", "max-file=2"];
    world.says(&[&["run", "-d", "--name", "flood"], &limits[..], &[BUSYBOX, "sh", "-c", script]].concat())?;
    ensure!(world.says(&["run", "--rm", BUSYBOX, "echo", "quick"])? == "quick", "a neighbour is held up");
    ensure!(world.says(&["wait", "flood"])? == "0", "it did not end well");
    let kept = world.docker(&["logs", "flood"])?.ok()?.bytes;
    ensure!(kept.ends_with(b"\nover\n"), "the last word is missing");
    let kept = kept.len();
    ensure!((1_000..=2_000_000).contains(&kept), "{kept} bytes are kept");
    world.docker(&["rm", "-f", "flood"])?.ok()?;
    Ok(())
}
