//! SHA-256 as hexadecimal text.

use sha2::{Digest as _, Sha256};

/// 64 hexadecimal digits.
pub(crate) fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
