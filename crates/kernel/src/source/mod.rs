//! Linux sources: a directory, a tarball, or a version to download, each known by its digest.
//!
//! Nothing here decides where the cache is or locks it; the caller composes the steps:
//!
//! | wanted | steps |
//! | --- | --- |
//! | a directory | [`Source::open_directory`] |
//! | a tarball | [`digest_tarball`], [`unpack`] unless the cache has that digest, [`Source::open_unpacked`] |
//! | a version | [`downloaded`], or [`Mirror::find`] and [`Mirror::download`]; then as a tarball |
//! | `auto` | [`find_on_machine`]; then as what it found |

mod archive;
mod debian;
mod digest;
mod directory;
mod error;
mod memo;
mod mirror;
mod spec;
mod tree;

pub use archive::unpack;
pub use debian::{Found, find_on_machine};
pub use digest::{Digest, DigestError, digest_tarball};
pub use error::{SourceError, TransferError};
pub use mirror::{Mirror, Release, downloaded};
pub use spec::{SourceSpec, VersionWanted};
pub use tree::{Source, SourceKind};

/// Called with the bytes done so far and, where it is known, how many there are.
pub type Progress<'a> = &'a dyn Fn(u64, Option<u64>);
