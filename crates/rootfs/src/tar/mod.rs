//! Reading tar archives: ustar, pax, GNU and what came before them.
//!
//! An archive is read once, front to back. Contents are not touched: an entry says at which byte of
//! the archive its content lies.
//!
//! After POSIX.1-2017, `pax`, and the GNU tar manual 1.35, "Tar Internals". Where writers differ
//! from both, what Go's `archive/tar` does is done, since it wrote and reads nearly all images.

mod archive;
mod error;
mod extensions;
mod header;
mod number;
mod sparse;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use archive::{Archive, Data, Entry, Kind};
pub use error::ArchiveError;
