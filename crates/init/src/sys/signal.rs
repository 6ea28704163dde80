//! Signals: init blocks them all and reads them from a descriptor.

#![allow(unsafe_code)]

use super::fd::{O_CLOEXEC, O_NONBLOCK};
use super::raw::{call3, raw_call};
use super::{Errno, Fd};

const READ: usize = 0;
const RT_SIGPROCMASK: usize = 14;
const SIGNALFD4: usize = 289;
const SIG_SETMASK: usize = 2;

/// A signal's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(pub u8);

impl Signal {
    /// Reported by a PID namespace that was asked to reboot.
    pub const HUP: Self = Self(1);
    /// Ctrl-C; reported by a PID namespace that was asked to power off or halt.
    pub const INT: Self = Self(2);
    /// It cannot be caught.
    pub const KILL: Self = Self(9);
    /// To PID 1: halt.
    pub const USR1: Self = Self(10);
    /// To PID 1: power off.
    pub const USR2: Self = Self(12);
    /// To PID 1: reboot.
    pub const TERM: Self = Self(15);
    /// A child ended.
    pub const CHLD: Self = Self(17);
}

fn set_mask(mask: u64) -> Result<(), Errno> {
    let arguments = [SIG_SETMASK, core::ptr::from_ref(&mask) as usize, 0, 8, 0, 0];
    // SAFETY: the kernel reads the mask of eight bytes.
    unsafe { raw_call(RT_SIGPROCMASK, arguments) }.map(drop)
}

/// Blocks all signals; they are read from the descriptor, which does not block.
///
/// # Errors
///
/// As rt_sigprocmask(2) and signalfd4(2).
pub fn block_all_signals() -> Result<Fd, Errno> {
    set_mask(u64::MAX)?;
    signal_fd(u64::MAX)
}

fn signal_fd(mask: u64) -> Result<Fd, Errno> {
    let mask = core::ptr::from_ref(&mask) as usize;
    let arguments = [usize::MAX, mask, 8, O_CLOEXEC | O_NONBLOCK, 0, 0];
    // SAFETY: the kernel reads the mask of eight bytes.
    unsafe { raw_call(SIGNALFD4, arguments) }.map(Fd::from_call)
}

/// Lets all signals through, as a program expects it.
pub fn unblock_all_signals() {
    // The arguments are valid, so it cannot fail.
    let _ = set_mask(0);
}

/// The next signal that came; none when there is no more.
///
/// # Errors
///
/// As read(2).
pub fn read_signal(signals: &Fd) -> Result<Option<Signal>, Errno> {
    // `struct signalfd_siginfo`, 128 bytes, the number first.
    let mut info = [0_u32; 32];
    let start = info.as_mut_ptr() as usize;
    // SAFETY: the kernel writes one structure.
    match unsafe { call3(READ, signals.argument(), start, size_of_val(&info)) } {
        Ok(_) => Ok(Some(Signal(info[0] as u8))),
        Err(Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}
