//! `sys`: makes one system call, for the probes of kernel features.

#![no_std]
#![no_main]

extern crate alloc;

mod runtime;

use alloc::string::ToString;
use alloc::vec::Vec;
use core::panic::PanicInfo;

use mote_init::{sys, syscall_tool};
use runtime::Stack;

/// What the kernel starts.
fn main(stack: &Stack) -> ! {
    let arguments: Vec<&[u8]> = stack.arguments().skip(1).collect();
    let answer = syscall_tool::answer(&arguments);
    sys::print(&answer.to_string());
    sys::exit(answer.exit_code())
}

#[cfg_attr(not(panic = "abort"), allow(dead_code))]
fn panicked(_: &PanicInfo<'_>) -> ! {
    sys::exit(2)
}
