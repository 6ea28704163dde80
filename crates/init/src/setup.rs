//! Everything that is set up before a program is started.

use mote_contract::RunConfig;

use crate::error::Result;
use crate::kernel::{Call, Kernel};
use crate::{mounts, network, paths};

/// What the clocks say when the setting-up begins.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Nanoseconds since the kernel started.
    pub boottime_ns: u64,
    /// The wall clock, nanoseconds since 1970, as the kernel had it from the hypervisor or the RTC, if at all.
    pub realtime_ns: u64,
}

/// Sets the machine up as configured; `/dev` is mounted already.
///
/// # Errors
///
/// The first call that failed.
pub fn set_up(kernel: &mut impl Kernel, config: &RunConfig, now: Now) -> Result<()> {
    match config.system {
        Some(_) => kernel.must(&Call::MakeFifo { path: paths::UP })?,
        None => mounts::mount_for_programs(kernel)?,
    }
    if let Some(name) = &config.hostname {
        kernel.must(&Call::SetHostname { name })?;
    }
    if let Some(start_unix_ns) = config.clock_unix_ns {
        set_clock(kernel, start_unix_ns.saturating_add(now.boottime_ns), now)?;
    }
    if let Some(seed) = &config.entropy_seed {
        kernel.must(&Call::AddEntropy { seed: &seed.0 })?;
    }
    network::set_up(kernel, &config.network, config.hostname.as_deref())
}

/// Neither of the two is ahead of the true time: between `clock_unix_ns` and the kernel's start lies that of the VMM,
/// and an RTC counts whole seconds. So the later one is right.
fn set_clock(kernel: &mut impl Kernel, unix_ns: u64, now: Now) -> Result<()> {
    if unix_ns <= now.realtime_ns {
        return Ok(());
    }
    kernel.must(&Call::SetRealtime { unix_ns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::recorder::Recorder;
    use crate::sys::Errno;
    use alloc::string::String;
    use alloc::vec::Vec;
    use mote_contract::{EntropySeed, Io, Network, Session};

    fn config(network: Network) -> RunConfig {
        let session = Session {
            argv: Vec::from(["true".into()]),
            env: Vec::new(),
            cwd: "/".into(),
            terminal: None,
        };
        RunConfig {
            version: mote_contract::CONFIG_VERSION,
            hostname: None,
            clock_unix_ns: None,
            entropy_seed: None,
            network,
            system: None,
            session,
            io: Io::Channel,
        }
    }

    fn fixed() -> Network {
        Network::Static {
            address: "10.0.2.15/24".parse().unwrap(),
            gateway: [10, 0, 2, 2].into(),
            dns: Vec::from([[10, 0, 2, 3].into(), [9, 9, 9, 9].into()]),
        }
    }

    fn recorded(mut kernel: Recorder, config: &RunConfig) -> (Result<(), String>, Recorder) {
        let result = set_up(&mut kernel, config, Now { boottime_ns: 1_000, realtime_ns: 5_999 });
        (result.map_err(|error| error.chain()), kernel)
    }

    #[test]
    fn everything_at_once() {
        let config = RunConfig {
            hostname: Some("box".into()),
            clock_unix_ns: Some(5_000),
            entropy_seed: Some(EntropySeed([7; 32])),
            ..config(fixed())
        };
        let (result, kernel) = recorded(Recorder::default(), &config);
        assert_eq!(result, Ok(()));
        let expected = [
            "mkdir(/proc, 0o555)",
            "mount(proc, /proc, 0xe, )",
            "mkdir(/sys, 0o555)",
            "mount(sysfs, /sys, 0xe, )",
            "mkdir(/dev/pts, 0o755)",
            "mount(devpts, /dev/pts, 0xa, mode=0620,ptmxmode=0666,gid=5)",
            "mkdir(/dev/shm, 0o755)",
            "mount(tmpfs, /dev/shm, 0x6, mode=1777)",
            "mkdir(/tmp, 0o755)",
            "mount(tmpfs, /tmp, 0x6, mode=1777)",
            "mkdir(/run, 0o755)",
            "mount(tmpfs, /run, 0x6, mode=0755)",
            "sethostname(box)",
            "clock_settime(CLOCK_REALTIME, 6000 ns)",
            "ioctl(/dev/urandom, RNDADDENTROPY)",
            "socket(AF_INET, SOCK_DGRAM)",
            "ioctl(lo, SIOCSIFFLAGS, up)",
            "ioctl(eth0, SIOCSIFADDR, 10.0.2.15)",
            "ioctl(eth0, SIOCSIFNETMASK, 255.255.255.0)",
            "ioctl(eth0, SIOCSIFFLAGS, up)",
            "ioctl(eth0, SIOCADDRT, 10.0.2.2)",
            "mkdir(/etc, 0o755)",
            "unlink(/etc/resolv.conf)",
            "write(/etc/resolv.conf, 39 bytes)",
            "mkdir(/etc, 0o755)",
            "write(/etc/hosts, 48 bytes)",
        ];
        assert_eq!(kernel.calls, expected);
        let files = "nameserver 10.0.2.3\nnameserver 9.9.9.9\n\
            127.0.0.1\tlocalhost\n::1\tlocalhost\n10.0.2.15\tbox\n";
        assert_eq!(kernel.written, files);
    }

    #[test]
    fn the_name_of_a_run_is_added_to_the_images_hosts() {
        for (hostname, added) in [(None, ""), (Some("box"), "\n10.0.2.15\tbox\n")] {
            let config = RunConfig { hostname: hostname.map(Into::into), ..config(fixed()) };
            let kernel = Recorder::failing("write(/etc/hosts", Errno::EEXIST);
            let (result, kernel) = recorded(kernel, &config);
            assert_eq!(result, Ok(()));
            let resolver = "nameserver 10.0.2.3\nnameserver 9.9.9.9\n";
            assert_eq!(kernel.written.strip_prefix(resolver), Some(added));
        }
    }

    #[test]
    fn a_system_mounts_for_itself() {
        let config = RunConfig { system: Some("/sbin/init".into()), ..config(Network::Dhcp) };
        let (result, kernel) = recorded(Recorder::default(), &config);
        assert_eq!(result, Ok(()));
        let expected = [
            "mkfifo(/.mote/up)",
            "socket(AF_INET, SOCK_DGRAM)",
            "ioctl(lo, SIOCSIFFLAGS, up)",
            "ioctl(eth0, SIOCSIFFLAGS, up)",
            "mkdir(/etc, 0o755)",
            "write(/etc/hosts, 34 bytes)",
        ];
        assert_eq!(kernel.calls, expected);
    }

    #[test]
    fn what_may_fail() {
        let cases = [
            (Network::None, "mkdir", Errno::EEXIST),
            (Network::None, "mount(devpts", Errno::ENODEV),
            (Network::None, "socket", Errno(97)),
            (fixed(), "unlink", Errno::ENOENT),
            (fixed(), "write(/etc/hosts", Errno::EEXIST),
        ];
        for (network, call, errno) in cases {
            let (result, _) = recorded(Recorder::failing(call, errno), &config(network));
            assert_eq!(result, Ok(()), "{call}");
        }
    }

    #[test]
    fn what_must_not_fail() {
        let cases = [
            ("mkdir(/sys", "mkdir(/sys, 0o555): EACCES"),
            ("mount(proc", "mount(proc, /proc, 0xe, ): EACCES"),
            ("socket", "socket(AF_INET, SOCK_DGRAM): EACCES"),
            ("ioctl(eth0, SIOCADDRT", "ioctl(eth0, SIOCADDRT, 10.0.2.2): EACCES"),
            ("write(/etc/resolv.conf", "write(/etc/resolv.conf, 39 bytes): EACCES"),
            ("write(/etc/hosts", "write(/etc/hosts, 34 bytes): EACCES"),
        ];
        for (call, message) in cases {
            let kernel = Recorder::failing(call, Errno::EACCES);
            let (result, kernel) = recorded(kernel, &config(fixed()));
            assert_eq!(result, Err(message.into()));
            assert!(kernel.calls.last().unwrap().starts_with(call), "it stops there");
        }
    }

    #[test]
    fn the_clock_is_never_set_back() {
        for (start, calls) in [(4_999, 0), (5_000, 1)] {
            let config = RunConfig { clock_unix_ns: Some(start), ..config(Network::None) };
            let (_, kernel) = recorded(Recorder::default(), &config);
            let set = kernel.calls.iter().filter(|call| call.starts_with("clock_settime"));
            assert_eq!(set.count(), calls);
        }
    }
}
