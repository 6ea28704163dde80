//! What a program without libc and without the standard library needs: an entry point, memory, a panic handler.
//! Each binary has a function `main(&Stack) -> !` and a function `panicked(&PanicInfo) -> !` beside this module.

#![allow(unsafe_code)]

mod allocator;
mod memory;
mod start;

pub use start::Stack;

#[global_allocator]
static ALLOCATOR: allocator::Bump = allocator::Bump::new();

#[cfg(panic = "abort")]
mod panic {
    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::panicked(info)
    }

    // The precompiled `core` names these two in builds that are not optimised; nothing unwinds.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() {}
}

// The standard library brings a panic handler that unwinds.
#[cfg(panic = "unwind")]
extern crate std;
