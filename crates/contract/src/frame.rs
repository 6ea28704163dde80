//! The frames of the channel.
//!
//! A frame is a header of 8 bytes, little endian, and a payload: kind `u8`, three zero bytes, payload length
//! `u32`, which is at most [`PAYLOAD_LIMIT`]. Kinds of the host and of the guest differ, so that a stream read in
//! the wrong direction is an error at its first frame.
//!
//! A run, as the guest sends it: `Hello`, (`SystemUp`), `Started`, `StdinCredit`, any number of `Stdout`,
//! `Stderr` and `StdinCredit`, `Ended`, `Stopping`. A machine that was asked to stop has no `Ended`. `Stopping` is
//! always last: the host answers it by closing the channel, and only then does init end the machine. Without that
//! answer, what the VMM still holds for a slow reader would be lost.

use alloc::string::String;
use alloc::vec::Vec;

use crate::decoder::{Frame, FrameError, Payload};
use crate::outcome::{Failure, Outcome, Stop, is_signal};

/// Bytes of a frame's header.
pub const HEADER_LEN: usize = 8;

/// Largest payload of a frame, in bytes.
pub const PAYLOAD_LIMIT: usize = 65_536;

/// Bytes of standard input that init's first [`GuestFrame::StdinCredit`] allows; also what init can hold.
pub const INITIAL_STDIN_WINDOW: u32 = 65_536;

const STDIN: u8 = 0x01;
const RESIZE: u8 = 0x02;
const SIGNAL: u8 = 0x03;
const CLOSE_OUTPUT: u8 = 0x04;

const HELLO: u8 = 0x81;
const SYSTEM_UP: u8 = 0x82;
const STARTED: u8 = 0x83;
const STDOUT: u8 = 0x84;
const STDERR: u8 = 0x85;
const STDIN_CREDIT: u8 = 0x86;
const ENDED: u8 = 0x87;
const STOPPING: u8 = 0x88;

/// What the host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFrame<'a> {
    /// Standard input of the session; empty is end of file. Never more bytes than the guest gave credit for.
    Stdin(&'a [u8]),
    /// The terminal's size changed.
    Resize {
        /// Lines.
        rows: u16,
        /// Characters in a line.
        cols: u16,
    },
    /// A signal for the session's process group.
    Signal {
        /// Its number on Linux, x86-64.
        number: u8,
    },
    /// Nobody reads this output any more: who writes to it is to learn that.
    CloseOutput(Stream),
}

/// What the guest says. Boot times are nanoseconds of the guest's `CLOCK_BOOTTIME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestFrame<'a> {
    /// The first frame.
    Hello {
        /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the guest.
        protocol: u32,
        /// When init executed its first instruction.
        boottime_ns: u64,
    },
    /// The classic system said that it is up.
    SystemUp {
        /// When it said so.
        boottime_ns: u64,
    },
    /// The session's program was executed.
    Started {
        /// When that was.
        boottime_ns: u64,
        /// Its process number as init sees it.
        pid: u32,
    },
    /// Standard output of the session; everything, when it has a terminal.
    Stdout(&'a [u8]),
    /// Standard error of the session.
    Stderr(&'a [u8]),
    /// The host may send that many more bytes of standard input.
    StdinCredit {
        /// Bytes, in addition to what was allowed before.
        bytes: u32,
    },
    /// The session ended; all its output was sent before.
    Ended {
        /// When it ended.
        boottime_ns: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// The machine stops as soon as the host closes the channel.
    Stopping(Stop),
}

/// Which of the session's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The header of a [`GuestFrame::Stdout`] or [`GuestFrame::Stderr`] whose payload of `len` bytes is written by
/// the caller, so that it need not be copied.
///
/// # Panics
///
/// When `len` is more than [`PAYLOAD_LIMIT`].
#[must_use]
pub fn stream_header(stream: Stream, len: usize) -> [u8; HEADER_LEN] {
    match stream {
        Stream::Stdout => header(STDOUT, len),
        Stream::Stderr => header(STDERR, len),
    }
}

impl HostFrame<'_> {
    /// Appends the frame to `wire`; standard input longer than [`PAYLOAD_LIMIT`] becomes several frames.
    pub fn encode(&self, wire: &mut Vec<u8>) {
        match *self {
            Self::Stdin(bytes) => put_stream(wire, STDIN, bytes),
            Self::Resize { rows, cols } => {
                put(wire, RESIZE, &[&rows.to_le_bytes(), &cols.to_le_bytes()]);
            }
            Self::Signal { number } => put(wire, SIGNAL, &[&[number]]),
            Self::CloseOutput(stream) => put(wire, CLOSE_OUTPUT, &[&[stream_code(stream)]]),
        }
    }
}

impl GuestFrame<'_> {
    /// Appends the frame to `wire`; output longer than [`PAYLOAD_LIMIT`] becomes several frames (an empty one is
    /// a frame without payload), and a failure's message is cut to fit.
    pub fn encode(&self, wire: &mut Vec<u8>) {
        match self {
            Self::Hello { protocol, boottime_ns } => {
                put(wire, HELLO, &[&protocol.to_le_bytes(), &boottime_ns.to_le_bytes()])
            }
            Self::SystemUp { boottime_ns } => put(wire, SYSTEM_UP, &[&boottime_ns.to_le_bytes()]),
            Self::Started { boottime_ns, pid } => {
                put(wire, STARTED, &[&boottime_ns.to_le_bytes(), &pid.to_le_bytes()])
            }
            Self::Stdout(bytes) => put_stream(wire, STDOUT, bytes),
            Self::Stderr(bytes) => put_stream(wire, STDERR, bytes),
            Self::StdinCredit { bytes } => put(wire, STDIN_CREDIT, &[&bytes.to_le_bytes()]),
            Self::Ended { boottime_ns, outcome } => {
                let (how, message) = outcome_parts(outcome);
                put(wire, ENDED, &[&boottime_ns.to_le_bytes(), &how, message.as_bytes()]);
            }
            Self::Stopping(stop) => put(wire, STOPPING, &[&[stop_code(*stop)]]),
        }
    }
}

impl<'a> Frame<'a> for HostFrame<'a> {
    fn knows(kind: u8) -> bool {
        (STDIN..=CLOSE_OUTPUT).contains(&kind)
    }

    fn parse(kind: u8, bytes: &'a [u8]) -> Result<Self, FrameError> {
        let mut payload = Payload::new(kind, bytes);
        let frame = match kind {
            STDIN => return Ok(Self::Stdin(bytes)),
            RESIZE => Self::Resize {
                rows: u16::from_le_bytes(payload.take()?),
                cols: u16::from_le_bytes(payload.take()?),
            },
            SIGNAL => Self::Signal { number: u8::from_le_bytes(payload.take()?) },
            CLOSE_OUTPUT => {
                let code = u8::from_le_bytes(payload.take()?);
                Self::CloseOutput(parse_stream(code).ok_or(payload.invalid())?)
            }
            kind => return Err(FrameError::UnknownKind { kind }),
        };
        payload.finish()?;
        Ok(frame)
    }
}

impl<'a> Frame<'a> for GuestFrame<'a> {
    fn knows(kind: u8) -> bool {
        (HELLO..=STOPPING).contains(&kind)
    }

    fn parse(kind: u8, bytes: &'a [u8]) -> Result<Self, FrameError> {
        let mut payload = Payload::new(kind, bytes);
        let frame = match kind {
            HELLO => Self::Hello {
                protocol: u32::from_le_bytes(payload.take()?),
                boottime_ns: u64::from_le_bytes(payload.take()?),
            },
            SYSTEM_UP => Self::SystemUp { boottime_ns: u64::from_le_bytes(payload.take()?) },
            STARTED => Self::Started {
                boottime_ns: u64::from_le_bytes(payload.take()?),
                pid: u32::from_le_bytes(payload.take()?),
            },
            STDOUT => return Ok(Self::Stdout(bytes)),
            STDERR => return Ok(Self::Stderr(bytes)),
            STDIN_CREDIT => Self::StdinCredit { bytes: u32::from_le_bytes(payload.take()?) },
            ENDED => Self::Ended {
                boottime_ns: u64::from_le_bytes(payload.take()?),
                outcome: parse_outcome(&mut payload)?,
            },
            STOPPING => {
                let code = u8::from_le_bytes(payload.take()?);
                Self::Stopping(parse_stop(code).ok_or(payload.invalid())?)
            }
            kind => return Err(FrameError::UnknownKind { kind }),
        };
        payload.finish()?;
        Ok(frame)
    }
}

fn header(kind: u8, len: usize) -> [u8; HEADER_LEN] {
    assert!(len <= PAYLOAD_LIMIT, "payload of {len} bytes");
    let [a, b, c, d] = (len as u32).to_le_bytes();
    [kind, 0, 0, 0, a, b, c, d]
}

fn put(wire: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let len = parts.iter().map(|part| part.len()).sum();
    wire.extend_from_slice(&header(kind, len));
    for part in parts {
        wire.extend_from_slice(part);
    }
}

fn put_stream(wire: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    if bytes.is_empty() {
        put(wire, kind, &[]);
    }
    for chunk in bytes.chunks(PAYLOAD_LIMIT) {
        put(wire, kind, &[chunk]);
    }
}

/// Longest failure message sent; a page says enough.
const MESSAGE_LIMIT: usize = 4096;

fn outcome_parts(outcome: &Outcome) -> ([u8; 2], &str) {
    match outcome {
        Outcome::Exit(code) => ([0, *code], ""),
        Outcome::Signal(number) => ([1, *number], ""),
        Outcome::Failed { failure, message } => (
            [2, failure.code()],
            message.get(..message.floor_char_boundary(MESSAGE_LIMIT)).unwrap_or_default(),
        ),
    }
}

fn parse_outcome(payload: &mut Payload<'_>) -> Result<Outcome, FrameError> {
    let [how, value] = payload.take()?;
    match how {
        0 => Ok(Outcome::Exit(value)),
        1 if is_signal(value) => Ok(Outcome::Signal(value)),
        2 => Ok(Outcome::Failed {
            failure: Failure::from_code(value).ok_or(payload.invalid())?,
            message: String::from_utf8_lossy(payload.rest()).into_owned(),
        }),
        _ => Err(payload.invalid()),
    }
}

/// The numbers that they have as descriptors.
const fn stream_code(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    }
}

const fn parse_stream(code: u8) -> Option<Stream> {
    match code {
        1 => Some(Stream::Stdout),
        2 => Some(Stream::Stderr),
        _ => None,
    }
}

const fn stop_code(stop: Stop) -> u8 {
    match stop {
        Stop::Ended => 0,
        Stop::Poweroff => 1,
        Stop::Reboot => 2,
        Stop::Halt => 3,
    }
}

const fn parse_stop(code: u8) -> Option<Stop> {
    match code {
        0 => Some(Stop::Ended),
        1 => Some(Stop::Poweroff),
        2 => Some(Stop::Reboot),
        3 => Some(Stop::Halt),
        _ => None,
    }
}
