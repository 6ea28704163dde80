//! How far the writing of an image is, and the wish to stop it.

use std::collections::HashSet;

use mote_process::Cancelled;
use mote_rootfs::tree::{Node, Tree};

/// Is told how many bytes of contents are in the image so far, of [`contents_bytes`], and may end
/// the writing.
pub type OnProgress<'a> = &'a mut dyn FnMut(u64) -> Result<(), Cancelled>;

/// The contents of all files of a tree in bytes, holes included, each once however many names it
/// has.
pub fn contents_bytes(tree: &Tree) -> u64 {
    let mut shared = HashSet::new();
    let mut bytes = 0;
    for entry in tree.walk() {
        if let Node::File(content) = &entry.inode.node
            && (entry.links == 1 || shared.insert(entry.id))
        {
            bytes += content.len();
        }
    }
    bytes
}

/// Counts what is written.
pub(crate) struct Progress<'a> {
    on_progress: OnProgress<'a>,
    done: u64,
}

impl<'a> Progress<'a> {
    /// The most to be copied between two calls of [`add`](Self::add): what a slow disk takes in a
    /// second.
    pub(crate) const STEP_BYTES: u64 = 64 << 20;

    pub(crate) fn new(on_progress: OnProgress<'a>) -> Self {
        Self { on_progress, done: 0 }
    }

    /// Notes `bytes` more.
    pub(crate) fn add(&mut self, bytes: u64) -> Result<(), Cancelled> {
        self.done += bytes;
        (self.on_progress)(self.done)
    }
}
