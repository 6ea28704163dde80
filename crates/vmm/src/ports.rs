//! Forwarded ports: held for a machine until its guest can be reached.
//!
//! QEMU's user network accepts a connection at once and then asks the guest for one. If the guest has
//! no address yet, the question is lost, and is asked again only after six seconds. So QEMU is not told
//! of a port before the guest's network is up. Until then the port is bound, so that it is found out
//! early if somebody else has it, but nobody listens: who connects is refused, and tries again.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::{Forward, Protocol, VmmError};

/// Forwarded ports that nobody else gets.
#[derive(Debug, Default)]
pub(crate) struct HeldPorts(Vec<HeldPort>);

#[derive(Debug)]
struct HeldPort {
    forward: Forward,
    #[expect(dead_code, reason = "held open")]
    socket: OwnedFd,
}

impl HeldPorts {
    /// Holds each of these ports.
    ///
    /// # Errors
    ///
    /// [`VmmError::PortInUse`], [`VmmError::Port`].
    pub(crate) fn hold(forwards: &[Forward]) -> Result<Self, VmmError> {
        let mut held: Vec<HeldPort> = Vec::with_capacity(forwards.len());
        for &forward in forwards {
            let (address, protocol) = (forward.host, forward.protocol.name());
            if held.iter().any(|held| collide(&held.forward, &forward)) {
                return Err(VmmError::PortInUse { address, protocol });
            }
            let socket = match forward.protocol {
                Protocol::Tcp => hold_tcp(address),
                Protocol::Udp => hold_udp(address),
            };
            let socket = socket.map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => VmmError::PortInUse { address, protocol },
                _ => VmmError::Port { address, protocol, source },
            })?;
            held.push(HeldPort { forward, socket });
        }
        Ok(Self(held))
    }

    /// Lets them go, one after the other: somebody else is to take each at once.
    pub(crate) fn release(self) -> impl Iterator<Item = Forward> {
        self.0.into_iter().map(|held| held.forward)
    }
}

/// Looks whether ports can be forwarded, without holding them.
///
/// # Errors
///
/// [`VmmError::PortInUse`], [`VmmError::Port`].
pub fn check_ports(forwards: &[Forward]) -> Result<(), VmmError> {
    HeldPorts::hold(forwards).map(drop)
}

/// Whether both would listen on the same port.
fn collide(one: &Forward, other: &Forward) -> bool {
    let (ours, theirs) = (one.host.ip(), other.host.ip());
    let overlap = ours == theirs || ours.is_unspecified() || theirs.is_unspecified();
    one.protocol == other.protocol && one.host.port() == other.host.port() && overlap
}

/// A socket that is bound and does not listen. Without `SO_REUSEADDR` it keeps everybody out; but the
/// port of a server that has just ended can be bound only with it, as QEMU does it, and then others can
/// too. A port that somebody listens on cannot be bound at all.
fn hold_tcp(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let hold = |reuse| {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        set_socket_reuseaddr(&socket, reuse)?;
        bind(&socket, &address)?;
        Ok(socket)
    };
    hold(false).or_else(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => hold(true),
        _ => Err(error),
    })
}

/// A socket that receives from nobody but itself: to all others the port is closed.
fn hold_udp(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = UdpSocket::bind(address)?;
    socket.connect(socket.local_addr()?)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn forward(protocol: Protocol, host: SocketAddrV4) -> Forward {
        Forward { protocol, host, guest_port: 80 }
    }

    fn check(protocol: Protocol, host: SocketAddrV4) -> Result<(), VmmError> {
        check_ports(&[forward(protocol, host)])
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddrV4 = taken.local_addr().unwrap().to_string().parse().unwrap();
        let error = check(Protocol::Tcp, address).unwrap_err();
        assert_eq!(error.to_string(), format!("port in use: {address}/tcp"));
        assert!(error.hint().unwrap().contains(&address.port().to_string()));
        check(Protocol::Udp, address).expect("the same number of the other transport is free");
        drop(taken);
        check(Protocol::Tcp, address).expect("free again");
        let udp = UdpSocket::bind(address).unwrap();
        assert!(matches!(check(Protocol::Udp, address), Err(VmmError::PortInUse { .. })));
        drop(udp);
    }

    #[test]
    fn the_same_port_twice_is_refused() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = free.port();
        let at = |address: &str| format!("{address}:{port}").parse().unwrap();
        for (one, other, twice) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "0.0.0.0", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
        ] {
            let forwards = [one, other].map(|host| forward(Protocol::Tcp, at(host)));
            let held = HeldPorts::hold(&forwards);
            assert_eq!(matches!(held, Err(VmmError::PortInUse { .. })), twice, "{one} {other}");
        }
    }

    #[test]
    fn who_comes_too_early_is_refused() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = free.to_string().parse().unwrap();
        let forwards = [Protocol::Tcp, Protocol::Udp].map(|protocol| forward(protocol, address));
        let held = HeldPorts::hold(&forwards).unwrap();
        // With `SO_REUSEADDR`, as servers have it.
        assert!(TcpListener::bind(address).is_err(), "somebody else got it");
        let refused = TcpStream::connect(address).unwrap_err().kind();
        assert_eq!(refused, io::ErrorKind::ConnectionRefused);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(address).unwrap();
        client.send(b"hello").unwrap();
        let refused = client.recv(&mut [0]).unwrap_err().kind();
        assert_eq!(refused, io::ErrorKind::ConnectionRefused);
        for forward in held.release() {
            match forward.protocol {
                Protocol::Tcp => drop(TcpListener::bind(address).unwrap()),
                Protocol::Udp => drop(UdpSocket::bind(address).unwrap()),
            }
        }
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let error = check(Protocol::Tcp, "192.0.2.1:8080".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "cannot listen on 192.0.2.1:8080/tcp");
        assert_eq!(error.hint().unwrap(), "the host does not have that address");
    }
}
