//! What goes wrong with external programs.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::Cancelled;

/// An external program could not be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No such program in the search path.
    #[error("program not found: {name}")]
    NotFound {
        /// As it was looked for.
        name: String,
    },
    /// The program could not be started.
    #[error("cannot start a program: {command}")]
    Spawn {
        /// Pasteable.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The program ran and failed.
    #[error("a program failed with {}{}", status_text(*status), Evidence { command, tail, log: log.as_ref() })]
    Failed {
        /// Pasteable.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its output, fit for a terminal.
        tail: String,
        /// Where all of its output is, when it was kept.
        log: Option<PathBuf>,
    },
    /// The program did not end in time and was killed.
    #[error("a program did not end within {} s{}", after.as_secs_f64(), Evidence { command, tail, log: log.as_ref() })]
    TimedOut {
        /// Pasteable.
        command: String,
        /// The time that it had.
        after: Duration,
        /// The end of its output, fit for a terminal.
        tail: String,
        /// Where all of its output is, when it was kept.
        log: Option<PathBuf>,
    },
    /// The program was ended because the user asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Its output could not be kept.
    #[error("cannot write the log {}", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Waiting for the program, or reading its output, failed.
    #[error("cannot follow a running program: {command}")]
    Follow {
        /// Pasteable.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ProcessError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { name } => {
                Some(format!("install {name}, or add its directory to PATH"))
            }
            Self::Log { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space on that file system".to_owned())
            }
            _ => None,
        }
    }
}

/// `exit status 2` or `signal 9`.
fn status_text(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The pasteable command, the end of the output and the log, each under the first line.
struct Evidence<'a> {
    command: &'a str,
    tail: &'a str,
    log: Option<&'a PathBuf>,
}

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  command: {}", self.command)?;
        if !self.tail.is_empty() {
            f.write_str("\n  the end of its output:")?;
            for line in self.tail.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        if let Some(log) = self.log {
            write!(f, "\n  the whole log: {}", log.display())?;
        }
        Ok(())
    }
}
