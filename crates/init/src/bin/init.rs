//! PID 1 of mote's guests.

#![no_std]
#![no_main]

extern crate alloc;

mod runtime;

use alloc::vec::Vec;
use core::panic::PanicInfo;

use mote_init::boot::{Start, boot};
use mote_init::{report, sys};
use runtime::Stack;

/// What the kernel starts.
fn main(stack: &Stack) -> ! {
    let boottime_ns = sys::boottime_ns();
    if !sys::is_first_process() {
        sys::print("mote-init: only the kernel starts it, as PID 1 of a guest\n");
        sys::exit(125);
    }
    let arguments: Vec<&[u8]> = stack.arguments().skip(1).collect();
    let environment: Vec<&[u8]> = stack.environment().collect();
    boot(&Start { boottime_ns, arguments: &arguments, environment: &environment });
    end_machine()
}

/// PID 1 must not end: the kernel would panic.
fn end_machine() -> ! {
    sys::sync();
    loop {
        let _ = sys::restart();
        // Without CAP_SYS_BOOT, which PID 1 has.
        let _ = sys::poll(&mut [], None);
    }
}

#[cfg_attr(not(panic = "abort"), allow(dead_code))]
fn panicked(info: &PanicInfo<'_>) -> ! {
    let message = info.message();
    match info.location() {
        Some(place) => report::panicked(format_args!(
            "panicked at {}:{}: {message}",
            place.file(),
            place.line()
        )),
        None => report::panicked(format_args!("panicked: {message}")),
    }
    end_machine()
}
