//! Driving the kernel's own build.

mod date;
mod error;
mod estimate;
mod journal;
mod meter;
mod run;

pub use error::BuildError;
pub use meter::Progress;
pub use run::{BuildDirs, BuildEvent, BuildOutcome, build};
