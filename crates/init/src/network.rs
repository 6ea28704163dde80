//! Loopback and eth0, and the files with which the resolver finds names.

use alloc::format;
use alloc::string::String;
use core::ffi::CStr;
use core::fmt::Write;
use core::net::Ipv4Addr;

use mote_contract::{Cidr, Network};

use crate::error::{InitError, Result};
use crate::kernel::{Call, Kernel};
use crate::sys::{Errno, Interface};

const RESOLV_CONF: &CStr = c"/etc/resolv.conf";
const HOSTS: &CStr = c"/etc/hosts";

/// Sets the interfaces and the resolver's files up. Without a network wanted, a kernel that has none will do.
///
/// # Errors
///
/// [`InitError::Call`].
pub fn set_up(kernel: &mut impl Kernel, network: &Network, hostname: Option<&str>) -> Result<()> {
    if let Network::None = network {
        if kernel.make(&Call::InetSocket).is_ok() {
            up(kernel, "lo")?;
        }
    } else {
        kernel.must(&Call::InetSocket)?;
        up(kernel, "lo")?;
    }
    let mut own = Ipv4Addr::new(127, 0, 1, 1);
    match network {
        Network::None => {}
        Network::Dhcp => up(kernel, "eth0")?,
        Network::Static { address, gateway, dns } => {
            set_static(kernel, *address, *gateway)?;
            write_resolv_conf(kernel, dns)?;
            own = address.address;
        }
    }
    write_hosts(kernel, own, hostname)
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

/// Replaces what the image has, be it a link: its name servers are of another machine.
fn write_resolv_conf(kernel: &mut impl Kernel, dns: &[Ipv4Addr]) -> Result<()> {
    let mut text = String::new();
    for server in dns {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "nameserver {server}");
    }
    make_etc(kernel)?;
    kernel.must_unless(Errno::ENOENT, &Call::Unlink { path: RESOLV_CONF })?;
    kernel.must(&Call::WriteNew { path: RESOLV_CONF, text: &text })
}

/// Keeps what the image has, and adds the name of this run, which the image cannot know.
fn write_hosts(kernel: &mut impl Kernel, own: Ipv4Addr, hostname: Option<&str>) -> Result<()> {
    let path = HOSTS;
    let named = hostname.map_or_else(String::new, |name| format!("{own}\t{name}\n"));
    let text = format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{named}");
    make_etc(kernel)?;
    let new = Call::WriteNew { path, text: &text };
    match kernel.make(&new) {
        Err(Errno::EEXIST) if named.is_empty() => Ok(()),
        // The last line of the image's may have no end.
        Err(Errno::EEXIST) => kernel.must(&Call::Append { path, text: &format!("\n{named}") }),
        result => result.map_err(InitError::call(format_args!("{new}"))),
    }
}

fn make_etc(kernel: &mut impl Kernel) -> Result<()> {
    let (path, mode) = (c"/etc", 0o755);
    kernel.must_unless(Errno::EEXIST, &Call::Mkdir { path, mode })
}
