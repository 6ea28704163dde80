//! What a VMM must know of a kernel file before it boots it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::VmmError;

/// A kernel file's needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelFile {
    /// The physical address after everything that it needs for itself at the start, in bytes.
    pub end_bytes: u64,
}

/// The note type of the PVH entry point (`include/xen/interface/elfnote.h`, Linux 6.12).
const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const EM_X86_64: u16 = 62;
const PROGRAM_HEADER_BYTES: usize = 56;
/// Far more notes than any kernel has.
const MAX_NOTE_BYTES: u64 = 64 << 10;

impl KernelFile {
    /// Looks into the vmlinux (ELF, generic ABI) or bzImage (`Documentation/arch/x86/boot.rst`) at `path`.
    ///
    /// # Errors
    ///
    /// [`VmmError::Unreadable`], [`VmmError::NotKernel`], [`VmmError::NoPvh`].
    pub fn read(path: &Path) -> Result<Self, VmmError> {
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::UnexpectedEof => VmmError::NotKernel { path: path.to_owned() },
            _ => VmmError::Unreadable { what: "kernel", path: path.to_owned(), source },
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut head = [0_u8; 0x270];
        file.read_exact(&mut head).map_err(unreadable)?;
        if &head[0x202..0x206] == b"HdrS" {
            return Ok(Self { end_bytes: u64_at(&head, 0x258) + u64::from(u32_at(&head, 0x260)) });
        }
        if &head[..6] != b"\x7fELF\x02\x01" || u16_at(&head, 18) != EM_X86_64 {
            return Err(VmmError::NotKernel { path: path.to_owned() });
        }
        let segments = read_segments(&mut file, &head).map_err(unreadable)?;
        let loaded = segments.iter().filter(|segment| segment.kind == PT_LOAD);
        let end = loaded.map(|segment| segment.physical.saturating_add(segment.memory_bytes)).max();
        let end_bytes = end.ok_or_else(|| VmmError::NotKernel { path: path.to_owned() })?;
        for note in segments.iter().filter(|segment| segment.kind == PT_NOTE) {
            if has_pvh_note(&read_note(&mut file, note).map_err(unreadable)?) {
                return Ok(Self { end_bytes });
            }
        }
        Err(VmmError::NoPvh { path: path.to_owned() })
    }
}

struct Segment {
    kind: u32,
    offset: u64,
    physical: u64,
    file_bytes: u64,
    memory_bytes: u64,
}

fn read_segments(file: &mut File, head: &[u8]) -> io::Result<Vec<Segment>> {
    let (offset, size, count) = (u64_at(head, 32), u16_at(head, 54), u16_at(head, 56));
    if usize::from(size) != PROGRAM_HEADER_BYTES {
        return Ok(Vec::new());
    }
    let mut table = vec![0_u8; PROGRAM_HEADER_BYTES * usize::from(count)];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut table)?;
    let segments = table.chunks_exact(PROGRAM_HEADER_BYTES).map(|header| Segment {
        kind: u32_at(header, 0),
        offset: u64_at(header, 8),
        physical: u64_at(header, 24),
        file_bytes: u64_at(header, 32),
        memory_bytes: u64_at(header, 40),
    });
    Ok(segments.collect())
}

fn read_note(file: &mut File, segment: &Segment) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(segment.offset))?;
    file.take(segment.file_bytes.min(MAX_NOTE_BYTES)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the notes in `bytes`, each aligned to four, have the PVH entry point among them.
fn has_pvh_note(mut bytes: &[u8]) -> bool {
    while bytes.len() >= 12 {
        let [name_len, desc_len, kind] = [0, 4, 8].map(|at| u32_at(bytes, at));
        let [name_len, desc_len] = [name_len, desc_len].map(|len| len as usize);
        if kind == XEN_ELFNOTE_PHYS32_ENTRY && bytes[12..].starts_with(b"Xen\0") {
            return true;
        }
        let next = 12 + name_len.next_multiple_of(4) + desc_len.next_multiple_of(4);
        let Some(rest) = bytes.get(next..) else { return false };
        bytes = rest;
    }
    false
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
