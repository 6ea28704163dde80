//! Where the bytes of a regular file lie.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

/// The bytes of a regular file: held in memory, or a stretch of a file of the host.
///
/// Cloning is cheap, and a tree of gigabytes costs no memory for its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// `len` bytes from `offset` on of the host's file `path`, which must not change while the
    /// tree is in use.
    HostFile {
        /// The file of the host.
        path: Arc<PathBuf>,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
}

impl Content {
    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::HostFile { len, .. } => *len,
        }
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Opens the bytes for reading.
    ///
    /// The reader ends after [`len`](Self::len) bytes; a file of the host that has become shorter
    /// is an [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), never a silently short read.
    ///
    /// # Errors
    ///
    /// When the host's file cannot be opened.
    pub fn open(&self) -> io::Result<ContentReader> {
        Ok(ContentReader(match self {
            Self::Bytes(bytes) => Source::Bytes { bytes: bytes.clone(), at: 0 },
            Self::HostFile { path, offset, len } => {
                let mut file = File::open(path.as_path())?;
                file.seek(SeekFrom::Start(*offset))?;
                Source::HostFile { file, left: *len }
            }
        }))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Reads the bytes of one [`Content`].
#[derive(Debug)]
pub struct ContentReader(Source);

#[derive(Debug)]
enum Source {
    Bytes { bytes: Arc<[u8]>, at: usize },
    HostFile { file: File, left: u64 },
}

impl Read for ContentReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Bytes { bytes, at } => {
                let count = (&bytes[*at..]).read(buf)?;
                *at += count;
                Ok(count)
            }
            Source::HostFile { file, left } => {
                let count = file.by_ref().take(*left).read(buf)?;
                if count == 0 && *left > 0 && !buf.is_empty() {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("the file ends {left} bytes too early"),
                    ));
                }
                *left -= count as u64;
                Ok(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_file(offset: u64, len: u64) -> (tempfile::TempDir, Content) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        std::fs::write(&path, b"0123456789").unwrap();
        (dir, Content::HostFile { path: Arc::new(path), offset, len })
    }

    #[test]
    fn reads_a_stretch_of_a_host_file() {
        let (_dir, content) = host_file(2, 5);
        let mut read = Vec::new();
        content.open().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!((read.as_slice(), content.len()), (&b"23456"[..], 5));
    }

    #[test]
    fn a_host_file_that_shrank_is_an_error() {
        let (_dir, content) = host_file(8, 5);
        let error = content.open().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
