//! Passwords as SHA-512 crypt hashes.

use sha_crypt::{CustomizedPasswordHasher, Params, ShaCrypt};
use sha2::{Digest, Sha512};

/// Bytes of salt: 16 characters, the most that the method takes.
const SALT_LEN: usize = 12;

/// Hashes a password as `crypt(5)` describes for `$6$`.
///
/// The salt is a digest of the user's name and the password, so that an image is reproducible. It
/// differs between users and passwords, and tells no more than the hash itself does.
pub(super) fn hash_password(user: &str, password: &str) -> String {
    let mut digest = Sha512::new();
    for part in ["mote password salt", user, password] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let salt = &digest.finalize()[..SALT_LEN];
    ShaCrypt::SHA512
        .hash_password_customized(password.as_bytes(), salt, None, None, Params::RECOMMENDED)
        .expect("a salt of 12 bytes suits SHA-512 crypt")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn busybox_computes_the_same_hash() {
        let hash = hash_password("root", "päss word");
        let [_, method, rounds, salt, _] = hash.split('$').collect::<Vec<_>>()[..] else {
            panic!("{hash}")
        };
        assert_eq!((method, rounds, salt.len()), ("6", "rounds=5000", 16));
        let output = Command::new("busybox")
            .args(["mkpasswd", "-m", "sha512", "-S", salt, "päss word"])
            .output()
            .expect("busybox: apt-get install busybox-static");
        let wanted = String::from_utf8(output.stdout).unwrap();
        // 5000 rounds are the default, which BusyBox leaves out.
        assert_eq!(hash.replace("rounds=5000$", ""), wanted.trim());
    }

    #[test]
    fn salts_are_fixed_and_differ() {
        assert_eq!(hash_password("root", "a"), hash_password("root", "a"));
        let salt = |user, password| hash_password(user, password)[..30].to_owned();
        assert_ne!(salt("root", "a"), salt("guest", "a"));
        assert_ne!(salt("root", "a"), salt("root", "b"));
    }
}
