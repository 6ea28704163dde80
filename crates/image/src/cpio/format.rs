//! The header: 110 bytes of ASCII.

/// What a header starts with.
pub(super) const MAGIC: &[u8; 6] = b"070701";

/// The same, where the last field is the sum of the file's bytes.
pub(super) const MAGIC_WITH_SUM: &[u8; 6] = b"070702";

/// Bytes of a header: the magic and thirteen fields of eight hexadecimal digits.
pub(super) const HEADER_LEN: usize = 110;

/// The name that ends an archive.
pub(super) const TRAILER: &[u8] = b"TRAILER!!!";

/// Names and link targets start, and file contents start and end, at multiples of this.
pub(super) const ALIGN: u64 = 4;

/// The longest name, and link target, with its NUL that the kernel takes (`PATH_MAX`).
pub(super) const NAME_MAX_WITH_NUL: u32 = 4096;

/// The type bits of a mode, and the two types that a reader treats in their own way.
pub(super) const S_IFMT: u32 = 0o170_000;
pub(super) const S_IFREG: u32 = 0o100_000;
pub(super) const S_IFLNK: u32 = 0o120_000;

/// The fields of a header, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ino: u32,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) nlink: u32,
    pub(super) mtime: u32,
    pub(super) filesize: u32,
    pub(super) devmajor: u32,
    pub(super) devminor: u32,
    pub(super) rdevmajor: u32,
    pub(super) rdevminor: u32,
    pub(super) namesize: u32,
    pub(super) check: u32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; HEADER_LEN];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        for (field, value) in bytes[MAGIC.len()..].chunks_exact_mut(8).zip(self.fields()) {
            for (place, digit) in field.iter_mut().enumerate() {
                *digit = DIGITS[(value >> (28 - 4 * place)) as usize & 0xf];
            }
        }
        bytes
    }

    /// The fields after the magic; `None` when one is not a hexadecimal number.
    pub(super) fn decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let mut fields = [0u32; 13];
        for (field, digits) in fields.iter_mut().zip(bytes[MAGIC.len()..].chunks_exact(8)) {
            for &digit in digits {
                *field = *field << 4 | char::from(digit).to_digit(16)?;
            }
        }
        let [ino, mode, uid, gid, nlink, mtime, filesize, rest @ ..] = fields;
        let [devmajor, devminor, rdevmajor, rdevminor, namesize, check] = rest;
        Some(Self {
            ino,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            filesize,
            devmajor,
            devminor,
            rdevmajor,
            rdevminor,
            namesize,
            check,
        })
    }

    fn fields(&self) -> [u32; 13] {
        [
            self.ino,
            self.mode,
            self.uid,
            self.gid,
            self.nlink,
            self.mtime,
            self.filesize,
            self.devmajor,
            self.devminor,
            self.rdevmajor,
            self.rdevminor,
            self.namesize,
            self.check,
        ]
    }
}

/// Zero bytes from `offset` to the next aligned one.
pub(super) fn padding(offset: u64) -> usize {
    (offset.next_multiple_of(ALIGN) - offset) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_and_decodes_all_fields() {
        let header = Header { ino: 0xdead_beef, mode: 0o100_644, namesize: 5, ..Header::default() };
        let bytes = header.encode();
        assert!(bytes.starts_with(b"070701deadbeef000081a40000"));
        assert_eq!(Header::decode(&bytes), Some(header));
        let mut bad = bytes;
        bad[20] = b'+';
        assert_eq!(Header::decode(&bad), None);
    }
}
