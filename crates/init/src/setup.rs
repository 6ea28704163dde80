//! Everything that is set up before a program is started.

use mote_contract::RunConfig;

use crate::error::Result;
use crate::kernel::{Call, Kernel};
use crate::{mounts, network};

/// Name of [`mote_contract::UP_PATH`] for the kernel.
pub const UP_FIFO: &core::ffi::CStr = c"/.mote/up";

/// Sets the machine up as configured; `/dev` is mounted already. `boottime_ns` is the time now.
///
/// # Errors
///
/// The first call that failed.
pub fn set_up(kernel: &mut impl Kernel, config: &RunConfig, boottime_ns: u64) -> Result<()> {
    match config.system {
        Some(_) => kernel.must(&Call::MakeFifo { path: UP_FIFO })?,
        None => mounts::mount_for_programs(kernel)?,
    }
    if let Some(name) = &config.hostname {
        kernel.must(&Call::SetHostname { name })?;
    }
    if let Some(start_unix_ns) = config.clock_unix_ns {
        let unix_ns = start_unix_ns.saturating_add(boottime_ns);
        kernel.must(&Call::SetRealtime { unix_ns })?;
    }
    if let Some(seed) = &config.entropy_seed {
        kernel.must(&Call::AddEntropy { seed: &seed.0 })?;
    }
    network::set_up(kernel, &config.network, config.hostname.as_deref())
}
