//! The newc form of cpio, after `Documentation/driver-api/early-userspace/buffer-format.rst` and
//! `init/initramfs.c` of Linux 6.12.

mod entry;
mod format;
mod reader;
mod writer;

pub use entry::{Entry, FormatError};
pub use writer::{WriteError, Written, write_archive};

pub(crate) use reader::{Cause, Reader, Stop, skip_zeros, stop};
