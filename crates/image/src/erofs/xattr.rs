//! Extended attributes, which follow their inode.
//!
//! Each is its entry (length of the name, index of its prefix, length of the value), the rest of
//! the name and the value, filled up to 4 bytes. Before them stands a header of 12 bytes, for
//! attributes that inodes share: mote writes none of those, and reads them.

use std::collections::BTreeMap;

use super::format::{XATTR_HEADER_LEN, u16_at};

/// The attributes of an inode by their full names.
pub(super) type Xattrs = BTreeMap<Box<[u8]>, Box<[u8]>>;

pub(super) const ENTRY_LEN: usize = 4;

/// What the index of an entry stands for. Names under 0 are whole: no kernel shows them, as none
/// would let them be set, but what is read back is what was written.
const PREFIXES: [&[u8]; 7] = [
    b"",
    b"user.",
    b"system.posix_acl_access",
    b"system.posix_acl_default",
    b"trusted.",
    b"lustre.",
    b"security.",
];

/// Bytes of all attributes with their header; 0 without any.
pub(super) fn encoded_len(xattrs: &Xattrs) -> u64 {
    if xattrs.is_empty() {
        return 0;
    }
    let len = |name: &[u8], value: &[u8]| {
        (ENTRY_LEN + split_name(name).1.len() + value.len()).next_multiple_of(4) as u64
    };
    let entries: u64 = xattrs.iter().map(|(name, value)| len(name, value)).sum();
    u64::from(XATTR_HEADER_LEN) + entries
}

/// Appends all attributes, whose lengths were checked, in the order of their names.
pub(super) fn encode(xattrs: &Xattrs, out: &mut Vec<u8>) {
    if xattrs.is_empty() {
        return;
    }
    out.extend_from_slice(&[0; XATTR_HEADER_LEN as usize]);
    for (name, value) in xattrs {
        let (index, rest) = split_name(name);
        out.extend_from_slice(&[rest.len() as u8, index]);
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
        out.extend_from_slice(rest);
        out.extend_from_slice(value);
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// The index of the prefix of a name, and what is left of the name.
pub(super) fn split_name(name: &[u8]) -> (u8, &[u8]) {
    let found = (1u8..).zip(&PREFIXES[1..]).find_map(|(index, prefix)| {
        let rest = name.strip_prefix(*prefix)?;
        // The names of access control lists are whole; the others need more than their prefix.
        (prefix.ends_with(b".") != rest.is_empty()).then_some((index, rest))
    });
    found.unwrap_or((0, name))
}

/// The lengths in an entry, and what its index stands for; `None` for a prefix that the image
/// brings along itself.
pub(super) struct EntryHeader {
    pub(super) prefix: Option<&'static [u8]>,
    pub(super) name_len: usize,
    pub(super) value_len: usize,
}

impl EntryHeader {
    pub(super) fn decode(bytes: [u8; ENTRY_LEN]) -> Self {
        Self {
            prefix: PREFIXES.get(usize::from(bytes[1])).copied(),
            name_len: bytes[0].into(),
            value_len: u16_at(&bytes, 2).into(),
        }
    }

    /// Bytes of the whole entry.
    pub(super) fn entry_len(&self) -> usize {
        (ENTRY_LEN + self.name_len + self.value_len).next_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_after_what_the_kernel_knows() {
        let table: [(&str, u8, &str); 8] = [
            ("user.mime_type", 1, "mime_type"),
            ("system.posix_acl_access", 2, ""),
            ("system.posix_acl_default", 3, ""),
            ("system.posix_acl_access2", 0, "system.posix_acl_access2"),
            ("trusted.overlay.opaque", 4, "overlay.opaque"),
            ("security.capability", 6, "capability"),
            ("user.", 0, "user."),
            ("com.example", 0, "com.example"),
        ];
        for (name, index, rest) in table {
            assert_eq!(split_name(name.as_bytes()), (index, rest.as_bytes()), "{name}");
        }
    }

    #[test]
    fn entries_are_filled_up_to_four_bytes() {
        let mut xattrs = Xattrs::new();
        assert_eq!(encoded_len(&xattrs), 0);
        xattrs.insert(b"user.a"[..].into(), b"12"[..].into());
        xattrs.insert(b"security.capability"[..].into(), b"\x01\0"[..].into());
        let mut bytes = Vec::new();
        encode(&xattrs, &mut bytes);
        assert_eq!(bytes[12..], *b"\x0a\x06\x02\0capability\x01\0\x01\x01\x02\0a12\0");
        assert_eq!(bytes.len() as u64, encoded_len(&xattrs));
    }
}
