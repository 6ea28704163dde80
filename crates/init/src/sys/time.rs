//! Clocks.

#![allow(unsafe_code)]

use super::Errno;
use super::raw::call3;

const CLOCK_SETTIME: usize = 227;
const CLOCK_GETTIME: usize = 228;
const CLOCK_REALTIME: usize = 0;
const CLOCK_BOOTTIME: usize = 7;
const NS: u64 = 1_000_000_000;

/// Nanoseconds since the kernel started.
#[must_use]
pub fn boottime_ns() -> u64 {
    time_ns(CLOCK_BOOTTIME)
}

/// The wall clock, nanoseconds since 1970.
#[must_use]
pub fn realtime_ns() -> u64 {
    time_ns(CLOCK_REALTIME)
}

fn time_ns(clock: usize) -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: the kernel writes a timespec. These clocks are always there.
    let _ = unsafe { call3(CLOCK_GETTIME, clock, time.as_mut_ptr() as usize, 0) };
    time[0] * NS + time[1]
}

/// Sets the wall clock, nanoseconds since 1970.
///
/// # Errors
///
/// As clock_settime(2).
pub fn set_realtime(unix_ns: u64) -> Result<(), Errno> {
    let time = [unix_ns / NS, unix_ns % NS];
    // SAFETY: the kernel reads a timespec.
    unsafe { call3(CLOCK_SETTIME, CLOCK_REALTIME, time.as_ptr() as usize, 0) }.map(drop)
}
