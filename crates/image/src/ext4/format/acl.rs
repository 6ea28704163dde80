//! POSIX access control lists: as an attribute's value in user space
//! (`include/uapi/linux/posix_acl_xattr.h`), and shorter on the disk (`fs/ext4/acl.h`).

use super::{get16, get32};

const USER_VERSION: u32 = 2;
const DISK_VERSION: u32 = 1;

/// Bytes before the entries, of an entry, and of an entry on the disk without an owner.
const HEADER_LEN: usize = 4;
const ENTRY_LEN: usize = 8;
const SHORT_LEN: usize = 4;

/// Tags of the entries with an owner of their own.
const USER: u16 = 0x02;
const GROUP: u16 = 0x08;

/// What entries without an owner have in its place.
const NOBODY: u32 = u32::MAX;

/// The list as the disk has it; `None` when it is not a list.
pub(in crate::ext4) fn to_disk(value: &[u8]) -> Option<Vec<u8>> {
    let (version, entries) = value.split_at_checked(HEADER_LEN)?;
    if get32(version, 0) != USER_VERSION || !entries.len().is_multiple_of(ENTRY_LEN) {
        return None;
    }
    let mut disk = DISK_VERSION.to_le_bytes().to_vec();
    for entry in entries.chunks_exact(ENTRY_LEN) {
        let has_owner = matches!(get16(entry, 0), USER | GROUP);
        disk.extend_from_slice(&entry[..if has_owner { ENTRY_LEN } else { SHORT_LEN }]);
    }
    Some(disk)
}

/// The list as user space has it; `None` when it is not a list.
pub(in crate::ext4) fn from_disk(disk: &[u8]) -> Option<Vec<u8>> {
    let (version, mut rest) = disk.split_at_checked(HEADER_LEN)?;
    if get32(version, 0) != DISK_VERSION {
        return None;
    }
    let mut value = USER_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (short, next) = rest.split_at_checked(SHORT_LEN)?;
        value.extend_from_slice(short);
        rest = next;
        if matches!(get16(short, 0), USER | GROUP) {
            let (owner, next) = rest.split_at_checked(ENTRY_LEN - SHORT_LEN)?;
            value.extend_from_slice(owner);
            rest = next;
        } else {
            value.extend_from_slice(&NOBODY.to_le_bytes());
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_lose_only_owners_that_mean_nothing() {
        let mut value = vec![2, 0, 0, 0];
        for (tag, owner) in [(1u16, NOBODY), (USER, 1000), (4, NOBODY), (GROUP, 7), (0x20, NOBODY)]
        {
            value.extend_from_slice(&tag.to_le_bytes());
            value.extend_from_slice(&[6, 0]);
            value.extend_from_slice(&owner.to_le_bytes());
        }
        let disk = to_disk(&value).unwrap();
        assert_eq!(disk.len(), 4 + 3 * 4 + 2 * 8);
        assert_eq!(from_disk(&disk), Some(value.clone()));
        assert_eq!(to_disk(&value[..11]), None);
        assert_eq!(from_disk(&disk[..10]), None);
        assert_eq!(from_disk(&value), None);
    }
}
