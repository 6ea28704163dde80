//! What a machine is made of: plain data, complete, from which the VMM's arguments are rendered.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use mote_contract::Cidr;

use crate::Accel;

/// A machine. Making one starts nothing and checks nothing: see [`Machine`](crate::Machine).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSpec {
    /// What executes the guest's instructions.
    pub accel: Accel,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Number of processors.
    pub cpus: u32,
    /// The kernel: a vmlinux with the PVH note, or a bzImage.
    pub kernel: PathBuf,
    /// The initial RAM file system: a file, or a descriptor of the
    /// machine's ([`descriptor_path`](crate::descriptor_path)).
    pub initrd: Option<PathBuf>,
    /// The words of the kernel's command line, in order; see [`Cmdline`](crate::Cmdline).
    pub cmdline: Vec<String>,
    /// The virtio block devices, `/dev/vda` first.
    pub drives: Vec<Drive>,
    /// What the guest's eth0 is connected to.
    pub network: Network,
    /// Whether the VMM is confined.
    pub sandbox: Sandbox,
}

/// A virtio block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The file with its bytes: like [`MachineSpec::initrd`], it may be a descriptor.
    pub file: PathBuf,
    /// Whether the guest may write to it.
    pub access: DriveAccess,
}

/// What the guest may do with a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveAccess {
    /// Read.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// What the guest's eth0 is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// There is no eth0.
    None,
    /// QEMU's user network: connections of the guest come from the VMM's own sockets, no privileges needed.
    User(UserNetwork),
}

/// The addresses of a user network, as the guest sees them, and what of it the host can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserNetwork {
    /// The guest's own address.
    pub guest: Cidr,
    /// The host, and the way to everything else.
    pub gateway: Ipv4Addr,
    /// A name server that asks the host's.
    pub dns: Ipv4Addr,
    /// Who gives the guest its address.
    pub addressing: Addressing,
    /// Ports of the host that lead into the guest.
    pub forwards: Vec<Forward>,
}

/// Who gives a guest its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// Init, before it says hello.
    Init,
    /// The guest's system, while it comes up, by DHCP.
    Dhcp,
}

impl UserNetwork {
    /// QEMU's usual addresses, set by init, with `forwards`: 10.0.2.15/24, the host at 10.0.2.2, DNS at 10.0.2.3.
    pub fn new(forwards: Vec<Forward>) -> Self {
        const GUEST: Cidr = match Cidr::new(Ipv4Addr::new(10, 0, 2, 15), 24) {
            Ok(cidr) => cidr,
            Err(_) => panic!("24 bits are a prefix"),
        };
        let [gateway, dns] = [2, 3].map(|host| Ipv4Addr::new(10, 0, 2, host));
        Self { guest: GUEST, gateway, dns, addressing: Addressing::Init, forwards }
    }
}

/// A port of the host that leads to a port of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// The transport.
    pub protocol: Protocol,
    /// Where the host listens.
    pub host: SocketAddrV4,
    /// The port of the guest.
    pub guest_port: u16,
}

/// A transport of forwarded ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// Whether the VMM gives up what it does not need (QEMU's seccomp filter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// It may not start programs, change its identity or its limits.
    On,
    /// For a QEMU that was built without the filter.
    Off,
}
