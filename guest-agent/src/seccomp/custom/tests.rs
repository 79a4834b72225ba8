//! What profiles do to system calls, by running what they are compiled to.

use super::{super::interpreter::run, *};
use crate::seccomp::compile;

/// What a profile does to a call of x86_64.
fn outcome(json: &str, capabilities: u64, name: &str, arguments: &[u64; 6]) -> u32 {
    let profile = Profile::parse(json).unwrap();
    let architecture = Architecture::here()[0];
    let program = compile::custom(&profile, capabilities, "6.12.1");
    run(&program, architecture.audit_number(), architecture.number(name).unwrap(), arguments)
}

fn errno(number: u32) -> u32 {
    ERRNO | number
}

#[test]
fn a_list_of_what_is_forbidden_forbids_just_that() {
    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdir","mkdirat","no_such_call"],"action":"SCMP_ACT_ERRNO"},
        {"name":"chmod","action":"SCMP_ACT_ERRNO","errnoRet":38},
        {"names":["kexec_load"],"action":"SCMP_ACT_KILL_PROCESS"}]}"#;
    assert_eq!(outcome(json, 0, "mkdirat", &[0; 6]), errno(1));
    assert_eq!(outcome(json, 0, "kexec_load", &[0; 6]), 0x8000_0000);
    assert_eq!(outcome(json, 0, "getpid", &[0; 6]), ALLOW);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(outcome(json, 0, "chmod", &[0; 6]), errno(38));
    }
}

#[test]
fn every_comparison_looks_at_all_of_an_argument() {
    let high = 7 << 32;
    for (op, value, two, yes, no) in [
        ("EQ", high + 5, 0, vec![high + 5], vec![5, high + 6, (8 << 32) + 5]),
        ("NE", high + 5, 0, vec![5, high + 6], vec![high + 5]),
        ("LT", high + 5, 0, vec![9, high + 4], vec![high + 5, (8 << 32)]),
        ("LE", high + 5, 0, vec![9, high + 5], vec![high + 6, (8 << 32)]),
        ("GT", high + 5, 0, vec![high + 6, 8 << 32], vec![high + 5, 9]),
        ("GE", high + 5, 0, vec![high + 5, 8 << 32], vec![high + 4, 9]),
        ("MASKED_EQ", high + 0xf0, high + 0x10, vec![high + 0x1f], vec![high + 0x2f, 0x1f]),
    ] {
        let json = format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":["lseek"],"action":"SCMP_ACT_ERRNO",
                "args":[{{"index":1,"value":{value},"valueTwo":{two},"op":"SCMP_CMP_{op}"}}]}}]}}"#
        );
        for value in yes {
            assert_eq!(outcome(&json, 0, "lseek", &[0, value, 0, 0, 0, 0]), errno(1), "{op} {value:#x}");
        }
        for value in no {
            assert_eq!(outcome(&json, 0, "lseek", &[0, value, 0, 0, 0, 0]), ALLOW, "{op} {value:#x}");
        }
    }
}

#[test]
fn conditions_of_a_rule_hold_together_and_rules_one_by_one() {
    let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":99,"syscalls":[
        {"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]},
        {"names":["lseek"],"action":"SCMP_ACT_LOG","args":[{"index":2,"value":9,"op":"SCMP_CMP_GE"}]},
        {"names":["dup"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}]}"#;
    assert_eq!(outcome(json, 0, "lseek", &[1, 2, 0, 0, 0, 0]), ALLOW);
    assert_eq!(outcome(json, 0, "lseek", &[1, 3, 0, 0, 0, 0]), errno(99));
    assert_eq!(outcome(json, 0, "lseek", &[1, 3, 9, 0, 0, 0]), 0x7ffc_0000);
    assert_eq!([1, 2, 3].map(|fd| outcome(json, 0, "dup", &[fd, 0, 0, 0, 0, 0])), [ALLOW, ALLOW, errno(99)]);
    assert_eq!(outcome(json, 0, "getpid", &[0; 6]), errno(99));
}

#[test]
fn rules_are_for_capabilities_architectures_and_kernels() {
    let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
        {"names":["umount2"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"]}},
        {"names":["getpid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]}},
        {"names":["gettid"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64","arm64"],"minKernel":"4.8"}},
        {"names":["getppid"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"6.13"}}]}"#;
    let admin = 1 << capabilities::SYS_ADMIN;
    let of = |set, name| outcome(json, set, name, &[0; 6]) == ALLOW;
    assert!(of(admin, "mount") && !of(0, "mount") && of(0, "umount2") && !of(admin, "umount2"));
    assert!(!of(0, "getpid") && of(0, "gettid") && !of(0, "getppid"));
}

#[test]
fn no_profile_opens_the_control_channel() {
    for json in [
        r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#,
        r"{}",
        r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket","io_uring_setup"],"action":"SCMP_ACT_ALLOW"}]}"#,
    ] {
        for family in [40, 0x1_0000_0028] {
            assert_eq!(outcome(json, capabilities::ALL, "socket", &[family, 0, 0, 0, 0, 0]), errno(1), "{json}");
        }
        assert_eq!(outcome(json, capabilities::ALL, "socket", &[2, 0, 0, 0, 0, 0]), ALLOW, "{json}");
        assert_eq!(outcome(json, capabilities::ALL, "io_uring_setup", &[0; 6]), errno(38), "{json}");
    }
}

#[test]
fn an_architecture_that_is_not_listed_is_shut() {
    let listed = |json: &str| Profile::parse(json).unwrap().architectures().to_vec();
    assert_eq!(listed(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#), [Architecture::here()[0]]);
    if cfg!(target_arch = "x86_64") {
        let both = [Architecture::X86_64, Architecture::I386];
        let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"]}"#;
        assert_eq!(listed(json), both);
        let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_AARCH64"},
            {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}]}"#;
        assert_eq!(listed(json), both);
    }
}

#[test]
fn what_makes_no_sense_is_refused_in_the_words_of_docker_or_runc() {
    for (json, message) in [
        (r#"{"defaultAction":7}"#, "Decoding seccomp profile failed: invalid type: integer `7`"),
        (r#"{"defaultAction":"SCMP_ACT_X"}"#, "string SCMP_ACT_X is not a valid action for seccomp"),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_Z80"]}"#,
            "string SCMP_ARCH_Z80 is not a valid arch for seccomp",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}"#,
            "both 'name' and 'names' are specified",
        ),
        (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "seccomp notify is not supported"),
    ] {
        let error = Profile::parse(json).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
