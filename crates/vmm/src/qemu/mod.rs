//! QEMU's `microvm` machine.

mod argv;
mod start;
#[cfg(test)]
mod tests;

pub use argv::{Wiring, render_argv};
pub use start::{Machine, QEMU_PACKAGE, QEMU_PROGRAM, descriptor_path, find_qemu};
