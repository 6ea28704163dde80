//! The entry point and what the kernel put on the stack for it.

use core::arch::global_asm;
use core::ffi::{CStr, c_char};

// The System V ABI for x86-64, "Process Initialization": the stack pointer points to the number of arguments.
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);

extern "C" fn start(stack: *const usize) -> ! {
    crate::main(&Stack(stack))
}

/// The arguments and the environment: a number, that many pointers, null, pointers to the environment, null.
pub struct Stack(*const usize);

impl Stack {
    /// The arguments, the program's name first.
    pub fn arguments(&self) -> impl Iterator<Item = &'static [u8]> {
        strings(self.first())
    }

    /// The environment, `KEY=value`.
    #[allow(dead_code, reason = "one of the two binaries has no use for it")]
    pub fn environment(&self) -> impl Iterator<Item = &'static [u8]> {
        // SAFETY: the kernel put the number of arguments here, and null after them.
        strings(unsafe { self.first().add(*self.0 + 1) })
    }

    fn first(&self) -> *const *const c_char {
        // SAFETY: the first pointer stands behind the number.
        unsafe { self.0.add(1) }.cast()
    }
}

/// The strings up to the null pointer.
fn strings(mut next: *const *const c_char) -> impl Iterator<Item = &'static [u8]> {
    core::iter::from_fn(move || {
        // SAFETY: `next` stays within the list, which ends with null; each string ends with a zero byte, and both live
        // as long as the process.
        unsafe {
            let string = *next;
            if string.is_null() {
                return None;
            }
            next = next.add(1);
            Some(CStr::from_ptr(string).to_bytes())
        }
    })
}
