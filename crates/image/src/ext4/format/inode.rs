//! Inodes (`inodes.rst`).

use mote_rootfs::tree::Device;

use super::{get16, get32, put16, put32};

/// Bytes of our inodes.
pub(in crate::ext4) const INODE_LEN: usize = 256;

/// Bytes of the inodes of old, which all others start with.
pub(in crate::ext4) const OLD_INODE_LEN: usize = 128;

/// Bytes of the fields behind those of old.
pub(in crate::ext4) const EXTRA_LEN: u16 = 32;

/// Where the extended attributes in our inodes start.
pub(in crate::ext4) const XATTRS_AT: usize = OLD_INODE_LEN + EXTRA_LEN as usize;

/// Bytes of `i_block`: the root of the extent tree, a short link target, or a device number.
pub(in crate::ext4) const BLOCK_LEN: usize = 60;

/// The first second since 1970 that an inode can have, in 1901,
pub(in crate::ext4) const MTIME_MIN: i64 = i32::MIN as i64;

/// and the last one, in 2446.
pub(in crate::ext4) const MTIME_MAX: i64 = 0x3_7fff_ffff;

pub(in crate::ext4) mod flags {
    pub(in crate::ext4) const INDEX: u32 = 0x1000;
    pub(in crate::ext4) const EXTENTS: u32 = 0x8_0000;
    pub(in crate::ext4) const ENCRYPT: u32 = 0x800;
    pub(in crate::ext4) const INLINE_DATA: u32 = 0x1000_0000;
}

/// The type bits of `i_mode`.
pub(in crate::ext4) mod kind {
    pub(in crate::ext4) const MASK: u16 = 0o170_000;
    pub(in crate::ext4) const FIFO: u16 = 0o010_000;
    pub(in crate::ext4) const CHAR_DEVICE: u16 = 0o020_000;
    pub(in crate::ext4) const DIRECTORY: u16 = 0o040_000;
    pub(in crate::ext4) const BLOCK_DEVICE: u16 = 0o060_000;
    pub(in crate::ext4) const FILE: u16 = 0o100_000;
    pub(in crate::ext4) const SYMLINK: u16 = 0o120_000;
    pub(in crate::ext4) const SOCKET: u16 = 0o140_000;
}

/// An inode without its extended attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ext4) struct Record {
    /// Type and permissions.
    pub(in crate::ext4) mode: u16,
    pub(in crate::ext4) uid: u32,
    pub(in crate::ext4) gid: u32,
    /// Bytes.
    pub(in crate::ext4) size: u64,
    /// All times, in seconds since 1970.
    pub(in crate::ext4) mtime_s: i64,
    /// And the nanoseconds since then, of 30 bits.
    pub(in crate::ext4) mtime_ns: u32,
    pub(in crate::ext4) links: u16,
    /// Units of 512 bytes that the inode takes on the disk, metadata included.
    pub(in crate::ext4) sectors: u64,
    pub(in crate::ext4) flags: u32,
    pub(in crate::ext4) block: [u8; BLOCK_LEN],
    /// The block with further extended attributes, or 0.
    pub(in crate::ext4) xattr_block: u64,
}

impl Record {
    pub(in crate::ext4) fn encode(&self) -> [u8; INODE_LEN] {
        let mut bytes = [0; INODE_LEN];
        let b = &mut bytes;
        let (seconds, epoch) = encode_time(self.mtime_s);
        let extra = self.mtime_ns << EPOCH_BITS | epoch;
        put16(b, 0x00, self.mode);
        put16(b, 0x02, self.uid as u16);
        put32(b, 0x04, self.size as u32);
        for time in [0x08, 0x0c, 0x10, 0x90] {
            put32(b, time, seconds);
        }
        put16(b, 0x18, self.gid as u16);
        put16(b, 0x1a, self.links);
        put32(b, 0x1c, self.sectors as u32);
        put32(b, 0x20, self.flags);
        b[0x28..0x64].copy_from_slice(&self.block);
        put32(b, 0x68, self.xattr_block as u32);
        put32(b, 0x6c, (self.size >> 32) as u32);
        put16(b, 0x74, (self.sectors >> 32) as u16);
        put16(b, 0x76, (self.xattr_block >> 32) as u16);
        put16(b, 0x78, (self.uid >> 16) as u16);
        put16(b, 0x7a, (self.gid >> 16) as u16);
        put16(b, 0x80, EXTRA_LEN);
        for extra_of in [0x84, 0x88, 0x8c, 0x94] {
            put32(b, extra_of, extra);
        }
        bytes
    }

    /// Reads an inode of at least [`OLD_INODE_LEN`] bytes.
    pub(in crate::ext4) fn decode(b: &[u8]) -> Self {
        let wide = |high: u16, low: u32| u64::from(high) << 32 | u64::from(low);
        let owner =
            |high: usize, low: usize| u32::from(get16(b, high)) << 16 | u32::from(get16(b, low));
        let extra = if extra_len(b) >= 0x8c - 0x80 { get32(b, 0x88) } else { 0 };
        Self {
            mode: get16(b, 0x00),
            uid: owner(0x78, 0x02),
            gid: owner(0x7a, 0x18),
            size: u64::from(get32(b, 0x6c)) << 32 | u64::from(get32(b, 0x04)),
            mtime_s: decode_time(get32(b, 0x10), extra),
            mtime_ns: extra >> EPOCH_BITS,
            links: get16(b, 0x1a),
            sectors: wide(get16(b, 0x74), get32(b, 0x1c)),
            flags: get32(b, 0x20),
            block: b[0x28..0x64].try_into().expect("60 bytes"),
            xattr_block: wide(get16(b, 0x76), get32(b, 0x68)),
        }
    }
}

/// Bytes behind those of old that fields take; never more than there are.
pub(in crate::ext4) fn extra_len(inode: &[u8]) -> usize {
    match inode.len() - OLD_INODE_LEN {
        0 => 0,
        room => usize::from(get16(inode, 0x80)).min(room),
    }
}

/// How many bits of the field beside a time extend its seconds; the others are nanoseconds
/// (Documentation/filesystems/ext4/inodes.rst, "Inode Timestamps").
const EPOCH_BITS: u32 = 2;

/// Seconds modulo 2^32, and the bits above them: how often 2^32 is to be added to the former,
/// taken with its sign.
fn encode_time(seconds: i64) -> (u32, u32) {
    let low = seconds as i32;
    (low as u32, (seconds.wrapping_sub(low.into()) >> 32) as u32 & 3)
}

fn decode_time(seconds: u32, extra: u32) -> i64 {
    i64::from(seconds as i32) + (i64::from(extra & 3) << 32)
}

/// `i_block` of a device: in its first word if both numbers have 8 bits, else in its second
/// (`old_encode_dev` and `new_encode_dev` of `include/linux/kdev_t.h`).
pub(in crate::ext4) fn encode_device(device: Device) -> [u8; BLOCK_LEN] {
    let Device { major, minor } = device;
    let mut block = [0; BLOCK_LEN];
    if major < 256 && minor < 256 {
        put32(&mut block, 0, major << 8 | minor);
    } else {
        put32(&mut block, 4, minor & 0xff | major << 8 | (minor & !0xff) << 12);
    }
    block
}

pub(in crate::ext4) fn decode_device(block: &[u8; BLOCK_LEN]) -> Device {
    match get32(block, 0) {
        0 => {
            let wide = get32(block, 4);
            Device { major: wide >> 8 & 0xfff, minor: wide & 0xff | wide >> 12 & 0xf_ff00 }
        }
        narrow => Device { major: narrow >> 8 & 0xff, minor: narrow & 0xff },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and last second of each row of the table in `inodes.rst`.
    #[test]
    fn times_are_those_of_the_kernel() {
        let table = [
            (-0x8000_0000, 0x8000_0000, 0),
            (-1, 0xffff_ffff, 0),
            (0, 0, 0),
            (0x7fff_ffff, 0x7fff_ffff, 0),
            (0x8000_0000, 0x8000_0000, 1),
            (0xffff_ffff, 0xffff_ffff, 1),
            (0x1_0000_0000, 0, 1),
            (0x1_7fff_ffff, 0x7fff_ffff, 1),
            (0x1_8000_0000, 0x8000_0000, 2),
            (0x2_7fff_ffff, 0x7fff_ffff, 2),
            (0x2_8000_0000, 0x8000_0000, 3),
            (MTIME_MAX, 0x7fff_ffff, 3),
        ];
        for (seconds, low, epoch) in table {
            assert_eq!(encode_time(seconds), (low, epoch), "{seconds}");
            assert_eq!(decode_time(low, epoch), seconds);
        }
    }

    #[test]
    fn devices_come_back_in_both_encodings() {
        for (major, minor, word) in [(5, 1, 0), (255, 255, 0), (0, 256, 1), (256, 0, 1)] {
            let device = Device { major, minor };
            let block = encode_device(device);
            assert_eq!(decode_device(&block), device);
            assert_ne!(get32(&block, 4 * word), 0, "{device:?}");
        }
        let widest = Device { major: 4095, minor: (1 << 20) - 1 };
        assert_eq!(decode_device(&encode_device(widest)), widest);
    }

    #[test]
    fn records_come_back() {
        let record = Record {
            mode: 0o104_755,
            uid: 0xdead_beef,
            gid: 0xcafe_f00d,
            size: 0x1234_5678_9abc,
            mtime_s: -1,
            mtime_ns: 999_999_999,
            links: 3,
            sectors: 0x1_0000_0008,
            flags: flags::EXTENTS,
            block: [7; BLOCK_LEN],
            xattr_block: 0x5_0000_0001,
        };
        assert_eq!(Record::decode(&record.encode()), record);
    }
}
