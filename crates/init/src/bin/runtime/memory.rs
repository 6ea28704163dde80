//! The functions on memory that compiled code calls, which libc has otherwise.

use core::arch::asm;

/// # Safety
///
/// As memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both ranges; the direction flag is clear between functions.
    unsafe {
        asm!(
            "rep movsq",
            "mov ecx, edx",
            "and ecx, 7",
            "rep movsb",
            inout("rcx") len / 8 => _,
            in("edx") len as u32,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack),
        );
    }
    to
}

/// # Safety
///
/// As memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // Forwards is right unless the target begins inside the source.
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: as the caller's.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: as above, from the last byte to the first.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") len => _,
            inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _,
            options(nostack),
        );
    }
    to
}

/// # Safety
///
/// As memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let pattern = (byte as u8 as u64).wrapping_mul(0x0101_0101_0101_0101);
    // SAFETY: the caller vouches for the range.
    unsafe {
        asm!(
            "rep stosq",
            "mov ecx, edx",
            "and ecx, 7",
            "rep stosb",
            inout("rcx") len / 8 => _,
            in("edx") len as u32,
            inout("rdi") to => _,
            in("rax") pattern,
            options(nostack),
        );
    }
    to
}

/// # Safety
///
/// As memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: the caller vouches for both ranges.
        let (a, b) = unsafe { (*a.add(at), *b.add(at)) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
///
/// As bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: as the caller's.
    unsafe { memcmp(a, b, len) }
}

/// # Safety
///
/// As strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: the caller vouches for the zero byte at the end. Volatile, or this loop would be made a call of strlen.
    while unsafe { text.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}
