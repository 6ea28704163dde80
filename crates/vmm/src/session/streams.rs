//! The session's three streams on the host.

use std::os::fd::BorrowedFd;

use mote_contract::Stream;

use super::io::Sink;

/// Standard input goes in pieces of at most this.
const STDIN_BYTES: usize = 32 << 10;

/// The session's streams.
pub(super) struct Streams<'a> {
    pub(super) stdin: Stdin<'a>,
    /// Gone once nobody reads it any more.
    stdout: Option<Sink<'a>>,
    stderr: Option<Sink<'a>>,
    /// Output that its sink has not taken yet; nothing more is taken from the guest meanwhile.
    pending: Option<Pending>,
}

/// Where standard input stands.
pub(super) enum Stdin<'a> {
    /// There may be more.
    Open(BorrowedFd<'a>),
    /// At its end, which the guest does not know yet.
    Ending,
    /// The guest knows.
    Ended,
}

struct Pending {
    stream: Stream,
    bytes: Vec<u8>,
    written: usize,
}

/// What became of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It was written, or will be.
    Fine,
    /// Its reader is gone, which was not known before.
    ReaderIsGone(Stream),
}

impl<'a> Streams<'a> {
    pub(super) fn new(stdin: Option<BorrowedFd<'a>>, stdout: Sink<'a>, stderr: Sink<'a>) -> Self {
        let stdin = stdin.map_or(Stdin::Ending, Stdin::Open);
        Self { stdin, stdout: Some(stdout), stderr: Some(stderr), pending: None }
    }

    /// Whether output waits for its sink.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Forgets the output that waits for its sink.
    pub(super) fn give_up(&mut self) {
        self.pending = None;
    }

    /// The descriptor that output waits for.
    pub(super) fn awaited_output(&self) -> Option<BorrowedFd<'_>> {
        let sink = match self.pending.as_ref()?.stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        sink.as_ref()?.descriptor()
    }

    /// The descriptor that standard input comes from, if the guest takes any.
    pub(super) fn awaited_stdin(&self, window: usize) -> Option<BorrowedFd<'a>> {
        match self.stdin {
            Stdin::Open(stdin) if window > 0 => Some(stdin),
            _ => None,
        }
    }

    /// Reads the standard input that is there, at most `window` bytes; none at its end.
    pub(super) fn read_stdin(&mut self, window: usize) -> Option<Vec<u8>> {
        let stdin = self.awaited_stdin(window)?;
        let mut bytes = vec![0; window.min(STDIN_BYTES)];
        match rustix::io::read(stdin, &mut bytes) {
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => None,
            // A terminal that hung up cannot be read; to the session that is the end too.
            Ok(0) | Err(_) => {
                self.stdin = Stdin::Ending;
                None
            }
            Ok(length) => {
                bytes.truncate(length);
                Some(bytes)
            }
        }
    }

    /// Writes output, as far as its sink takes it now; the rest waits. Nothing may be waiting already.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) -> Written {
        debug_assert!(!self.is_busy());
        if bytes.is_empty() {
            return Written::Fine;
        }
        self.pending = Some(Pending { stream, bytes: bytes.to_owned(), written: 0 });
        match self.awaited_output() {
            // It may block: poll(2) first.
            Some(_) => Written::Fine,
            None => self.write_pending(),
        }
    }

    /// Writes output that waits, once its sink is ready.
    pub(super) fn write_pending(&mut self) -> Written {
        let Some(pending) = &mut self.pending else { return Written::Fine };
        let sink = match pending.stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let outcome = match sink {
            None => Ok(pending.bytes.len() - pending.written),
            Some(sink) => sink.write_some(&pending.bytes[pending.written..]),
        };
        match outcome {
            Ok(written) => {
                pending.written += written;
                if pending.written == pending.bytes.len() {
                    self.pending = None;
                }
                Written::Fine
            }
            Err(_) => {
                let stream = pending.stream;
                *sink = None;
                self.pending = None;
                Written::ReaderIsGone(stream)
            }
        }
    }
}
