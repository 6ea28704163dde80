//! Keys of the cache.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Digests named inputs; fields cannot run into one another.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// A digest of what `purpose` names; the same fields for another purpose give another digest.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.field(purpose.as_bytes());
        hasher
    }

    pub(crate) fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Digests all that a reader gives, as the last field.
    pub(crate) fn read(&mut self, mut bytes: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match bytes.read(&mut buffer)? {
                0 => return Ok(()),
                len => self.0.update(&buffer[..len]),
            }
        }
    }

    /// 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
