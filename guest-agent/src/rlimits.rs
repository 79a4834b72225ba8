//! Limits of processes, setrlimit(2).

use rustix::{
    io::Errno,
    process::{Resource, Rlimit as Limits},
};

use crate::processes::launch::Rlimit;

/// Docker's names, and the kernel's numbers (the same on every architecture of ours).
const NAMES: [(&str, u32, Resource); 16] = [
    ("cpu", 0, Resource::Cpu),
    ("fsize", 1, Resource::Fsize),
    ("data", 2, Resource::Data),
    ("stack", 3, Resource::Stack),
    ("core", 4, Resource::Core),
    ("rss", 5, Resource::Rss),
    ("nproc", 6, Resource::Nproc),
    ("nofile", 7, Resource::Nofile),
    ("memlock", 8, Resource::Memlock),
    ("as", 9, Resource::As),
    ("locks", 10, Resource::Locks),
    ("sigpending", 11, Resource::Sigpending),
    ("msgqueue", 12, Resource::Msgqueue),
    ("nice", 13, Resource::Nice),
    ("rtprio", 14, Resource::Rtprio),
    ("rttime", 15, Resource::Rttime),
];

/// What dockerd's containers have when nothing is asked for: the limits of its own systemd unit. The kernel's would count
/// all processes of one user over all containers.
const DEFAULTS: [Rlimit; 2] =
    [Rlimit { resource: 7, soft: 1_048_576, hard: 1_048_576 }, Rlimit { resource: 6, soft: u64::MAX, hard: u64::MAX }];

/// The number of a limit by Docker's name for it, "nofile".
#[must_use]
pub fn by_name(name: &str) -> Option<u32> {
    NAMES.iter().find(|(known, ..)| *known == name).map(|(_, number, _)| *number)
}

/// Docker's name of a limit.
#[must_use]
pub fn name(number: u32) -> Option<&'static str> {
    NAMES.iter().find(|(_, known, _)| *known == number).map(|(name, ..)| *name)
}

/// Raises how far the calling process may raise its limits to what [`set`] is to set, for when it may do no more than that.
///
/// # Errors
/// As of [`set`].
pub fn raise(limits: &[Rlimit]) -> Result<(), (String, Errno)> {
    for limit in in_force(limits) {
        let raise = || {
            let resource = resource(limit.resource)?;
            let present = rustix::process::getrlimit(resource);
            let most = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.max(b));
            let maximum = most(present.maximum, bounded(limit.hard));
            rustix::process::setrlimit(resource, Limits { current: present.current, maximum })
        };
        raise().map_err(|errno| (named(limit), errno))?;
    }
    Ok(())
}

/// Sets the limits of the calling process: those asked for, and the defaults of a container for the others.
///
/// # Errors
/// The limit that was refused, and why: EPERM above the hard limit without CAP_SYS_RESOURCE, EINVAL for an unknown number
/// or a soft limit above the hard one.
pub fn set(limits: &[Rlimit]) -> Result<(), (String, Errno)> {
    for limit in in_force(limits) {
        set_one(limit).map_err(|errno| (named(limit), errno))?;
    }
    Ok(())
}

fn in_force(limits: &[Rlimit]) -> impl Iterator<Item = &Rlimit> {
    let asked = |default: &&Rlimit| limits.iter().any(|limit| limit.resource == default.resource);
    limits.iter().chain(DEFAULTS.iter().filter(move |default| !asked(default)))
}

fn set_one(limit: &Rlimit) -> Result<(), Errno> {
    let limits = Limits { current: bounded(limit.soft), maximum: bounded(limit.hard) };
    rustix::process::setrlimit(resource(limit.resource)?, limits)
}

fn named(limit: &Rlimit) -> String {
    name(limit.resource).map_or_else(|| limit.resource.to_string(), str::to_owned)
}

fn resource(number: u32) -> Result<Resource, Errno> {
    NAMES.iter().find(|(_, known, _)| *known == number).map(|(.., resource)| *resource).ok_or(Errno::INVAL)
}

/// `None` is unlimited.
fn bounded(value: u64) -> Option<u64> {
    (value != u64::MAX).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_kernels() {
        for (name_, number) in
            [("nofile", libc::RLIMIT_NOFILE), ("core", libc::RLIMIT_CORE), ("rttime", libc::RLIMIT_RTTIME)]
        {
            assert_eq!(by_name(name_), Some(number));
            assert_eq!(name(number), Some(name_));
        }
        assert_eq!(by_name("nosuch"), None);
    }

    #[test]
    fn what_was_raised_can_be_set_and_the_soft_limit_stays_meanwhile() {
        let before = rustix::process::getrlimit(Resource::Core);
        let hard = before.maximum.map_or(u64::MAX, |hard| hard / 2);
        let low = |resource| Rlimit { resource, soft: 1, hard: 1 };
        raise(&[Rlimit { resource: 4, soft: 0, hard }, low(6), low(7)]).unwrap();
        let after = rustix::process::getrlimit(Resource::Core);
        assert_eq!((after.current, after.maximum), (before.current, before.maximum));
        let wrong = Rlimit { resource: 99, soft: 1, hard: 1 };
        assert_eq!(raise(&[wrong]), Err(("99".into(), Errno::INVAL)));
    }

    #[test]
    fn a_soft_limit_above_the_hard_one_is_refused_by_name() {
        let limit = Rlimit { resource: 4, soft: 2, hard: 1 };
        assert_eq!(set(&[limit]), Err(("core".into(), Errno::INVAL)));
    }
}
