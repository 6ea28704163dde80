//! Files, file systems and devices.

#![allow(unsafe_code)]

use core::ffi::CStr;

use super::fd::{O_CLOEXEC, O_NONBLOCK};
use super::raw::{call3, raw_call};
use super::{Errno, Fd};

const OPEN: usize = 2;
const IOCTL: usize = 16;
const ACCESS: usize = 21;
const MKDIR: usize = 83;
const UNLINK: usize = 87;
const SYMLINK: usize = 88;
const MKNOD: usize = 133;
const CHROOT: usize = 161;
const SYNC: usize = 162;
const MOUNT: usize = 165;
const INOTIFY_ADD_WATCH: usize = 254;
const OPENAT: usize = 257;
const INOTIFY_INIT1: usize = 294;
const FSOPEN: usize = 430;
const FSCONFIG: usize = 431;
const FSMOUNT: usize = 432;

const S_IFIFO: usize = 0o010_000;
const IN_CREATE: usize = 0x100;
/// `_IOW('R', 0x03, int[2])`
const RNDADDENTROPY: usize = 0x4008_5203;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFlags {
    /// `O_RDONLY`
    Read,
    /// `O_RDWR | O_NOCTTY`
    ReadWrite,
    /// `O_RDWR | O_NONBLOCK`
    ReadWriteNonblock,
    /// `O_WRONLY | O_CREAT | O_EXCL`, mode 0644
    CreateNew,
    /// `O_WRONLY`
    Write,
    /// `O_RDONLY | O_DIRECTORY`
    Directory,
}

impl OpenFlags {
    fn bits(self) -> usize {
        const O_WRONLY: usize = 1;
        const O_RDWR: usize = 2;
        const O_CREAT: usize = 0o100;
        const O_EXCL: usize = 0o200;
        const O_NOCTTY: usize = 0o400;
        const O_DIRECTORY: usize = 0o200_000;
        match self {
            Self::Read => 0,
            Self::ReadWrite => O_RDWR | O_NOCTTY,
            Self::ReadWriteNonblock => O_RDWR | O_NONBLOCK,
            Self::CreateNew => O_WRONLY | O_CREAT | O_EXCL,
            Self::Write => O_WRONLY,
            Self::Directory => O_DIRECTORY,
        }
    }
}

fn start(path: &CStr) -> usize {
    path.as_ptr() as usize
}

/// Opens a file.
///
/// # Errors
///
/// As open(2).
pub fn open(path: &CStr, flags: OpenFlags) -> Result<Fd, Errno> {
    // SAFETY: the kernel reads the path.
    unsafe { call3(OPEN, start(path), flags.bits() | O_CLOEXEC, 0o644) }.map(Fd::from_call)
}

/// Opens a file below a directory.
///
/// # Errors
///
/// As openat(2).
pub fn open_below(directory: &Fd, path: &CStr, flags: OpenFlags) -> Result<Fd, Errno> {
    let arguments = [directory.argument(), start(path), flags.bits() | O_CLOEXEC, 0, 0, 0];
    // SAFETY: the kernel reads the path.
    unsafe { raw_call(OPENAT, arguments) }.map(Fd::from_call)
}

/// A file system of this type that is mounted nowhere: nobody can unmount it, or be kept from unmounting
/// another one by it.
///
/// # Errors
///
/// As fsopen(2), fsconfig(2) and fsmount(2).
pub fn open_file_system(kind: &CStr) -> Result<Fd, Errno> {
    const CLOSE_ON_EXEC: usize = 1;
    const FSCONFIG_CMD_CREATE: usize = 6;
    // SAFETY: the kernel reads the name.
    let made = unsafe { call3(FSOPEN, start(kind), CLOSE_ON_EXEC, 0) }.map(Fd::from_call)?;
    // SAFETY: this command takes neither a key nor a value.
    unsafe { raw_call(FSCONFIG, [made.argument(), FSCONFIG_CMD_CREATE, 0, 0, 0, 0]) }?;
    // SAFETY: all are plain numbers.
    unsafe { call3(FSMOUNT, made.argument(), CLOSE_ON_EXEC, 0) }.map(Fd::from_call)
}

/// Whether there is a file.
#[must_use]
pub fn exists(path: &CStr) -> bool {
    // SAFETY: the kernel reads the path.
    unsafe { call3(ACCESS, start(path), 0, 0) }.is_ok()
}

/// Makes a directory.
///
/// # Errors
///
/// As mkdir(2).
pub fn mkdir(path: &CStr, mode: u32) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path.
    unsafe { call3(MKDIR, start(path), mode as usize, 0) }.map(drop)
}

/// Removes a file.
///
/// # Errors
///
/// As unlink(2).
pub fn unlink(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path.
    unsafe { call3(UNLINK, start(path), 0, 0) }.map(drop)
}

/// Makes a symbolic link at `path`.
///
/// # Errors
///
/// As symlink(2).
pub fn symlink(target: &CStr, path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads both paths.
    unsafe { call3(SYMLINK, start(target), start(path), 0) }.map(drop)
}

/// Makes a directory this process's root.
///
/// # Errors
///
/// As chroot(2).
pub fn chroot(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path.
    unsafe { call3(CHROOT, start(path), 0, 0) }.map(drop)
}

/// Makes a named pipe, mode 0600.
///
/// # Errors
///
/// As mknod(2).
pub fn make_fifo(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path.
    unsafe { call3(MKNOD, start(path), S_IFIFO | 0o600, 0) }.map(drop)
}

/// Mounts a file system of `kind`, or does what the flags `MS_MOVE` and `MS_REMOUNT` mean.
///
/// # Errors
///
/// As mount(2).
pub fn mount(
    source: &CStr,
    target: &CStr,
    kind: &CStr,
    flags: usize,
    options: &CStr,
) -> Result<(), Errno> {
    let arguments = [start(source), start(target), start(kind), flags, start(options), 0];
    // SAFETY: the kernel reads the strings.
    unsafe { raw_call(MOUNT, arguments) }.map(drop)
}

/// Writes what is in memory to the disks.
pub fn sync() {
    // SAFETY: no arguments; it cannot fail.
    let _ = unsafe { call3(SYNC, 0, 0, 0) };
}

/// Watches a directory: the descriptor is readable once something was created in it.
///
/// # Errors
///
/// As inotify_init1(2) and inotify_add_watch(2).
pub fn inotify(directory: &CStr) -> Result<Fd, Errno> {
    // SAFETY: the kernel reads the path.
    unsafe {
        let fd = call3(INOTIFY_INIT1, O_CLOEXEC, 0, 0).map(Fd::from_call)?;
        call3(INOTIFY_ADD_WATCH, fd.argument(), start(directory), IN_CREATE)?;
        Ok(fd)
    }
}

/// Adds a seed to the pool of random numbers and counts every bit of it (random(4)).
///
/// # Errors
///
/// As ioctl(2).
pub fn add_entropy(random: &Fd, seed: &[u8; 32]) -> Result<(), Errno> {
    #[repr(C)]
    struct RandPoolInfo {
        entropy_bits: i32,
        bytes: i32,
        seed: [u8; 32],
    }
    let info = RandPoolInfo { entropy_bits: 256, bytes: 32, seed: *seed };
    let info = core::ptr::from_ref(&info) as usize;
    // SAFETY: the kernel reads the structure.
    unsafe { call3(IOCTL, random.argument(), RNDADDENTROPY, info) }.map(drop)
}
