//! The session's standard input: what the host sent and the program has yet to take.

use alloc::vec::Vec;

use mote_contract::{INITIAL_STDIN_WINDOW, TerminalSize};

use crate::error::{InitError, Result};
use crate::sys::{self, Errno, Fd};

/// What the program reads its standard input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pipe: its end is the closed writing end.
    Pipe,
    /// A terminal: its end is Ctrl-D on an empty line.
    Terminal,
}

/// Ctrl-D, the terminal's `VEOF`.
const END_OF_FILE: u8 = 4;

/// Standard input on its way to the program.
#[derive(Debug)]
pub struct Input {
    kind: Kind,
    to: Option<Fd>,
    queue: Vec<u8>,
    /// How much of the queue the program has.
    taken: usize,
    /// Bytes that the host may send.
    credit: u32,
    /// Bytes taken for which the host was not given new credit.
    owed: u32,
    end: End,
    /// The last byte of all that was accepted.
    last: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Reached,
}

impl Input {
    /// Input for a descriptor which does not block. The host has no credit yet; it is owed the whole window.
    #[must_use]
    pub fn new(kind: Kind, to: Fd) -> Self {
        Self {
            kind,
            to: Some(to),
            queue: Vec::new(),
            taken: 0,
            credit: 0,
            owed: INITIAL_STDIN_WINDOW,
            end: End::Open,
            last: b'\n',
        }
    }

    /// Takes what the host sent; nothing is the end of file.
    ///
    /// # Errors
    ///
    /// [`InitError::NoCredit`].
    pub fn accept(&mut self, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| InitError::NoCredit)?;
        self.credit = self.credit.checked_sub(len).ok_or(InitError::NoCredit)?;
        if self.to.is_none() || self.end == End::Reached {
            return Ok(());
        }
        self.queue.drain(..self.taken);
        self.taken = 0;
        match bytes {
            [] => self.finish(),
            [.., last] => {
                self.last = *last;
                self.queue.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.end = End::Reached;
        if let Kind::Terminal = self.kind {
            // In the middle of a line, the first one only hands the line over.
            let times = if self.last == b'\n' { 1 } else { 2 };
            self.queue.extend_from_slice(&[END_OF_FILE; 2][..times]);
        }
        self.close_at_end();
    }

    /// The descriptor to wait for, while there is something to write.
    #[must_use]
    pub fn waiting(&self) -> Option<&Fd> {
        self.to.as_ref().filter(|_| self.taken < self.queue.len())
    }

    /// Gives the program as much as it takes.
    pub fn flush(&mut self) {
        let Some(to) = self.waiting() else { return };
        match to.write(&self.queue[self.taken..]) {
            Ok(len) => {
                self.taken += len;
                self.owed += len as u32;
                self.close_at_end();
            }
            Err(Errno::EAGAIN) => {}
            // Nobody reads any more: the rest is for nobody, and no credit calls for more.
            Err(_) => self.to = None,
        }
    }

    fn close_at_end(&mut self) {
        let (kind, end) = (self.kind, self.end);
        if kind == Kind::Pipe && end == End::Reached && self.taken == self.queue.len() {
            self.to = None;
        }
    }

    /// New credit for the host, when there is enough of it to be worth a frame.
    pub fn take_credit(&mut self) -> Option<u32> {
        let due = self.owed >= INITIAL_STDIN_WINDOW / 2 || self.taken == self.queue.len();
        if self.owed == 0 || !due || self.end == End::Reached {
            return None;
        }
        self.credit += self.owed;
        Some(core::mem::take(&mut self.owed))
    }

    /// Sets the terminal's size; a pipe has none.
    pub fn resize(&self, size: TerminalSize) {
        if let (Kind::Terminal, Some(terminal)) = (self.kind, &self.to) {
            // A terminal can be given any size.
            let _ = sys::set_window_size(terminal, size);
        }
    }
}
