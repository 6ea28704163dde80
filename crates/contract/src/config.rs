//! The run configuration: what init is to do in this run, `/.mote/config.json`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

#[cfg(feature = "serde")]
use serde::Serialize;

/// The run configuration. The host serializes it (feature `serde`); init reads it with [`RunConfig::from_json`],
/// which refuses any key it does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct RunConfig {
    /// [`CONFIG_VERSION`](crate::CONFIG_VERSION).
    pub version: u32,
    /// Host name of the guest; the kernel's own when absent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub hostname: Option<String>,
    /// The host's real time just before the VMM is started, nanoseconds since 1970.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub clock_unix_ns: Option<u64>,
    /// Random bytes of the host, credited to the guest's pool.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub entropy_seed: Option<EntropySeed>,
    /// How eth0 gets its address.
    pub network: Network,
    /// Names for `/etc/hosts`, besides localhost and the guest's own.
    pub hosts: Vec<HostEntry>,
    /// The root file system.
    pub root: Root,
    /// File systems in memory that are mounted over directories of it, in this order.
    pub tmpfs: Vec<Tmpfs>,
    /// Path of the classic init that is started as PID 1 of its own PID namespace; none when absent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub system: Option<String>,
    /// What the user asked to run.
    pub session: Session,
    /// Where the session's standard streams go.
    pub io: Io,
}

/// How eth0 gets its address. Loopback is always brought up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(tag = "kind", rename_all = "lowercase"))]
pub enum Network {
    /// There is no eth0.
    None,
    /// Init sets address, default route and name servers.
    Static {
        /// Address of eth0 with the length of its network prefix.
        address: Cidr,
        /// Gateway of the default route.
        gateway: Ipv4Addr,
        /// Name servers for `/etc/resolv.conf`.
        dns: Vec<Ipv4Addr>,
    },
    /// Init brings eth0 up; the classic system asks for an address.
    Dhcp,
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct HostEntry {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

/// The root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(tag = "kind", rename_all = "lowercase"))]
pub enum Root {
    /// The initramfs itself.
    Initramfs,
    /// A disk.
    Disk {
        /// Its device, `/dev/vda`.
        device: String,
        /// What is on it.
        filesystem: Filesystem,
        /// What becomes of what the guest writes.
        writes: Writes,
    },
}

/// The file system of a root disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(rename_all = "lowercase"))]
pub enum Filesystem {
    /// EROFS, which is read-only.
    Erofs,
    /// ext4.
    Ext4,
}

/// What becomes of what the guest writes to its root disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(rename_all = "lowercase"))]
pub enum Writes {
    /// It is kept in the guest's memory and lost at its end: overlayfs with a tmpfs on top.
    Memory,
    /// It is refused, once init has set the machine up.
    Refused,
    /// It goes to the disk, which is synced and unmounted before the machine ends. Not for EROFS.
    Disk,
}

/// A file system in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct Tmpfs {
    /// The directory over which it is mounted, absolute; made if it is not there.
    pub path: String,
    /// The flags of mount(2), `MS_RDONLY` and the like.
    pub flags: u32,
    /// tmpfs's own options, `size=64m,mode=1777`.
    pub options: String,
}

/// What the user asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct Session {
    /// The program and its arguments; never empty. A name without a slash is looked up in `PATH` of `env`.
    pub argv: Vec<String>,
    /// The environment, in this order. Init adds `HOME`, when it is missing, from the guest's `/etc/passwd`.
    pub env: Vec<(String, String)>,
    /// Working directory, absolute; made if it is not there.
    pub cwd: String,
    /// `user` or `user:group`, names or numbers, which init looks up in the guest's `/etc/passwd` and `/etc/group`;
    /// root when absent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub user: Option<String>,
    /// A terminal of this size; three pipes when absent.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub terminal: Option<TerminalSize>,
}

/// Size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

/// Where the session's standard streams go, and how init reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize), serde(rename_all = "lowercase"))]
pub enum Io {
    /// Frames over the virtio-serial port.
    Channel,
    /// The kernel's console and the verdict line.
    Console,
}

/// An IPv4 address with the length of its network prefix, `10.0.2.15/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address, host part included.
    pub address: Ipv4Addr,
    /// Length of the network prefix in bits, at most 32.
    prefix: u8,
}

/// A text that is not an address with a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IPv4 address with a prefix length, like 10.0.2.15/24")]
pub struct CidrError;

impl Cidr {
    /// An address with a prefix length.
    ///
    /// # Errors
    ///
    /// When `prefix` is above 32.
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Result<Self, CidrError> {
        match prefix {
            0..=32 => Ok(Self { address, prefix }),
            _ => Err(CidrError),
        }
    }

    /// Length of the network prefix in bits.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// The prefix as a mask, `255.255.255.0`.
    #[must_use]
    pub const fn netmask(self) -> Ipv4Addr {
        let ones = u32::MAX.checked_shl(32 - self.prefix as u32);
        Ipv4Addr::from_bits(match ones {
            Some(mask) => mask,
            None => 0,
        })
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = text.split_once('/').ok_or(CidrError)?;
        Self::new(address.parse().map_err(|_| CidrError)?, prefix.parse().map_err(|_| CidrError)?)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// 32 random bytes; 64 hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropySeed(pub [u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hexadecimal digits")]
pub struct SeedError;

impl FromStr for EntropySeed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        let digits = text.as_bytes();
        let mut seed = [0; 32];
        if digits.len() != 2 * seed.len() {
            return Err(SeedError);
        }
        let digit = |at: usize| char::from(digits[at]).to_digit(16).ok_or(SeedError);
        for (index, byte) in seed.iter_mut().enumerate() {
            *byte = (digit(2 * index)? << 4 | digit(2 * index + 1)?) as u8;
        }
        Ok(Self(seed))
    }
}

impl fmt::Display for EntropySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(feature = "serde")]
impl Serialize for Cidr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl Serialize for EntropySeed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
