//! Waiting for descriptors.

use std::io;
use std::time::Instant;

use rustix::event::{PollFd, Timespec, poll};

/// poll(2) until something is ready (`true`) or `deadline` has passed (`false`; `None`: never).
///
/// # Errors
///
/// When the system cannot wait.
pub fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.map(|left| Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(fds, left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
