//! Everything that is set up before a program is started.

use alloc::ffi::CString;

use mote_contract::RunConfig;

use crate::error::{Result, zero_byte};
use crate::kernel::{Call, Kernel};
use crate::sys::{Errno, Resource};
use crate::{mounts, network, paths};

/// systemd's limits for services, which newer dockers leave as they are: programs that want more than 1,024 files ask
/// for it, and those that close every possible descriptor, or make room for each, are not slowed down.
const OPEN_FILES: [u64; 2] = [1024, 524_288];
/// The kernel's own limit is small in a small guest.
const PROCESSES: [u64; 2] = [u64::MAX; 2];

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
        Some(_) => {
            kernel.must_unless(Errno::EEXIST, &Call::Mkdir { path: paths::OWN, mode: 0o755 })?;
            kernel.must_unless(Errno::EEXIST, &Call::MakeFifo { path: paths::UP })?;
        }
        None => mounts::mount_for_programs(kernel)?,
    }
    for tmpfs in &config.tmpfs {
        let target = c_string("a path", &tmpfs.path)?;
        let options = c_string("options", &tmpfs.options)?;
        mounts::mount_tmpfs(kernel, &target, tmpfs.flags, &options)?;
    }
    mounts::make_directories(kernel, &c_string("cwd", &config.session.cwd)?)?;
    for (resource, limit) in [(Resource::OpenFiles, OPEN_FILES), (Resource::Processes, PROCESSES)] {
        kernel.must(&Call::SetLimit { resource, limit })?;
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
    network::set_up(kernel, &config.network)?;
    network::write_names(kernel, config)
}

fn c_string(what: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| zero_byte(what))
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
    use mote_contract::{EntropySeed, HostEntry, Io, Network, Root, Session, Tmpfs};

    fn session() -> Session {
        Session {
            argv: Vec::from(["true".into()]),
            env: Vec::new(),
            cwd: "/".into(),
            user: None,
            terminal: None,
        }
    }

    fn config(network: Network) -> RunConfig {
        RunConfig {
            version: mote_contract::CONFIG_VERSION,
            hostname: None,
            clock_unix_ns: None,
            entropy_seed: None,
            network,
            hosts: Vec::new(),
            root: Root::Initramfs,
            tmpfs: Vec::new(),
            system: None,
            session: session(),
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

    fn everything() -> RunConfig {
        RunConfig {
            hostname: Some("box".into()),
            clock_unix_ns: Some(5_000),
            entropy_seed: Some(EntropySeed([7; 32])),
            hosts: Vec::from([HostEntry {
                name: "db".into(),
                address: [0, 0, 0, 0, 0, 0, 0, 2].into(),
            }]),
            tmpfs: Vec::from([Tmpfs {
                path: "/cache".into(),
                flags: 9,
                options: "size=1m".into(),
            }]),
            session: Session { cwd: "/srv".into(), ..session() },
            ..config(fixed())
        }
    }

    #[test]
    fn everything_at_once() {
        let (result, kernel) = recorded(Recorder::default(), &everything());
        assert_eq!(result, Ok(()));
        let expected = [
            "mkdir(/proc, 0o555)",
            "mount(proc, /proc, proc, 0xe, )",
            "mkdir(/sys, 0o555)",
            "mount(sysfs, /sys, sysfs, 0xe, )",
            "mkdir(/dev/pts, 0o755)",
            "mount(devpts, /dev/pts, devpts, 0xa, mode=0620,ptmxmode=0666,gid=5)",
            "mkdir(/dev/shm, 0o755)",
            "mount(tmpfs, /dev/shm, tmpfs, 0x6, mode=1777)",
            "mkdir(/dev/mqueue, 0o755)",
            "mount(mqueue, /dev/mqueue, mqueue, 0xe, )",
            "mount(cgroup2, /sys/fs/cgroup, cgroup2, 0xe, )",
            "symlink(/proc/self/fd, /dev/fd)",
            "symlink(/proc/self/fd/0, /dev/stdin)",
            "symlink(/proc/self/fd/1, /dev/stdout)",
            "symlink(/proc/self/fd/2, /dev/stderr)",
            "write(/proc/sys/net/ipv4/ip_unprivileged_port_start, 1 bytes)",
            "write(/proc/sys/net/ipv4/ping_group_range, 12 bytes)",
            "mkdir(/cache, 0o755)",
            "mount(tmpfs, /cache, tmpfs, 0x9, size=1m)",
            "mkdir(/srv, 0o755)",
            "setrlimit(OpenFiles, 1024, 524288)",
            "setrlimit(Processes, 18446744073709551615, 18446744073709551615)",
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
            "create(/etc/resolv.conf, 39 bytes)",
            "unlink(/etc/hostname)",
            "create(/etc/hostname, 4 bytes)",
            "unlink(/etc/hosts)",
            "create(/etc/hosts, 55 bytes)",
        ];
        assert_eq!(kernel.calls, expected);
        let files = "nameserver 10.0.2.3\nnameserver 9.9.9.9\nbox\n\
            127.0.0.1\tlocalhost\n::1\tlocalhost\n10.0.2.15\tbox\n::2\tdb\n";
        assert_eq!(kernel.written, files);
    }

    #[test]
    fn the_images_hosts_stay() {
        let own = "127.0.1.1\tbox\n";
        let cases = [
            ("", "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\tbox\n"),
            ("127.0.0.1 localhost", "127.0.0.1 localhost\n127.0.1.1\tbox\n"),
            ("1.2.3.4 a\n", "1.2.3.4 a\n127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\tbox\n"),
            ("127.0.0.1 localhost\n127.0.1.1\tbox\n", ""),
        ];
        for (old, written) in cases {
            let config = RunConfig { hostname: Some("box".into()), ..config(Network::Dhcp) };
            let files = Vec::from([(c"/etc/hosts", old)]);
            let (result, kernel) = recorded(Recorder { files, ..Recorder::default() }, &config);
            assert_eq!(result, Ok(()));
            assert_eq!(kernel.written.strip_prefix("box\n"), Some(written), "{own}");
        }
    }

    #[test]
    fn a_system_mounts_for_itself() {
        let config = RunConfig { system: Some("/sbin/init".into()), ..config(Network::Dhcp) };
        let (result, kernel) = recorded(Recorder::default(), &config);
        assert_eq!(result, Ok(()));
        let expected = [
            "mkdir(/.mote, 0o755)",
            "mkfifo(/.mote/up)",
            "setrlimit(OpenFiles, 1024, 524288)",
            "setrlimit(Processes, 18446744073709551615, 18446744073709551615)",
            "socket(AF_INET, SOCK_DGRAM)",
            "ioctl(lo, SIOCSIFFLAGS, up)",
            "ioctl(eth0, SIOCSIFFLAGS, up)",
            "mkdir(/etc, 0o755)",
            "unlink(/etc/hosts)",
            "create(/etc/hosts, 34 bytes)",
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
            (Network::None, "mount(mqueue", Errno::ENODEV),
            (Network::None, "mount(cgroup2", Errno::ENOENT),
            (Network::None, "symlink", Errno::EEXIST),
            (Network::None, "write(/proc/sys", Errno::ENOENT),
        ];
        for (network, call, errno) in cases {
            let (result, _) = recorded(Recorder::failing(call, errno), &config(network));
            assert_eq!(result, Ok(()), "{call}");
        }
    }

    /// Each call that fails otherwise than some kernels may is told with its arguments.
    #[test]
    fn what_must_not_fail() {
        let (_, kernel) = recorded(Recorder::default(), &everything());
        for call in kernel.calls {
            let call: &str = alloc::boxed::Box::leak(call.into_boxed_str());
            let (result, kernel) = recorded(Recorder::failing(call, Errno::EIO), &everything());
            assert_eq!(result, Err(alloc::format!("{call}: input/output error (EIO)")));
            assert_eq!(kernel.calls.last().unwrap(), call, "it stops there");
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
