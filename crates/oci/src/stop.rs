//! When to give up: the user interrupts, or a companion has failed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mote_process::{Cancel, Cancelled};

/// How often an interruption is looked for.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The user's wish to stop, and that of threads which work for the same image.
#[derive(Debug)]
pub(crate) struct Stop<'a> {
    cancel: &'a Cancel,
    companion_failed: AtomicBool,
}

/// Why something was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stopped {
    /// By the user.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Because it is useless: something else failed.
    #[error("given up after another failure")]
    Useless,
}

impl<'a> Stop<'a> {
    pub(crate) fn new(cancel: &'a Cancel) -> Self {
        Self { cancel, companion_failed: AtomicBool::new(false) }
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        self.cancel
    }

    /// Tells the companions that what they do is useless.
    pub(crate) fn fail(&self) {
        self.companion_failed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<(), Stopped> {
        self.cancel.check()?;
        match self.companion_failed.load(Ordering::Relaxed) {
            true => Err(Stopped::Useless),
            false => Ok(()),
        }
    }

    pub(crate) fn sleep(&self, time: Duration) -> Result<(), Stopped> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK));
        }
    }
}
