//! The guest of the probe: a kernel of one page whose few instructions an ordinary kernel needs early.
//!
//! It follows the PVH boot protocol (Xen's `docs/misc/pvh.pandoc`): the loader finds the entry point in a note and
//! enters it in 32-bit protected mode, flat segments, paging off. So it needs no page tables and no stack.

/// Where the file is loaded, and entered.
const LOAD_ADDRESS: u32 = 0x10_0000;
/// Of the code within the file: after the headers and the note.
const CODE_OFFSET: u32 = 0x100;
/// Where the code starts in the guest's memory.
pub(crate) const CODE_ADDRESS: u32 = LOAD_ADDRESS + CODE_OFFSET;
/// Zeroed memory behind the code, within the loaded page.
const SCRATCH_OFFSET: u32 = 0x800;
/// Where that is in the guest's memory.
pub(crate) const SCRATCH_ADDRESS: u32 = LOAD_ADDRESS + SCRATCH_OFFSET;
/// The whole file, and its segment.
const PAGE_BYTES: u32 = 0x1000;

/// The port of QEMU's `isa-debug-exit` device.
pub(super) const EXIT_PORT: u8 = 0xf4;
/// What the guest writes to it when all went well.
const PROVEN: u8 = 0x15;
/// What it writes when an instruction gave a wrong result.
const WRONG: u8 = 0x01;

/// QEMU's exit status when the guest wrote `value`: `isa-debug-exit` makes it odd.
const fn exit_status(value: u8) -> i32 {
    (value as i32) << 1 | 1
}

/// QEMU's exit status when the guest ran through.
pub(super) const PROVEN_STATUS: i32 = exit_status(PROVEN);
/// QEMU's exit status when an instruction gave a wrong result.
pub(super) const WRONG_STATUS: i32 = exit_status(WRONG);

/// The probe's kernel file.
pub(super) fn elf() -> Vec<u8> {
    pvh_elf(&code())
}

const ELF_HEADER_BYTES: u64 = 64;
const PROGRAM_HEADER_BYTES: u64 = 56;

/// A kernel of a few instructions, as a PVH loader takes it: an ELF file (64 bits, generic ABI) with a segment to load
/// and a note. The code starts at [`CODE_ADDRESS`]; the rest of its page is zero.
pub(crate) fn pvh_elf(code: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(PAGE_BYTES as usize);
    let load = u64::from(LOAD_ADDRESS);
    let note = note();
    let note_offset = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;
    let note_bytes = note.len() as u64;
    let page = u64::from(PAGE_BYTES);

    // Elf64_Ehdr: class 64, little endian, version 1; type EXEC, machine x86-64; no sections.
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    put16(&mut file, &[2, 62]);
    put32(&mut file, &[1]);
    put64(&mut file, &[CODE_ADDRESS.into(), ELF_HEADER_BYTES, 0]);
    put32(&mut file, &[0]);
    put16(&mut file, &[ELF_HEADER_BYTES as u16, PROGRAM_HEADER_BYTES as u16, 2, 0, 0, 0]);
    // Elf64_Phdr: type, flags; offset, virtual and physical address, bytes in file and memory, alignment.
    put32(&mut file, &[1, 7]);
    put64(&mut file, &[0, load, load, page, page, page]);
    put32(&mut file, &[4, 4]);
    let note_address = load + note_offset;
    put64(&mut file, &[note_offset, note_address, note_address, note_bytes, note_bytes, 4]);

    file.extend(note);
    file.resize(CODE_OFFSET as usize, 0);
    file.extend(code);
    file.resize(PAGE_BYTES as usize, 0);
    file
}

/// `XEN_ELFNOTE_PHYS32_ENTRY` (18): the entry point.
fn note() -> Vec<u8> {
    let mut note = Vec::new();
    put32(&mut note, &[4, 8, 18]);
    note.extend(b"Xen\0");
    put64(&mut note, &[CODE_ADDRESS.into()]);
    note
}

/// The instructions. Each check that fails jumps to the end, where the code of failure is written.
fn code() -> Vec<u8> {
    let [a, b, c, d] = SCRATCH_ADDRESS.to_le_bytes();
    let instructions: &[&[u8]] = &[
        // Enable x87 and SSE as head_64.S and fpu__init_cpu do: clear EM and TS, set MP; set OSFXSR, OSXMMEXCPT.
        &[0x0f, 0x20, 0xc0],             // mov eax, cr0
        &[0x83, 0xe0, 0xf3],             // and eax, ~0xc
        &[0x83, 0xc8, 0x02],             // or eax, 2
        &[0x0f, 0x22, 0xc0],             // mov cr0, eax
        &[0x0f, 0x20, 0xe0],             // mov eax, cr4
        &[0x0d, 0x00, 0x06, 0x00, 0x00], // or eax, 0x600
        &[0x0f, 0x22, 0xe0],             // mov cr4, eax
        // x87: 1 + 1 = 2.
        &[0xdb, 0xe3],                   // fninit
        &[0xd9, 0xe8],                   // fld1
        &[0xd8, 0xc0],                   // fadd st, st
        &[0xdb, 0x1d, a, b, c, d],       // fistp dword [scratch]
        &[0x83, 0x3d, a, b, c, d, 0x02], // cmp dword [scratch], 2
        &[0x75, JUMP_TO_WRONG],          // jne wrong
        // SSE2: 21 + 21 = 42.
        &[0xb8, 21, 0x00, 0x00, 0x00], // mov eax, 21
        &[0x66, 0x0f, 0x6e, 0xc0],     // movd xmm0, eax
        &[0x66, 0x0f, 0xfe, 0xc0],     // paddd xmm0, xmm0
        &[0x66, 0x0f, 0x7e, 0xc0],     // movd eax, xmm0
        &[0x83, 0xf8, 42],             // cmp eax, 42
        &[0x75, JUMP_TO_WRONG],        // jne wrong
        // Saving and restoring that state, as at each task switch; the area is aligned to 16 bytes.
        &[0x0f, 0xae, 0x05, a, b, c, d], // fxsave [scratch]
        &[0x0f, 0xae, 0x0d, a, b, c, d], // fxrstor [scratch]
        // There is a highest CPUID leaf.
        &[0x31, 0xc0],          // xor eax, eax
        &[0x0f, 0xa2],          // cpuid
        &[0x85, 0xc0],          // test eax, eax
        &[0x74, JUMP_TO_WRONG], // jz wrong
        // The time stamp counter does not run backwards.
        &[0x0f, 0x31],          // rdtsc
        &[0x89, 0xc6],          // mov esi, eax
        &[0x89, 0xd7],          // mov edi, edx
        &[0x0f, 0x31],          // rdtsc
        &[0x29, 0xf0],          // sub eax, esi
        &[0x19, 0xfa],          // sbb edx, edi
        &[0x78, JUMP_TO_WRONG], // js wrong
        &[0xb0, PROVEN],        // mov al, PROVEN
        &[0xeb, 0x02],          // jmp out
        &[0xb0, WRONG],         // wrong: mov al, WRONG
        &[0xe6, EXIT_PORT],     // out: out EXIT_PORT, al
        &[0xf4],                // halt: hlt
        &[0xeb, 0xfd],          // jmp halt
    ];
    link(instructions)
}

/// Stands for the distance to `wrong`; no opcode above has this byte after a conditional jump's.
const JUMP_TO_WRONG: u8 = 0;

/// Puts the instructions one after another and fills in the jumps.
fn link(instructions: &[&[u8]]) -> Vec<u8> {
    let mut code = instructions.concat();
    let wrong = code.len() - 7; // the last four instructions
    let mut end = 0;
    for instruction in instructions {
        end += instruction.len();
        if matches!(instruction, [0x74 | 0x75 | 0x78, JUMP_TO_WRONG]) {
            code[end - 1] = (wrong - end) as u8;
        }
    }
    code
}

fn put16(file: &mut Vec<u8>, fields: &[u16]) {
    file.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

fn put32(file: &mut Vec<u8>, fields: &[u32]) {
    file.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

fn put64(file: &mut Vec<u8>, fields: &[u64]) {
    file.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_check_jumps_to_the_code_of_failure() {
        let code = code();
        let wrong = code.windows(2).position(|pair| pair == [0xb0, WRONG]).unwrap();
        let jumps =
            code.windows(2).enumerate().filter(|(_, pair)| matches!(pair[0], 0x74 | 0x75 | 0x78));
        let targets: Vec<_> = jumps.map(|(at, pair)| at + 2 + usize::from(pair[1])).collect();
        assert_eq!(targets, [wrong; 4]);
        assert!(CODE_OFFSET as usize + code.len() <= SCRATCH_OFFSET as usize);
        const { assert!(SCRATCH_OFFSET + 512 <= PAGE_BYTES, "room for fxsave") };
    }
}
