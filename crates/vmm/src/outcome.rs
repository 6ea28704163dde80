//! How a machine ended, and when it passed what.

use std::fmt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use mote_contract::Outcome as SessionOutcome;

use crate::console::Cause;

/// How a machine ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What ended it.
    pub end: End,
    /// When it passed what.
    pub timeline: Timeline,
    /// The last lines of its console, fit for a terminal.
    pub console_tail: String,
}

/// What ended a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The session ended, or could not be started.
    Session(SessionOutcome),
    /// The guest asked to be powered off.
    Poweroff,
    /// The guest asked to be restarted.
    Reboot,
    /// The guest asked to be halted.
    Halt,
    /// The kernel panicked.
    Panic {
        /// What it gave as the reason.
        line: String,
        /// The cause, where it is known.
        cause: Option<Cause>,
    },
    /// The guest ended before init said anything.
    NeverReachedInit {
        /// The cause, where it is known.
        cause: Option<Cause>,
    },
    /// The guest was reset after init had started and said nothing about it.
    Vanished,
    /// The machine was killed because its guest was silent for too long before the session had started.
    Silent {
        /// How long it was silent.
        after: Duration,
        /// What was waited for.
        awaited: Awaited,
        /// The cause, where it is known.
        cause: Option<Cause>,
    },
    /// QEMU failed.
    VmmFailed {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed, fit for a terminal.
        said: String,
        /// The cause, where it is known.
        cause: Option<Cause>,
    },
    /// The guest broke the protocol of the channel, and the machine was killed.
    Misbehaved {
        /// How.
        reason: String,
    },
    /// QEMU does not forward a port, and the machine was killed.
    NotForwarded {
        /// Which port, and why not.
        reason: String,
    },
    /// The machine was killed because the user asked to stop.
    Cancelled {
        /// The signal that asked.
        signal: i32,
    },
    /// The machine was killed because its time was over.
    TimedOut {
        /// The time that it had.
        after: Duration,
    },
}

/// What a machine has to pass before its session starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Init's first word.
    Init,
    /// That the classic system, or whatever else stands before the session, is up.
    System,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "the guest's init",
            Self::System => "the guest's system to come up",
        })
    }
}

/// When a machine passed what. The instants are the host's; boot times are the guest's own, since its kernel's start.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    /// QEMU was started.
    pub spawned: Instant,
    /// The first byte came from the console.
    pub first_console: Option<Instant>,
    /// Init had started.
    pub hello: Option<Milestone>,
    /// The classic system had come up.
    pub system_up: Option<Milestone>,
    /// The session's program was executed.
    pub started: Option<Milestone>,
    /// The first byte of the session's output came.
    pub first_output: Option<Instant>,
    /// The session had ended.
    pub ended: Option<Milestone>,
    /// The guest announced its end.
    pub stopping: Option<Instant>,
    /// QEMU had ended.
    pub exited: Option<Instant>,
}

/// Something that the guest reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milestone {
    /// When the host learned of it.
    pub seen: Instant,
    /// When it was, by the guest's `CLOCK_BOOTTIME`, in nanoseconds.
    pub boottime_ns: u64,
}

impl Timeline {
    pub(crate) fn new(spawned: Instant) -> Self {
        Self {
            spawned,
            first_console: None,
            hello: None,
            system_up: None,
            started: None,
            first_output: None,
            ended: None,
            stopping: None,
            exited: None,
        }
    }
}
