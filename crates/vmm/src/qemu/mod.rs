//! QEMU's `microvm` machine.

mod argv;
mod forwarding;
mod monitor;
mod start;
#[cfg(test)]
mod tests;

pub use argv::{Wiring, render_argv};
pub(crate) use forwarding::Forwarding;
pub use start::{Machine, QEMU_PACKAGE, QEMU_PROGRAM, descriptor_path, find_qemu};
