//! Names of contents: `sha256:` and 64 hexadecimal digits.
//!
//! Follows the image specification, descriptor.md, "Digests". It knows other algorithms too; only
//! this one is in use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of a blob; shown as `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// A text that is not a digest, or one of an algorithm that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not `sha256:` and 64 lower-case hexadecimal digits.
    #[error("not a digest, which is sha256: and 64 lower-case hexadecimal digits: {text}")]
    Malformed {
        /// What was given.
        text: String,
    },
    /// An algorithm such as sha512.
    #[error("digests of the algorithm {algorithm} are not supported, only sha256")]
    Algorithm {
        /// What stands before the colon.
        algorithm: String,
    },
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    pub(crate) fn finish(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    /// The digest itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Only the digits: the name of the file that holds the blob.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest with these digits, if they are 64 lower-case hexadecimal ones.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let malformed = || DigestError::Malformed { text: shortened(text) };
        let (algorithm, digits) = text.split_once(':').ok_or_else(malformed)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+._-".contains(&byte);
        match algorithm {
            "sha256" => Self::from_hex(digits).ok_or_else(malformed),
            "" => Err(malformed()),
            _ if algorithm.len() > 32 || !algorithm.bytes().all(is_name) => Err(malformed()),
            _ => Err(DigestError::Algorithm { algorithm: algorithm.to_owned() }),
        }
    }
}

/// Enough of a hostile text to recognize it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_strictly() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        let digits = &text[7..];
        for bad in [
            digits,
            "",
            "sha256:",
            "sha256:../../etc/passwd",
            &text[..70],
            &format!("{text}0"),
            &format!("sha256:{}", digits.to_uppercase()),
            "../x:00",
        ] {
            let error = bad.parse::<Digest>().unwrap_err();
            assert!(matches!(error, DigestError::Malformed { .. }), "{bad}: {error}");
        }
        assert_eq!(
            "sha512:00".parse::<Digest>().unwrap_err().to_string(),
            "digests of the algorithm sha512 are not supported, only sha256"
        );
    }
}
