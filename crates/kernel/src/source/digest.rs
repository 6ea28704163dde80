//! SHA-256 of files.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use mote_process::Cancel;

use super::{Progress, SourceError};

/// A SHA-256 digest; shown as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sha256 digest, which has 64 hexadecimal digits: {text}")]
pub struct DigestError {
    /// What was given.
    pub text: String,
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let error = || DigestError {
            text: text.to_owned(),
        };
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

/// The digest of a tarball. It is remembered in `memo_dir` for as long as the file does not change.
///
/// # Errors
/// When it is not there, is no file, cannot be read, or the user interrupts.
pub fn digest_tarball(
    path: &Path,
    memo_dir: &Path,
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<Digest, SourceError> {
    todo!(
        "{path:?} {memo_dir:?} {:?}",
        (cancel.check().is_ok(), progress(0, None))
    )
}
