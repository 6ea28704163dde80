//! Addresses and routes by the ioctls of netdevice(7).

#![allow(unsafe_code)]

use core::net::Ipv4Addr;

use super::fd::O_CLOEXEC;
use super::raw::call3;
use super::{Errno, Fd};

const IOCTL: usize = 16;
const SOCKET: usize = 41;

const AF_INET: u16 = 2;
const SOCK_DGRAM: usize = 2;
const IFF_UP: u16 = 1;
const RTF_UP: u16 = 1;
const RTF_GATEWAY: u16 = 2;

/// What can be set of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `SIOCSIFADDR`
    Address(Ipv4Addr),
    /// `SIOCSIFNETMASK`
    Netmask(Ipv4Addr),
    /// `SIOCSIFFLAGS` with `IFF_UP`
    Up,
    /// `SIOCADDRT` of the default route
    DefaultRoute(Ipv4Addr),
}

/// A socket for those ioctls.
///
/// # Errors
///
/// As socket(2).
pub fn inet_socket() -> Result<Fd, Errno> {
    // SAFETY: no pointers.
    unsafe { call3(SOCKET, AF_INET.into(), SOCK_DGRAM | O_CLOEXEC, 0) }.map(Fd::from_call)
}

impl Interface {
    /// Sets it on the interface of this name.
    ///
    /// # Errors
    ///
    /// As ioctl(2).
    pub fn set(self, socket: &Fd, name: &str) -> Result<(), Errno> {
        let (request, argument) = match self {
            Self::DefaultRoute(gateway) => {
                let route = Rtentry {
                    gateway: sockaddr(gateway),
                    target: sockaddr(Ipv4Addr::UNSPECIFIED),
                    netmask: sockaddr(Ipv4Addr::UNSPECIFIED),
                    flags: RTF_UP | RTF_GATEWAY,
                    ..Rtentry::default()
                };
                return ioctl(socket, 0x890b, &route);
            }
            Self::Up => (0x8914, flags(IFF_UP)),
            Self::Address(address) => (0x8916, sockaddr(address)),
            Self::Netmask(mask) => (0x891c, sockaddr(mask)),
        };
        let mut ifreq = Ifreq { name: [0; 16], argument, rest: 0 };
        for (byte, letter) in ifreq.name.iter_mut().zip(name.bytes()) {
            *byte = letter;
        }
        ioctl(socket, request, &ifreq)
    }
}

fn ioctl<T>(socket: &Fd, request: usize, argument: &T) -> Result<(), Errno> {
    let argument = core::ptr::from_ref(argument) as usize;
    // SAFETY: the kernel reads the structure that belongs to the request.
    unsafe { call3(IOCTL, socket.argument(), request, argument) }.map(drop)
}

/// `struct sockaddr_in`, 16 bytes.
type Sockaddr = [u64; 2];

fn sockaddr(address: Ipv4Addr) -> Sockaddr {
    let address = u32::from_ne_bytes(address.octets());
    [u64::from(address) << 32 | u64::from(AF_INET), 0]
}

/// The flags in the union of `struct ifreq`.
fn flags(flags: u16) -> Sockaddr {
    [flags.into(), 0]
}

/// `struct ifreq`, 40 bytes.
#[repr(C)]
struct Ifreq {
    name: [u8; 16],
    argument: Sockaddr,
    rest: u64,
}

/// `struct rtentry` (`include/uapi/linux/route.h`), 120 bytes.
#[repr(C)]
#[derive(Default)]
struct Rtentry {
    pad1: u64,
    target: Sockaddr,
    gateway: Sockaddr,
    netmask: Sockaddr,
    flags: u16,
    pad2: [u16; 3],
    rest: [u64; 7],
}

const _: () = assert!(size_of::<Ifreq>() == 40 && size_of::<Rtentry>() == 120);
