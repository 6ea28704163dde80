//! The description of a BusyBox system.

use std::collections::BTreeMap;
use std::fmt;

use crate::tree::{Content, Inode, TreeError, TreePath};

/// What a BusyBox system is to be. The default is a system named `mote` with root's shell on the
/// console and nothing else.
#[derive(Clone, Debug)]
pub struct BusyboxSpec {
    /// Host name, where neither the kernel's command line nor mote gives one.
    pub hostname: String,
    /// What the console shows.
    pub login: Login,
    /// `/etc/motd`, shown after a login.
    pub motd: Option<String>,
    /// `/etc/shells`, beside `/bin/sh` and `/bin/ash`.
    pub shells: Vec<String>,
    /// `/etc/environment`, for login shells and start scripts.
    pub environment: BTreeMap<String, String>,
    /// Users beside root and nobody, or in their place. A home is made for each that has one.
    pub users: Vec<User>,
    /// Groups beside root (0), tty (5), utmp (43), users (100) and nogroup (65534), or in their
    /// place. A user whose group has no name gets one called like the user.
    pub groups: Vec<Group>,
    /// Scripts of `/etc/init.d`.
    pub start_scripts: Vec<StartScript>,
    /// Further files, put in last: they replace what mote makes.
    pub files: Vec<ExtraFile>,
}

/// What the console shows once the system is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// A shell of root, without a question.
    #[default]
    Auto,
    /// A login prompt.
    Password,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Name: a lower-case letter or `_`, then letters, digits, `_`, `-`; at most 32.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of the first group.
    pub gid: u32,
    /// What is known about the user beside, a full name say; may be empty.
    pub gecos: String,
    /// Home directory; made (0700, the user's) unless it is `/`.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// How the user logs in.
    pub password: Password,
}

/// How a user proves to be one.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Not by password.
    Locked,
    /// Without being asked for one.
    Empty,
    /// By this password, which becomes a SHA-512 crypt hash.
    Plain(String),
    /// By the password of this crypt hash (`$6$…`).
    Hashed(String),
}

/// A group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Name, as for users.
    pub name: String,
    /// Group number.
    pub gid: u32,
    /// Names of further members.
    pub members: Vec<String>,
}

/// A script that runs at boot with the argument `start`, and at shutdown with `stop`.
#[derive(Clone, Debug)]
pub struct StartScript {
    /// `S`, two digits and a name: the order at boot, reversed at shutdown. mote's own is
    /// `S40network`.
    pub name: String,
    /// The script, with its `#!` line.
    pub content: Content,
}

/// A file, directory, link or device of the user's.
#[derive(Clone, Debug)]
pub struct ExtraFile {
    /// Where it is put. On `/tmp`, `/run` and `/dev` the running system mounts file systems, which
    /// hide what is there.
    pub path: TreePath,
    /// What it is.
    pub inode: Inode,
}

impl Default for BusyboxSpec {
    fn default() -> Self {
        Self {
            hostname: "mote".to_owned(),
            login: Login::Auto,
            motd: None,
            shells: Vec::new(),
            environment: BTreeMap::new(),
            users: Vec::new(),
            groups: Vec::new(),
            start_scripts: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Never shows a password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "Locked",
            Self::Empty => "Empty",
            Self::Plain(_) => "Plain(…)",
            Self::Hashed(_) => "Hashed(…)",
        })
    }
}

/// Why a description makes no system.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not a host name.
    #[error("{name:?} is no host name")]
    Hostname {
        /// The name as given.
        name: String,
    },
    /// Not the name of a user or group.
    #[error("{name:?} cannot be the name of a user or group")]
    AccountName {
        /// The name as given.
        name: String,
    },
    /// Two users or groups of one name.
    #[error("there are two {kind}s called {name:?}")]
    TwiceNamed {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A field that would break its line in `/etc/passwd`, `/etc/group`, `/etc/shadow` or
    /// `/etc/shells`.
    #[error("{name}: {field} {value:?} holds a colon or a control character, or is empty")]
    AccountField {
        /// Whose.
        name: String,
        /// Which field.
        field: &'static str,
        /// What it is.
        value: String,
    },
    /// A group names a member who is not a user.
    #[error("the group {group} has a member {member:?}, who is no user")]
    Member {
        /// The group.
        group: String,
        /// The unknown member.
        member: String,
    },
    /// A login by password, and nobody has one.
    #[error("the console asks for a password, and no user has one")]
    NobodyCanLogIn,
    /// Not the name of a variable.
    #[error("{name:?} cannot be the name of an environment variable")]
    VariableName {
        /// The name as given.
        name: String,
    },
    /// A value that would break `/etc/environment`.
    #[error("the environment variable {name} holds a line feed or a NUL byte")]
    VariableValue {
        /// Name of the variable.
        name: String,
    },
    /// Not the name of a start script.
    #[error("{name:?} is no name for a start script")]
    ScriptName {
        /// The name as given.
        name: String,
    },
    /// The BusyBox binary lacks programs that the system needs.
    #[error("this BusyBox lacks what the system needs: {}", missing.join(", "))]
    MissingApplets {
        /// The applets that are missing.
        missing: Vec<&'static str>,
    },
    /// A home directory that cannot be a path of the tree.
    #[error("the home {home:?} of {user} is no path")]
    Home {
        /// Whose.
        user: String,
        /// The home directory as given.
        home: String,
        /// Why.
        source: crate::tree::PathError,
    },
    /// Something of the description cannot be put into the tree.
    #[error("the system cannot be put together")]
    Tree(#[from] TreeError),
}

impl SpecError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Hostname { .. } => {
                "1 to 64 letters, digits, `-` and `.`; the first and the last a letter or digit"
                    .to_owned()
            }
            Self::AccountName { .. } => {
                "a lower-case letter or `_`, then letters, digits, `_` and `-`; at most 32"
                    .to_owned()
            }
            Self::NobodyCanLogIn => "give root or another user a password".to_owned(),
            Self::ScriptName { .. } => "`S`, two digits and a name, as in S50web".to_owned(),
            Self::MissingApplets { .. } => {
                "take Debian's busybox-static, or let mote build BusyBox from source".to_owned()
            }
            _ => return None,
        })
    }
}
