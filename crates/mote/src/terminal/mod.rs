//! What the user sees on a terminal or in a log: progress, tables, errors.

mod failure;
mod progress;
mod table;
mod timings;

use std::fmt::Display;
use std::io::{Write, stderr, stdin, stdout};

use mote_contract::TerminalSize;

pub use failure::report;
pub use progress::Progress;
pub use table::table;
pub use timings::timings;

/// Prints on standard error. One that is closed or full ends nothing: the exit code says what matters.
pub fn say(text: impl Display) {
    let _ = write!(stderr(), "{text}");
}

/// The size of the terminal that mote has, if it has one.
pub fn size() -> Option<TerminalSize> {
    mote_vmm::terminal_size(stdout()).or_else(|| mote_vmm::terminal_size(stdin()))
}
