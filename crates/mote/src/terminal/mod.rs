//! What the user sees on a terminal or in a log: progress, tables, errors.

mod failure;
mod progress;
mod table;
mod timings;

use std::fmt::Display;
use std::fs::File;
use std::io::{Write, stderr, stdin, stdout};
use std::sync::LazyLock;

use mote_contract::TerminalSize;

pub use failure::report;
pub use progress::Progress;
pub use table::table;
pub use timings::timings;

/// Prints on standard error. One that is closed or full ends nothing: the exit code says what matters.
pub fn say(text: impl Display) {
    let _ = write!(stderr(), "{text}");
}

/// Whether mote had a controlling terminal and has lost it: somebody closed the window, or a connection
/// broke.
pub fn is_gone() -> bool {
    *HAD_TERMINAL && !has_terminal()
}

/// Notes whether there is a terminal that can be lost.
pub fn note() {
    LazyLock::force(&HAD_TERMINAL);
}

static HAD_TERMINAL: LazyLock<bool> = LazyLock::new(has_terminal);

/// tty(4): without a controlling terminal, `/dev/tty` cannot be opened.
fn has_terminal() -> bool {
    File::options().read(true).write(true).open("/dev/tty").is_ok()
}

/// The size of the terminal that mote has, if it has one.
pub fn size() -> Option<TerminalSize> {
    mote_vmm::terminal_size(stdout()).or_else(|| mote_vmm::terminal_size(stdin()))
}
