//! What a layer is read from.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::tree::{Content, Stretch};

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
                Content::Stretch(Stretch { file, offset: *offset, len: *len })
            }
            blob => blob.clone(),
        })
    }
}

impl LayerSource {
    /// How long the bytes are inflated, as the blob says: a multi-part blob may only say it of a
    /// part, and a hostile one anything. Nothing if it does not say.
    pub(super) fn inflated_len(&self) -> Option<u64> {
        /// Deflate makes at most 258 bytes of two bits.
        const DEFLATE_MOST: u64 = 1032;
        /// Longest header of a frame (RFC 8878, 3.1.1.1).
        const ZSTD_HEADER: u64 = 18;
        let len = self.blob.len();
        match self.compression.of(&self.blob).ok()? {
            Compression::Auto | Compression::None => Some(len),
            Compression::Gzip => {
                let mut bytes = [0; 4];
                self.blob.read_exact_at(&mut bytes, len.checked_sub(4)?).ok()?;
                let inflated = u64::from(u32::from_le_bytes(bytes));
                Some(inflated).filter(|&inflated| inflated <= len.saturating_mul(DEFLATE_MOST))
            }
            Compression::Zstd => {
                let mut head = Vec::new();
                self.blob.open().ok()?.take(ZSTD_HEADER).read_to_end(&mut head).ok()?;
                zstd::zstd_safe::get_frame_content_size(&head).ok()?
            }
            Compression::Xz => None,
        }
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
