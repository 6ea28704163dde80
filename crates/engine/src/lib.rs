//! The operations behind mote's verbs: plans, cache, locks, runs.
//!
//! Each operation takes a [`Host`], which says what it may use of the machine, reports
//! [`event::Event`]s while it goes on, and returns a value or an [`EngineError`]. Nothing is
//! printed here, and nothing of the environment is read.

mod accel;
mod cache;
mod contents;
mod digest;
mod disk;
pub mod doctor;
mod error;
pub mod event;
mod export;
pub mod guest;
mod host;
pub mod image;
pub mod info;
pub mod kernel;
pub mod program;
pub mod prune;
pub mod pull;
pub mod run;
mod source;
mod system;
#[cfg(test)]
mod testing;
mod toolchain;

pub use cache::Cache;
pub use disk::DiskFormat;
pub use error::EngineError;
pub use export::{check_file, check_new_file, write_text};
pub use host::Host;
pub use mote_rootfs::layer::Limits;
pub use source::SourceWanted;
