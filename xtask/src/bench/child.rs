//! Programs, the time they take and the memory they need.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What a program took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// From its start to its end.
    pub took: Duration,
    /// The most memory that it had at a time, files that were mapped included; at least what we
    /// had ourselves, which is where a program begins.
    pub peak_kib: u64,
}

/// Runs a program that reads nothing to its end; what it prints on standard output is dropped.
///
/// # Errors
///
/// A program that cannot be started or fails.
pub fn measure(command: &mut Command) -> Result<Usage> {
    let began = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let child = child.with_context(|| format!("cannot start {command:?}"))?;
    let (status, peak_kib) = wait(child.id()).context("cannot wait")?;
    let took = began.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(Usage { took, peak_kib })
}

/// Waits for a child, which nobody else may wait for: wait4(2). The memory is `ru_maxrss`.
fn wait(pid: u32) -> io::Result<(ExitStatus, u64)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: both pointers are good for writing, and only written to.
    let waited = unsafe { libc::wait4(pid.cast_signed(), &mut status, 0, usage.as_mut_ptr()) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: wait4 has succeeded, and so has filled it in.
    let usage = unsafe { usage.assume_init() };
    Ok((ExitStatus::from_raw(status), usage.ru_maxrss.cast_unsigned()))
}

/// Waits until all that was written is on the disk, so that nobody pays for who came before.
pub fn settle() {
    // SAFETY: sync(2) takes and returns nothing.
    unsafe { libc::sync() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_measured() {
        let usage = measure(Command::new("sh").args(["-c", "sleep 0.2"])).unwrap();
        assert!(usage.took >= Duration::from_millis(200), "{usage:?}");
        assert!(usage.peak_kib > 100, "{usage:?}");
    }

    #[test]
    fn a_failure_is_told() {
        let error = measure(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}
