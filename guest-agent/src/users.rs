//! As whom a process runs: "user:group" looked up in the container's /etc/passwd and /etc/group, by moby's rules.
//!
//! Parsed here from bytes; the process itself reads the files, when its root is the container's.

use crate::processes::error::LaunchFailure;

/// As whom a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary groups, the primary one first: without it a file of that group with no rights for it would be open
    /// to the process as to others (CVE-2022-36109).
    pub groups: Vec<u32>,
    /// Home folder, "/" when /etc/passwd does not say.
    pub home: String,
}

/// A line of /etc/passwd.
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// A line of /etc/group.
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Looks a user up. An empty one is root.
///
/// # Errors
/// When a name is not in the files, or a number is no id.
pub fn find(spec: &str, passwd: &str, group: &str) -> Result<User, LaunchFailure> {
    let (user, group_name) = spec.split_once(':').unwrap_or((spec, ""));
    let account = accounts(passwd).find(|account| is_account(account, user));
    let uid = match &account {
        Some(account) => account.uid,
        None if user.is_empty() => 0,
        None => id(user, || LaunchFailure::UnknownUser { user: user.to_owned() })?,
    };
    let mut gid = account.as_ref().map_or(0, |account| account.gid);
    let mut more = Vec::new();
    if group_name.is_empty() {
        let name = account.as_ref().map_or("", |account| account.name);
        let member = |group: &Group<'_>| !name.is_empty() && group.members.split(',').any(|member| member == name);
        more.extend(groups(group).filter(member).map(|group| group.gid));
    } else {
        let known = groups(group).find(|group| group.name == group_name || number(group_name) == Some(group.gid));
        gid = match known {
            Some(group) => group.gid,
            None => id(group_name, || LaunchFailure::UnknownGroup { group: group_name.to_owned() })?,
        };
    }
    more.retain(|other| *other != gid);
    more.insert(0, gid);
    let home = account.map_or("", |account| account.home);
    Ok(User { uid, gid, groups: more, home: if home.is_empty() { "/" } else { home }.to_owned() })
}

/// The ids of groups by their names in /etc/group, or as numbers.
///
/// # Errors
/// When a name is not in the file, or a number is no id.
pub fn group_ids(names: &[String], group: &str) -> Result<Vec<u32>, LaunchFailure> {
    let one = |name: &String| match groups(group).find(|known| known.name == *name || number(name) == Some(known.gid)) {
        Some(known) => Ok(known.gid),
        None => id(name, || LaunchFailure::UnknownGroup { group: name.clone() }),
    };
    names.iter().map(one).collect()
}

fn is_account(account: &Account<'_>, user: &str) -> bool {
    if user.is_empty() { account.uid == 0 } else { account.name == user || number(user) == Some(account.uid) }
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    lines(passwd).filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Account { name, uid: number(uid)?, gid: number(gid)?, home })
    })
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    lines(group).filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Group { name, gid: number(gid)?, members: fields.next().unwrap_or_default() })
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// An id in decimal digits and nothing else: "+0" and " 0" are names (CVE-2026-30892), and what does not fit into 31
/// bits is none (CVE-2024-40635).
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|id| *id <= i32::MAX as u32)
}

/// The id that a text is, where a name was not found.
fn id(text: &str, unknown: impl FnOnce() -> LaunchFailure) -> Result<u32, LaunchFailure> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unknown());
    }
    number(text).ok_or(LaunchFailure::IdOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "# a comment\nroot:x:0:0:root:/root:/bin/sh\n\nbroken\nweb:x:33:34:www:/srv:/bin/false\n\
                          1000:x:5:6::/odd:\nnohome:x:40:40::\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:web\nlog:x:4:web,root\naudio:x:29:root\n";

    fn found(spec: &str) -> (u32, u32, Vec<u32>, String) {
        let User { uid, gid, groups, home } = find(spec, PASSWD, GROUP).unwrap();
        (uid, gid, groups, home)
    }

    #[test]
    fn names_and_numbers_are_found() {
        assert_eq!(found(""), (0, 0, vec![0, 4, 29], "/root".into()));
        assert_eq!(found("web"), (33, 34, vec![34, 4], "/srv".into()));
        assert_eq!(found("33"), (33, 34, vec![34, 4], "/srv".into()));
        assert_eq!(found("web:audio"), (33, 29, vec![29], "/srv".into()));
        assert_eq!(found("web:77"), (33, 77, vec![77], "/srv".into()));
        assert_eq!(found("500"), (500, 0, vec![0], "/".into()));
        assert_eq!(found("500:600"), (500, 600, vec![600], "/".into()));
        assert_eq!(found(":4").1, 4);
        assert_eq!(found("nohome").3, "/");
    }

    #[test]
    fn a_name_of_digits_comes_before_the_number() {
        assert_eq!(found("1000"), (5, 6, vec![6], "/odd".into()));
    }

    #[test]
    fn more_groups_are_names_or_numbers() {
        let ids = |names: &[&str]| group_ids(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), GROUP);
        assert_eq!(ids(&["audio", "34", "4711"]), Ok(vec![29, 34, 4711]));
        assert_eq!(ids(&[]), Ok(Vec::new()));
        assert_eq!(ids(&["nosuch"]), Err(LaunchFailure::UnknownGroup { group: "nosuch".into() }));
        assert_eq!(ids(&["-1"]), Err(LaunchFailure::IdOutOfRange));
    }

    #[test]
    fn an_image_without_the_files_has_root_and_numbers() {
        let user = User { uid: 0, gid: 0, groups: vec![0], home: "/".into() };
        assert_eq!(find("", "", ""), Ok(user.clone()));
        assert_eq!(find("0:0", "", ""), Ok(user));
        assert_eq!(
            find("root", "", "").unwrap_err().to_string(),
            "unable to find user root: no matching entries in passwd file"
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for spec in ["nosuch", "+0", " 0", "0x0", "１", "web ", "-"] {
            let error = find(spec, PASSWD, GROUP).unwrap_err();
            assert_eq!(error, LaunchFailure::UnknownUser { user: spec.into() }, "{spec:?}");
        }
        for spec in ["2147483648", "4294967296", "99999999999999999999", "-1", "0:2147483648"] {
            assert_eq!(find(spec, PASSWD, GROUP), Err(LaunchFailure::IdOutOfRange), "{spec:?}");
        }
        let error = find("root:nosuch", PASSWD, GROUP).unwrap_err();
        assert_eq!(error.to_string(), "unable to find group nosuch: no matching entries in group file");
    }
}
