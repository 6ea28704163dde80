//! Loopback and eth0, and the files with which the resolver finds names.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::fmt::Display;
use core::net::{Ipv4Addr, Ipv6Addr};

use mote_contract::{Cidr, Network, RunConfig};

use crate::error::{InitError, Result};
use crate::kernel::{Call, Kernel};
use crate::sys::{Errno, Interface};

const RESOLV_CONF: &CStr = c"/etc/resolv.conf";
const HOSTS: &CStr = c"/etc/hosts";
const HOSTNAME: &CStr = c"/etc/hostname";
const LOCALHOST: &str = "localhost";
/// The guest's own address where init knows no other, as Debian has it.
const OWN: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// Sets the interfaces up. Without a network wanted, a kernel that has none will do.
///
/// # Errors
///
/// [`InitError::Call`].
pub fn set_up(kernel: &mut impl Kernel, network: &Network) -> Result<()> {
    if let Network::None = network {
        if kernel.make(&Call::InetSocket).is_ok() {
            up(kernel, "lo")?;
        }
    } else {
        kernel.must(&Call::InetSocket)?;
        up(kernel, "lo")?;
    }
    match network {
        Network::None => Ok(()),
        Network::Dhcp => up(kernel, "eth0"),
        Network::Static { address, gateway, .. } => set_static(kernel, *address, *gateway),
    }
}

/// Writes the files with which names are found.
///
/// # Errors
///
/// [`InitError::Call`].
pub fn write_names(kernel: &mut impl Kernel, config: &RunConfig) -> Result<()> {
    let (path, mode) = (c"/etc", 0o755);
    kernel.must_unless(Errno::EEXIST, &Call::Mkdir { path, mode })?;
    if let Network::Static { dns, .. } = &config.network {
        let servers = dns.iter().map(|server| format!("nameserver {server}\n"));
        // Name servers in the image are of another machine.
        replace(kernel, RESOLV_CONF, &servers.collect::<String>())?;
    }
    if let Some(name) = &config.hostname {
        replace(kernel, HOSTNAME, &format!("{name}\n"))?;
    }
    write_hosts(kernel, config)
}

fn up(kernel: &mut impl Kernel, name: &str) -> Result<()> {
    let setting = Interface::Up;
    kernel.must(&Call::SetInterface { name, setting })
}

fn set_static(kernel: &mut impl Kernel, address: Cidr, gateway: Ipv4Addr) -> Result<()> {
    for setting in [
        Interface::Address(address.address),
        Interface::Netmask(address.netmask()),
        Interface::Up,
        Interface::DefaultRoute(gateway),
    ] {
        let name = "eth0";
        kernel.must(&Call::SetInterface { name, setting })?;
    }
    Ok(())
}

/// Keeps what the image has, and adds what it lacks: localhost (images of containers have an empty file), the name of
/// this run, and the names that the host gave.
fn write_hosts(kernel: &mut impl Kernel, config: &RunConfig) -> Result<()> {
    let old = match kernel.read(HOSTS) {
        Err(Errno::ENOENT) => Vec::new(),
        result => result.map_err(InitError::call(format_args!("read(/etc/hosts)")))?,
    };
    let mut text = String::from_utf8_lossy(&old).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let mut add = |address: &dyn Display, name: &str| {
        let line = format!("{address}\t{name}");
        // A disk that is written to has them from the last run.
        if !text.lines().any(|known| known == line) {
            text.push_str(&line);
            text.push('\n');
        }
    };
    if !old.windows(LOCALHOST.len()).any(|word| word == LOCALHOST.as_bytes()) {
        add(&Ipv4Addr::LOCALHOST, LOCALHOST);
        add(&Ipv6Addr::LOCALHOST, LOCALHOST);
    }
    if let Some(name) = &config.hostname {
        match &config.network {
            Network::Static { address, .. } => add(&address.address, name),
            Network::None | Network::Dhcp => add(&OWN, name),
        }
    }
    for host in &config.hosts {
        add(&host.address, &host.name);
    }
    match text.as_bytes() == old {
        true => Ok(()),
        false => replace(kernel, HOSTS, &text),
    }
}

/// Writes a file in the place of what the image has there, be it a link.
fn replace(kernel: &mut impl Kernel, path: &CStr, text: &str) -> Result<()> {
    kernel.must_unless(Errno::ENOENT, &Call::Unlink { path })?;
    kernel.must(&Call::WriteNew { path, text })
}
