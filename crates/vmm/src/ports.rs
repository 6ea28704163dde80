//! Forwarded ports: whether the host can listen on them.

use std::io;
use std::net::{TcpListener, UdpSocket};

use crate::{Forward, Network, Protocol, VmmError};

/// Listens on each forwarded port for a moment, because QEMU's own message names neither the port nor the reason.
pub(crate) fn check(network: &Network) -> Result<(), VmmError> {
    let Network::User(network) = network else { return Ok(()) };
    // All at once, so that the same port twice is found too.
    let sockets: Result<Vec<_>, _> = network.forwards.iter().map(listen).collect();
    sockets.map(drop)
}

/// A socket that is held, not used.
enum Socket {
    Tcp(#[expect(dead_code, reason = "held open")] TcpListener),
    Udp(#[expect(dead_code, reason = "held open")] UdpSocket),
}

fn listen(forward: &Forward) -> Result<Socket, VmmError> {
    let (address, protocol) = (forward.host, forward.protocol.name());
    let socket = match forward.protocol {
        Protocol::Tcp => TcpListener::bind(address).map(Socket::Tcp),
        Protocol::Udp => UdpSocket::bind(address).map(Socket::Udp),
    };
    socket.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => VmmError::PortInUse { address, protocol },
        _ => VmmError::Port { address, protocol, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserNetwork;
    use std::net::SocketAddrV4;

    fn forwarding(forwards: &[(Protocol, SocketAddrV4)]) -> Network {
        let forwards =
            forwards.iter().map(|&(protocol, host)| Forward { protocol, host, guest_port: 80 });
        Network::User(UserNetwork::new(forwards.collect()))
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string().parse().unwrap();
        let error = check(&forwarding(&[(Protocol::Tcp, address)])).unwrap_err();
        assert_eq!(error.to_string(), format!("port in use: {address}/tcp"));
        assert!(error.hint().unwrap().contains(&address.port().to_string()));
        check(&forwarding(&[(Protocol::Udp, address)]))
            .expect("the same number of the other transport is free");
        drop(taken);
        check(&forwarding(&[(Protocol::Tcp, address)])).expect("free again");
        let twice = [(Protocol::Tcp, address), (Protocol::Tcp, address)];
        assert!(matches!(check(&forwarding(&twice)), Err(VmmError::PortInUse { .. })));
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let error =
            check(&forwarding(&[(Protocol::Tcp, "192.0.2.1:8080".parse().unwrap())])).unwrap_err();
        assert_eq!(error.to_string(), "cannot listen on 192.0.2.1:8080/tcp");
        assert_eq!(error.hint().unwrap(), "the host does not have that address");
    }
}
