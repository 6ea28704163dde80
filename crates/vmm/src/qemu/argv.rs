//! QEMU's argument list: rendered here and nowhere else.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use mote_contract::{CHANNEL_PORT_NAME, CHANNEL_PORT_NUMBER};

use super::forwarding::{NETWORK, render_forward};
use crate::accel::{cpu_model, machine_options};
use crate::{Drive, DriveAccess, Forward, MachineSpec, Network, Sandbox, UserNetwork};

/// What the ends of the guest's console and channel are connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wiring {
    /// Nothing: the guest has neither.
    None,
    /// The console to QEMU's standard streams, no channel: a command for people.
    Pasteable,
    /// Sockets that QEMU inherits under these numbers.
    Inherited {
        /// The serial port.
        console: RawFd,
        /// The virtio-serial port, if the guest is to have one.
        channel: Option<RawFd>,
        /// QEMU's monitor, through which ports are forwarded: none is on the command line then.
        monitor: Option<RawFd>,
    },
}

/// The arguments that make QEMU run the machine, without the program's name.
pub fn render_argv(spec: &MachineSpec, wiring: &Wiring) -> Vec<OsString> {
    let mut argv = Argv::default();
    let mut machine = "microvm".to_owned();
    for option in machine_options(spec.accel) {
        machine.push(',');
        machine.push_str(option.text);
    }
    argv.option("-machine", machine);
    argv.option("-accel", spec.accel.name());
    argv.option("-cpu", cpu_model(spec.accel).text);
    argv.option("-smp", spec.cpus.to_string());
    argv.option("-m", format!("{}M", spec.memory_mib));
    for flag in ["-nodefaults", "-no-user-config", "-no-reboot"] {
        argv.flag(flag);
    }
    argv.option("-display", "none");
    if spec.sandbox == Sandbox::On {
        argv.option(
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        );
    }
    argv.option("-kernel", spec.kernel.as_os_str());
    if let Some(initrd) = &spec.initrd {
        argv.option("-initrd", initrd.as_os_str());
    }
    if !spec.cmdline.is_empty() {
        argv.option("-append", spec.cmdline.join(" "));
    }
    render_wiring(&mut argv, wiring);
    for (index, drive) in spec.drives.iter().enumerate() {
        argv.option("-drive", render_drive(index, drive));
        argv.option("-device", format!("virtio-blk-device,drive=drive{index}"));
    }
    if let Network::User(network) = &spec.network {
        let by_monitor = matches!(wiring, Wiring::Inherited { monitor: Some(_), .. });
        let forwards = if by_monitor { &[][..] } else { &network.forwards };
        argv.option("-netdev", render_user_network(network, forwards));
        argv.option("-device", format!("virtio-net-device,netdev={NETWORK}"));
    }
    argv.words
}

fn render_wiring(argv: &mut Argv, wiring: &Wiring) {
    match wiring {
        Wiring::None => {}
        Wiring::Pasteable => {
            // ^C reaches the guest instead of ending QEMU, which ^A X does.
            argv.option("-chardev", "stdio,id=console,signal=off,mux=on");
            argv.option("-serial", "chardev:console");
        }
        Wiring::Inherited { console, channel, monitor } => {
            argv.option("-chardev", format!("socket,id=console,fd={console}"));
            argv.option("-serial", "chardev:console");
            if let Some(monitor) = monitor {
                argv.option("-chardev", format!("socket,id=monitor,fd={monitor}"));
                argv.option("-mon", "chardev=monitor,mode=control");
            }
            if let Some(channel) = channel {
                argv.option("-chardev", format!("socket,id=channel,fd={channel}"));
                argv.option("-device", "virtio-serial-device,max_ports=2");
                argv.option(
                    "-device",
                    format!("virtserialport,chardev=channel,nr={CHANNEL_PORT_NUMBER},name={CHANNEL_PORT_NAME}"),
                );
            }
        }
    }
}

fn render_drive(index: usize, drive: &Drive) -> OsString {
    // The host's page cache, which all guests of an image share (QEMU's `cache=writeback`: what the guest flushes is
    // on the disk), by a pool of threads: `aio=native` wants no page cache, and the sandbox forbids `io_uring`. Who
    // reads needs no lock, and gets none; two who write to a disk at once are kept apart.
    let access = match drive.access {
        DriveAccess::ReadOnly => "readonly=on,file.locking=off",
        DriveAccess::ReadWrite => "readonly=off",
    };
    let mut option = format!("if=none,id=drive{index},format=raw,{access},file=").into_bytes();
    for byte in drive.file.as_os_str().as_bytes() {
        // In an option's value a comma is doubled.
        option.extend(std::iter::repeat_n(*byte, if *byte == b',' { 2 } else { 1 }));
    }
    OsString::from_vec(option)
}

fn render_user_network(network: &UserNetwork, forwards: &[Forward]) -> String {
    let UserNetwork { guest, gateway, dns, .. } = network;
    let first = guest.address.to_bits() & guest.netmask().to_bits();
    let subnet = std::net::Ipv4Addr::from_bits(first);
    let mut text =
        format!("user,id={NETWORK},net={subnet}/{},host={gateway},dns={dns}", guest.prefix());
    for forward in forwards {
        text.push_str(&format!(",hostfwd={}", render_forward(network, forward)));
    }
    text
}

#[derive(Default)]
struct Argv {
    words: Vec<OsString>,
}

impl Argv {
    fn flag(&mut self, name: &str) {
        self.words.push(name.into());
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.flag(name);
        self.words.push(value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accel, Cmdline, KernelMessages, Protocol};

    fn spec(accel: Accel) -> MachineSpec {
        let append = vec!["hostname=toy".to_owned()];
        let rdinit = Some("/.mote/init".to_owned());
        let messages = KernelMessages::Quiet;
        let cmdline = Cmdline { accel, host_tsc_khz: Some(2_445_423), messages, rdinit, append };
        MachineSpec {
            accel,
            memory_mib: 128,
            cpus: 1,
            kernel: "/cache/kernels/k/vmlinux".into(),
            initrd: Some("/proc/self/fd/9".into()),
            cmdline: cmdline.words().into_iter().map(|word| word.text).collect(),
            drives: Vec::new(),
            network: Network::User(UserNetwork::new(Vec::new())),
            sandbox: Sandbox::On,
        }
    }

    /// One option with its value a line.
    fn shown(spec: &MachineSpec, wiring: &Wiring) -> String {
        let words: Vec<_> =
            render_argv(spec, wiring).into_iter().map(|word| word.into_string().unwrap()).collect();
        words.join(" ").replace(" -", "\n-")
    }

    const INHERITED: Wiring = Wiring::Inherited { console: 7, channel: Some(8), monitor: None };

    #[test]
    fn a_run_under_each_accelerator() {
        insta::assert_snapshot!("tcg", shown(&spec(Accel::Tcg), &INHERITED));
        insta::assert_snapshot!("kvm", shown(&spec(Accel::Kvm), &INHERITED));
        insta::assert_snapshot!("whpx", shown(&spec(Accel::Whpx), &INHERITED));
        insta::assert_snapshot!("hvf", shown(&spec(Accel::Hvf), &INHERITED));
    }

    #[test]
    fn forwarded_ports() {
        let forward = |protocol, host: &str, guest_port| Forward {
            protocol,
            host: host.parse().unwrap(),
            guest_port,
        };
        let forwards = vec![
            forward(Protocol::Tcp, "127.0.0.1:8080", 80),
            forward(Protocol::Udp, "0.0.0.0:5353", 53),
        ];
        let network = Network::User(UserNetwork::new(forwards));
        let spec = MachineSpec { network, ..spec(Accel::Tcg) };
        insta::assert_snapshot!("forwards", shown(&spec, &INHERITED));
        let monitored = Wiring::Inherited { console: 7, channel: Some(8), monitor: Some(9) };
        insta::assert_snapshot!("forwards_by_monitor", shown(&spec, &monitored));
    }

    #[test]
    fn drives() {
        let drive = |file: &str, access| Drive { file: file.into(), access };
        let drives = vec![
            drive("/cache/images/a,b", DriveAccess::ReadOnly),
            drive("/proc/self/fd/11", DriveAccess::ReadWrite),
        ];
        insta::assert_snapshot!(
            "drives",
            shown(&MachineSpec { drives, ..spec(Accel::Kvm) }, &INHERITED)
        );
    }

    #[test]
    fn a_command_for_people() {
        let spec = MachineSpec {
            cpus: 2,
            network: Network::None,
            sandbox: Sandbox::Off,
            initrd: Some("/cache/images/i".into()),
            ..spec(Accel::Tcg)
        };
        insta::assert_snapshot!("pasteable", shown(&spec, &Wiring::Pasteable));
    }
}
