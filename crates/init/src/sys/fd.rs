//! File descriptors: pipes, reading, writing, waiting.

#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use super::Errno;
use super::raw::{call3, raw_call};

const READ: usize = 0;
const WRITE: usize = 1;
const CLOSE: usize = 3;
const FCNTL: usize = 72;
const FCHOWN: usize = 93;
const PPOLL: usize = 271;
const DUP3: usize = 292;
const PIPE2: usize = 293;

const F_DUPFD_CLOEXEC: usize = 1030;
const F_GETFL: usize = 3;
const F_SETFL: usize = 4;
pub(super) const O_NONBLOCK: usize = 0o4000;
pub(super) const O_CLOEXEC: usize = 0o2_000_000;

/// An open file descriptor, closed when dropped. All of them are close-on-exec.
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Takes over an open descriptor, which is closed when this value is dropped.
    #[must_use]
    pub fn take_over(number: i32) -> Self {
        Self(number)
    }

    pub(super) fn from_call(result: usize) -> Self {
        Self::take_over(result as i32)
    }

    /// The descriptor's number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0
    }

    pub(super) fn argument(&self) -> usize {
        self.0 as usize
    }

    /// Reads at most `limit` bytes and appends them to `bytes`; how many it was, 0 at the end.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when it does not block and there is nothing; others as read(2).
    pub fn read_append(&self, bytes: &mut Vec<u8>, limit: usize) -> Result<usize, Errno> {
        bytes.reserve(limit);
        let spare = &mut bytes.spare_capacity_mut()[..limit];
        let (start, len) = (spare.as_mut_ptr() as usize, spare.len());
        // SAFETY: the kernel writes at most `len` bytes into the spare capacity.
        let read = unsafe { call3(READ, self.argument(), start, len) }?;
        // SAFETY: the kernel has just initialised that many bytes after the vector's end.
        unsafe { bytes.set_len(bytes.len() + read) };
        Ok(read)
    }

    /// Reads everything up to the end.
    ///
    /// # Errors
    ///
    /// As read(2).
    pub fn read_to_end(&self) -> Result<Vec<u8>, Errno> {
        self.read_up_to(usize::MAX)
    }

    /// Reads everything up to the end, but no more than about `limit` bytes.
    ///
    /// # Errors
    ///
    /// As read(2).
    pub fn read_up_to(&self, limit: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        while bytes.len() < limit && self.read_append(&mut bytes, 4096)? > 0 {}
        Ok(bytes)
    }

    /// Makes a user the owner of the open file; its group stays.
    ///
    /// # Errors
    ///
    /// As fchown(2).
    pub fn give_to(&self, uid: u32) -> Result<(), Errno> {
        // SAFETY: no pointers.
        unsafe { call3(FCHOWN, self.argument(), uid as usize, usize::MAX) }.map(drop)
    }

    /// Writes a part of `bytes`, at least one; how many it was.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when it does not block and there is no room; others as write(2).
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        // SAFETY: the kernel reads from the slice.
        unsafe { call3(WRITE, self.argument(), bytes.as_ptr() as usize, bytes.len()) }
    }

    /// Writes all of `bytes`; for descriptors that block.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn write_all(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            bytes = &bytes[self.write(bytes)?..];
        }
        Ok(())
    }

    /// From now on, reading and writing never block.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn set_nonblocking(&self) -> Result<(), Errno> {
        // SAFETY: no pointers.
        unsafe {
            let flags = call3(FCNTL, self.argument(), F_GETFL, 0)?;
            call3(FCNTL, self.argument(), F_SETFL, flags | O_NONBLOCK)?;
        }
        Ok(())
    }

    /// A second descriptor of the same open file.
    ///
    /// # Errors
    ///
    /// As fcntl(2).
    pub fn duplicate(&self) -> Result<Self, Errno> {
        // SAFETY: no pointers.
        unsafe { call3(FCNTL, self.argument(), F_DUPFD_CLOEXEC, 3) }.map(Self::from_call)
    }

    /// Makes `number` a descriptor of the same open file which stays open over an execve; what was there before is
    /// closed.
    ///
    /// # Errors
    ///
    /// As dup3(2); `EINVAL` when it is this descriptor's own number.
    pub fn duplicate_as(&self, number: i32) -> Result<(), Errno> {
        // SAFETY: no pointers. The new descriptor belongs to the program to be executed.
        unsafe { call3(DUP3, self.argument(), number as usize, 0) }.map(drop)
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: this value owns the descriptor. An error of close leaves nothing to do.
        let _ = unsafe { call3(CLOSE, self.argument(), 0, 0) };
    }
}

/// Writes to standard output; an error is nobody's concern.
pub fn print(text: &str) {
    // SAFETY: the kernel reads from the text.
    let _ = unsafe { call3(WRITE, 1, text.as_ptr() as usize, text.len()) };
}

/// A pipe: its reading and its writing end.
///
/// # Errors
///
/// As pipe2(2).
pub fn pipe() -> Result<(Fd, Fd), Errno> {
    let mut ends = [0_i32; 2];
    // SAFETY: the kernel writes two numbers.
    unsafe { call3(PIPE2, ends.as_mut_ptr() as usize, O_CLOEXEC, 0) }?;
    Ok((Fd(ends[0]), Fd(ends[1])))
}

/// One descriptor to wait for, `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PollFd {
    fd: i32,
    events: i16,
    got: i16,
}

impl PollFd {
    const IN: i16 = 1;
    const OUT: i16 = 4;
    const HUP: i16 = 16;

    /// A place in the array that waits for nothing.
    pub const NONE: Self = Self { fd: -1, events: 0, got: 0 };

    /// Waits until there is something to read, or the other end is closed.
    #[must_use]
    pub fn read(fd: &Fd) -> Self {
        Self { fd: fd.number(), events: Self::IN, got: 0 }
    }

    /// Waits until there is room to write.
    #[must_use]
    pub fn write(fd: &Fd) -> Self {
        Self { events: Self::OUT, ..Self::read(fd) }
    }

    /// Waits for either.
    #[must_use]
    pub fn read_write(fd: &Fd) -> Self {
        Self { events: Self::IN | Self::OUT, ..Self::read(fd) }
    }

    /// Whether waiting ended for this one, for whatever reason.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.got != 0
    }

    /// Whether there is something to read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.got & Self::IN != 0
    }

    /// Whether the other end is closed.
    #[must_use]
    pub fn is_hung_up(&self) -> bool {
        self.got & Self::HUP != 0
    }
}

/// Waits for the first of several descriptors, at most `timeout_ms` milliseconds when given; how many are ready.
///
/// # Errors
///
/// As ppoll(2).
pub fn poll(fds: &mut [PollFd], timeout_ms: Option<u32>) -> Result<usize, Errno> {
    let mut timeout = MaybeUninit::<[u64; 2]>::uninit();
    let timeout = match timeout_ms {
        Some(ms) => {
            let (seconds, rest) = (u64::from(ms / 1000), u64::from(ms % 1000));
            core::ptr::from_mut(timeout.write([seconds, rest * 1_000_000])) as usize
        }
        None => 0,
    };
    let fds_start = fds.as_mut_ptr() as usize;
    // SAFETY: the kernel writes the slice's `got` fields and the time that is left.
    unsafe { raw_call(PPOLL, [fds_start, fds.len(), timeout, 0, 0, 0]) }
}
