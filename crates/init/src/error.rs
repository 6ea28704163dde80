//! Why init could not do what it was told.

use alloc::format;
use alloc::string::{String, ToString};
use core::error::Error;
use core::fmt::{Display, Write};

use mote_contract::{ConfigError, Failure, FrameError};

use crate::sys::{Errno, Status};

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
    /// The program could not be executed.
    #[error("execve({path:?})")]
    NotExecutable {
        /// Its path, or its name where it was looked for in `PATH`.
        path: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// There is no such program.
    #[error("{what}")]
    NotFound {
        /// The program, and where it was looked for.
        what: String,
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
    /// A system call that failed.
    pub fn call(call: impl Display) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Call { call: call.to_string(), errno }
    }

    /// Which of the three exit codes at the host it becomes.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::NotExecutable { .. } => Failure::NotExecutable,
            Self::NotFound { .. } => Failure::NotFound,
            _ => Failure::Mote,
        }
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}

fn ended(status: Status) -> String {
    match status {
        Status::Exit(code) => format!("exited with code {code}"),
        Status::Signal(signal) => format!("was killed by signal {}", signal.0),
    }
}
