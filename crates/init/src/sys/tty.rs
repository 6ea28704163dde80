//! Terminals.

#![allow(unsafe_code)]

use mote_contract::TerminalSize;

use super::fd::O_CLOEXEC;
use super::fs::{OpenFlags, open};
use super::raw::call3;
use super::{Errno, Fd};

const IOCTL: usize = 16;
const TCSBRK: usize = 0x5409;
const TIOCSCTTY: usize = 0x540e;
const TIOCSWINSZ: usize = 0x5414;
const TIOCSPTLCK: usize = 0x4004_5431;
const TIOCGPTPEER: usize = 0x5441;
const O_RDWR: usize = 2;
const O_NOCTTY: usize = 0o400;

/// A pseudo-terminal.
#[derive(Debug)]
pub struct Pty {
    /// Our end.
    pub master: Fd,
    /// The program's end, an ordinary terminal.
    pub terminal: Fd,
}

/// Makes a pseudo-terminal; `/dev/pts` must be mounted.
///
/// # Errors
///
/// As opening `/dev/ptmx`, and the ioctls `TIOCSPTLCK` and `TIOCGPTPEER`.
pub fn open_pty() -> Result<Pty, Errno> {
    let master = open(c"/dev/ptmx", OpenFlags::ReadWrite)?;
    let unlock = 0_i32;
    let unlock = core::ptr::from_ref(&unlock) as usize;
    // SAFETY: the kernel reads one number; the second call has no pointer and returns a new descriptor.
    let terminal = unsafe {
        call3(IOCTL, master.argument(), TIOCSPTLCK, unlock)?;
        let flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
        Fd::from_call(call3(IOCTL, master.argument(), TIOCGPTPEER, flags)?)
    };
    Ok(Pty { master, terminal })
}

/// Sets a terminal's size; its foreground processes get `SIGWINCH`.
///
/// # Errors
///
/// As ioctl(2).
pub fn set_window_size(terminal: &Fd, size: TerminalSize) -> Result<(), Errno> {
    let winsize = [size.rows, size.cols, 0, 0];
    let winsize = winsize.as_ptr() as usize;
    // SAFETY: the kernel reads a `struct winsize`.
    unsafe { call3(IOCTL, terminal.argument(), TIOCSWINSZ, winsize) }.map(drop)
}

/// Makes a terminal the calling session's own, taking it from another session if need be.
///
/// # Errors
///
/// As ioctl(2).
pub fn set_controlling_terminal(terminal: &Fd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call3(IOCTL, terminal.argument(), TIOCSCTTY, 1) }.map(drop)
}

/// Waits until a terminal has sent all that was written to it, tcdrain(3).
///
/// # Errors
///
/// As ioctl(2).
pub fn wait_until_sent(terminal: &Fd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call3(IOCTL, terminal.argument(), TCSBRK, 1) }.map(drop)
}
