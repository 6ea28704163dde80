//! The guest of the probe: an ELF file of one page whose few instructions an ordinary kernel needs early.
//!
//! It follows the PVH boot protocol (Xen's `docs/misc/pvh.pandoc`): the loader finds the entry point in a note and
//! enters it in 32-bit protected mode, flat segments, paging off. So it needs no page tables and no stack.

/// Where the file is loaded, and entered.
const LOAD_ADDRESS: u32 = 0x10_0000;
/// Of the code within the file: after the headers and the note.
const CODE_OFFSET: u32 = 0x100;
/// Memory that the code scribbles on, within the loaded page.
const SCRATCH_OFFSET: u32 = 0x800;
/// The segment in memory: one page.
const MEMORY_BYTES: u32 = 0x1000;

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

/// The whole ELF file.
pub(super) fn elf() -> Vec<u8> {
    let mut file = Vec::with_capacity(CODE_OFFSET as usize + 0x100);
    let entry = LOAD_ADDRESS + CODE_OFFSET;
    let note = note(entry);
    let note_offset = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;
    let code = code();
    let file_bytes = CODE_OFFSET + code.len() as u32;

    // Elf32_Ehdr: class 32, little endian, version 1; type EXEC, machine 386; no sections.
    file.extend(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0");
    put16(&mut file, &[2, 3]);
    put32(&mut file, &[1, entry, ELF_HEADER_BYTES, 0, 0]);
    put16(&mut file, &[ELF_HEADER_BYTES as u16, PROGRAM_HEADER_BYTES as u16, 2, 0, 0, 0]);
    // Elf32_Phdr: type, offset, virtual and physical address, bytes in file and memory, flags, alignment.
    put32(&mut file, &[1, 0, LOAD_ADDRESS, LOAD_ADDRESS, file_bytes, MEMORY_BYTES, 7, 0x1000]);
    let note_address = LOAD_ADDRESS + note_offset;
    let note_bytes = note.len() as u32;
    put32(&mut file, &[4, note_offset, note_address, note_address, note_bytes, note_bytes, 4, 4]);

    file.extend(note);
    file.resize(CODE_OFFSET as usize, 0);
    file.extend(code);
    file
}

const ELF_HEADER_BYTES: u32 = 52;
const PROGRAM_HEADER_BYTES: u32 = 32;

/// `XEN_ELFNOTE_PHYS32_ENTRY` (18): the entry point.
fn note(entry: u32) -> Vec<u8> {
    let mut note = Vec::new();
    put32(&mut note, &[4, 4, 18]);
    note.extend(b"Xen\0");
    put32(&mut note, &[entry]);
    note
}

/// The instructions. Each check that fails jumps to the end, where the code of failure is written.
fn code() -> Vec<u8> {
    let scratch = LOAD_ADDRESS + SCRATCH_OFFSET;
    let [a, b, c, d] = scratch.to_le_bytes();
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
        const { assert!(SCRATCH_OFFSET + 512 <= MEMORY_BYTES, "room for fxsave") };
    }
}
