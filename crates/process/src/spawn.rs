//! What the child does between fork and exec: the crate's only unsafe code.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

/// Makes the program of `command` die with this process, and lets it have the descriptors `inherited` under their
/// numbers here.
///
/// The caller keeps those descriptors open until the program was started.
#[allow(unsafe_code)]
pub(crate) fn prepare(command: &mut Command, inherited: Vec<RawFd>) {
    let parent = getpid();
    // SAFETY: `in_child` runs in the forked child of a program with threads, where only async-signal-safe functions
    // are allowed: it makes bare system calls (prctl, getppid, fcntl) and neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(move || in_child(parent, &inherited));
    }
}

#[allow(unsafe_code)]
fn in_child(parent: Pid, inherited: &[RawFd]) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(parent) {
        // It died before the request was made: nobody would kill us any more.
        return Err(io::Error::from(rustix::io::Errno::SRCH));
    }
    for number in inherited {
        // SAFETY: the caller of `prepare` keeps the descriptors open until the child was forked, and the child has a
        // descriptor table of its own that nothing else uses.
        let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
        fcntl_setfd(descriptor, FdFlags::empty())?;
    }
    Ok(())
}
