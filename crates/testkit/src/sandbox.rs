//! A home of its own for the command, and what is left of it afterwards.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Invocation, PATIENCE, Process, kernel, processes};

/// Names the folder in which tests that run one after the other, or at once, share what they made.
const SHARED_CACHE: &str = "MOTE_TEST_CACHE";
/// How often the kernel is asked for what it does not announce.
const RETRY: Duration = Duration::from_millis(20);

/// A temporary home directory, a cache, and a `PATH`: all that a `mote` started in it knows of the
/// machine.
#[derive(Debug)]
pub struct Sandbox {
    dir: TempDir,
    mote: PathBuf,
    cache: PathBuf,
    path: OsString,
}

impl Sandbox {
    /// A sandbox for the program at `mote`, with a cache of its own and the machine's programs.
    pub fn new(mote: impl Into<PathBuf>) -> Self {
        let dir =
            tempfile::Builder::new().prefix("mote-test-").tempdir().expect("a temporary directory");
        for folder in ["home", "bin", "run"] {
            fs::create_dir(dir.path().join(folder)).expect("a folder of the sandbox");
        }
        let cache = dir.path().join("cache");
        let path = std::env::var_os("PATH").expect("the tests run with a PATH");
        Self { dir, mote: mote.into(), cache, path }
    }

    /// The same, with the cache that all tests share: the one that `MOTE_TEST_CACHE` names, or
    /// else `test-cache` beside the folder of the program's build.
    pub fn with_shared_cache(mote: impl Into<PathBuf>) -> Self {
        let sandbox = Self::new(mote);
        let cache = match std::env::var_os(SHARED_CACHE) {
            Some(cache) => PathBuf::from(cache),
            // target/debug/mote
            None => {
                sandbox.mote.ancestors().nth(2).expect("a program of Cargo's").join("test-cache")
            }
        };
        Self { cache, ..sandbox }
    }

    /// The same, with a cache of its own that holds nothing but what `mote` remembers, in the shared
    /// one, of files that have not changed: the digest of a kernel's source takes ten seconds.
    pub fn with_shared_memos(mote: impl Into<PathBuf>) -> Self {
        let shared = Self::with_shared_cache(mote);
        let memos = shared.cache().join("memo");
        let sandbox = Self { cache: shared.dir.path().join("cache"), ..shared };
        let own = sandbox.cache().join("memo");
        fs::create_dir_all(&own).expect("a folder of the cache");
        for memo in fs::read_dir(memos).into_iter().flatten().flatten() {
            // One that is just being renamed is no loss.
            let _ = fs::copy(memo.path(), own.join(memo.file_name()));
        }
        sandbox
    }

    /// The same with a disk of its own for the cache, of `size` as tmpfs takes it: a mount that
    /// nobody else sees, and that is gone with each program. What that leaves on it is told on
    /// standard error: `left:`, and the paths of the files.
    pub fn on_a_small_disk(mote: impl AsRef<Path>, size: &str) -> Self {
        let mut sandbox = Self::new("");
        let mote = mote.as_ref().display();
        sandbox.program(
            "mote",
            &format!(
                "mkdir -p \"$XDG_CACHE_HOME\"\nexec unshare -rm sh -c '\
                 mount -t tmpfs -o size={size} tmpfs \"$XDG_CACHE_HOME\" && {mote} \"$@\"\n\
                 status=$?; echo left: $(find \"$XDG_CACHE_HOME\" -type f) >&2\n\
                 exit $status' sh \"$@\""
            ),
        );
        sandbox.mote = sandbox.dir.path().join("bin/mote");
        sandbox
    }

    /// Leaves nothing in `PATH` but the sandbox's own programs.
    #[must_use]
    pub fn without_programs(mut self) -> Self {
        self.path = self.dir.path().join("bin").into();
        self
    }

    /// The folder in which `mote` is started; relative paths of its arguments begin here.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Where `mote` keeps what it can make again.
    pub fn cache(&self) -> PathBuf {
        self.cache.join("mote")
    }

    /// Where `mote` keeps what runs have left behind.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state/mote")
    }

    /// Writes a file, with its folders, under the sandbox's home, and returns its path.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        let folder = path.parent().expect("a name below the home");
        fs::create_dir_all(folder).expect("a folder of the home");
        fs::write(&path, bytes).expect("a file of the home");
        path
    }

    /// Puts a program into the `PATH`, before all others: a script for the shell.
    pub fn program(&mut self, name: &str, script: &str) {
        let bin = self.dir.path().join("bin");
        let path = bin.join(name);
        // Written by a process of its own: while a descriptor for writing is open, also in a child
        // that another test has just forked, nobody can run the program (ETXTBSY).
        let mut write = Command::new("/bin/sh");
        write.args(["-c", "printf '%s' \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh"]);
        let written = write.arg(format!("#!/bin/sh\n{script}\n")).arg(&path).status();
        assert!(written.is_ok_and(|status| status.success()), "a program of the sandbox");
        let others = std::env::split_paths(&self.path).filter(|folder| *folder != bin);
        let folders: Vec<_> = std::iter::once(bin.clone()).chain(others).collect();
        self.path = std::env::join_paths(folders).expect("a PATH");
    }

    /// A run of `mote` with these arguments.
    pub fn mote<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Invocation<'_> {
        Invocation::new(self, &self.mote, args.into_iter().map(Into::into).collect())
    }

    /// A run of the shell with this script.
    pub fn shell(&self, script: &str) -> Invocation<'_> {
        Invocation::new(self, Path::new("sh"), vec!["-c".into(), script.into()])
    }

    /// The folder of the kernel that the tests boot, with the features `image`, which has those of
    /// `busybox`, and `ext4`: built now unless some test of this machine has built it before, for
    /// `mote` itself lets one wait for the other.
    ///
    /// `MOTE_TEST_KERNEL` names another one by its vmlinux. Otherwise the source is
    /// `MOTE_TEST_SOURCE_6_12`, else `MOTE_TEST_SOURCE_6_1`, else the machine's.
    pub fn kernel(&self) -> &'static Path {
        kernel::default(self)
    }

    /// The processes that were started in this sandbox and live.
    pub fn processes(&self) -> Vec<Process> {
        processes::started_in(self.dir.path())
    }

    /// Waits until a program of this name runs, and returns it.
    pub fn wait_for_program(&self, name: &str) -> Process {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.processes();
            if let Some(process) = found.iter().find(|process| process.name() == name) {
                return process.clone();
            }
            assert!(Instant::now() < end, "no {name} was started, only {found:#?}");
            std::thread::sleep(RETRY);
        }
    }

    /// Waits until nothing that was started in this sandbox lives any more.
    ///
    /// # Panics
    ///
    /// When something does after 30 seconds.
    #[track_caller]
    pub fn assert_no_orphans(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "left behind: {left:#?}");
            std::thread::sleep(RETRY);
        }
    }

    /// The environment of a program in this sandbox; there are no other variables.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 7] {
        let folder = |name| self.dir.path().join(name).into_os_string();
        [
            ("HOME", self.home().into()),
            ("PATH", self.path.clone()),
            ("TERM", "xterm".into()),
            ("XDG_CACHE_HOME", self.cache.clone().into()),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_RUNTIME_DIR", folder("run")),
            ("XDG_STATE_HOME", folder("state")),
        ]
    }
}
