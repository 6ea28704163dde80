//! A recipe, complete: every default filled in, every value checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::run::RunSettings;

/// What goes into a system, which kernel it needs, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Its name: lower-case letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// One line that says what it is; may be empty.
    pub summary: String,
    /// The folder that relative paths start from. Those in here have been joined to it already,
    /// but for [`KernelSettings::source`], which may be something else than a path.
    pub base: PathBuf,
    /// The kernel.
    pub kernel: KernelSettings,
    /// The BusyBox system, if it is one.
    pub busybox: Option<Busybox>,
    /// Further files, in the order in which they are written.
    pub files: Vec<FileEntry>,
    /// How it is run.
    pub run: RunSettings,
}

/// Which kernel a recipe needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSettings {
    /// `auto`, a directory, a tarball or a version, as written.
    pub source: String,
    /// Names of features.
    pub features: Vec<String>,
    /// Files of further symbols.
    pub fragments: Vec<PathBuf>,
    /// A configuration to start from.
    pub config: Option<PathBuf>,
}

/// A system made of BusyBox and a few text files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busybox {
    /// Where BusyBox comes from.
    pub binary: BusyboxBinary,
    /// What the console offers.
    pub login: Login,
    /// The host name, unless it is given when it runs.
    pub hostname: String,
    /// What is shown to those who log in.
    pub motd: Option<String>,
    /// The shells of `/etc/shells`.
    pub shells: Vec<String>,
    /// The variables of `/etc/environment`.
    pub environment: BTreeMap<String, String>,
    /// The users, sorted by number and name; `root` is among them.
    pub users: Vec<User>,
    /// The groups, sorted by number and name; the one of each user and those that every system has
    /// are among them.
    pub groups: Vec<Group>,
    /// The user's own start scripts, in the order in which they run: that of their names.
    pub start: Vec<StartScript>,
}

/// Where BusyBox comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusyboxBinary {
    /// The host's static one.
    Auto,
    /// A static executable.
    File(PathBuf),
    /// Built from a tarball of its source.
    Source(PathBuf),
}

/// What a system's console offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// A shell of root's.
    Auto,
    /// A question for name and password.
    Password,
}

/// A line of `/etc/passwd`, and of `/etc/shadow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
    /// What is known about the user beside; may be empty.
    pub gecos: String,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
    /// How the user proves to be that user.
    pub password: Password,
}

/// How a user logs in.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Not at all with a password.
    Locked,
    /// Without being asked for one.
    Empty,
    /// With this one, which is still to be hashed.
    Plain(String),
    /// With the one that has this hash, in the notation of crypt(5).
    Hash(String),
}

impl std::fmt::Debug for Password {
    /// Does not tell the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Locked => "Locked",
            Self::Empty => "Empty",
            Self::Plain(_) => "Plain(…)",
            Self::Hash(_) => "Hash(…)",
        })
    }
}

/// A line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The group's number.
    pub gid: u32,
    /// The users that belong to it beside those whose own group it is; sorted.
    pub members: Vec<String>,
}

/// A script that runs when the system starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartScript {
    /// Its name in `/etc/init.d`: `S`, two digits, and a word.
    pub name: String,
    /// The script.
    pub body: ScriptBody,
}

/// Where a script is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptBody {
    /// Here.
    Text(String),
    /// In a file of the host's.
    File(PathBuf),
}

/// One more file of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it is in the guest: absolute, without `.` and `..`.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The permission bits, at most 0o7777. Absent: those of the host's file.
    pub mode: Option<u32>,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// What a file of a recipe is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A file that holds this text.
    Content(String),
    /// A copy of a file of the host's.
    Source(PathBuf),
    /// A symbolic link that holds this path.
    Symlink(String),
    /// A directory.
    Directory,
}
