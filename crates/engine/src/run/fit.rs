//! Whether a kernel can do what a run needs of it, before it is booted.

use mote_kernel::Kernel;
use mote_manifest::{Network, RunSettings};

use crate::EngineError;

/// Something that a run needs and a kernel lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// The kernel symbol, without `CONFIG_`.
    pub symbol: &'static str,
    /// The feature that has it.
    pub feature: &'static str,
    /// What the run needs it for.
    pub purpose: &'static str,
}

const fn need(symbol: &'static str, feature: &'static str, purpose: &'static str) -> Lack {
    Lack { symbol, feature, purpose }
}

/// What every run needs.
const ALWAYS: [Lack; 5] = [
    need("BLK_DEV_INITRD", "initramfs", "init comes in an initramfs"),
    need("BINFMT_ELF", "base", "programs are ELF files"),
    need("DEVTMPFS", "base", "/dev is filled by the kernel"),
    need("VIRTIO_MMIO", "virtio-mmio", "the devices of a microvm are virtio over MMIO"),
    need("VIRTIO_CONSOLE", "virtio-console", "the channel is a virtio-serial port"),
];
const NETWORK: Lack = need("VIRTIO_NET", "net", "the guest has a network device");
const SYSTEM: Lack = need("PID_NS", "init", "the system's own init is PID 1 of a namespace");
const TERMINAL: Lack = need("UNIX98_PTYS", "pty", "the command has a terminal");
const PROCESSORS: Lack = need("SMP", "smp", "the guest has more than one processor");

/// Any root disk.
pub(super) const DISK: Lack = need("VIRTIO_BLK", "block", "the root file system is on a disk");
/// A disk with EROFS.
pub(super) const EROFS: Lack = need("EROFS_FS", "erofs", "the root file system is EROFS");
/// A disk with ext4.
pub(super) const EXT4: Lack = need("EXT4_FS", "ext4", "the root file system is ext4");
/// A root disk to which nothing is written.
pub(super) const OVERLAY: Lack =
    need("OVERLAY_FS", "overlay", "what is written goes to memory, over a read-only disk");

/// The error that says so.
pub(crate) fn lacking(kernel: &Kernel, lacks: Vec<Lack>) -> EngineError {
    let has = kernel.record().features.clone();
    EngineError::KernelLacks { kernel: kernel.dir().to_owned(), has, lacks }
}

/// Whether the session has a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    Yes,
    No,
}

/// What `kernel` lacks for this run, whose root file system has its own `needs`.
pub(crate) fn lacks(
    kernel: &Kernel,
    run: &RunSettings,
    root: &[Lack],
    terminal: Terminal,
) -> Vec<Lack> {
    let mut needs = [&ALWAYS, root].concat();
    let mut also = |needed: bool, need| needs.extend(needed.then_some(need));
    also(run.network.unwrap_or_default() != Network::None, NETWORK);
    also(run.init.is_some(), SYSTEM);
    also(terminal == Terminal::Yes, TERMINAL);
    also(run.cpus.unwrap_or(1) > 1, PROCESSORS);
    needs.retain(|need| !kernel.config().is_built_in(need.symbol));
    needs
}
