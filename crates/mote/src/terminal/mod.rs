//! What the user sees on a terminal or in a log: progress, tables, errors.

mod failure;
mod progress;
mod table;
mod timings;

pub use failure::report;
pub use progress::Progress;
pub use table::table;
pub use timings::timings;
