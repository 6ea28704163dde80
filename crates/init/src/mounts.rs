//! The file systems and links that programs expect, as in docker's containers: what the image has in `/tmp` and `/run`
//! stays.

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
const FOR_PROGRAMS: [Mount; 5] = [
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
        target: c"/dev/mqueue",
        kind: c"mqueue",
        flags: NOSUID | NODEV | NOEXEC,
        options: c"",
        mode: 0o755,
    },
];

/// Where sysfs has the directory, the kernel has control groups.
const CGROUPS: Mount = Mount {
    target: c"/sys/fs/cgroup",
    kind: c"cgroup2",
    flags: NOSUID | NODEV | NOEXEC,
    options: c"",
    mode: 0o555,
};

/// What devtmpfs lacks: links, and what they point to.
const LINKS: [(&CStr, &CStr); 4] = [
    (c"/dev/fd", c"/proc/self/fd"),
    (c"/dev/stdin", c"/proc/self/fd/0"),
    (c"/dev/stdout", c"/proc/self/fd/1"),
    (c"/dev/stderr", c"/proc/self/fd/2"),
];

/// Kernel settings of docker's containers: whoever they run as, servers may listen on any port, and ping works.
const SETTINGS: [(&CStr, &str); 2] = [
    (c"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
    (c"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"),
];

/// Mounts the device nodes.
///
/// # Errors
///
/// [`InitError::Call`](crate::error::InitError::Call).
pub fn mount_devices(kernel: &mut impl Kernel) -> Result<()> {
    make_directory(kernel, &DEV)?;
    kernel.must(&DEV.call())
}

/// Mounts what programs expect; a file system that the kernel was built without (`ENODEV`) is left out.
///
/// # Errors
///
/// [`InitError::Call`](crate::error::InitError::Call).
pub fn mount_for_programs(kernel: &mut impl Kernel) -> Result<()> {
    for mount in &FOR_PROGRAMS {
        make_directory(kernel, mount)?;
        kernel.must_unless(Errno::ENODEV, &mount.call())?;
    }
    kernel.must_unless(Errno::ENOENT, &CGROUPS.call())?;
    for (path, target) in LINKS {
        kernel.must_unless(Errno::EEXIST, &Call::Symlink { target, path })?;
    }
    for (path, text) in SETTINGS {
        // Without network there are none.
        kernel.must_unless(Errno::ENOENT, &Call::Write { path, text })?;
    }
    Ok(())
}

/// Mounts a tmpfs over a directory, which is made if need be.
///
/// # Errors
///
/// [`InitError::Call`](crate::error::InitError::Call).
pub fn mount_tmpfs(
    kernel: &mut impl Kernel,
    target: &CStr,
    flags: u32,
    options: &CStr,
) -> Result<()> {
    make_directories(kernel, target)?;
    let (source, kind, flags) = (c"tmpfs", c"tmpfs", flags as usize);
    kernel.must(&Call::Mount { source, target, kind, flags, options })
}

/// Makes a directory and those above it.
///
/// # Errors
///
/// [`InitError::Call`](crate::error::InitError::Call).
pub fn make_directories(kernel: &mut impl Kernel, path: &CStr) -> Result<()> {
    let mut bytes = path.to_bytes_with_nul().to_vec();
    for at in 1..bytes.len() {
        let here = bytes[at];
        // Before a slash, and at the end; a slash at the end or after another one ends nothing.
        if matches!(here, b'/' | 0) && bytes[at - 1] != b'/' {
            bytes[at] = 0;
            let path = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
            kernel.must_unless(Errno::EEXIST, &Call::Mkdir { path, mode: 0o755 })?;
            bytes[at] = here;
        }
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
            source: self.kind,
            target: self.target,
            kind: self.kind,
            flags: self.flags,
            options: self.options,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::recorder::Recorder;

    #[test]
    fn directories_are_made_from_the_top() {
        let cases: [(&CStr, &[&str]); 4] = [
            (c"/", &[]),
            (c"/srv", &["mkdir(/srv, 0o755)"]),
            (c"/srv/a b/", &["mkdir(/srv, 0o755)", "mkdir(/srv/a b, 0o755)"]),
            (c"//srv//a", &["mkdir(//srv, 0o755)", "mkdir(//srv//a, 0o755)"]),
        ];
        for (path, calls) in cases {
            let mut kernel = Recorder::default();
            make_directories(&mut kernel, path).unwrap();
            assert_eq!(kernel.calls, calls);
        }
    }
}
