//! How much memory a guest needs at least.

use crate::{MachineSpec, VmmError};

const MIB: u64 = 1 << 20;

/// What a booted kernel takes beside its own image: page tables, slabs, per-CPU areas, init and the session.
const KERNEL_WORK_BYTES: u64 = 6 * MIB;

/// An estimate, in MiB, of the least memory in which a guest reaches its session.
///
/// `kernel_end_bytes` is where the kernel's image ends in physical memory, `initrd_bytes` the size of the initial file
/// system as loaded. While it is unpacked, both the archive and the files are in memory.
pub fn minimum_memory_mib(kernel_end_bytes: u64, initrd_bytes: u64) -> u32 {
    let unpacked = initrd_bytes.saturating_mul(2);
    let bytes = kernel_end_bytes.saturating_add(unpacked).saturating_add(KERNEL_WORK_BYTES);
    u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX)
}

pub(crate) fn check(
    spec: &MachineSpec,
    kernel_end_bytes: u64,
    initrd_bytes: u64,
) -> Result<(), VmmError> {
    let needed_mib = minimum_memory_mib(kernel_end_bytes, initrd_bytes);
    if spec.memory_mib < needed_mib {
        return Err(VmmError::MemoryTooSmall { asked_mib: spec.memory_mib, needed_mib });
    }
    Ok(())
}
