//! The PID 1 that is measured: its first act is to read the time stamp counter, which it then
//! prints before it ends the machine.

use anyhow::Result;
use mote_contract::INIT_PATH;
use mote_image::{Compression, write_initramfs};
use mote_rootfs::tree::{Inode, Tree, TreePath};

/// What stands before the counter's 16 hexadecimal digits.
pub const MARK: &str = "TSC ";

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// Bytes of the ELF header and of the one program header.
const HEADERS: u64 = 64 + 56;

/// x86-64 machine code, position-independent.
#[rustfmt::skip]
const CODE: &[u8] = &[
    0x0f, 0x31,                                     // rdtsc
    0x48, 0xc1, 0xe2, 0x20,                         // shl   rdx, 32
    0x48, 0x09, 0xd0,                               // or    rax, rdx
    0x48, 0x89, 0xc3,                               // mov   rbx, rax
    0x48, 0x8d, 0x7c, 0x24, 0xc0,                   // lea   rdi, [rsp - 64]
    0xc6, 0x07, b'\n',                              // mov   byte [rdi], '\n'
    0xc7, 0x47, 0x01, b'T', b'S', b'C', b' ',       // mov   dword [rdi + 1], "TSC "
    0x48, 0x8d, 0x77, 0x05,                         // lea   rsi, [rdi + 5]
    0xb9, 0x10, 0x00, 0x00, 0x00,                   // mov   ecx, 16
    // next digit:
    0x48, 0xc1, 0xc3, 0x04,                         // rol   rbx, 4
    0x89, 0xd8,                                     // mov   eax, ebx
    0x83, 0xe0, 0x0f,                               // and   eax, 15
    0x83, 0xc0, b'0',                               // add   eax, '0'
    0x83, 0xf8, 0x3a,                               // cmp   eax, '9' + 1
    0x72, 0x03,                                     // jb    +3
    0x83, 0xc0, 0x27,                               // add   eax, 'a' - '9' - 1
    0x88, 0x06,                                     // mov   [rsi], al
    0x48, 0xff, 0xc6,                               // inc   rsi
    0xff, 0xc9,                                     // dec   ecx
    0x75, 0xe3,                                     // jnz   next digit
    0xc6, 0x06, b'\n',                              // mov   byte [rsi], '\n'
    0x48, 0x89, 0xfe,                               // mov   rsi, rdi
    0xba, 0x16, 0x00, 0x00, 0x00,                   // mov   edx, 22
    0xbf, 0x01, 0x00, 0x00, 0x00,                   // mov   edi, 1
    0xb8, 0x01, 0x00, 0x00, 0x00,                   // mov   eax, SYS_write
    0x0f, 0x05,                                     // syscall
    0xbf, 0xad, 0xde, 0xe1, 0xfe,                   // mov   edi, LINUX_REBOOT_MAGIC1
    0xbe, 0x69, 0x19, 0x12, 0x28,                   // mov   esi, LINUX_REBOOT_MAGIC2
    0xba, 0x67, 0x45, 0x23, 0x01,                   // mov   edx, LINUX_REBOOT_CMD_RESTART
    0xb8, 0xa9, 0x00, 0x00, 0x00,                   // mov   eax, SYS_reboot
    0x0f, 0x05,                                     // syscall
    0xeb, 0xfe,                                     // jmp   $
];

/// The program as a static ELF file of one segment.
pub fn elf() -> Vec<u8> {
    let size = HEADERS + CODE.len() as u64;
    let mut elf = Vec::new();
    // 64 bits, little endian, version 1, System V.
    elf.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    // ET_EXEC, EM_X86_64, version 1.
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    // Entry, program headers, no section headers.
    [BASE + HEADERS, 64, 0].iter().for_each(|word: &u64| elf.extend(word.to_le_bytes()));
    elf.extend([0; 4]);
    // Sizes: this header, program headers, their number; no section headers.
    [64, 56, 1, 0, 0, 0].iter().for_each(|half: &u16| elf.extend(half.to_le_bytes()));
    // PT_LOAD, readable and executable.
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    // Offset, addresses, sizes, alignment.
    [0, BASE, BASE, size, size, 0x1000]
        .iter()
        .for_each(|word: &u64| elf.extend(word.to_le_bytes()));
    elf.extend(CODE);
    elf
}

/// An initramfs with the program at `/init` and where mote has its own, and the console.
///
/// # Errors
///
/// Those of writing to memory: none.
pub fn initramfs() -> Result<Vec<u8>> {
    let mut tree = Tree::new();
    tree.insert(&TreePath::parse("/dev/console")?, Inode::char_device(5, 1, 0o600))?;
    tree.insert(&TreePath::parse(INIT_PATH)?, Inode::file(elf(), 0o755))?;
    tree.link(&TreePath::parse("/init")?, &TreePath::parse(INIT_PATH)?)?;
    let mut bytes = Vec::new();
    write_initramfs(&tree, Compression::None, &mut bytes, &mut |_| Ok(()))?;
    Ok(bytes)
}

/// The counter in what the guest printed.
pub fn read(console: &str) -> Option<u64> {
    let (_, rest) = console.rsplit_once(MARK)?;
    u64::from_str_radix(rest.get(..16)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_program_prints_a_counter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("init");
        std::fs::write(&path, elf()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        // In a PID namespace of its own, reboot(2) ends that namespace only.
        let output = Command::new("timeout")
            .args(["5", "unshare", "--user", "--map-root-user", "--pid", "--fork"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(read(&said).is_some_and(|tsc| tsc > 0), "{said:?} {:?}", output.stderr);
    }

    #[test]
    fn the_last_counter_counts() {
        assert_eq!(read("\nTSC 00000000000000ff\n"), Some(255));
        assert_eq!(read("TSC 1\nTSC 0000000000000010\r\n"), Some(16));
        assert_eq!(read("TSC 12"), None);
        assert_eq!(read(""), None);
    }
}
