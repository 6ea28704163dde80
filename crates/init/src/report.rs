//! How init tells the host the end.

use alloc::format;
use core::fmt::{self, Write};

use mote_contract::{Failure, GuestFrame, Outcome, Stop, VERDICT_PREFIX, Verdict};

use crate::channel::Channel;
use crate::error::InitError;
use crate::paths;
use crate::run::End;
use crate::sys::{self, Fd, OpenFlags};

/// The end that a failure is.
#[must_use]
pub fn failed(error: &InitError) -> End {
    End::Session {
        boottime_ns: sys::boottime_ns(),
        outcome: Outcome::Failed { failure: error.failure(), message: error.chain() },
    }
}

/// Tells the end over the channel, and waits until the host has read it.
pub fn over_channel(channel: &mut Channel, end: End) {
    let stop = match end {
        End::Stop(stop) => stop,
        End::Session { boottime_ns, outcome } => {
            channel.outbox.push(&GuestFrame::Ended { boottime_ns, outcome });
            Stop::Ended
        }
    };
    channel.outbox.push(&GuestFrame::Stopping(stop));
    // A host that is gone is not told anything.
    let _ = channel.flush_all().and_then(|()| channel.wait_for_hang_up());
}

/// Tells the end on the console, as the verdict line.
pub fn on_console(end: End) {
    let verdict = match end {
        End::Session { outcome, .. } => Verdict::Ended(outcome),
        End::Stop(stop) => Verdict::Stopping(stop),
    };
    if let Some(Console(fd)) = Console::open() {
        // In one piece, because the kernel may print as well.
        let _ = fd.write_all(format!("\n{verdict}\n").as_bytes());
        let _ = sys::wait_until_sent(&fd);
    }
}

/// Tells that init panicked; without allocating, because that may be the reason. It is told on the console: what
/// the channel has taken of the last frame is not known.
pub fn panicked(panic: fmt::Arguments<'_>) {
    let code = Failure::Mote.code();
    if let Some(mut console) = Console::open() {
        let _ = write!(console, "\n{VERDICT_PREFIX}failed={code} init {panic}\n");
        let _ = sys::wait_until_sent(&console.0);
    }
}

/// The console, on which the cursor may be anywhere. Without one, or when it fails, there is nobody to tell.
struct Console(Fd);

impl Console {
    fn open() -> Option<Self> {
        sys::open(paths::CONSOLE, OpenFlags::ReadWrite).ok().map(Self)
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
