//! SHA-256 of files.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use mote_process::Cancel;
use sha2::{Digest as _, Sha256};

use super::memo::{Fingerprint, Memo};
use super::{Progress, SourceError};

/// How much is read at once: enough that the calls do not count, little enough for the cache.
pub(super) const CHUNK: usize = 256 << 10;

/// A SHA-256 digest; shown as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    pub(super) fn finish(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
        parse(text).ok_or_else(|| DigestError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Digest> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok().map(Digest)
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
    let path = fs::canonicalize(path).map_err(|error| SourceError::open(path, error))?;
    let metadata = fs::metadata(&path).map_err(SourceError::io("examine", &path))?;
    if !metadata.is_file() {
        return Err(SourceError::WrongKind { wanted: "file", path });
    }
    let mut fingerprint = Fingerprint::new();
    fingerprint.add(&path, &metadata);
    let memo = Memo::new(memo_dir, &path, fingerprint);
    if let Some(digest) = memo.recall() {
        return Ok(digest);
    }
    let file = File::open(&path).map_err(SourceError::io("read", &path))?;
    let digest = digest_reader(file, &mut vec![0; CHUNK], cancel, &|done| {
        progress(done, Some(metadata.len()))
    })
    .map_err(SourceError::reading(&path))?;
    memo.remember(&digest);
    Ok(digest)
}

/// The digest of everything that `reader` gives, read through `chunk`. An interruption shows as an error that is one of
/// [`Cancelled`](mote_process::Cancelled).
pub(super) fn digest_reader(
    mut reader: impl Read,
    chunk: &mut [u8],
    cancel: &Cancel,
    progress: &dyn Fn(u64),
) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut done = 0;
    loop {
        cancel.check().map_err(io::Error::other)?;
        let length = match reader.read(chunk) {
            Ok(0) => return Ok(Digest::finish(hash)),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&chunk[..length]);
        done += length as u64;
        progress(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc`, from FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_come_back() {
        let digest = Digest::of_bytes(b"abc");
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(digest.clone()));
        assert_eq!(ABC.to_uppercase().parse(), Ok(digest));
        let long = format!("{ABC}00");
        for text in ["", "ab", &ABC[1..], &long, &ABC.replace('b', "g"), &ABC.replace("ba", "+a")] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn tarballs_are_files() {
        let dir = tempfile::tempdir().unwrap();
        let cancel = Cancel::default();
        let digest = |path: &Path| digest_tarball(path, dir.path(), &cancel, &|_, _| ());
        let file = dir.path().join("a");
        assert!(matches!(digest(&file), Err(SourceError::Missing { .. })));
        assert!(matches!(digest(dir.path()), Err(SourceError::WrongKind { wanted: "file", .. })));
        fs::write(&file, "abc").unwrap();
        assert_eq!(digest(&file).unwrap().to_string(), ABC);
        cancel.cancel(2);
        assert!(matches!(digest(&file), Err(SourceError::Cancelled(_))));
    }
}
