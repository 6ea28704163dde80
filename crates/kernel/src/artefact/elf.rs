//! What a VMM needs to know of `vmlinux`.

use object::Endianness;
use object::elf::{EM_X86_64, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

/// The owner of the notes by which a kernel describes itself to Xen, and to PVH's other users.
const XEN: &[u8] = b"Xen";

/// `XEN_ELFNOTE_PHYS32_ENTRY` (include/xen/interface/elfnote.h): where PVH starts the kernel.
const PHYS32_ENTRY: u32 = 18;

/// The parts of `vmlinux` that matter to whoever loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The end of the highest segment in physical memory, in bytes.
    pub(super) load_end_bytes: u64,
    /// The physical address of the PVH entry point, if there is one.
    pub(super) pvh_entry: Option<u64>,
}

impl Layout {
    /// Reads the headers of an ELF file.
    ///
    /// # Errors
    ///
    /// What makes it no x86-64 kernel, for a sentence.
    pub(super) fn parse(elf: &[u8]) -> Result<Self, String> {
        let broken = |error: object::read::Error| error.to_string().to_lowercase();
        let header = FileHeader64::<Endianness>::parse(elf).map_err(broken)?;
        let endian = header.endian().map_err(broken)?;
        if header.e_machine(endian) != EM_X86_64 {
            return Err("it is for another machine".to_owned());
        }
        let mut layout = Self { load_end_bytes: 0, pvh_entry: None };
        for segment in header.program_headers(endian, elf).map_err(broken)? {
            if segment.p_type(endian) == PT_LOAD {
                let end = segment.p_paddr(endian).saturating_add(segment.p_memsz(endian));
                layout.load_end_bytes = layout.load_end_bytes.max(end);
            }
            let Some(mut notes) = segment.notes(endian, elf).map_err(broken)? else {
                continue;
            };
            while let Some(note) = notes.next().map_err(broken)? {
                if note.name() == XEN && note.n_type(endian).0 == PHYS32_ENTRY {
                    layout.pvh_entry = little_endian(note.desc());
                }
            }
        }
        if layout.load_end_bytes == 0 {
            return Err("it has no segment to load".to_owned());
        }
        Ok(layout)
    }
}

/// An address of 4 or 8 bytes: x86-64 kernels write the entry with `.quad`, others with `.long`.
fn little_endian(bytes: &[u8]) -> Option<u64> {
    if let Ok(quad) = bytes.try_into() {
        return Some(u64::from_le_bytes(quad));
    }
    Some(u32::from_le_bytes(bytes.try_into().ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::elf;

    #[test]
    fn headers_and_notes_are_read() {
        let layout = Layout { load_end_bytes: 0x20_0000, pvh_entry: Some(0x100_0020) };
        assert_eq!(Layout::parse(&elf(62)), Ok(layout));
        assert_eq!(Layout::parse(&elf(183)), Err("it is for another machine".to_owned()));
        let whole = elf(62);
        for length in 0..whole.len() {
            assert!(Layout::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_kernel_without_the_note_is_one_too() {
        let mut elf = elf(62);
        let note = elf.len() - 12;
        elf[note..note + 4].copy_from_slice(b"GNU\0");
        assert_eq!(Layout::parse(&elf).unwrap().pvh_entry, None);
    }
}
