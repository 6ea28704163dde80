//! Why layers do not become a tree.

use std::io;

use mote_process::Cancelled;

use super::{LayerSource, Limit, Limits};
use crate::tar::ArchiveError;
use crate::tree::{PathError, TreeError};

/// Why layers do not become a tree. `layer` is the name of the [`LayerSource`].
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The blob cannot be opened or read, or is shorter than it should be.
    #[error("{layer} cannot be read")]
    Read {
        /// The layer.
        layer: String,
        /// Why not.
        source: io::Error,
    },
    /// The compressed bytes are damaged or cut off, or need too much memory.
    #[error("{layer} cannot be inflated")]
    Inflate {
        /// The layer.
        layer: String,
        /// Why not.
        source: io::Error,
    },
    /// The spool cannot be made or written; mostly because the disk is full.
    #[error("the work file for {layer} cannot be written")]
    Spool {
        /// The layer.
        layer: String,
        /// Why not.
        source: io::Error,
    },
    /// Large contents could not be written where they are to lie.
    #[error("the contents of {layer} cannot be written into the image")]
    Disk {
        /// The layer.
        layer: String,
        /// Why not.
        source: io::Error,
    },
    /// The layer is not a tar archive, or a damaged one.
    #[error("{layer} cannot be unpacked")]
    Archive {
        /// The layer.
        layer: String,
        /// Why not.
        source: ArchiveError,
    },
    /// The bytes of the blob are not those that were meant.
    #[error("{layer} has the digest sha256:{got}, and should have sha256:{want}")]
    Digest {
        /// The layer.
        layer: String,
        /// The blob's digest, in hexadecimal digits.
        got: String,
        /// The expected one.
        want: String,
    },
    /// The inflated bytes are not those that were meant.
    #[error("{layer} has the diff ID sha256:{got}, and should have sha256:{want}")]
    DiffId {
        /// The layer.
        layer: String,
        /// The digest of the inflated bytes, in hexadecimal digits.
        got: String,
        /// The expected one.
        want: String,
    },
    /// A whiteout for what cannot be.
    #[error("{layer} has a whiteout that hides nothing: {whiteout}")]
    Whiteout {
        /// The layer.
        layer: String,
        /// The whiteout.
        whiteout: String,
        /// What is wrong with its name.
        source: PathError,
    },
    /// An entry has no place in the tree.
    #[error("{layer} cannot be applied")]
    Apply {
        /// The layer.
        layer: String,
        /// Why not.
        source: TreeError,
    },
    /// The image asks for too much.
    #[error("{layer} brings the image to more than {most} {limit}")]
    Limit {
        /// The layer with which it became too much.
        layer: String,
        /// Of what.
        limit: Limit,
        /// Most that is taken.
        most: u64,
    },
    /// The system gives no thread to work with.
    #[error("no thread can be started")]
    Thread {
        /// Why not.
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl LayerError {
    pub(super) fn exceeded(layer: &LayerSource, limit: Limit, limits: &Limits) -> Self {
        Self::Limit { layer: layer.name.clone(), limit, most: limits.most(limit) }
    }
}
