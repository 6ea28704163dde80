//! What a directory is, besides what is in it.

#![allow(unsafe_code)]

use alloc::vec;
use core::ffi::CStr;

use super::Errno;
use super::raw::{call3, raw_call};

const STAT: usize = 4;
const CHMOD: usize = 90;
const CHOWN: usize = 92;
const SETXATTR: usize = 188;
const GETXATTR: usize = 191;
const LISTXATTR: usize = 194;
const UTIMENSAT: usize = 280;

const AT_FDCWD: usize = (-100_isize).cast_unsigned();

/// The most bytes that the names or one value of extended attributes have (`XATTR_SIZE_MAX`).
const XATTR_BYTES: usize = 64 << 10;

/// `struct stat` of x86-64 (arch/x86/include/uapi/asm/stat.h).
#[repr(C)]
#[derive(Default)]
struct Stat {
    dev: u64,
    ino: u64,
    nlink: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pad: u32,
    rdev: u64,
    size: i64,
    blksize: i64,
    blocks: i64,
    accessed: [u64; 2],
    modified: [u64; 2],
    changed: [u64; 2],
    unused: [i64; 3],
}

/// Gives `to` the mode, owner, times and extended attributes of `from`. Attributes that the file system
/// of `to` does not take are left out, and so are those by which overlayfs marks its own layers.
///
/// # Errors
///
/// As stat(2), chown(2), chmod(2), listxattr(2), getxattr(2), setxattr(2) and utimensat(2).
pub fn copy_attributes(from: &CStr, to: &CStr) -> Result<(), Errno> {
    let (source, target) = (from.as_ptr() as usize, to.as_ptr() as usize);
    let mut stat = Stat::default();
    // SAFETY: the kernel reads the path and fills the structure, which has its layout.
    unsafe { call3(STAT, source, (&raw mut stat) as usize, 0) }?;
    copy_xattrs(source, target)?;
    // SAFETY: the kernel reads the path. Owner before mode: a change of owner takes set-user-ID bits.
    unsafe { call3(CHOWN, target, stat.uid as usize, stat.gid as usize) }?;
    // SAFETY: the kernel reads the path.
    unsafe { call3(CHMOD, target, (stat.mode & 0o7777) as usize, 0) }?;
    let times = [stat.accessed, stat.modified];
    let arguments = [AT_FDCWD, target, times.as_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel reads the path and the two times.
    unsafe { raw_call(UTIMENSAT, arguments) }.map(drop)
}

fn copy_xattrs(source: usize, target: usize) -> Result<(), Errno> {
    let (mut names, mut value) = (vec![0_u8; XATTR_BYTES], vec![0_u8; XATTR_BYTES]);
    // SAFETY: the kernel reads the path and fills as much of the buffer as it says.
    let listed = unsafe { call3(LISTXATTR, source, names.as_mut_ptr() as usize, names.len()) };
    let length = match listed {
        Err(Errno::EOPNOTSUPP) => return Ok(()),
        other => other?,
    };
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        if name.starts_with(b"trusted.overlay.") {
            continue;
        }
        let (name, buffer) = (name.as_ptr() as usize, value.as_mut_ptr() as usize);
        let arguments = [source, name, buffer, value.len(), 0, 0];
        // SAFETY: the kernel reads the path and the name, which ends with a zero, and fills the buffer.
        let length = unsafe { raw_call(GETXATTR, arguments) }?;
        // SAFETY: the kernel reads the path, the name and the value.
        match unsafe { raw_call(SETXATTR, [target, name, buffer, length, 0, 0]) } {
            Ok(_) | Err(Errno::EOPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_directory_becomes_as_another() {
        let dir =
            std::env::temp_dir().join(alloc::format!("mote-attributes-{}", std::process::id()));
        let [from, to] = ["from", "to"].map(|name| dir.join(name));
        for path in [&from, &to] {
            fs::create_dir_all(path).unwrap();
        }
        fs::set_permissions(&from, Permissions::from_mode(0o1700)).unwrap();
        let then = SystemTime::UNIX_EPOCH + Duration::new(77, 88);
        fs::File::open(&from).unwrap().set_modified(then).unwrap();
        let path = |path: &std::path::Path| CString::new(path.as_os_str().as_bytes()).unwrap();
        copy_attributes(&path(&from), &path(&to)).unwrap();
        let got = fs::metadata(&to).unwrap();
        assert_eq!((got.mode() & 0o7777, got.mtime(), got.mtime_nsec()), (0o1700, 77, 88));
        assert_eq!(copy_attributes(c"/gone", &path(&to)), Err(Errno::ENOENT));
        fs::remove_dir_all(&dir).unwrap();
    }
}
