//! What a session is connected to on the host.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mote_contract::Stop;

use crate::{Awaited, Control};

/// The host's end of a session.
pub struct SessionIo<'a> {
    /// Where standard input is read from; at its end at once when absent.
    pub stdin: Option<BorrowedFd<'a>>,
    /// Where standard output goes.
    pub stdout: Sink<'a>,
    /// Where standard error goes.
    pub stderr: Sink<'a>,
    /// Gets the guest's console, up to 64 MiB.
    pub console_log: Option<File>,
    /// What other threads ask.
    pub control: Control,
    /// Kills the machine when it runs for longer.
    pub timeout: Option<Duration>,
    /// Kills the machine when its guest says nothing for so long before the session has started, neither on the
    /// console nor over the channel: see [`SILENCE_LIMIT`](crate::SILENCE_LIMIT).
    pub silence_limit: Duration,
    /// Learns of each event.
    pub on_event: &'a mut dyn FnMut(&Event),
}

/// Where output goes.
pub enum Sink<'a> {
    /// A descriptor that may be slow: the guest is held up until it takes more, everything else goes on.
    Descriptor(BorrowedFd<'a>),
    /// A writer that never blocks, memory say.
    Writer(&'a mut dyn Write),
}

/// Something that happened in a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The console has a new line: without its ending, fit for a terminal.
    Console(String),
    /// Init has started.
    Hello,
    /// For some time nothing has been heard of the guest, which has not started its session.
    StillWaiting {
        /// For what.
        awaited: Awaited,
        /// How long nothing has been heard.
        silent: Duration,
    },
    /// The classic system is up.
    SystemUp,
    /// The session's program was executed.
    Started,
    /// The session has ended.
    Ended,
    /// The machine is about to stop.
    Stopping(Stop),
}

/// Most bytes that a pipe takes without blocking once poll(2) calls it writable (`PIPE_BUF`, pipe(7)).
const WRITE_BYTES: usize = 4096;

impl Sink<'_> {
    /// The descriptor to wait for before writing, if waiting is needed.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Descriptor(descriptor) => Some(descriptor.as_fd()),
            Self::Writer(_) => None,
        }
    }

    /// Writes the first bytes of `bytes`, without blocking if the sink is ready; says how many.
    pub(super) fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Descriptor(descriptor) => {
                let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
                match rustix::io::write(*descriptor, bytes) {
                    Ok(written) => Ok(written),
                    Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(0),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Writer(writer) => {
                writer.write_all(bytes)?;
                writer.flush()?;
                Ok(bytes.len())
            }
        }
    }
}
