//! Starting QEMU.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use mote_contract::Io;
use mote_process::{Cancel, Command, Program, Streams};

use super::forwarding::Forwarding;
use super::{Wiring, render_argv};
use crate::console::OTHER_INIT;
use crate::ports::HeldPorts;
use crate::{KernelFile, MachineSpec, Network, Running, VmmError, cmdline, memory};

/// QEMU's program for x86-64 machines.
pub const QEMU_PROGRAM: &str = "qemu-system-x86_64";
/// Debian's package with it.
pub const QEMU_PACKAGE: &str = "qemu-system-x86";

/// QEMU in the directories of `search`, which has the form of `PATH`.
///
/// # Errors
///
/// [`VmmError::NoQemu`].
pub fn find_qemu(search: &OsStr) -> Result<Program, VmmError> {
    Program::find(QEMU_PROGRAM, search).map_err(|_| VmmError::NoQemu)
}

/// The path under which a program finds a descriptor that it has inherited under the number that it has here. Not
/// `/dev/fd`, a link to this directory that udev makes, and that is missing without it.
pub fn descriptor_path(descriptor: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

/// A machine that is ready to be started.
#[derive(Debug)]
pub struct Machine {
    /// The VMM.
    pub qemu: Program,
    /// What it is made of.
    pub spec: MachineSpec,
    /// Descriptors that the paths of `spec` refer to (see [`descriptor_path`]); QEMU inherits them.
    pub descriptors: Vec<OwnedFd>,
    /// Where the session's streams go: over the channel, or over the console of a machine without channel.
    pub io: Io,
}

impl Machine {
    /// Finds what would keep the machine from starting, as far as it can be known without starting it.
    ///
    /// # Errors
    ///
    /// Any [`VmmError`] but those of starting.
    pub fn check(&self) -> Result<(), VmmError> {
        let kernel = KernelFile::read(&self.spec.kernel)?;
        let initrd_bytes = match &self.spec.initrd {
            None => 0,
            Some(path) => file_bytes("initrd", path)?,
        };
        for drive in &self.spec.drives {
            file_bytes("disk", &drive.file)?;
        }
        memory::check(&self.spec, kernel.end_bytes, initrd_bytes)?;
        cmdline::check(&self.spec.cmdline)
    }

    /// Checks the machine and starts it; it dies with the returned value, and with this process.
    ///
    /// # Errors
    ///
    /// Any [`VmmError`].
    pub fn start(self, cancel: &Cancel) -> Result<Running, VmmError> {
        self.check()?;
        let ports = match &self.spec.network {
            Network::User(network) => HeldPorts::hold(&network.forwards)?,
            Network::None => HeldPorts::default(),
        };
        cancel.check().map_err(mote_process::ProcessError::from)?;
        let cannot = |doing| move |source| VmmError::Io { doing, source };
        let (console, their_console) =
            socket_pair().map_err(cannot("make the console's socket"))?;
        let (channel, their_channel) = match self.io {
            Io::Console => (None, None),
            Io::Channel => socket_pair()
                .map(|(ours, theirs)| (Some(ours), Some(theirs)))
                .map_err(cannot("make the channel's socket"))?,
        };
        let (forwarding, their_monitor) = match &self.spec.network {
            // A machine without channel does not tell when it can be reached.
            Network::User(network) if channel.is_some() && !network.forwards.is_empty() => {
                let (ours, theirs) =
                    UnixStream::pair().map_err(cannot("make the monitor's socket"))?;
                let forwarding = Forwarding::new(ours, network.clone(), ports);
                (Some(forwarding.map_err(cannot("make the monitor's socket"))?), Some(theirs))
            }
            _ => (None, None),
        };
        let (said, their_stderr) = io::pipe().map_err(cannot("make a pipe"))?;
        let their_stdout = their_stderr.try_clone().map_err(cannot("make a pipe"))?;

        let wiring = Wiring::Inherited {
            console: their_console.as_raw_fd(),
            channel: their_channel.as_ref().map(AsRawFd::as_raw_fd),
            monitor: their_monitor.as_ref().map(AsRawFd::as_raw_fd),
        };
        let mut command = Command::new(&self.qemu);
        command.args(render_argv(&self.spec, &wiring)).inherit(their_console);
        let sockets = [their_channel, their_monitor].into_iter().flatten().map(OwnedFd::from);
        for descriptor in sockets.chain(self.descriptors) {
            command.inherit(descriptor);
        }
        let spawned = Instant::now();
        let child = command.spawn(Streams {
            stdin: Stdio::null(),
            stdout: their_stdout.into(),
            stderr: their_stderr.into(),
        })?;
        let no_init = cmdline::names_other_init(&self.spec.cmdline).then_some(OTHER_INIT);
        Ok(Running { child, console, channel, forwarding, said, spawned, no_init })
    }
}

fn file_bytes(what: &'static str, path: &Path) -> Result<u64, VmmError> {
    let metadata = fs::metadata(path);
    let unreadable = |source| VmmError::Unreadable { what, path: path.to_owned(), source };
    metadata.map(|metadata| metadata.len()).map_err(unreadable)
}

/// A connected pair, of which ours, the first, never blocks.
fn socket_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}
