//! How long a registry is waited for, and how often it is asked again.

use std::time::Duration;

/// For a name, and for a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(15);

/// For the next bytes.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// How often in a row it is tried without getting further.
pub(super) const ATTEMPTS: u32 = 4;

/// Before the second attempt; doubled before each one after it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest time that a registry may tell us to wait.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pause after the `failures`th failure in a row, from 1.
pub(super) fn pause(failures: u32) -> Duration {
    FIRST_PAUSE * 2_u32.saturating_pow(failures - 1)
}
