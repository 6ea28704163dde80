//! How much an image may ask for.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most that all layers together may have. What Linux itself bounds (names, paths, the targets of
/// symbolic links, extended attributes) is bounded by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Inflated bytes, headers and the holes of sparse files included. The spool takes as much disk
    /// space at most.
    pub bytes: u64,
    /// Entries, and directories made because something is below them.
    pub entries: u64,
    /// Bytes of names, link targets, extended attributes, and maps of sparse files, which are held
    /// in memory.
    pub metadata_bytes: u64,
}

/// One of the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::bytes`]
    Bytes,
    /// [`Limits::entries`]
    Entries,
    /// [`Limits::metadata_bytes`]
    MetadataBytes,
}

impl Default for Limits {
    /// 64 GiB in two million entries with 512 MiB of metadata: several times the largest images
    /// that are in use.
    fn default() -> Self {
        Self { bytes: 64 << 30, entries: 2_000_000, metadata_bytes: 512 << 20 }
    }
}

impl Limits {
    /// The number for a limit.
    pub fn most(&self, limit: Limit) -> u64 {
        match limit {
            Limit::Bytes => self.bytes,
            Limit::Entries => self.entries,
            Limit::MetadataBytes => self.metadata_bytes,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "inflated bytes",
            Self::Entries => "entries",
            Self::MetadataBytes => "bytes of names and attributes",
        })
    }
}

/// What is left of the limits, for all threads.
pub(super) struct Budget {
    limits: Limits,
    bytes: AtomicU64,
    entries: AtomicU64,
    metadata_bytes: AtomicU64,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        let zero = AtomicU64::default;
        Self { limits, bytes: zero(), entries: zero(), metadata_bytes: zero() }
    }

    /// Uses up `count`, or says which limit it would break.
    pub(super) fn take(&self, limit: Limit, count: u64) -> Result<(), Limit> {
        let used = match limit {
            Limit::Bytes => &self.bytes,
            Limit::Entries => &self.entries,
            Limit::MetadataBytes => &self.metadata_bytes,
        };
        let before = used.fetch_add(count, Ordering::Relaxed);
        self.check(limit, before.saturating_add(count))
    }

    /// Says whether `count` alone would break a limit.
    pub(super) fn check(&self, limit: Limit, count: u64) -> Result<(), Limit> {
        if count > self.limits.most(limit) { Err(limit) } else { Ok(()) }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }
}
