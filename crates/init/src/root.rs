//! The root file system on a disk.
//!
//! The initramfs holds nothing but init and its configuration then. Its file system cannot be unmounted: as
//! switch_root(8) does, the new root is mounted over it, and its files are removed.

use alloc::ffi::CString;
use alloc::string::ToString;
use core::ffi::CStr;

use mote_contract::{Filesystem, Root, Writes};

use crate::error::{InitError, Result, zero_byte};
use crate::kernel::{Call, Kernel};
use crate::sys::{self, Errno};
use crate::{mounts, paths};

const MS_RDONLY: usize = 1;

const DISK: &CStr = c"/.mote/disk";
const MEMORY: &CStr = c"/.mote/memory";
const UPPER: &CStr = c"/.mote/memory/upper";
const MERGED: &CStr = c"/.mote/root";

/// overlayfs with what the guest writes in memory. `redirect_dir` lets a directory of the image be renamed, which is
/// refused otherwise; `xino` gives one device number to all files, whether the guest wrote them or not.
const OVERLAY: &CStr =
    c"lowerdir=/.mote/disk,upperdir=/.mote/memory/upper,workdir=/.mote/memory/work,\
redirect_dir=on,xino=on";

/// Makes the configured root the root of everything. `/dev` of the initramfs, which is mounted, is left behind.
///
/// # Errors
///
/// [`InitError::Disk`], or another call that failed.
pub fn enter(kernel: &mut impl Kernel, root: &Root) -> Result<()> {
    let Root::Disk { device, filesystem, writes } = root else {
        return Ok(());
    };
    let device = CString::new(device.as_str()).map_err(|_| zero_byte("the root's device"))?;
    mount_disk(kernel, &device, *filesystem, *writes)?;
    let new = match writes {
        Writes::Disk => DISK,
        Writes::Memory | Writes::Refused => {
            put_memory_over(kernel)?;
            MERGED
        }
    };
    kernel.must(&Call::Unlink { path: paths::CONFIG })?;
    kernel.must(&Call::Unlink { path: paths::INIT })?;
    kernel.must(&Call::Chdir { path: new })?;
    kernel.must(&Call::MoveMount { from: c".", to: c"/" })?;
    kernel.must(&Call::Chroot { path: c"." })?;
    kernel.must(&Call::Chdir { path: c"/" })?;
    mounts::mount_devices(kernel)
}

/// Refuses what is written from now on, where it is to be refused.
///
/// # Errors
///
/// A call that failed.
pub fn close(kernel: &mut impl Kernel, root: &Root) -> Result<()> {
    match root {
        Root::Disk { writes: Writes::Refused, .. } => {
            kernel.must(&Call::RemountReadOnly { target: c"/" })
        }
        _ => Ok(()),
    }
}

/// Before the machine ends: leaves a disk that was written to as if it were unmounted. It may not be in use for that,
/// so every process is killed.
///
/// # Errors
///
/// A call that failed; what was written is on the disk even so.
pub fn release(kernel: &mut impl Kernel, root: &Root) -> Result<()> {
    match root {
        Root::Disk { writes: Writes::Disk, .. } => {
            sys::kill_all();
            sys::sync();
            kernel.must(&Call::RemountReadOnly { target: c"/" })
        }
        _ => Ok(()),
    }
}

fn mount_disk(
    kernel: &mut impl Kernel,
    source: &CStr,
    filesystem: Filesystem,
    writes: Writes,
) -> Result<()> {
    let kind = match filesystem {
        Filesystem::Erofs => c"erofs",
        Filesystem::Ext4 => c"ext4",
    };
    let flags = if writes == Writes::Disk { 0 } else { MS_RDONLY };
    let call = Call::Mount { source, target: DISK, kind, flags, options: c"" };
    kernel.must(&Call::Mkdir { path: DISK, mode: 0o755 })?;
    kernel.make(&call).map_err(|errno| {
        let why = match errno {
            Errno::ENODEV => "the kernel was built without this file system",
            Errno::ENOENT | Errno::ENXIO => "there is no such disk, or the kernel has no virtio-blk driver",
            Errno::EINVAL | Errno::EUCLEAN => {
                "the disk does not hold this file system, or one that is damaged or newer than the kernel"
            }
            Errno::EACCES => "the disk is read-only",
            errno => errno.words().unwrap_or("the kernel refused"),
        };
        InitError::Disk { call: call.to_string(), why, errno }.into()
    })
}

fn put_memory_over(kernel: &mut impl Kernel) -> Result<()> {
    let tmpfs = c"tmpfs";
    kernel.must(&Call::Mkdir { path: MEMORY, mode: 0o755 })?;
    kernel.must(&Call::Mount {
        source: tmpfs,
        target: MEMORY,
        kind: tmpfs,
        flags: 0,
        options: c"mode=0755",
    })?;
    for path in [UPPER, c"/.mote/memory/work", MERGED] {
        kernel.must(&Call::Mkdir { path, mode: 0o755 })?;
    }
    // The merged root is the upper one, as all directories are that both layers have.
    kernel.must(&Call::CopyAttributes { from: DISK, to: UPPER })?;
    let kind = c"overlay";
    let call = Call::Mount { source: kind, target: MERGED, kind, flags: 0, options: OVERLAY };
    kernel.make(&call).map_err(|errno| {
        let why = match errno {
            Errno::ENODEV => "the kernel was built without overlayfs",
            errno => errno.words().unwrap_or("the kernel refused"),
        };
        InitError::Disk { call: call.to_string(), why, errno }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::recorder::Recorder;
    use alloc::vec::Vec;

    fn disk(filesystem: Filesystem, writes: Writes) -> Root {
        Root::Disk { device: "/dev/vda".into(), filesystem, writes }
    }

    const ENTERING: [&str; 8] = [
        "unlink(/.mote/config.json)",
        "unlink(/.mote/init)",
        "chdir(/.mote/root)",
        "mount(., /, MS_MOVE)",
        "chroot(.)",
        "chdir(/)",
        "mkdir(/dev, 0o755)",
        "mount(devtmpfs, /dev, devtmpfs, 0x2, mode=0755)",
    ];

    #[test]
    fn a_read_only_disk_below_memory() {
        let mut kernel = Recorder::default();
        enter(&mut kernel, &disk(Filesystem::Erofs, Writes::Memory)).unwrap();
        let mounting = [
            "mkdir(/.mote/disk, 0o755)",
            "mount(/dev/vda, /.mote/disk, erofs, 0x1, )",
            "mkdir(/.mote/memory, 0o755)",
            "mount(tmpfs, /.mote/memory, tmpfs, 0x0, mode=0755)",
            "mkdir(/.mote/memory/upper, 0o755)",
            "mkdir(/.mote/memory/work, 0o755)",
            "mkdir(/.mote/root, 0o755)",
            "copy attributes(/.mote/disk, /.mote/memory/upper)",
            "mount(overlay, /.mote/root, overlay, 0x0, lowerdir=/.mote/disk,upperdir=/.mote/memory/upper,\
             workdir=/.mote/memory/work,redirect_dir=on,xino=on)",
        ];
        assert_eq!(kernel.calls, [&mounting[..], &ENTERING[..]].concat());
    }

    #[test]
    fn a_disk_that_is_written_to() {
        let mut kernel = Recorder::default();
        enter(&mut kernel, &disk(Filesystem::Ext4, Writes::Disk)).unwrap();
        assert_eq!(kernel.calls[1], "mount(/dev/vda, /.mote/disk, ext4, 0x0, )");
        assert_eq!(kernel.calls[4], "chdir(/.mote/disk)");
        assert_eq!(kernel.calls[5..], ENTERING[3..]);
    }

    #[test]
    fn the_initramfs_stays() {
        let mut kernel = Recorder::default();
        enter(&mut kernel, &Root::Initramfs).unwrap();
        close(&mut kernel, &Root::Initramfs).unwrap();
        assert_eq!(kernel.calls, Vec::<&str>::new());
    }

    #[test]
    fn writing_is_refused_only_where_it_is_to_be() {
        for (writes, calls) in [(Writes::Memory, 0), (Writes::Disk, 0), (Writes::Refused, 1)] {
            let mut kernel = Recorder::default();
            close(&mut kernel, &disk(Filesystem::Ext4, writes)).unwrap();
            assert_eq!(kernel.calls.len(), calls);
        }
    }

    #[test]
    fn every_call_that_fails_is_told() {
        let root = disk(Filesystem::Erofs, Writes::Memory);
        let mut kernel = Recorder::default();
        enter(&mut kernel, &root).unwrap();
        for call in kernel.calls {
            let call: &str = alloc::boxed::Box::leak(call.into_boxed_str());
            let mut kernel = Recorder::failing(call, Errno::EIO);
            let error = enter(&mut kernel, &root).unwrap_err().chain();
            assert_eq!(error, alloc::format!("{call}: input/output error (EIO)"));
            assert_eq!(kernel.calls.last().unwrap(), call, "it stops there");
        }
    }

    #[test]
    fn why_a_disk_cannot_be_mounted() {
        let cases = [
            (
                "mount(/dev/vda",
                Errno::ENODEV,
                "the kernel was built without this file system (ENODEV)",
            ),
            ("mount(/dev/vda", Errno::ENOENT, "there is no such disk, or the kernel has no"),
            ("mount(/dev/vda", Errno::EINVAL, "the disk does not hold this file system"),
            ("mount(/dev/vda", Errno::EIO, "input/output error (EIO)"),
            ("mount(overlay", Errno::ENODEV, "the kernel was built without overlayfs (ENODEV)"),
            ("chroot", Errno::EACCES, "chroot(.): permission denied (EACCES)"),
        ];
        for (call, errno, message) in cases {
            let mut kernel = Recorder::failing(call, errno);
            let error = enter(&mut kernel, &disk(Filesystem::Erofs, Writes::Memory)).unwrap_err();
            assert!(error.chain().starts_with(call), "{}", error.chain());
            assert!(error.chain().contains(message), "{}", error.chain());
        }
    }
}
