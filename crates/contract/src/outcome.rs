//! How a session and a machine end.

use alloc::string::String;

/// How the session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program exited with this status.
    Exit(u8),
    /// The program was killed by this signal.
    Signal(u8),
    /// The program was never run, or mote's init could not go on.
    Failed {
        /// Which kind of failure.
        failure: Failure,
        /// Which call failed with which arguments.
        message: String,
    },
}

/// Whether a number is a signal's on Linux: 1 to 64, `_NSIG`.
pub(crate) const fn is_signal(number: u8) -> bool {
    matches!(number, 1..=64)
}

/// Why there is no status of the program; docker's three exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// mote itself failed: 125.
    Mote,
    /// The program is there and cannot be executed: 126.
    NotExecutable,
    /// There is no such program: 127.
    NotFound,
}

impl Failure {
    /// The exit code at the host.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Mote => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }

    /// The failure of an exit code; `None` for any code other than 125, 126 and 127.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            125 => Some(Self::Mote),
            126 => Some(Self::NotExecutable),
            127 => Some(Self::NotFound),
            _ => None,
        }
    }
}

/// Why the machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The session ended, or failed to start.
    Ended,
    /// The guest asked to be powered off.
    Poweroff,
    /// The guest asked to be restarted.
    Reboot,
    /// The guest asked to be halted.
    Halt,
}
