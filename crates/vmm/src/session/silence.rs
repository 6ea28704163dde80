//! Watching a guest that has not started its session: one that is stuck says nothing, and is not waited for without
//! limit.
//!
//! What counts is silence, not time: a slow guest, or one with much to do, prints lines or takes steps.

use std::time::{Duration, Instant};

/// Generous: a guest that boots in a second may be the slowest of many under TCG, and with `quiet` its kernel says
/// nothing until init speaks.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(120);
/// After so much silence the user learns that the wait goes on.
const NOTICE_AFTER: Duration = Duration::from_secs(10);
/// Who is woken so much later than asked was stopped meanwhile, and the guest with it.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// How long the guest has been silent.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Duration,
    since: Instant,
    noticed: bool,
}

/// What a deadline that has passed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on.
    Wait,
    /// Tell the user that it was silent for so long.
    Notice(Duration),
    /// It is stuck.
    Stuck(Duration),
}

impl Silence {
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, since: now, noticed: false }
    }

    /// Something was heard of the guest.
    pub(super) fn broken(&mut self, now: Instant) {
        self.since = now;
        self.noticed = false;
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Instant {
        let notice = NOTICE_AFTER.min(self.limit);
        self.since + if self.noticed { self.limit } else { notice }
    }

    /// Looks.
    pub(super) fn look(&mut self, now: Instant) -> Verdict {
        let late = now.saturating_duration_since(self.deadline());
        if late > OVERSLEPT {
            self.broken(now);
            return Verdict::Wait;
        }
        let silent = now.saturating_duration_since(self.since);
        if silent >= self.limit {
            return Verdict::Stuck(silent);
        }
        if silent >= NOTICE_AFTER && !self.noticed {
            self.noticed = true;
            return Verdict::Notice(silent);
        }
        Verdict::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_notice_and_then_the_end() {
        let start = Instant::now();
        let mut silence = Silence::new(60 * SECOND, start);
        assert_eq!(silence.look(start + 9 * SECOND), Verdict::Wait);
        assert_eq!(silence.deadline(), start + 10 * SECOND);
        assert_eq!(silence.look(start + 10 * SECOND), Verdict::Notice(10 * SECOND));
        assert_eq!(silence.look(start + 11 * SECOND), Verdict::Wait, "once is enough");
        assert_eq!(silence.deadline(), start + 60 * SECOND);
        assert_eq!(silence.look(start + 60 * SECOND), Verdict::Stuck(60 * SECOND));
    }

    #[test]
    fn whoever_speaks_is_not_stuck() {
        let start = Instant::now();
        let mut silence = Silence::new(60 * SECOND, start);
        silence.look(start + 10 * SECOND);
        silence.broken(start + 59 * SECOND);
        assert_eq!(silence.deadline(), start + 69 * SECOND);
        assert_eq!(silence.look(start + 61 * SECOND), Verdict::Wait);
    }

    #[test]
    fn time_in_which_nobody_ran_does_not_count() {
        let start = Instant::now();
        let mut silence = Silence::new(60 * SECOND, start);
        assert_eq!(silence.look(start + 1000 * SECOND), Verdict::Wait);
        assert_eq!(silence.deadline(), start + 1010 * SECOND);
    }

    #[test]
    fn a_limit_below_the_notice_holds() {
        let start = Instant::now();
        let mut silence = Silence::new(SECOND / 5, start);
        assert_eq!(silence.look(start + SECOND / 5), Verdict::Stuck(SECOND / 5));
    }
}
