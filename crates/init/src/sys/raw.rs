//! The `syscall` instruction.

#![allow(unsafe_code)]

use core::arch::asm;

use super::Errno;

/// Makes a system call with up to six arguments.
///
/// # Safety
///
/// As the call: pointers among the arguments must be valid for what the kernel reads and writes there.
///
/// # Errors
///
/// The kernel's.
pub unsafe fn raw_call(number: usize, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    let result: isize;
    // SAFETY: the registers are those of the kernel's calling convention (arch/x86/entry/entry_64.S); what the call
    // does to memory is the caller's responsibility.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") f,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    check(result)
}

/// Makes a system call with up to three arguments: most have no more.
///
/// # Safety
///
/// As [`raw_call`].
///
/// # Errors
///
/// The kernel's.
pub(super) unsafe fn call3(number: usize, a: usize, b: usize, c: usize) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: as in `raw_call`.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    check(result)
}

/// Results from -4095 to -1 are errors.
fn check(result: isize) -> Result<usize, Errno> {
    match result {
        -4095..0 => Err(Errno(-result as u16)),
        result => Ok(result as usize),
    }
}
