//! Readers that see what passes.

use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256};

/// Counts, and hashes where asked, the bytes that are consumed.
pub(crate) struct Tally<R> {
    inner: R,
    bytes: u64,
    digest: Option<Sha256>,
}

impl<R: BufRead> Tally<R> {
    pub(crate) fn counting(inner: R) -> Self {
        Self { inner, bytes: 0, digest: None }
    }

    pub(crate) fn hashing(inner: R) -> Self {
        Self { inner, bytes: 0, digest: Some(Sha256::new()) }
    }

    /// Bytes consumed so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the bytes consumed; of none where hashing was not asked for.
    pub(crate) fn sha256(self) -> [u8; 32] {
        self.digest.unwrap_or_default().finalize().into()
    }
}

impl<R: BufRead> BufRead for Tally<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if let Some(digest) = &mut self.digest {
            // What was filled is still there: no read happens, and nothing can fail.
            if let Ok(filled) = self.inner.fill_buf() {
                digest.update(&filled[..count]);
            }
        }
        self.bytes += count as u64;
        self.inner.consume(count);
    }
}

impl<R: BufRead> Read for Tally<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}
