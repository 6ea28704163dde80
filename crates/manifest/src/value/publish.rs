//! A port of the guest that the host offers.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::str::FromStr;

/// One published port: docker's `[ADDR:]HOST:GUEST[/tcp|udp]`.
///
/// Other than docker's, a port is offered on 127.0.0.1 unless an address is given: what runs in a
/// guest is not shown to the network by accident. As with docker, an empty `HOST` (`:80`,
/// `127.0.0.1::80`), a `HOST` of 0, or `GUEST` alone means any free port. Addresses are IPv4: those
/// are what QEMU's user network can listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Publish {
    /// Where the host listens.
    pub address: Ipv4Addr,
    /// The host's port.
    pub host: HostPort,
    /// The guest's port.
    pub guest: NonZeroU16,
    /// Which protocol.
    pub protocol: Protocol,
}

/// A port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostPort {
    /// Any that is free when the machine starts.
    Free,
    /// This one.
    Fixed(NonZeroU16),
}

/// A protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for Publish {
    /// Complete, so that it can be parsed again and says where the host listens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, host, guest, protocol } = self;
        match host {
            HostPort::Free => write!(f, "{address}::{guest}/{protocol}"),
            HostPort::Fixed(host) => write!(f, "{address}:{host}:{guest}/{protocol}"),
        }
    }
}

/// A text that publishes no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Not the parts that it should have.
    #[error("not a published port: {text}")]
    Parts {
        /// What was given.
        text: String,
    },
    /// A part that should be a port.
    #[error("not a port: {port} in {text}")]
    Port {
        /// The part.
        port: String,
        /// What was given.
        text: String,
    },
    /// Docker's ranges, which are not offered.
    #[error("ranges of ports cannot be published: {text}")]
    Range {
        /// What was given.
        text: String,
    },
    /// A part that should be an address.
    #[error("not an IPv4 address: {address} in {text}")]
    Address {
        /// The part.
        address: String,
        /// What was given.
        text: String,
    },
    /// A protocol other than the two.
    #[error("neither tcp nor udp: {protocol} in {text}")]
    Protocol {
        /// The part.
        protocol: String,
        /// What was given.
        text: String,
    },
}

impl PublishError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Range { .. } => "publish each port for itself".to_owned(),
            _ => "write [ADDR:]HOST:GUEST[/tcp|udp], such as 8080:80".to_owned(),
        })
    }
}

impl FromStr for Publish {
    type Err = PublishError;

    fn from_str(text: &str) -> Result<Self, PublishError> {
        let (ports, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((ports, protocol)) => (ports, parse_protocol(protocol, text)?),
        };
        if ports.starts_with('[') {
            let address = ports.split(']').next().unwrap_or(ports).trim_start_matches('[');
            return Err(PublishError::Address {
                address: address.to_owned(),
                text: text.to_owned(),
            });
        }
        let parts: Vec<&str> = ports.split(':').collect();
        let (address, host, guest) = match *parts.as_slice() {
            [guest] => ("", "", guest),
            [host, guest] => ("", host, guest),
            [address, host, guest] => (address, host, guest),
            _ => return Err(PublishError::Parts { text: text.to_owned() }),
        };
        Ok(Self {
            address: parse_address(address, text)?,
            host: parse_host_port(host, text)?,
            guest: parse_port(guest, text)?,
            protocol,
        })
    }
}

fn parse_protocol(protocol: &str, text: &str) -> Result<Protocol, PublishError> {
    match protocol {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        _ => Err(PublishError::Protocol { protocol: protocol.to_owned(), text: text.to_owned() }),
    }
}

fn parse_address(address: &str, text: &str) -> Result<Ipv4Addr, PublishError> {
    if address.is_empty() {
        return Ok(Ipv4Addr::LOCALHOST);
    }
    address
        .parse()
        .map_err(|_| PublishError::Address { address: address.to_owned(), text: text.to_owned() })
}

fn parse_host_port(port: &str, text: &str) -> Result<HostPort, PublishError> {
    if port.is_empty() || port == "0" {
        return Ok(HostPort::Free);
    }
    parse_port(port, text).map(HostPort::Fixed)
}

fn parse_port(port: &str, text: &str) -> Result<NonZeroU16, PublishError> {
    if port.contains('-') {
        return Err(PublishError::Range { text: text.to_owned() });
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| port.parse().ok()).flatten();
    number.ok_or_else(|| PublishError::Port { port: port.to_owned(), text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dockers_notation() {
        for (text, complete) in [
            ("8080:80", "127.0.0.1:8080:80/tcp"),
            ("0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp"),
            ("127.0.0.1:5353:53/udp", "127.0.0.1:5353:53/udp"),
            ("5353:53/udp", "127.0.0.1:5353:53/udp"),
            ("8080:80/tcp", "127.0.0.1:8080:80/tcp"),
            (":8080:80", "127.0.0.1:8080:80/tcp"),
            ("80", "127.0.0.1::80/tcp"),
            (":80", "127.0.0.1::80/tcp"),
            ("0:80", "127.0.0.1::80/tcp"),
            ("10.0.0.1::80", "10.0.0.1::80/tcp"),
            ("65535:65535", "127.0.0.1:65535:65535/tcp"),
        ] {
            let publish: Publish = text.parse().unwrap();
            assert_eq!(publish.to_string(), complete, "{text}");
            assert_eq!(complete.parse(), Ok(publish), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("", "not a port:  in "),
            ("http", "not a port: http in http"),
            ("8080:0", "not a port: 0 in 8080:0"),
            ("8080:", "not a port:  in 8080:"),
            ("65536:80", "not a port: 65536 in 65536:80"),
            ("+80:80", "not a port: +80 in +80:80"),
            ("a:b:c:d", "not a published port: a:b:c:d"),
            ("localhost:8080:80", "not an IPv4 address: localhost in localhost:8080:80"),
            ("[::1]:8080:80", "not an IPv4 address: ::1 in [::1]:8080:80"),
            ("8080:80/sctp", "neither tcp nor udp: sctp in 8080:80/sctp"),
            ("8000-8010:80-90", "ranges of ports cannot be published: 8000-8010:80-90"),
        ] {
            let error = text.parse::<Publish>().unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().is_some());
        }
    }
}
