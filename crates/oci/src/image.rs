//! What loading an image gives.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::Lease;
use crate::{Digest, ImageConfig};

/// An image whose layers can be read. While it lives, nothing of it is removed from the store.
#[derive(Debug)]
pub struct Image {
    /// What the user named, such as `docker.io/library/alpine:3.20` or `oci:DIR`.
    pub origin: String,
    /// The digest of its manifest; docker archives have none.
    pub manifest_digest: Option<Digest>,
    /// The digest of its configuration. As that names the layers, it stands for all of the image.
    pub config_digest: Digest,
    /// What it runs and how.
    pub config: ImageConfig,
    /// The layers, from the lowest.
    pub layers: Vec<Layer>,
    /// Holds off those who would remove blobs.
    pub(crate) lease: Option<Lease>,
}

/// One layer: a tar archive, perhaps compressed, that nobody has looked into.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Of the blob as it is.
    pub digest: Digest,
    /// Of the tar archive in it.
    pub diff_id: Digest,
    /// How to get from the one to the other.
    pub compression: Compression,
    /// Where it is; its length is that of the blob.
    pub blob: BlobRef,
}

/// How a layer is compressed, as its first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// zstd (RFC 8878).
    Zstd,
}

/// A stretch of a file on this host.
#[derive(Debug, Clone)]
pub struct BlobRef {
    /// The file.
    pub file: BlobFile,
    /// Where the stretch begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// A file that holds blobs.
#[derive(Debug, Clone)]
pub enum BlobFile {
    /// By its path.
    Path(PathBuf),
    /// A temporary file without a name.
    Unnamed(Arc<File>),
}

impl BlobRef {
    /// All of the file at `path`.
    pub(crate) fn whole(path: PathBuf) -> io::Result<Self> {
        let metadata = path.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self { file: BlobFile::Path(path), offset: 0, len: metadata.len() })
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(&self) -> io::Result<BlobReader> {
        let file = match &self.file {
            BlobFile::Path(path) => Arc::new(File::open(path)?),
            BlobFile::Unnamed(file) => Arc::clone(file),
        };
        Ok(BlobReader { file, position: self.offset, left: self.len })
    }

    /// Where its file is, for messages.
    pub fn path(&self) -> Option<&Path> {
        match &self.file {
            BlobFile::Path(path) => Some(path),
            BlobFile::Unnamed(_) => None,
        }
    }

    /// How it is compressed.
    pub(crate) fn compression(&self) -> io::Result<Compression> {
        let mut magic = Vec::new();
        self.open()?.take(4).read_to_end(&mut magic)?;
        Ok(match magic.as_slice() {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
            // Frames that hold no data may stand first (RFC 8878, 3.1.2).
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
            _ => Compression::None,
        })
    }
}

/// Reads a blob to its end; independent of other readers of the same file.
#[derive(Debug)]
pub struct BlobReader {
    file: Arc<File>,
    position: u64,
    left: u64,
}

impl BlobReader {
    /// Up to `most` bytes from `at` in what is still to be read, which stays so.
    pub(crate) fn peek(&self, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let left = self.left.saturating_sub(at).min(most as u64);
        let stretch = Self { file: Arc::clone(&self.file), position: self.position + at, left };
        let mut bytes = Vec::new();
        stretch.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let length = self.file.read_at(&mut buffer[..most], self.position)?;
        if length == 0 {
            // It was as long as it should be when it was found.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unnamed(bytes: &[u8]) -> BlobFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        BlobFile::Unnamed(Arc::new(file))
    }

    #[test]
    fn a_stretch_is_read_and_no_more() {
        let blob = BlobRef { file: unnamed(b"0123456789"), offset: 3, len: 4 };
        for _ in 0..2 {
            assert_eq!(io::read_to_string(blob.open().unwrap()).unwrap(), "3456");
        }
        let beyond = BlobRef { len: 8, ..blob };
        let error = io::read_to_string(beyond.open().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        for (bytes, wanted) in [
            (&b"\x1f\x8b\x08\0rest"[..], Compression::Gzip),
            (b"\x28\xb5\x2f\xfd", Compression::Zstd),
            (b"\x5f\x2a\x4d\x18\0", Compression::Zstd),
            (b"\x28\xb5\x2f", Compression::None),
            (b"", Compression::None),
        ] {
            let blob = BlobRef { file: unnamed(bytes), offset: 0, len: bytes.len() as u64 };
            assert_eq!(blob.compression().unwrap(), wanted, "{bytes:?}");
        }
    }
}
