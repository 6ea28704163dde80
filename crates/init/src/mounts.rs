//! The file systems of a guest.

use core::ffi::CStr;

use crate::error::Result;
use crate::kernel::{Call, Kernel};
use crate::sys::Errno;

const NOSUID: usize = 2;
const NODEV: usize = 4;
const NOEXEC: usize = 8;

struct Mount {
    target: &'static CStr,
    kind: &'static CStr,
    flags: usize,
    options: &'static CStr,
    /// Permissions of the directory, where it has to be made.
    mode: u32,
}

/// The device nodes: init needs them itself, for the channel and the terminals.
const DEV: Mount =
    Mount { target: c"/dev", kind: c"devtmpfs", flags: NOSUID, options: c"mode=0755", mode: 0o755 };

/// What programs expect besides, in this order. A classic system mounts these itself.
const FOR_PROGRAMS: [Mount; 6] = [
    Mount {
        target: c"/proc",
        kind: c"proc",
        flags: NOSUID | NODEV | NOEXEC,
        options: c"",
        mode: 0o555,
    },
    Mount {
        target: c"/sys",
        kind: c"sysfs",
        flags: NOSUID | NODEV | NOEXEC,
        options: c"",
        mode: 0o555,
    },
    Mount {
        target: c"/dev/pts",
        kind: c"devpts",
        flags: NOSUID | NOEXEC,
        options: c"mode=0620,ptmxmode=0666,gid=5",
        mode: 0o755,
    },
    Mount {
        target: c"/dev/shm",
        kind: c"tmpfs",
        flags: NOSUID | NODEV,
        options: c"mode=1777",
        mode: 0o755,
    },
    Mount {
        target: c"/tmp",
        kind: c"tmpfs",
        flags: NOSUID | NODEV,
        options: c"mode=1777",
        mode: 0o755,
    },
    Mount {
        target: c"/run",
        kind: c"tmpfs",
        flags: NOSUID | NODEV,
        options: c"mode=0755",
        mode: 0o755,
    },
];

/// Mounts the device nodes.
///
/// # Errors
///
/// [`InitError::Call`].
pub fn mount_devices(kernel: &mut impl Kernel) -> Result<()> {
    make_directory(kernel, &DEV)?;
    kernel.must(&DEV.call())
}

/// Mounts what programs expect; a file system that the kernel was built without (`ENODEV`) is left out.
///
/// # Errors
///
/// [`InitError::Call`].
pub fn mount_for_programs(kernel: &mut impl Kernel) -> Result<()> {
    for mount in &FOR_PROGRAMS {
        make_directory(kernel, mount)?;
        kernel.must_unless(Errno::ENODEV, &mount.call())?;
    }
    Ok(())
}

fn make_directory(kernel: &mut impl Kernel, mount: &Mount) -> Result<()> {
    let (path, mode) = (mount.target, mount.mode);
    kernel.must_unless(Errno::EEXIST, &Call::Mkdir { path, mode })
}

impl Mount {
    fn call(&self) -> Call<'_> {
        Call::Mount {
            kind: self.kind,
            target: self.target,
            flags: self.flags,
            options: self.options,
        }
    }
}
