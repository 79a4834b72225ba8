//! `--security-opt`.

use std::fs;

use anyhow::{Result, ensure};
use cove_tests::{image::BUSYBOX, world::World};

crate::tests![
    a_profile_of_ones_own_decides_and_is_shown,
    a_profile_that_makes_no_sense_is_refused,
    system_paths_are_unmasked_on_request,
    no_program_gains_privileges_on_request,
    labels_and_profiles_of_modules_that_the_kernel_lacks_are_taken,
    cgroups_are_writable_on_request_only,
    an_unknown_option_is_refused_in_dockers_words,
];

fn a_profile_of_ones_own_decides_and_is_shown(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = world.scratch()?;
    let path = folder.path().join("profile.json");
    fs::write(
        &path,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
                         {"names": ["fchmodat", "chmod"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_TIME"]}}]}"#,
    )?;
    let option = format!("seccomp={}", path.display());
    let start = ["run", "-d", "--name", "own-profile", "--security-opt", &option, BUSYBOX, "sleep", "1000"];
    world.says(&start)?;
    // The same for what comes in later.
    let refused = world.docker(&["exec", "own-profile", "mkdir", "/x"])?;
    ensure!(refused.code() != 0 && refused.stderr.contains("Operation not supported"), "{refused}");
    ensure!(world.docker(&["exec", "own-profile", "chmod", "700", "/tmp"])?.code() != 0, "chmod is not refused");
    ensure!(world.says(&["exec", "own-profile", "grep", "Seccomp:", "/proc/self/status"])?.ends_with('2'), "no filter");
    let shown = world.says(&["inspect", "-f", "{{index .HostConfig.SecurityOpt 0}}", "own-profile"])?;
    world.docker(&["rm", "-f", "own-profile"])?.ok()?;
    ensure!(shown.starts_with("seccomp={") && shown.contains("fchmodat"), "{shown}");
    let allowed = ["--cap-add", "SYS_TIME", "--security-opt", &option, BUSYBOX, "chmod", "700", "/tmp"];
    world.docker(&[&["run", "--rm"], &allowed[..]].concat())?.ok()?;
    Ok(())
}

fn a_profile_that_makes_no_sense_is_refused(world: &World) -> Result<()> {
    let _use = world.shared();
    let folder = world.scratch()?;
    let path = folder.path().join("profile.json");
    for (json, words) in [
        (r#"{"defaultAction": 7}"#, "Decoding seccomp profile failed: "),
        (r#"{"defaultAction": "SCMP_ACT_NOSUCH"}"#, "string SCMP_ACT_NOSUCH is not a valid action for seccomp"),
    ] {
        fs::write(&path, json)?;
        let option = format!("seccomp={}", path.display());
        world.docker(&["run", "--rm", "--security-opt", &option, BUSYBOX, "true"])?.exits(125)?.complains(words)?;
    }
    Ok(())
}

fn system_paths_are_unmasked_on_request(world: &World) -> Result<()> {
    let _use = world.shared();
    let count = [BUSYBOX, "sh", "-c", "grep -c ' /proc/' /proc/self/mounts"];
    let masked = world.says(&[&["run", "--rm"], &count[..]].concat())?;
    ensure!(masked.parse::<u32>().is_ok_and(|mounts| mounts > 5), "{masked}");
    let open = world.docker(&[&["run", "--rm", "--security-opt", "systempaths=unconfined"], &count[..]].concat())?;
    ensure!(open.stdout == "0", "{open}");
    Ok(())
}

fn no_program_gains_privileges_on_request(world: &World) -> Result<()> {
    let _use = world.shared();
    for (option, expected) in [("no-new-privileges", "1"), ("no-new-privileges=false", "0")] {
        let status = ["grep", "NoNewPrivs", "/proc/self/status"];
        let said = world.says(&[&["run", "--rm", "--security-opt", option, BUSYBOX], &status[..]].concat())?;
        ensure!(said.ends_with(expected), "{option}: {said}");
    }
    Ok(())
}

fn labels_and_profiles_of_modules_that_the_kernel_lacks_are_taken(world: &World) -> Result<()> {
    let _use = world.shared();
    let options = ["--security-opt", "apparmor=nosuch", "--security-opt", "label=type:container_t"];
    world.says(&[&["create", "--name", "labelled"], &options[..], &[BUSYBOX, "true"]].concat())?;
    world.docker(&["start", "-a", "labelled"])?.ok()?;
    let shown = world.says(&["inspect", "-f", "{{.HostConfig.SecurityOpt}} {{.AppArmorProfile}}|", "labelled"])?;
    world.docker(&["rm", "labelled"])?.ok()?;
    ensure!(shown == "[apparmor=nosuch label=type:container_t] |", "{shown}");
    Ok(())
}

fn cgroups_are_writable_on_request_only(world: &World) -> Result<()> {
    let _use = world.shared();
    world.needs_cgroup_v2()?;
    let make = [BUSYBOX, "mkdir", "/sys/fs/cgroup/below"];
    let shut = world.docker(&[&["run", "--rm"], &make[..]].concat())?;
    ensure!(shut.code() != 0 && shut.stderr.contains("Read-only file system"), "{shut}");
    world.docker(&[&["run", "--rm", "--security-opt", "writable-cgroups=true"], &make[..]].concat())?.ok()?;
    let shut = ["run", "--rm", "--privileged", "--security-opt", "writable-cgroups=false"];
    ensure!(world.docker(&[&shut[..], &make[..]].concat())?.code() != 0, "a privileged container keeps them");
    Ok(())
}

fn an_unknown_option_is_refused_in_dockers_words(world: &World) -> Result<()> {
    let _use = world.shared();
    let refused = world.docker(&["run", "--rm", "--security-opt", "nosuch=1", BUSYBOX, "true"])?.exits(125)?;
    refused.complains("invalid --security-opt 2: \"nosuch=1\"")?;
    Ok(())
}
