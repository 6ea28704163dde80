//! How much memory a guest needs at least.

use crate::{MachineSpec, VmmError};

const MIB: u64 = 1 << 20;
/// Page tables, slabs, per-CPU areas, init and the session of the smallest guests measured.
const WORK_BYTES: u64 = 6 * MIB;
/// Of 4 KiB, 64 bytes go to the page's descriptor (`struct page`).
const DESCRIPTOR_SHARE: u64 = 64;

/// The least memory, in MiB, in which a guest with an initramfs could reach its session: a bound, below which it is not
/// worth trying. Measured with 6.12 and archives of 2 to 66 MiB, guests needed up to 6 MiB more.
///
/// `kernel_end_bytes` is where the kernel's image ends in physical memory, `initrd_bytes` the size of the archive as
/// loaded. The archive is unpacked before its memory is freed; and it is unpacked into a tmpfs, which takes half of the
/// memory that is left beside kernel and archive (`init_rootfs`, init/do_mounts.c).
pub fn minimum_memory_mib(kernel_end_bytes: u64, initrd_bytes: u64) -> u32 {
    let times_archive = |times| kernel_end_bytes.saturating_add(initrd_bytes.saturating_mul(times));
    let bytes = times_archive(2).saturating_add(WORK_BYTES).max(times_archive(3));
    let with_descriptors = bytes.saturating_add(bytes / (DESCRIPTOR_SHARE - 1));
    u32::try_from(with_descriptors.div_ceil(MIB)).unwrap_or(u32::MAX)
}

/// Refuses what cannot boot. A root file system of the user's choice is not judged.
pub(crate) fn check(
    spec: &MachineSpec,
    kernel_end_bytes: u64,
    initrd_bytes: u64,
) -> Result<(), VmmError> {
    let chooses_root = |word: &String| word.starts_with("root=") || word.starts_with("rootfstype=");
    if spec.cmdline.iter().any(chooses_root) {
        return Ok(());
    }
    let needed_mib = minimum_memory_mib(kernel_end_bytes, initrd_bytes);
    if spec.memory_mib < needed_mib {
        return Err(VmmError::MemoryTooSmall { asked_mib: spec.memory_mib, needed_mib });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Least memory found by trying, for the BusyBox kernel of 6.12 and archives padded to a size.
    #[test]
    fn the_bound_lies_below_what_was_measured_but_not_far() {
        let kernel_end_bytes = 0xc1_6000;
        for (initrd_mib, least_mib) in [(2, 28), (6, 37), (18, 68), (66, 214)] {
            let bound = minimum_memory_mib(kernel_end_bytes, initrd_mib * MIB);
            assert!((least_mib - 7..=least_mib).contains(&bound), "{initrd_mib}: {bound}");
        }
        assert_eq!(minimum_memory_mib(u64::MAX, u64::MAX), u32::MAX);
    }
}
