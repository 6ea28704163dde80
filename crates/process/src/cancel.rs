//! The user's wish to stop, shared by all that runs.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// A request to stop, set once and seen by every clone.
///
/// mote's signal thread calls [`Cancel::cancel`]; whoever waits for something polls [`Cancel::as_fd`] beside it, so
/// that no wait has to be interrupted by a timer. A running [`Command`](crate::Command) ends its whole process
/// group on it.
#[derive(Clone)]
pub struct Cancel {
    shared: Arc<Shared>,
}

struct Shared {
    /// The first signal, or 0.
    signal: AtomicI32,
    /// Readable for ever once cancelled: nobody reads it.
    event: OwnedFd,
}

/// The work was stopped by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped by {}", SignalName(*signal))]
pub struct Cancelled {
    /// The signal's number: the exit code is 128 more.
    pub signal: i32,
}

impl Default for Cancel {
    /// A request nobody has made yet.
    ///
    /// # Panics
    ///
    /// When the process cannot open one more descriptor; it is meant to be made once, at the start.
    fn default() -> Self {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .expect("the process can open a descriptor at its start");
        let signal = AtomicI32::new(0);
        Self { shared: Arc::new(Shared { signal, event }) }
    }
}

impl Cancel {
    /// Asks everything to stop because of `signal`. Only the first call counts.
    ///
    /// Takes no lock; but call it from a thread, not from a signal handler.
    pub fn cancel(&self, signal: i32) {
        let first =
            self.shared.signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok() {
            // A counter that cannot overflow with one write: the only way to fail is not there.
            let _ = rustix::io::write(&self.shared.event, &1_u64.to_ne_bytes());
        }
    }

    /// The signal that asked to stop, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self.shared.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }

    /// To be called between the steps of a long piece of work.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] once [`Cancel::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        match self.signal() {
            None => Ok(()),
            Some(signal) => Err(Cancelled { signal }),
        }
    }
}

impl AsFd for Cancel {
    /// A descriptor that is readable once cancelled, for poll(2); never read from it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("signal", &self.signal()).finish()
    }
}

/// The signals that stop programs by their names, others by number.
struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("SIGHUP"),
            2 => f.write_str("SIGINT"),
            3 => f.write_str("SIGQUIT"),
            15 => f.write_str("SIGTERM"),
            number => write!(f, "signal {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_counts_for_every_clone() {
        let cancel = Cancel::default();
        let clone = cancel.clone();
        assert!(clone.check().is_ok());
        cancel.cancel(15);
        cancel.cancel(2);
        assert_eq!(clone.signal(), Some(15));
        assert_eq!(clone.check().unwrap_err().to_string(), "stopped by SIGTERM");
    }
}
