//! Telling a QEMU that runs to forward ports.

use std::io;
use std::os::unix::net::UnixStream;

use super::monitor::{Monitor, MonitorError};
use crate::ports::HeldPorts;
use crate::{Addressing, Forward, UserNetwork};

/// The name of the one network device's other end.
pub(super) const NETWORK: &str = "net0";

/// Ports that are to be forwarded as soon as the guest can be reached.
#[derive(Debug)]
pub(crate) struct Forwarding {
    pub(super) monitor: Monitor,
    network: UserNetwork,
    ports: HeldPorts,
}

/// A port that QEMU does not forward.
#[derive(Debug, thiserror::Error)]
#[error("cannot forward {}/{}: {source}", forward.host, forward.protocol.name())]
pub(crate) struct ForwardError {
    forward: Forward,
    source: MonitorError,
}

impl Forwarding {
    /// Forwarding of the network's ports, which are held, by the QEMU whose monitor is at the other
    /// end of `socket`.
    ///
    /// # Errors
    ///
    /// Those of [`Monitor::new`].
    pub(crate) fn new(
        socket: UnixStream,
        network: UserNetwork,
        ports: HeldPorts,
    ) -> io::Result<Self> {
        Ok(Self { monitor: Monitor::new(socket)?, network, ports })
    }

    /// Who gives the guest its address.
    pub(crate) fn addressing(&self) -> Addressing {
        self.network.addressing
    }

    /// Has QEMU listen on the ports.
    ///
    /// # Errors
    ///
    /// The first port that it does not forward.
    pub(crate) fn begin(self) -> Result<(), ForwardError> {
        let Self { mut monitor, network, ports } = self;
        for forward in ports.release() {
            let rule = render_forward(&network, &forward);
            let added = match monitor.human(&format!("hostfwd_add {NETWORK} {rule}")) {
                Ok(said) if said.is_empty() => Ok(()),
                Ok(said) => Err(MonitorError::Refused(said)),
                // How it ended will be known in a moment, and says more.
                Err(error) if error.is_end() => return Ok(()),
                Err(error) => Err(error),
            };
            added.map_err(|source| ForwardError { forward, source })?;
        }
        Ok(())
    }
}

/// `tcp:127.0.0.1:8080-10.0.2.15:80`, as `hostfwd` of `-netdev user` and `hostfwd_add` have it.
pub(super) fn render_forward(network: &UserNetwork, forward: &Forward) -> String {
    let Forward { protocol, host, guest_port } = forward;
    format!(
        "{}:{}:{}-{}:{guest_port}",
        protocol.name(),
        host.ip(),
        host.port(),
        network.guest.address,
    )
}
