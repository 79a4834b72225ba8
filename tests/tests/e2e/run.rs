//! `docker run` and `cove run`: exit codes, standard streams, what the program is given.

use anyhow::{Result, ensure};
use cove_tests::{
    command,
    image::{self, BUSYBOX},
    world::World,
};

crate::tests![
    exit_codes_are_the_programs_own,
    a_program_that_is_missing_is_127,
    a_program_that_cannot_be_executed_is_126,
    what_the_engine_refuses_is_125,
    ten_mebibytes_go_through_cat_and_come_back_the_same,
    ten_mebibytes_arrive_whole,
    standard_error_stays_apart_from_standard_output,
    the_first_image_says_where_it_runs,
    environment_folder_user_and_host_name_are_as_asked,
    cove_run_has_dockers_exit_codes_and_streams,
    detached_containers_print_their_id_and_run_on,
    removed_when_ended_means_gone_when_run_returns,
];

fn exit_codes_are_the_programs_own(world: &World) -> Result<()> {
    let _use = world.shared();
    for code in [0, 3, 255] {
        world.docker(&["run", "--rm", BUSYBOX, "sh", "-c", &format!("exit {code}")])?.exits(code)?;
    }
    // A program that a signal ended, sent from outside, since process 1 is safe from its own: 128 and the signal.
    world.says(&["run", "-d", "--name", "killed", BUSYBOX, "sleep", "1000"])?;
    world.docker(&["kill", "killed"])?.ok()?;
    ensure!(world.says(&["wait", "killed"])? == "137", "not 137");
    world.docker(&["rm", "killed"])?.ok()?;
    Ok(())
}

fn a_program_that_is_missing_is_127(world: &World) -> Result<()> {
    let _use = world.shared();
    let done = world.docker(&["run", "--rm", BUSYBOX, "nosuchprogram"])?.exits(127)?;
    done.complains("exec: \"nosuchprogram\": executable file not found in $PATH")?;
    world.docker(&["run", "--rm", BUSYBOX, "/no/such"])?.exits(127)?.complains("no such file or directory")?;
    Ok(())
}

fn a_program_that_cannot_be_executed_is_126(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--rm", BUSYBOX, "/etc/passwd"])?.exits(126)?.complains("permission denied")?;
    world.docker(&["run", "--rm", BUSYBOX, "/etc"])?.exits(126)?;
    Ok(())
}

fn what_the_engine_refuses_is_125(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    world.docker(&["run", "--rm", "--network", "container:nosuch", BUSYBOX, "true"])?.exits(125)?;
    world.docker(&["run", "--rm", "-v", "/etc:/host", BUSYBOX, "true"])?.exits(125)?;
    Ok(())
}

fn ten_mebibytes_go_through_cat_and_come_back_the_same(world: &World) -> Result<()> {
    let _use = world.shared();
    let sent = noise(10 << 20);
    let back = world.docker_with(&["run", "-i", "--rm", BUSYBOX, "cat"], &sent)?.ok()?;
    ensure!(back.bytes.len() == sent.len(), "{} of {} bytes came back", back.bytes.len(), sent.len());
    ensure!(image::digest(&back.bytes) == image::digest(&sent), "what came back is not what was sent");
    Ok(())
}

fn ten_mebibytes_arrive_whole(world: &World) -> Result<()> {
    let _use = world.shared();
    let sent = noise(10 << 20);
    let said = world.docker_with(&["run", "-i", "--rm", BUSYBOX, "sha256sum"], &sent)?.ok()?.stdout;
    ensure!(said.starts_with(&image::digest(&sent)), "inside, it was {said}");
    Ok(())
}

fn standard_error_stays_apart_from_standard_output(world: &World) -> Result<()> {
    let _use = world.shared();
    let done = world.docker(&["run", "--rm", BUSYBOX, "sh", "-c", "echo out; echo err >&2"])?.ok()?;
    ensure!((done.stdout.as_str(), done.stderr.as_str()) == ("out", "err"), "{done}");
    Ok(())
}

fn the_first_image_says_where_it_runs(world: &World) -> Result<()> {
    let _use = world.shared();
    world.only_cove();
    let said = world.says(&["run", "--rm", "--memory", "64m", "cove/hello"])?;
    for part in ["Hello from Cove", "6.12"] {
        ensure!(said.contains(part), "no {part:?} in\n{said}");
    }
    Ok(())
}

fn environment_folder_user_and_host_name_are_as_asked(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["run", "--rm", "-e", "A=b c", "-w", "/new/folder", "-u", "user", "--hostname", "box"];
    let program = [BUSYBOX, "sh", "-c", "echo \"$A|$(pwd)|$(id -un)|$(hostname)|$HOSTNAME|$HOME\""];
    let said = world.says(&[options.as_slice(), program.as_slice()].concat())?;
    ensure!(said == "b c|/new/folder|user|box|box|/home", "{said}");
    Ok(())
}

fn cove_run_has_dockers_exit_codes_and_streams(world: &World) -> Result<()> {
    let _use = world.shared();
    world.cove(&["run", "--rm", BUSYBOX, "sh", "-c", "exit 3"])?.exits(3)?;
    world.cove(&["run", "--rm", BUSYBOX, "nosuchprogram"])?.exits(127)?;
    world.cove(&["run", "--rm", BUSYBOX, "/etc/passwd"])?.exits(126)?;
    world.cove(&["run", "--rm", "nosuchimage"])?.exits(125)?;
    let sent = noise(1 << 20);
    let back = command::run(world.cove_command(&["run", "-i", "--rm", BUSYBOX, "cat"]), &sent)?.ok()?;
    ensure!(back.bytes == sent, "{} of {} bytes came back", back.bytes.len(), sent.len());
    let done = world.cove(&["run", "--rm", BUSYBOX, "sh", "-c", "echo out; echo err >&2"])?.ok()?;
    ensure!((done.stdout.as_str(), done.stderr.as_str()) == ("out", "err"), "{done}");
    Ok(())
}

fn detached_containers_print_their_id_and_run_on(world: &World) -> Result<()> {
    let _use = world.shared();
    let id = world.says(&["run", "-d", BUSYBOX, "sleep", "1000"])?;
    ensure!(id.len() == 64 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    ensure!(world.says(&["inspect", "-f", "{{.State.Status}}", &id])? == "running", "it does not run");
    world.docker(&["rm", "-f", &id])?.ok()?;
    Ok(())
}

fn removed_when_ended_means_gone_when_run_returns(world: &World) -> Result<()> {
    let _use = world.shared();
    world.docker(&["run", "--rm", "--name", "gone", BUSYBOX, "true"])?.ok()?;
    world.docker(&["inspect", "gone"])?.exits(1)?;
    // The name is free at once.
    world.docker(&["run", "--rm", "--name", "gone", BUSYBOX, "true"])?.ok()?;
    Ok(())
}

/// Bytes without a pattern, always the same: a xorshift generator.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
