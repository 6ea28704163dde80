//! Why init could not do what it was told.

use alloc::boxed::Box;
use alloc::fmt::format;
use alloc::string::{String, ToString};
use core::ffi::CStr;
use core::fmt;

use mote_contract::{ConfigError, Failure, FrameError};

use crate::sys::{Errno, Status};

/// What init's functions return. The error is boxed: init is smaller when it is handed on as one word.
pub type Result<T, E = Box<InitError>> = core::result::Result<T, E>;

/// Why init could not do what it was told. The host shows it as it is: each names the call and its arguments.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A system call failed.
    #[error("{call}")]
    Call {
        /// The call with its arguments.
        call: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// The root disk cannot be mounted.
    #[error("{call}: {why} ({errno})")]
    Disk {
        /// The call with its arguments.
        call: String,
        /// What that means.
        why: &'static str,
        /// The kernel's reason.
        errno: Errno,
    },
    /// The user is not listed, and is no number.
    #[error("no user {user} in the guest's /etc/passwd")]
    NoUser {
        /// As asked for.
        user: String,
    },
    /// The group is not listed, and is no number.
    #[error("no group {group} in the guest's /etc/group")]
    NoGroup {
        /// As asked for.
        group: String,
    },
    /// The program could not be executed.
    #[error("cannot run {path}: {why} (execve: {errno})")]
    NotExecutable {
        /// Its path, or its name where it was looked for in `PATH`.
        path: String,
        /// What is wrong with it.
        why: String,
        /// The kernel's reason.
        errno: Errno,
    },
    /// There is no such program, or not what it needs to be run.
    #[error("cannot run {path}: {why} (execve: ENOENT)")]
    NotFound {
        /// Its path.
        path: String,
        /// What is missing.
        why: String,
    },
    /// There is no such program in any directory of `PATH`.
    #[error("{name}: not found in {path}")]
    NotInPath {
        /// Its name.
        name: String,
        /// The directories.
        path: String,
    },
    /// The run configuration cannot be read.
    #[error("reading the run configuration")]
    Config(#[source] ConfigError),
    /// A text for the kernel has a zero byte inside.
    #[error("a zero byte in {what}")]
    ZeroByte {
        /// Which one.
        what: &'static str,
    },
    /// The port of the channel did not appear.
    #[error("no {path} after {waited_ms} ms: no such device, or no virtio-console driver")]
    NoPort {
        /// The port.
        path: &'static str,
        /// How long init waited, in milliseconds.
        waited_ms: u32,
    },
    /// The host closed the channel.
    #[error("the host closed the channel")]
    HostGone,
    /// The host broke the protocol.
    #[error("reading the channel")]
    Frame(#[source] FrameError),
    /// The host sent standard input for which it had no credit.
    #[error("more standard input than there was credit for")]
    NoCredit,
    /// The classic system's PID 1 could not be started. It is not the program whose absence 127 means.
    #[error("starting the system: {why}")]
    System {
        /// What [`Program::start`](crate::program::Program::start) said.
        why: String,
    },
    /// The classic system's PID 1 ended, not by a request to stop the machine.
    #[error("{path} {} {when} it was up", ended(*status))]
    SystemEnded {
        /// Path of that init.
        path: String,
        /// How it ended.
        status: Status,
        /// Before or after it was up.
        when: &'static str,
    },
}

impl InitError {
    /// What a system call's error is mapped with: the call, with its arguments.
    pub fn call(call: fmt::Arguments<'_>) -> impl FnOnce(Errno) -> Box<Self> {
        move |errno| Self::of_call(call, errno)
    }

    fn of_call(call: fmt::Arguments<'_>, errno: Errno) -> Box<Self> {
        Box::new(Self::Call { call: format(call), errno })
    }

    /// Which of the three exit codes at the host it becomes.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotExecutable { .. } => Failure::NotExecutable,
            Self::NotFound { .. } | Self::NotInPath { .. } => Failure::NotFound,
            _ => Failure::Mote,
        }
    }

    /// The error and its cause in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        match self {
            Self::Call { errno, .. } => match errno.words() {
                Some(words) => alloc::format!("{self}: {words} ({errno})"),
                None => alloc::format!("{self}: {errno}"),
            },
            Self::Config(cause) => alloc::format!("{self}: {cause}"),
            Self::Frame(cause) => alloc::format!("{self}: {cause}"),
            _ => self.to_string(),
        }
    }
}

/// What a text with a zero byte inside becomes.
pub fn zero_byte(what: &'static str) -> Box<InitError> {
    Box::new(InitError::ZeroByte { what })
}

/// A path for a message. All paths are constants or come from JSON, so they are UTF-8.
#[must_use]
pub fn shown(path: &CStr) -> &str {
    path.to_str().unwrap_or_default()
}

fn ended(status: Status) -> String {
    match status {
        Status::Exit(code) => alloc::format!("exited with code {code}"),
        Status::Signal(signal) => alloc::format!("was killed by signal {}", signal.0),
    }
}
