//! Which system calls a process may make: the rules of Docker's default profile, `seccomp/default.json` of
//! moby/profiles at commit cd3bed8061c7 (Apache License 2.0, see NOTICE), as data of our own form.
//!
//! Differences, each of which is stricter and said where it is made: x32 is refused whole, i386's `socketcall` does not
//! exist ([`architecture`](super::architecture)), and conditions look at what the kernel looks at, the low 32 bits
//! ([`condition`](super::condition)).

use super::{
    architecture::Architecture,
    condition::{Branch, Condition, Test},
};
use crate::capabilities;

/// What happens to a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// It goes ahead.
    Allow,
    /// It fails with this errno.
    Fail(u16),
    /// It goes ahead if any condition holds, else fails with EPERM.
    AllowIf(&'static [Condition]),
    /// What the first branch that holds says, else this: SECCOMP_RET_*.
    First(Vec<Branch>, u32),
}

/// When a group of names is allowed.
enum When {
    Always,
    On(&'static [Architecture]),
    Capability(u32),
}

/// AF_ALG (38) and AF_VSOCK (40) are not for containers: the kernel's cryptography has let containers write each other's
/// files (CVE-2026-31431), and vsock is the way to the agent.
const FAMILIES: &[Condition] = &[
    Condition { argument: 0, test: Test::Below(38) },
    Condition { argument: 0, test: Test::Equal(39) },
    Condition { argument: 0, test: Test::Above(40) },
];

/// PER_LINUX, PER_LINUX32, each with UNAME26 (0x20000), and the question what it is.
const PERSONALITIES: &[Condition] = &[
    Condition { argument: 0, test: Test::Equal(0) },
    Condition { argument: 0, test: Test::Equal(8) },
    Condition { argument: 0, test: Test::Equal(0x2_0000) },
    Condition { argument: 0, test: Test::Equal(0x2_0008) },
    Condition { argument: 0, test: Test::Equal(0xffff_ffff) },
];

/// None of CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}.
const NO_NAMESPACES: &[Condition] = &[Condition { argument: 0, test: Test::NoneOf(0x7e02_0000) }];

/// What is not a plain "allow": the name, and what happens to it given the capabilities.
pub(super) fn conditional(capabilities: u64) -> [(&'static str, Action); 4] {
    let admin = capabilities::contains(capabilities, capabilities::SYS_ADMIN);
    [
        ("socket", Action::AllowIf(FAMILIES)),
        ("personality", Action::AllowIf(PERSONALITIES)),
        ("clone", if admin { Action::Allow } else { Action::AllowIf(NO_NAMESPACES) }),
        // Its flags are behind a pointer, where no filter sees them. Programs fall back to clone.
        ("clone3", if admin { Action::Allow } else { Action::Fail(libc::ENOSYS as u16) }),
    ]
}

/// The names that are allowed without conditions on an architecture, given the capabilities.
pub(super) fn allowed(architecture: Architecture, capabilities: u64) -> impl Iterator<Item = &'static str> {
    let holds = move |when: &When| match when {
        When::Always => true,
        When::On(architectures) => architectures.contains(&architecture),
        When::Capability(number) => capabilities::contains(capabilities, *number),
    };
    GROUPS.iter().filter(move |(when, _)| holds(when)).flat_map(|(_, names)| names.split_whitespace())
}

#[rustfmt::skip]
const GROUPS: &[(When, &str)] = &[
    (When::On(&[Architecture::X86_64]), "arch_prctl"),
    (When::On(&[Architecture::X86_64, Architecture::I386]), "modify_ldt"),
    (When::Capability(capabilities::DAC_READ_SEARCH), "open_by_handle_at"),
    (When::Capability(capabilities::SYS_ADMIN), "
        bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
        lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
        sethostname setns syslog umount umount2 unshare"),
    (When::Capability(capabilities::SYS_BOOT), "reboot"),
    (When::Capability(capabilities::SYS_CHROOT), "chroot"),
    (When::Capability(capabilities::SYS_MODULE), "delete_module init_module finit_module"),
    (When::Capability(capabilities::SYS_PACCT), "acct"),
    (When::Capability(capabilities::SYS_PTRACE), "kcmp pidfd_getfd process_madvise"),
    (When::Capability(capabilities::SYS_RAWIO), "iopl ioperm"),
    (When::Capability(capabilities::SYS_TIME), "settimeofday stime clock_settime clock_settime64"),
    (When::Capability(capabilities::SYS_TTY_CONFIG), "vhangup"),
    (When::Capability(capabilities::SYS_NICE), "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    (When::Capability(capabilities::SYSLOG), "syslog"),
    (When::Capability(capabilities::BPF), "bpf"),
    (When::Capability(capabilities::PERFMON), "perf_event_open"),
    // Kernels before 4.8 are not ours, so tracing needs no capability.
    (When::Always, "process_vm_readv process_vm_writev ptrace"),
    (When::Always, "
        accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32
        clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
        clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
        eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate
        fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
        flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
        ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat getcpu getcwd
        getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer
        getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid
        getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid
        gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
        inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get
        ioprio_set io_setup io_submit ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
        lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek
        lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret
        mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify
        mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal
        msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat
        _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
        pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6
        pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg
        recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
        restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
        rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity
        sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
        sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
        sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send
        sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
        setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
        setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area
        set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack
        signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64
        statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
        timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
        timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64
        ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice
        wait4 waitid waitpid write writev"),
];
