//! What a probe's answer depends on.

use std::fs;
use std::os::unix::fs::MetadataExt;

use mote_process::Program;
use rustix::fs::{Access, access};

/// A text that is the same as long as a probe's answer must be: QEMU's binary, the KVM device, the host's kernel and
/// processor. To be hashed into the name under which the answer is cached.
pub fn probe_key(qemu: &Program) -> String {
    let binary = fs::metadata(qemu.path()).map(|file| {
        format!(
            "{} {} {}",
            qemu.path().display(),
            file.size(),
            file.mtime_nsec() + file.mtime() * 1_000_000_000
        )
    });
    // By whatever right: groups and access lists change from one login to the next.
    let opens = access("/dev/kvm", Access::READ_OK | Access::WRITE_OK).is_ok();
    let kvm = fs::metadata("/dev/kvm").map(|device| format!("{:x} {opens}", device.rdev()));
    let kernel = rustix::system::uname();
    format!(
        "qemu {}\nkvm {}\nkernel {} {}\nprocessor {}\n",
        binary.unwrap_or_else(|_| "missing".to_owned()),
        kvm.unwrap_or_else(|_| "missing".to_owned()),
        kernel.release().to_string_lossy(),
        kernel.version().to_string_lossy(),
        processor().unwrap_or_else(|| "unknown".to_owned()),
    )
}

/// The processor's name and features as the host's kernel gives them.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    Some(format!("{}; {}", value("model name")?, value("flags")?))
}
