//! What the kernel said on its console: the cause of a guest's death, where the pattern is known.
//!
//! The texts are those of Linux 6.1 and 6.12: `init/main.c`, `init/do_mounts.c`, `init/initramfs.c`, `mm/oom_kill.c`.

/// Why a guest died, as far as its console tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// What went wrong, for the user.
    pub what: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// A cause, and the texts that must all be on the console to tell it.
struct Pattern {
    texts: &'static [&'static str],
    cause: Cause,
}

/// The first that matches counts: causes stand before their consequences.
const PATTERNS: &[Pattern] = &[
    pattern(
        &["System is deadlocked on memory"],
        "the guest ran out of memory",
        "give it more: --memory",
    ),
    pattern(
        &["Out of memory and no killable processes"],
        "the guest ran out of memory",
        "give it more: --memory",
    ),
    pattern(
        &["Initramfs unpacking failed: write error"],
        "the initial file system does not fit into the guest's memory",
        "give it more: --memory",
    ),
    pattern(
        &["Initramfs unpacking failed: compression method", "not configured"],
        "the kernel cannot decompress the initial file system",
        "add the CONFIG_RD_* option of that compression to the kernel, or write the image with --compress none",
    ),
    pattern(
        &["Initramfs unpacking failed"],
        "the kernel could not unpack the initial file system",
        "mote image inspect shows whether the image is whole",
    ),
    pattern(
        &["initrd too large to handle"],
        "the initial file system does not fit into the guest's memory",
        "give it more: --memory",
    ),
    pattern(
        &["Failed to execute", "(error -8)"],
        "the kernel cannot execute PID 1: it is for another architecture or class, or the kernel lacks its format",
        "CONFIG_BINFMT_ELF (feature base) runs 64-bit programs, CONFIG_BINFMT_SCRIPT scripts",
    ),
    pattern(
        &["Requested init", "failed (error -8)"],
        "the kernel cannot execute PID 1: it is for another architecture or class, or the kernel lacks its format",
        "CONFIG_BINFMT_ELF (feature base) runs 64-bit programs, CONFIG_BINFMT_SCRIPT scripts",
    ),
    pattern(
        &["Requested init", "failed (error -2)"],
        "the file named by init= is not there, or its interpreter is not",
        "check init= and the program's dynamic linker",
    ),
    pattern(
        &["check access for rdinit=", "failed: -2"],
        "the initial file system has no such PID 1, or the kernel did not unpack it",
        "CONFIG_BLK_DEV_INITRD (feature initramfs) must be in the kernel",
    ),
    pattern(
        &["No working init found"],
        "no init was found in the root file system",
        "name one with init= or put /sbin/init into it",
    ),
    pattern(
        &["VFS: Cannot open root device", "unknown-block(0,0)"],
        "the device named by root= does not exist in the guest",
        "check root=, and that the kernel has the device's driver (features virtio-mmio and block)",
    ),
    pattern(
        &["No filesystem could mount root"],
        "the kernel has no driver for the root file system",
        "add the feature of that file system: erofs or ext4",
    ),
    pattern(
        &["VFS: Unable to mount root fs on", "unknown-block(0,0)"],
        "the kernel found no root file system: neither an initial one nor root=",
        "CONFIG_BLK_DEV_INITRD (feature initramfs) must be in the kernel for an initramfs",
    ),
    pattern(
        &["VFS: Unable to mount root fs"],
        "the kernel has no driver for the root file system",
        "add the feature of that file system: erofs or ext4",
    ),
    pattern(&["Attempted to kill init!"], "PID 1 died", "what it said last stands above the panic"),
];

const SILENT: Cause = Cause {
    what: "the kernel printed nothing",
    hint: "it has no serial console (feature serial), is not for this machine (features pvh and virtio-mmio), or died \
           before its first line: --append earlyprintk=serial may show more",
};

/// Another PID 1 than mote's runs, which never says anything over the channel.
pub(crate) const OTHER_INIT: Cause = Cause {
    what: "rdinit= on the kernel command line names another program than mote's init",
    hint: "leave it out: --init PATH runs a system's own init below mote's",
};

const fn pattern(
    texts: &'static [&'static str],
    what: &'static str,
    hint: &'static str,
) -> Pattern {
    Pattern { texts, cause: Cause { what, hint } }
}

/// What QEMU itself says when it fails.
const QEMU_PATTERNS: &[Pattern] = &[
    pattern(
        &["KVM"],
        "kvm does not work here",
        "leave --accel out and mote takes what works here (tcg always does); mote doctor tells why kvm does not",
    ),
    pattern(
        &["failed to initialize kvm"],
        "kvm does not work here",
        "leave --accel out and mote takes what works here (tcg always does); mote doctor tells why kvm does not",
    ),
    pattern(
        &["Failed to get \"write\" lock"],
        "another machine uses the disk",
        "stop that machine, or give this one a disk of its own",
    ),
    pattern(
        &["No space left on device"],
        "the host's disk is full",
        "make room where the image of the disk is",
    ),
];

/// The cause that QEMU's own words tell, if it is known.
pub(crate) fn classify_qemu(said: &str) -> Option<Cause> {
    find(QEMU_PATTERNS, said)
}

/// The cause that the end of a console tells, if it is known.
pub fn classify(console: &str) -> Option<Cause> {
    if console.trim().is_empty() {
        return Some(SILENT);
    }
    find(PATTERNS, console)
}

fn find(patterns: &[Pattern], said: &str) -> Option<Cause> {
    let matches = |pattern: &&Pattern| pattern.texts.iter().all(|text| said.contains(text));
    patterns.iter().find(matches).map(|pattern| pattern.cause)
}

/// What the kernel gave as the reason of its panic.
pub fn panic_line(console: &str) -> Option<&str> {
    const MARK: &str = "Kernel panic - not syncing: ";
    let (_, said) = console.rsplit_once(MARK)?;
    said.lines().next().map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends of real consoles.
    #[test]
    fn known_causes() {
        let table = [
            ("", "the kernel printed nothing"),
            (" \n", "the kernel printed nothing"),
            (
                "Kernel panic - not syncing: System is deadlocked on memory",
                "the guest ran out of memory",
            ),
            (
                "Initramfs unpacking failed: write error\nFailed to execute /init (error -8)",
                "the initial file system does not fit into the guest's memory",
            ),
            (
                "Initramfs unpacking failed: compression method zstd not configured",
                "the kernel cannot decompress the initial file system",
            ),
            (
                "Initramfs unpacking failed: invalid magic at start of compressed archive",
                "the kernel could not unpack the initial file system",
            ),
            (
                "check access for rdinit=/.mote/init failed: -2, ignoring\n\
              VFS: Cannot open root device \"\" or unknown-block(0,0): error -6\n\
              Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
                "the initial file system has no such PID 1, or the kernel did not unpack it",
            ),
            (
                "VFS: Cannot open root device \"vdb\" or unknown-block(0,0): error -6",
                "the device named by root= does not exist in the guest",
            ),
            (
                "No filesystem could mount root, tried: \n\
              Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(254,0)",
                "the kernel has no driver for the root file system",
            ),
            (
                "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
                "the kernel found no root file system: neither an initial one nor root=",
            ),
            (
                "Kernel panic - not syncing: Requested init /bin/x failed (error -2).",
                "the file named by init= is not there, or its interpreter is not",
            ),
            (
                "Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.",
                "no init was found in the root file system",
            ),
            (
                "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
                "PID 1 died",
            ),
        ];
        for (console, what) in table {
            assert_eq!(classify(console).map(|cause| cause.what), Some(what), "{console}");
        }
        assert_eq!(classify("random: crng init done"), None);
    }

    #[test]
    fn what_qemu_says() {
        let table = [
            (
                "Could not access KVM kernel module: Permission denied\nfailed to initialize kvm: x",
                Some("kvm does not work here"),
            ),
            ("KVM internal error. Suberror: 1", Some("kvm does not work here")),
            (
                "qemu-system-x86_64: -device virtio-blk-device,drive=drive0: Failed to get \"write\" lock",
                Some("another machine uses the disk"),
            ),
            ("qemu-system-x86_64: -m 1: bad size", None),
        ];
        for (said, what) in table {
            assert_eq!(classify_qemu(said).map(|cause| cause.what), what, "{said}");
        }
    }

    #[test]
    fn the_panic_is_one_line() {
        let console =
            "x\n[    0.1] Kernel panic - not syncing: sysrq triggered crash \nCPU: 0 PID: 1\n";
        assert_eq!(panic_line(console), Some("sysrq triggered crash"));
        assert_eq!(panic_line("fine"), None);
    }
}
