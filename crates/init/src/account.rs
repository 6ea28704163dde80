//! Who the session's program is: `user` or `user:group`, looked up in the image's own `/etc/passwd` and `/etc/group`
//! (passwd(5), group(5)).
//!
//! The rules are those of docker and runc (`GetExecUser` of moby/sys/user): a number is an identity whether or not it
//! is listed, the first matching line counts, and a group that is named leaves the supplementary groups out.

use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;

use crate::error::{InitError, Result, shown};
use crate::kernel::Kernel;
use crate::sys::Errno;

/// Where a user without a home is at home.
const NO_HOME: &str = "/";

/// Who a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What to become; nothing when it is what init is.
    pub identity: Option<Identity>,
    /// The home directory.
    pub home: String,
}

/// Numbers of a user and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// Its first group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
}

/// Looks a user up; root, as init itself is, when there is no `spec`.
///
/// # Errors
///
/// [`InitError::NoUser`], [`InitError::NoGroup`], or files that are there and cannot be read.
pub fn look_up(kernel: &mut impl Kernel, spec: Option<&str>) -> Result<Account> {
    let passwd = read(kernel, c"/etc/passwd")?;
    let group = read(kernel, c"/etc/group")?;
    let mut account = resolve(spec.unwrap_or("0"), &passwd, &group)?;
    if spec.is_none() {
        account.identity.take_if(|identity| *identity == Identity::INIT);
    }
    Ok(account)
}

impl Identity {
    /// What init is.
    const INIT: Self = Self { uid: 0, gid: 0, groups: Vec::new() };
}

/// An image may have neither file.
fn read(kernel: &mut impl Kernel, path: &CStr) -> Result<Vec<u8>> {
    match kernel.read(path) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(Vec::new()),
        result => result.map_err(InitError::call(format_args!("read({})", shown(path)))),
    }
}

fn resolve(spec: &str, passwd: &[u8], group: &[u8]) -> Result<Account> {
    let (user, group_name) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    };
    // Without a user before the colon it is root's.
    let user = if user.is_empty() { "0" } else { user };
    let entry = lines(passwd).find(|line| is(line, user));
    let uid = entry.and_then(|line| number(line[2])).or(number(user.as_bytes()));
    let uid = uid.ok_or_else(|| InitError::NoUser { user: user.into() })?;
    let gid = entry.and_then(|line| number(line[3])).unwrap_or(0);
    let identity = match (group_name, entry) {
        (Some(name), _) => {
            let listed = lines(group).find(|line| is(line, name)).and_then(|line| number(line[2]));
            let gid = listed.or(number(name.as_bytes()));
            let gid = gid.ok_or_else(|| InitError::NoGroup { group: name.into() })?;
            Identity { uid, gid, groups: Vec::new() }
        }
        (None, Some(entry)) => Identity { uid, gid, groups: groups_of(entry[0], group) },
        (None, None) => Identity { uid, gid, groups: Vec::new() },
    };
    Ok(Account { identity: Some(identity), home: home(entry) })
}

type Line<'f> = [&'f [u8]; 7];

/// The lines of a file, their fields between colons; of a shorter one the rest is empty. Comments and lines without
/// a number are none.
fn lines(file: &[u8]) -> impl Iterator<Item = Line<'_>> {
    file.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields: Line<'_> = [b""; 7];
        for (field, text) in fields.iter_mut().zip(line.trim_ascii().split(|byte| *byte == b':')) {
            *field = text;
        }
        (!line.starts_with(b"#") && number(fields[2]).is_some()).then_some(fields)
    })
}

/// Whether a line is that of a name, or of a number given as one.
fn is(line: &Line<'_>, wanted: &str) -> bool {
    match number(wanted.as_bytes()) {
        Some(wanted) => number(line[2]) == Some(wanted),
        None => line[0] == wanted.as_bytes(),
    }
}

/// An identity; the largest numbers mean "none" to the kernel.
fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()?;
    (number <= i32::MAX as u32).then_some(number)
}

/// The groups of which a user is a member.
fn groups_of(user: &[u8], group: &[u8]) -> Vec<u32> {
    let is_member = |line: &Line<'_>| line[3].split(|byte| *byte == b',').any(|name| name == user);
    lines(group).filter(is_member).filter_map(|line| number(line[2])).collect()
}

fn home(entry: Option<Line<'_>>) -> String {
    let home = entry.and_then(|line| str::from_utf8(line[5]).ok());
    home.filter(|home| !home.is_empty()).unwrap_or(NO_HOME).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::recorder::Recorder;
    use std::string::ToString;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# web:x:1:1::/:\nbroken\n\
        web:x:33:34:Web:/var/www:/usr/sbin/nologin\nweb:x:99:99::/second:\nbare:x:7\n4242:x:8:8::/digits:\n";
    const GROUP: &str =
        "root:x:0:\nwww:x:34:\nlog:x:50:bare,web\nssl:x:51:web\nweb:x:77:\n\u{e4}:x:52:webb\n";

    fn account(uid: u32, gid: u32, groups: &[u32], home: &str) -> Result<Account, String> {
        let identity = Identity { uid, gid, groups: groups.to_vec() };
        Ok(Account { identity: Some(identity), home: home.into() })
    }

    #[test]
    fn as_docker_resolves_them() {
        let no_user = |user: &str| Err(std::format!("no user {user} in the guest's /etc/passwd"));
        let no_group =
            |group: &str| Err(std::format!("no group {group} in the guest's /etc/group"));
        let cases = [
            ("web", account(33, 34, &[50, 51], "/var/www")),
            ("33", account(33, 34, &[50, 51], "/var/www")),
            ("web:web", account(33, 77, &[], "/var/www")),
            ("web:1234", account(33, 1234, &[], "/var/www")),
            ("web:", account(33, 34, &[50, 51], "/var/www")),
            (":log", account(0, 50, &[], "/root")),
            ("", account(0, 0, &[], "/root")),
            ("root", account(0, 0, &[], "/root")),
            ("1000", account(1000, 0, &[], "/")),
            ("1000:50", account(1000, 50, &[], "/")),
            ("bare", account(7, 0, &[50], "/")),
            ("4242", account(4242, 0, &[], "/")),
            ("nobody", no_user("nobody")),
            ("broken", no_user("broken")),
            ("-1", no_user("-1")),
            ("+1", no_user("+1")),
            ("4294967295", no_user("4294967295")),
            ("web:none", no_group("none")),
        ];
        for (spec, expected) in cases {
            let resolved = resolve(spec, PASSWD.as_bytes(), GROUP.as_bytes());
            assert_eq!(resolved.map_err(|error| error.to_string()), expected, "{spec}");
        }
    }

    #[test]
    fn without_a_user_it_is_what_init_is() {
        let mut kernel =
            Recorder { files: Vec::from([(c"/etc/passwd", PASSWD)]), ..Recorder::default() };
        let account = look_up(&mut kernel, None).unwrap();
        assert_eq!(account, Account { identity: None, home: "/root".into() });
        let account = look_up(&mut Recorder::default(), None).unwrap();
        assert_eq!(account, Account { identity: None, home: "/".into() });
        let group = "root:x:0:root\nbin:x:1:root,bin\n";
        let files = Vec::from([(c"/etc/passwd", PASSWD), (c"/etc/group", group)]);
        let mut kernel = Recorder { files, ..Recorder::default() };
        let identity = Identity { uid: 0, gid: 0, groups: Vec::from([0, 1]) };
        assert_eq!(look_up(&mut kernel, None).unwrap().identity, Some(identity));
    }

    #[test]
    fn an_image_without_the_files_knows_numbers() {
        let account = look_up(&mut Recorder::default(), Some("5:6")).unwrap();
        assert_eq!(account.identity, Some(Identity { uid: 5, gid: 6, groups: Vec::new() }));
        assert!(look_up(&mut Recorder::default(), Some("web")).is_err());
    }
}
