//! A classic system: its init runs as PID 1 of a PID namespace of its own, and says over a fifo that it is up.

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;

use mote_contract::{CONSOLE_PATH, NETWORK_VARIABLE, Network, Stop, UP_PATH};

use crate::error::{InitError, Result};
use crate::paths;
use crate::program::{Program, Streams};
use crate::sys::{self, Fd, OpenFlags, Pid, Signal, Status};

/// A classic system that was started.
#[derive(Debug)]
pub struct System {
    path: String,
    pid: Pid,
    phase: Phase,
    /// A `/proc` of our own: the guest's can be unmounted, by the system itself when it stops.
    processes: Option<Fd>,
}

#[derive(Debug)]
enum Phase {
    /// It has not yet written into the fifo.
    Starting(Fd),
    /// It has; the signals of its init then.
    Up(Option<Signals>),
}

/// The signals of `/proc/PID/status`, as masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signals {
    pending: u64,
    caught: u64,
}

impl System {
    /// Starts the init at `path` on the console. It gets the arguments and the environment that the kernel gave
    /// PID 1, as if it were that, and [`NETWORK_VARIABLE`].
    ///
    /// # Errors
    ///
    /// As [`Program::start`].
    pub fn start(
        path: &str,
        network: &Network,
        kernel_arguments: &[&[u8]],
        kernel_environment: &[&[u8]],
    ) -> Result<Self> {
        // Open for writing, too: otherwise it would be at its end whenever a writer closes it.
        let up = sys::open(paths::UP, OpenFlags::ReadWriteNonblock)
            .map_err(InitError::call(format_args!("open({UP_PATH})")))?;
        let console = open_console()?;
        let mut program = Program::at(path)?;
        program.add_argument(path.as_bytes())?;
        for argument in kernel_arguments {
            program.add_argument(argument)?;
        }
        for variable in kernel_environment {
            program.add_variable(&[variable])?;
        }
        if let Network::Dhcp = network {
            program.add_variable(&[NETWORK_VARIABLE.as_bytes(), b"=dhcp"])?;
        }
        let pid = program
            .start(sys::clone_into_pid_namespace, Streams::Console(&console))
            .map_err(|error| InitError::System { why: error.chain() })?;
        let processes = sys::open_file_system(c"proc").ok();
        Ok(Self { path: path.into(), pid, phase: Phase::Starting(up), processes })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The fifo to wait for until it is up.
    #[must_use]
    pub fn starting(&self) -> Option<&Fd> {
        match &self.phase {
            Phase::Starting(up) => Some(up),
            Phase::Up(_) => None,
        }
    }

    /// It wrote into the fifo: processes made from now on are in its namespace.
    ///
    /// # Errors
    ///
    /// As [`sys::join_pid_namespace`].
    pub fn came_up(&mut self) -> Result<()> {
        self.phase = Phase::Up(self.signals());
        sys::join_pid_namespace(self.pid)
            .map_err(InitError::call(format_args!("setns({}, CLONE_NEWPID)", self.pid.0)))
    }

    /// Whether it is about to end: the session was killed by it, or asked it to stop before it ended itself, and
    /// what counts is how the system ends.
    ///
    /// A signal to stop may be pending: BusyBox's init fetches them one by one, at most once a second. When it shuts
    /// down, it first puts the signals that it catches back to their defaults. A PID 1 without memory is one that the
    /// kernel is ending.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        let Phase::Up(Some(when_up)) = self.phase else {
            return false;
        };
        match self.signals() {
            Some(now) => now.pending & STOP_SIGNALS != 0 || when_up.caught & !now.caught != 0,
            None => true,
        }
    }

    /// The signals of its init. None when that has no memory any more, or this kernel has no proc file system.
    fn signals(&self) -> Option<Signals> {
        let path = CString::new(format!("{}/status", self.pid.0)).ok()?;
        let status = sys::open_below(self.processes.as_ref()?, &path, OpenFlags::Read).ok()?;
        parse_signals(&status.read_to_end().ok()?)
    }

    /// What it means that it ended.
    ///
    /// # Errors
    ///
    /// [`InitError::SystemEnded`] when it was not asked to stop the machine.
    pub fn stop_of(&self, status: Status) -> Result<Stop> {
        match status {
            // kernel/reboot.c, reboot_pid_ns: a halt cannot be told from a power-off.
            Status::Signal(Signal::HUP) => Ok(Stop::Reboot),
            Status::Signal(Signal::INT) => Ok(Stop::Poweroff),
            status => Err(InitError::SystemEnded {
                path: self.path.clone(),
                status,
                when: match self.phase {
                    Phase::Starting(_) => "before",
                    Phase::Up(_) => "after",
                },
            }
            .into()),
        }
    }
}

/// Opens the kernel's console.
///
/// # Errors
///
/// As open(2).
pub fn open_console() -> Result<Fd> {
    sys::open(paths::CONSOLE, OpenFlags::ReadWrite)
        .map_err(InitError::call(format_args!("open({CONSOLE_PATH})")))
}

/// SIGUSR1, SIGUSR2, SIGTERM and SIGPWR, by which a classic init is told to stop; signal 1 is bit 0.
const STOP_SIGNALS: u64 = 1 << 9 | 1 << 11 | 1 << 14 | 1 << 29;

fn parse_signals(status: &[u8]) -> Option<Signals> {
    let status = str::from_utf8(status).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim_ascii)
    };
    let mask = |name| u64::from_str_radix(field(name)?, 16).ok();
    field("VmSize:")?;
    Some(Signals { pending: mask("ShdPnd:")? | mask("SigPnd:")?, caught: mask("SigCgt:")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn signals_are_read_from_the_status() {
        let status = "Name:\tinit\nVmSize:\t    2260 kB\nSigQ:\t0/448\nSigPnd:\t0000000000000001\n\
            ShdPnd:\t0000000000004000\nSigBlk:\t0000000000000000\nSigCgt:\t0000000000080000\n";
        let signals = Signals { pending: 0x4001, caught: 0x8_0000 };
        assert_eq!(parse_signals(status.as_bytes()), Some(signals));
        let exiting = status.replace("VmSize", "Threads");
        assert_eq!(parse_signals(exiting.as_bytes()), None);
        assert_eq!(parse_signals(b""), None);
    }

    #[test]
    fn this_process_has_signals() {
        let status = std::fs::read("/proc/self/status").unwrap();
        assert!(parse_signals(&status).is_some());
    }

    #[test]
    fn how_it_ends() {
        let of = |phase, status| {
            let system = System { path: "/sbin/init".into(), pid: Pid(7), phase, processes: None };
            system.stop_of(status).map_err(|error| error.to_string())
        };
        let up = || Phase::Up(None);
        assert_eq!(of(up(), Status::Signal(Signal::HUP)), Ok(Stop::Reboot));
        assert_eq!(of(up(), Status::Signal(Signal::INT)), Ok(Stop::Poweroff));
        let error = of(up(), Status::Signal(Signal(9))).unwrap_err();
        assert_eq!(error, "/sbin/init was killed by signal 9 after it was up");
        let (up_fifo, _) = sys::pipe().unwrap();
        let error = of(Phase::Starting(up_fifo), Status::Exit(1)).unwrap_err();
        assert_eq!(error, "/sbin/init exited with code 1 before it was up");
    }
}
