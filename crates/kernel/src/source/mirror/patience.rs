//! How long a server is waited for.

use std::thread;
use std::time::{Duration, Instant};

use mote_process::{Cancel, Cancelled};

/// For a name, and for a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(15);

/// For the next bytes.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// How often in a row it is tried without getting further.
pub(super) const ATTEMPTS: u32 = 4;

/// How often an interruption is looked for.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Before the second attempt; doubled before each one after it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Waits after the `failures`th failure in a row, from 1.
pub(super) fn pause(failures: u32, cancel: &Cancel) -> Result<(), Cancelled> {
    let end = Instant::now() + FIRST_PAUSE * 2_u32.saturating_pow(failures - 1);
    loop {
        cancel.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK));
    }
}
