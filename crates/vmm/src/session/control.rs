//! What other threads may ask of a session.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use mote_contract::{Stream, TerminalSize};
use rustix::event::{EventfdFlags, eventfd};

use crate::VmmError;

/// Sends signals and the terminal's size into a session, from any thread.
#[derive(Debug, Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    /// Readable while there are requests.
    event: OwnedFd,
}

/// One thing asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Resize(TerminalSize),
    Signal(u8),
    CloseOutput(Stream),
}

impl Control {
    /// A control that is not attached to anything yet; what is asked before the session has started is kept for it.
    ///
    /// # Errors
    ///
    /// When the process can open no more descriptors.
    pub fn new() -> Result<Self, VmmError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|source| VmmError::Io { doing: "open an eventfd", source: source.into() })?;
        Ok(Self { shared: Arc::new(Shared { requests: Mutex::default(), event }) })
    }

    /// The terminal has a new size.
    pub fn resize(&self, size: TerminalSize) {
        self.request(Request::Resize(size));
    }

    /// Sends a signal, by its number on Linux x86-64, to the session's process group.
    pub fn signal(&self, number: u8) {
        self.request(Request::Signal(number));
    }

    fn request(&self, request: Request) {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        // It can only fail when the counter is full, and then it is readable anyway.
        let _ = rustix::io::write(&self.shared.event, &1_u64.to_ne_bytes());
    }

    /// All requests since the last call.
    pub(super) fn take(&self) -> Vec<Request> {
        let mut counter = [0_u8; 8];
        let _ = rustix::io::read(&self.shared.event, &mut counter);
        std::mem::take(&mut *self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}
