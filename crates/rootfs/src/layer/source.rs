//! What a layer is read from.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::tree::Content;

/// One layer, as it lies somewhere.
#[derive(Clone, Debug)]
pub struct LayerSource {
    /// What messages call it.
    pub name: String,
    /// Its bytes, compressed or not. A file of the host must not change while the tree is in use.
    pub blob: Content,
    /// How they are compressed.
    pub compression: Compression,
    /// SHA-256 of the bytes as they lie there, if it is to be verified.
    pub digest: Option<[u8; 32]>,
    /// SHA-256 of the inflated bytes, if it is to be verified.
    pub diff_id: Option<[u8; 32]>,
}

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As the first bytes say; what no compression begins with is not compressed.
    Auto,
    /// Not at all.
    None,
    /// gzip, of one or more members.
    Gzip,
    /// zstd, of one or more frames.
    Zstd,
    /// xz, of one or more streams.
    Xz,
}

impl LayerSource {
    /// The blob, its file open from here on.
    pub(super) fn open(&self) -> io::Result<Content> {
        Ok(match &self.blob {
            Content::HostFile { path, offset, len } => {
                let file = Arc::new(File::open(path.as_path())?);
                Content::Stretch { file, offset: *offset, len: *len }
            }
            blob => blob.clone(),
        })
    }
}

impl Compression {
    /// The same, [`Auto`](Self::Auto) decided.
    pub(super) fn of(self, blob: &Content) -> io::Result<Self> {
        const MAGICS: [(&[u8], Compression); 3] = [
            (b"\x1f\x8b", Compression::Gzip),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\xfd7zXZ\0", Compression::Xz),
        ];
        if self != Self::Auto {
            return Ok(self);
        }
        let mut head = Vec::new();
        blob.open()?.take(6).read_to_end(&mut head)?;
        // zstd's frames that hold no data have 16 magic numbers (RFC 8878, 3.1.2).
        let skippable = matches!(*head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        let magic = MAGICS.into_iter().find(|(magic, _)| head.starts_with(magic));
        Ok(match magic {
            Some((_, compression)) => compression,
            None if skippable => Self::Zstd,
            None => Self::None,
        })
    }
}
