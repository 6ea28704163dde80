//! Extended attributes, in an inode and in a block of their own (`attributes.rst`).

use std::borrow::Cow;

use super::{acl, get16, get32, put16, put32};

const MAGIC: u32 = 0xea02_0000;

/// Bytes before the entries: the magic number in an inode, more in a block.
const INODE_HEADER_LEN: usize = 4;
const BLOCK_HEADER_LEN: usize = 32;

/// Bytes of an entry without its name, and of the zeros after the last one.
const ENTRY_LEN: usize = 16;
const END_LEN: usize = 4;

/// The longest name, in bytes without its prefix.
const NAME_MAX: usize = 255;

const ACL_ACCESS: u8 = 2;
const ACL_DEFAULT: u8 = 3;

/// What names start with, by the number that stands for it. The lists are whole names.
const PREFIXES: [(u8, &[u8]); 6] = [
    (1, b"user."),
    (ACL_ACCESS, b"system.posix_acl_access"),
    (ACL_DEFAULT, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
    (7, b"system."),
];

/// An attribute as the disk has it. Sorted as the entries of a block must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ext4) struct Xattr<'a> {
    prefix: u8,
    name_len: usize,
    name: &'a [u8],
    value: Cow<'a, [u8]>,
}

/// Why an attribute cannot be in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) enum Unfit {
    /// The name is in none of the kernel's namespaces, which ext4 has numbers for.
    Namespace,
    /// The name is too long, or holds a NUL byte.
    Name,
    /// The value is not an access control list.
    Acl,
}

impl<'a> Xattr<'a> {
    pub(in crate::ext4) fn new(full: &'a [u8], value: &'a [u8]) -> Result<Self, Unfit> {
        let (prefix, name) = split_name(full).ok_or(Unfit::Namespace)?;
        if name.len() > NAME_MAX || name.contains(&0) {
            return Err(Unfit::Name);
        }
        let is_acl = matches!(prefix, ACL_ACCESS | ACL_DEFAULT);
        let value = match is_acl {
            true => acl::to_disk(value).ok_or(Unfit::Acl)?.into(),
            false => value.into(),
        };
        Ok(Self { prefix, name_len: name.len(), name, value })
    }

    /// Bytes that the attribute takes.
    pub(in crate::ext4) fn len(&self) -> usize {
        entry_len(self.name.len()) + self.value.len().next_multiple_of(4)
    }

    /// The number that tells equal blocks from others, as e2fsck computes it: over the name byte
    /// by byte, then over the value word by word.
    fn hash(&self) -> u32 {
        let of_name =
            self.name.iter().fold(0u32, |hash, &byte| hash.rotate_left(5) ^ u32::from(byte));
        self.value.chunks(4).fold(of_name, |hash, chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            hash.rotate_left(16) ^ u32::from_le_bytes(word)
        })
    }
}

/// The number of the prefix, and what follows it.
fn split_name(full: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|&(number, prefix)| {
        let name = full.strip_prefix(prefix)?;
        (name.is_empty() == matches!(number, ACL_ACCESS | ACL_DEFAULT)).then_some((number, name))
    })
}

fn entry_len(name_len: usize) -> usize {
    (ENTRY_LEN + name_len).next_multiple_of(4)
}

/// Bytes for attributes in `room` bytes of an inode, and in a block.
pub(in crate::ext4) const fn inode_room(room: usize) -> usize {
    room - INODE_HEADER_LEN - END_LEN
}

pub(in crate::ext4) const fn block_room(block_len: usize) -> usize {
    block_len - BLOCK_HEADER_LEN - END_LEN
}

/// Writes attributes over all of the room behind an inode's fields.
pub(in crate::ext4) fn put_in_inode(room: &mut [u8], xattrs: &[Xattr<'_>]) {
    put32(room, 0, MAGIC);
    // The kernel does not keep hashes up to date here, and wants none.
    put_entries(&mut room[INODE_HEADER_LEN..], 0, xattrs, |_| 0);
}

/// Writes attributes, which are sorted, over a block.
pub(in crate::ext4) fn put_in_block(block: &mut [u8], xattrs: &[Xattr<'_>]) {
    put32(block, 0, MAGIC);
    put32(block, 4, 1); // inodes that use the block
    put32(block, 8, 1); // blocks
    let hash = xattrs.iter().fold(0u32, |hash, xattr| hash.rotate_left(16) ^ xattr.hash());
    put32(block, 12, hash);
    put_entries(block, BLOCK_HEADER_LEN, xattrs, |xattr| xattr.hash());
}

/// Entries from `first` on, and their values from the end backwards; offsets count from the start
/// of `space`.
fn put_entries(
    space: &mut [u8],
    first: usize,
    xattrs: &[Xattr<'_>],
    hash: impl Fn(&Xattr<'_>) -> u32,
) {
    let mut at = first;
    let mut end = space.len();
    for xattr in xattrs {
        if !xattr.value.is_empty() {
            end -= xattr.value.len().next_multiple_of(4);
            space[end..end + xattr.value.len()].copy_from_slice(&xattr.value);
            put16(space, at + 2, end as u16);
        }
        space[at] = xattr.name.len() as u8;
        space[at + 1] = xattr.prefix;
        put32(space, at + 8, xattr.value.len() as u32);
        put32(space, at + 12, hash(xattr));
        space[at + ENTRY_LEN..at + ENTRY_LEN + xattr.name.len()].copy_from_slice(xattr.name);
        at += entry_len(xattr.name.len());
    }
}

/// Full name and value.
pub(in crate::ext4) type Named = (Vec<u8>, Vec<u8>);

/// The attributes behind an inode's fields; none where the magic number is missing.
pub(in crate::ext4) fn in_inode(room: &[u8]) -> impl Iterator<Item = Result<Named, Broken>> {
    let has_some = room.len() >= INODE_HEADER_LEN && get32(room, 0) == MAGIC;
    let space = if has_some { &room[INODE_HEADER_LEN..] } else { &[0; END_LEN][..] };
    entries(space, 0)
}

/// The attributes of a block.
pub(in crate::ext4) fn in_block(
    block: &[u8],
) -> Result<impl Iterator<Item = Result<Named, Broken>>, Broken> {
    match get32(block, 0) == MAGIC && get32(block, 8) == 1 {
        true => Ok(entries(block, BLOCK_HEADER_LEN)),
        false => Err(Broken),
    }
}

/// The attributes are not as they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) struct Broken;

fn entries(space: &[u8], first: usize) -> impl Iterator<Item = Result<Named, Broken>> {
    let mut at = Some(first);
    std::iter::from_fn(move || {
        let here = at.take()?;
        match space.get(here..here + END_LEN) {
            None => Some(Err(Broken)),
            Some([0, 0, 0, 0]) => None,
            Some(_) => Some(
                decode(space, here)
                    .ok_or(Broken)
                    .inspect(|(len, _)| {
                        at = Some(here + len);
                    })
                    .map(|(_, named)| named),
            ),
        }
    })
}

/// The entry at `at`, and its length.
fn decode(space: &[u8], at: usize) -> Option<(usize, Named)> {
    let entry = space.get(at..)?;
    let header = entry.get(..ENTRY_LEN)?;
    let name = entry.get(ENTRY_LEN..ENTRY_LEN + usize::from(header[0]))?;
    let lies_elsewhere = get32(header, 4) != 0;
    let len = usize::try_from(get32(header, 8)).ok()?;
    let from = usize::from(get16(header, 2));
    if lies_elsewhere {
        return None;
    }
    let value = match len {
        0 => &[],
        _ => space.get(from..from.checked_add(len)?)?,
    };
    let (number, prefix) = PREFIXES.iter().find(|(number, _)| *number == header[1])?;
    let is_acl = matches!(*number, ACL_ACCESS | ACL_DEFAULT);
    let value = if is_acl { acl::from_disk(value)? } else { value.to_vec() };
    Some((entry_len(name.len()), ([*prefix, name].concat(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&[u8]; 5] = [
        b"user.a",
        b"system.posix_acl_access",
        b"system.posix_acl_accessory",
        b"trusted.overlay.opaque",
        b"security.capability",
    ];

    fn sample() -> Vec<Named> {
        let value = |name: &[u8]| match name {
            b"system.posix_acl_access" => vec![2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255],
            name => name[1..].to_vec(),
        };
        NAMES.iter().map(|name| (name.to_vec(), value(name))).collect()
    }

    #[test]
    fn attributes_come_back_sorted_as_the_kernel_wants() {
        let sample = sample();
        let mut xattrs: Vec<_> =
            sample.iter().map(|(name, value)| Xattr::new(name, value).unwrap()).collect();
        xattrs.sort();
        let mut block = [0; 1024];
        put_in_block(&mut block, &xattrs);
        let mut read: Vec<_> = in_block(&block).unwrap().map(|named| named.unwrap()).collect();
        let mut wanted = sample.clone();
        assert_eq!(read[0].0, b"user.a");
        read.sort();
        wanted.sort();
        assert_eq!(read, wanted);
    }

    #[test]
    fn an_inode_is_filled_to_the_last_byte() {
        let value = [7; 96 - 8 - 20];
        let xattrs = [Xattr::new(b"user.abcd", &value).unwrap()];
        assert_eq!(xattrs[0].len(), inode_room(96));
        let mut room = [0; 96];
        put_in_inode(&mut room, &xattrs);
        let read: Vec<_> = in_inode(&room).map(|named| named.unwrap()).collect();
        assert_eq!(read, [(b"user.abcd".to_vec(), value.to_vec())]);
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        let long = [b"user.".as_slice(), &[b'n'; 256]].concat();
        assert_eq!(Xattr::new(&long, b""), Err(Unfit::Name));
        for name in [&b""[..], b"user.", b"com.example"] {
            assert_eq!(Xattr::new(name, b""), Err(Unfit::Namespace));
        }
        assert_eq!(Xattr::new(b"user.\0", b""), Err(Unfit::Name));
        assert_eq!(Xattr::new(b"system.posix_acl_access", b"x"), Err(Unfit::Acl));
    }

    #[test]
    fn offsets_that_lead_out_are_broken() {
        let mut room = [0; 96];
        put_in_inode(&mut room, &[Xattr::new(b"user.a", b"value").unwrap()]);
        assert!(in_inode(&room).all(|named| named.is_ok()));
        for (at, value) in [(4, 255), (6, 89), (8, 1), (12, 93)] {
            let mut room = room;
            room[at] = value;
            assert!(in_inode(&room).any(|named| named.is_err()), "{at} {value}");
        }
    }
}
