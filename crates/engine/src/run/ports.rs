//! Published ports: from what was asked for to what is forwarded.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};

use mote_manifest::{HostPort, Network, Protocol, Publish, RunSettings};
use mote_vmm::Forward;

use crate::EngineError;

/// A port that the host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Where, and to which port of the guest it leads.
    pub forward: Forward,
    /// Whether mote chose the host's port.
    pub chosen: bool,
}

/// The ports of a run; those that were left to mote are free now.
pub(crate) fn publish(run: &RunSettings) -> Result<Vec<Published>, EngineError> {
    if run.network == Some(Network::None) && !run.publish.is_empty() {
        return Err(EngineError::PublishWithoutNetwork);
    }
    run.publish.iter().map(published).collect()
}

fn published(wanted: &Publish) -> Result<Published, EngineError> {
    let (port, chosen) = match wanted.host {
        HostPort::Fixed(port) => (port.get(), false),
        HostPort::Free => {
            let port = free_port(wanted.address, wanted.protocol);
            (
                port.map_err(|source| EngineError::NoFreePort { address: wanted.address, source })?,
                true,
            )
        }
    };
    let forward = Forward {
        protocol: match wanted.protocol {
            Protocol::Tcp => mote_vmm::Protocol::Tcp,
            Protocol::Udp => mote_vmm::Protocol::Udp,
        },
        host: SocketAddrV4::new(wanted.address, port),
        guest_port: wanted.guest.get(),
    };
    Ok(Published { forward, chosen })
}

/// A port that is free now; it is held when the machine starts.
fn free_port(address: Ipv4Addr, protocol: Protocol) -> io::Result<u16> {
    let any = SocketAddrV4::new(address, 0);
    let local = match protocol {
        Protocol::Tcp => TcpListener::bind(any)?.local_addr()?,
        Protocol::Udp => UdpSocket::bind(any)?.local_addr()?,
    };
    Ok(local.port())
}
