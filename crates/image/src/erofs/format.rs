//! What lies on the disk, after `fs/erofs/erofs_fs.h` of Linux 6.12. All numbers are little-endian.

use std::ops::Range;

use mote_rootfs::tree::{Device, Node};

/// Block size of the images that mote writes: the page size, the largest that every kernel takes.
pub(super) const BLOCK_BYTES: u64 = 4096;
pub(super) const BLOCK_BITS: u8 = 12;

/// Block sizes that are read: those that a kernel with pages of 4 KiB mounts.
pub(super) const BLOCK_BITS_READ: Range<u8> = 9..13;

/// Inodes are numbered by their place, in units of this.
pub(super) const SLOT_BYTES: u64 = 32;

pub(super) const SUPERBLOCK_AT: u64 = 1024;
pub(super) const SUPERBLOCK_LEN: usize = 128;
const CHECKSUM: Range<usize> = 4..8;

const MAGIC: u32 = 0xe0f5_e1e2;
const COMPAT_CHECKSUM: u32 = 1 << 0;
/// The times of inodes are those of modification.
const COMPAT_MTIME: u32 = 1 << 1;
/// Every bit that Linux 6.12 knows; what they stand for only concerns the contents of files.
pub(super) const INCOMPAT_KNOWN: u32 = 0x7f;

/// The superblock, as far as an uncompressed image on one device has need of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) checksum: Option<u32>,
    pub(super) block_bits: u8,
    pub(super) root: u16,
    pub(super) inodes: u64,
    /// Time of all compact inodes, in seconds since 1970.
    pub(super) build_time_s: i64,
    pub(super) blocks: u32,
    /// First block of the inodes.
    pub(super) meta_block: u32,
    /// First block of the shared extended attributes.
    pub(super) xattr_block: u32,
    pub(super) incompat: u32,
}

impl Superblock {
    /// The bytes, with a checksum of 0; [`seal`] sets it.
    pub(super) fn encode(&self) -> [u8; SUPERBLOCK_LEN] {
        let mut bytes = [0; SUPERBLOCK_LEN];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC.to_le_bytes());
        put(8, &(COMPAT_CHECKSUM | COMPAT_MTIME).to_le_bytes());
        put(12, &[self.block_bits]);
        put(14, &self.root.to_le_bytes());
        put(16, &self.inodes.to_le_bytes());
        put(24, &self.build_time_s.to_le_bytes());
        put(36, &self.blocks.to_le_bytes());
        put(40, &self.meta_block.to_le_bytes());
        put(44, &self.xattr_block.to_le_bytes());
        put(80, &self.incompat.to_le_bytes());
        bytes
    }

    /// The superblock in `bytes`; none without its magic number.
    pub(super) fn decode(bytes: &[u8; SUPERBLOCK_LEN]) -> Option<Self> {
        if u32_at(bytes, 0) != MAGIC {
            return None;
        }
        let has_checksum = u32_at(bytes, 8) & COMPAT_CHECKSUM != 0;
        Some(Self {
            checksum: has_checksum.then(|| u32_at(bytes, CHECKSUM.start)),
            block_bits: bytes[12],
            root: u16_at(bytes, 14),
            inodes: u64_at(bytes, 16),
            build_time_s: u64_at(bytes, 24).cast_signed(),
            blocks: u32_at(bytes, 36),
            meta_block: u32_at(bytes, 40),
            xattr_block: u32_at(bytes, 44),
            incompat: u32_at(bytes, 80),
        })
    }
}

/// The checksum of an image, from its first block without the part before the superblock.
pub(super) fn checksum(block: &[u8]) -> u32 {
    let (before, rest) = block.split_at(CHECKSUM.start);
    let rest = &rest[CHECKSUM.len()..];
    crc32c(crc32c(crc32c(!0, before), &[0; CHECKSUM.end - CHECKSUM.start]), rest)
}

/// Puts the checksum into the first block of an image.
pub(super) fn seal(first_block: &mut [u8]) {
    let block = &mut first_block[SUPERBLOCK_AT as usize..];
    let sum = checksum(block);
    block[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
}

/// CRC32C without the final complement, as `crc32c` of Linux is.
fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    const REVERSED_POLYNOMIAL: u32 = 0x82f6_3b78;
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { REVERSED_POLYNOMIAL } else { 0 }
        })
    })
}

/// The two sizes of inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 32 bytes: 16 bits for owners and links, 32 for the size, and the time of the superblock.
    Compact,
    /// 64 bytes.
    Extended,
}

impl Form {
    pub(super) const fn bytes(self) -> u64 {
        match self {
            Self::Compact => 32,
            Self::Extended => 64,
        }
    }
}

/// Where the bytes of an inode lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// In consecutive blocks.
    Plain,
    /// In consecutive blocks, but for what does not fill the last one: that follows the inode.
    Inline,
    /// Compressed, in either form of the index.
    Compressed,
    /// In chunks that lie anywhere.
    Chunks,
}

const LAYOUTS: [Layout; 5] =
    [Layout::Plain, Layout::Compressed, Layout::Inline, Layout::Compressed, Layout::Chunks];

/// An inode, without what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) form: Form,
    pub(super) layout: Layout,
    /// Bytes of extended attributes after the inode; 0, or 12 and a multiple of 4.
    pub(super) xattr_bytes: u32,
    /// Type and permissions, as `st_mode`.
    pub(super) mode: u16,
    pub(super) size: u64,
    /// First block of the contents, or the number of a device.
    pub(super) place: u32,
    /// What 32-bit systems show as the number of the inode.
    pub(super) ino: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Of extended inodes only.
    pub(super) mtime_s: i64,
    pub(super) mtime_ns: u32,
    pub(super) links: u32,
}

/// Bytes before the entries of extended attributes; what follows is counted in units of 4.
pub(super) const XATTR_HEADER_LEN: u32 = 12;

/// Most bytes of extended attributes that an inode can have.
pub(super) const XATTR_BYTES_MAX: u64 = XATTR_HEADER_LEN as u64 + 4 * (u16::MAX as u64 - 1);

impl Header {
    /// Appends the bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let layout = match self.layout {
            Layout::Plain => 0,
            Layout::Inline => 2,
            Layout::Compressed | Layout::Chunks => unreachable!("mote writes neither"),
        };
        let xattr_units = match self.xattr_bytes.checked_sub(XATTR_HEADER_LEN) {
            Some(entries) => (entries / 4 + 1) as u16,
            None => 0,
        };
        let mut put = |field: &[u8]| out.extend_from_slice(field);
        put(&(self.form as u16 | layout << 1).to_le_bytes());
        put(&xattr_units.to_le_bytes());
        put(&self.mode.to_le_bytes());
        match self.form {
            Form::Compact => {
                put(&(self.links as u16).to_le_bytes());
                put(&(self.size as u32).to_le_bytes());
                put(&[0; 4]);
                put(&self.place.to_le_bytes());
                put(&self.ino.to_le_bytes());
                put(&(self.uid as u16).to_le_bytes());
                put(&(self.gid as u16).to_le_bytes());
                put(&[0; 4]);
            }
            Form::Extended => {
                put(&[0; 2]);
                put(&self.size.to_le_bytes());
                put(&self.place.to_le_bytes());
                put(&self.ino.to_le_bytes());
                put(&self.uid.to_le_bytes());
                put(&self.gid.to_le_bytes());
                put(&self.mtime_s.to_le_bytes());
                put(&self.mtime_ns.to_le_bytes());
                put(&self.links.to_le_bytes());
                put(&[0; 16]);
            }
        }
    }

    /// The inode at the start of `bytes`, of which a compact one needs 32; none where the format
    /// is not known. A compact one is given the time `build_time_s`.
    pub(super) fn decode(bytes: &[u8; 64], build_time_s: i64) -> Option<Self> {
        let format = u16_at(bytes, 0);
        let layout = *LAYOUTS.get(usize::from(format >> 1))?;
        let xattr_bytes = match u16_at(bytes, 2) {
            0 => 0,
            units => XATTR_HEADER_LEN + 4 * (u32::from(units) - 1),
        };
        let common = Self {
            form: Form::Compact,
            layout,
            xattr_bytes,
            mode: u16_at(bytes, 4),
            size: u32_at(bytes, 8).into(),
            place: u32_at(bytes, 16),
            ino: u32_at(bytes, 20),
            uid: u16_at(bytes, 24).into(),
            gid: u16_at(bytes, 26).into(),
            mtime_s: build_time_s,
            mtime_ns: 0,
            links: u16_at(bytes, 6).into(),
        };
        Some(match format & 1 {
            0 => common,
            _ => Self {
                form: Form::Extended,
                size: u64_at(bytes, 8),
                uid: u32_at(bytes, 24),
                gid: u32_at(bytes, 28),
                mtime_s: u64_at(bytes, 32).cast_signed(),
                mtime_ns: u32_at(bytes, 40),
                links: u32_at(bytes, 44),
                ..common
            },
        })
    }
}

/// An entry of a directory, before the names: number of the inode, where the name starts, type.
pub(super) const DIRENT_LEN: usize = 12;

pub(super) fn encode_dirent(nid: u64, name_at: u16, file_type: u8) -> [u8; DIRENT_LEN] {
    let mut bytes = [0; DIRENT_LEN];
    bytes[..8].copy_from_slice(&nid.to_le_bytes());
    bytes[8..10].copy_from_slice(&name_at.to_le_bytes());
    bytes[10] = file_type;
    bytes
}

/// `FT_*` of `include/linux/fs_types.h`.
pub(super) fn file_type(node: &Node) -> u8 {
    match node {
        Node::File(_) => 1,
        Node::Directory => 2,
        Node::CharDevice(_) => 3,
        Node::BlockDevice(_) => 4,
        Node::Fifo => 5,
        Node::Socket => 6,
        Node::Symlink(_) => 7,
    }
}

/// As `new_encode_dev` of `include/linux/kdev_t.h`.
pub(super) fn encode_device(device: Device) -> u32 {
    (device.minor & 0xff) | device.major << 8 | (device.minor & !0xff) << 12
}

pub(super) fn decode_device(place: u32) -> Device {
    Device { major: place >> 8 & 0xfff, minor: place & 0xff | place >> 12 & 0xf_ff00 }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn array_at<const LEN: usize>(bytes: &[u8], at: usize) -> [u8; LEN] {
    bytes[at..at + LEN].try_into().expect("a slice of that length")
}
