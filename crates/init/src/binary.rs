//! Why the kernel does not execute a file, read off its first bytes: the ELF header (generic ABI) or the `#!` line
//! (execve(2)).

use alloc::format;
use alloc::string::String;
use core::ffi::CStr;

use crate::sys::{self, Errno, OpenFlags};

/// More than `#!` lines have, and enough for the headers of ordinary programs.
const HEAD_BYTES: usize = 4096;
const PT_INTERP: u32 = 3;
const EM_X86_64: u16 = 62;
/// Names of machines that images are made for (`include/uapi/linux/elf-em.h`).
const MACHINES: [(u16, &str); 8] = [
    (3, "i386"),
    (8, "mips"),
    (21, "ppc64le"),
    (22, "s390x"),
    (40, "arm"),
    (183, "arm64"),
    (243, "riscv64"),
    (258, "loong64"),
];

/// What is wrong with a file that is there and was not executed because of `errno`.
#[must_use]
pub fn why(path: &CStr, errno: Errno) -> String {
    if errno == Errno::EACCES && sys::open(path, OpenFlags::Directory).is_ok() {
        return "is a directory".into();
    }
    let head = sys::open(path, OpenFlags::Read).and_then(|file| file.read_up_to(HEAD_BYTES));
    let head = head.unwrap_or_default();
    let told = match errno {
        Errno::ENOENT => missing(&head),
        Errno::ENOEXEC => Some(not_a_program(&head)),
        _ => None,
    };
    told.unwrap_or_else(|| errno.words().unwrap_or("the kernel refused").into())
}

/// What the file needs and the kernel did not find.
fn missing(head: &[u8]) -> Option<String> {
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        let carriage = if line.ends_with(b"\r") { " (its first line ends with CR LF)" } else { "" };
        let mut words = line.trim_ascii().split(|byte| b" \t".contains(byte));
        let interpreter = shown(words.next()?);
        return Some(format!("its interpreter {interpreter} is not there{carriage}"));
    }
    Some(format!("its dynamic linker {} is not there", shown(dynamic_linker(head)?)))
}

fn not_a_program(head: &[u8]) -> String {
    let Some(ident) = head.strip_prefix(b"\x7fELF") else {
        return "neither an ELF program nor a script that begins with #!".into();
    };
    let machine = u16_at(head, 18).unwrap_or_default();
    let name = MACHINES.iter().find(|(number, _)| *number == machine);
    match (ident.first(), machine, name) {
        (Some(1), _, None) => "it is a 32-bit program, and the guest is x86-64".into(),
        (_, EM_X86_64, _) | (_, 0, _) => "it is a damaged program".into(),
        (_, _, Some((_, name))) => format!("it is a program for {name}, and the guest is x86-64"),
        (_, machine, None) => {
            format!("it is a program for machine {machine}, and the guest is x86-64")
        }
    }
}

/// `PT_INTERP` of a 64-bit program.
fn dynamic_linker(head: &[u8]) -> Option<&[u8]> {
    head.strip_prefix(b"\x7fELF\x02")?;
    let (mut at, count) = (u64_at(head, 32)? as usize, u16_at(head, 56)?);
    for _ in 0..count {
        if u32_at(head, at)? == PT_INTERP {
            let (start, len) = (u64_at(head, at + 8)? as usize, u64_at(head, at + 32)? as usize);
            let path = head.get(start..start.checked_add(len)?)?;
            return path.strip_suffix(b"\0");
        }
        at = at.checked_add(56)?;
    }
    None
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn elf(class: u8, machine: u16) -> Vec<u8> {
        let mut head = [0; 64];
        head[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', class]);
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head.to_vec()
    }

    #[test]
    fn what_is_no_program_of_this_machine() {
        let cases = [
            (elf(1, 3), "it is a program for i386, and the guest is x86-64"),
            (elf(1, 40), "it is a program for arm, and the guest is x86-64"),
            (elf(2, 183), "it is a program for arm64, and the guest is x86-64"),
            (elf(2, 999), "it is a program for machine 999, and the guest is x86-64"),
            (elf(1, 62), "it is a 32-bit program, and the guest is x86-64"),
            (elf(2, 62), "it is a damaged program"),
            (b"\x7fELF".to_vec(), "it is a damaged program"),
            (b"echo hello\n".to_vec(), "neither an ELF program nor a script that begins with #!"),
            (Vec::new(), "neither an ELF program nor a script that begins with #!"),
        ];
        for (head, told) in cases {
            assert_eq!(not_a_program(&head), told);
        }
    }

    #[test]
    fn what_a_script_needs() {
        let cases = [
            ("#!/usr/bin/python3 -u\nprint(1)", "its interpreter /usr/bin/python3 is not there"),
            ("#! /bin/bash", "its interpreter /bin/bash is not there"),
            (
                "#!/bin/sh\r\necho\r\n",
                "its interpreter /bin/sh is not there (its first line ends with CR LF)",
            ),
        ];
        for (head, told) in cases {
            assert_eq!(missing(head.as_bytes()).as_deref(), Some(told));
        }
        assert_eq!(missing(b""), None);
    }

    #[test]
    fn what_a_program_needs() {
        let mut head = elf(2, 62);
        head[32..40].copy_from_slice(&64_u64.to_le_bytes());
        head[56..58].copy_from_slice(&2_u16.to_le_bytes());
        head.extend([0; 56]);
        let mut interp = [0; 56];
        interp[0] = 3;
        interp[8..16].copy_from_slice(&176_u64.to_le_bytes());
        interp[32..40].copy_from_slice(&8_u64.to_le_bytes());
        head.extend(interp);
        head.extend(b"/lib/ld\0");
        assert_eq!(missing(&head).as_deref(), Some("its dynamic linker /lib/ld is not there"));
        for len in 0..head.len() {
            assert_eq!(missing(&head[..len]), None, "cut at {len}");
        }
    }

    #[test]
    fn a_file_of_this_machine() {
        assert_eq!(why(c"/", Errno::EACCES), "is a directory");
        assert_eq!(why(c"/etc/passwd", Errno::EACCES), "permission denied");
        assert_eq!(why(c"/no/such", Errno::ENOENT), "no such file or directory");
    }
}
