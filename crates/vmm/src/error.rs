//! What goes wrong before a machine runs.

use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;

use mote_process::ProcessError;

/// A machine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum VmmError {
    /// There is no QEMU.
    #[error("qemu not found ({})", crate::QEMU_PROGRAM)]
    NoQemu,
    /// A file of the machine cannot be read.
    #[error("cannot read the {what} {}", path.display())]
    Unreadable {
        /// `kernel`, `initrd` or `disk`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The kernel file is neither a vmlinux nor a bzImage.
    #[error("not an x86-64 kernel: {}", path.display())]
    NotKernel {
        /// The file.
        path: PathBuf,
    },
    /// The vmlinux lacks the note with its entry point.
    #[error("the kernel {} has no PVH entry point", path.display())]
    NoPvh {
        /// The file.
        path: PathBuf,
    },
    /// The kernel and the initial file system leave no room.
    #[error(
        "{asked_mib} MiB of memory are too few: this kernel and file system need about {needed_mib} MiB"
    )]
    MemoryTooSmall {
        /// Asked for, in MiB.
        asked_mib: u32,
        /// The estimate, in MiB.
        needed_mib: u32,
    },
    /// A word of the command line cannot be given to a kernel.
    #[error("a kernel word contains a line feed or a zero: {word:?}")]
    KernelWord {
        /// The word.
        word: String,
    },
    /// The kernel would cut its command line.
    #[error("the kernel command line is {length} bytes long, the limit is {limit}")]
    CmdlineTooLong {
        /// In bytes.
        length: usize,
        /// In bytes, less what the machine adds.
        limit: usize,
    },
    /// Someone else listens where a forwarded port should.
    #[error("port in use: {address}/{protocol}")]
    PortInUse {
        /// On the host.
        address: SocketAddrV4,
        /// `tcp` or `udp`.
        protocol: &'static str,
    },
    /// A forwarded port cannot be listened on.
    #[error("cannot listen on {address}/{protocol}")]
    Port {
        /// On the host.
        address: SocketAddrV4,
        /// `tcp` or `udp`.
        protocol: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// QEMU cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The host side of a running machine failed.
    #[error("cannot {doing}")]
    Io {
        /// The step that failed.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl VmmError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoQemu => format!("apt install {}", crate::QEMU_PACKAGE),
            Self::NoPvh { .. } => {
                "enable CONFIG_PVH (feature pvh) in the kernel, or boot its bzImage".to_owned()
            }
            Self::MemoryTooSmall { needed_mib, .. } => {
                format!("give it more: --memory {needed_mib}m")
            }
            Self::CmdlineTooLong { .. } => "shorten what --append adds".to_owned(),
            Self::PortInUse { address, .. } => {
                format!("stop what listens on port {}, or publish another port", address.port())
            }
            Self::Port { source, address, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                format!("ports below 1024 are root's: publish a port above, not {}", address.port())
            }
            Self::Port { source, .. } if source.kind() == io::ErrorKind::AddrNotAvailable => {
                "the host does not have that address".to_owned()
            }
            Self::Process(error) => return error.hint(),
            _ => return None,
        };
        Some(hint)
    }
}
