//! Processes, PID namespaces, and the machine's end.

#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ptr;

use super::raw::{call3, raw_call};
use super::{Errno, Fd, Signal};

const GETPID: usize = 39;
const CLONE: usize = 56;
const EXECVE: usize = 59;
const WAIT4: usize = 61;
const KILL: usize = 62;
const CHDIR: usize = 80;
const SETUID: usize = 105;
const SETGID: usize = 106;
const SETSID: usize = 112;
const SETGROUPS: usize = 116;
const SETRLIMIT: usize = 160;
const REBOOT: usize = 169;
const SETHOSTNAME: usize = 170;
const EXIT_GROUP: usize = 231;
const SETNS: usize = 308;
const PIDFD_OPEN: usize = 434;

const SIGCHLD: usize = 17;
const CLONE_NEWPID: usize = 0x2000_0000;
const WNOHANG: usize = 1;

/// A process number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pid(pub i32);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exit(u8),
    /// It was killed by this signal.
    Signal(Signal),
}

/// Which process came back from a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The one that called, with the number of the new one.
    Parent(Pid),
    /// The new one.
    Child,
}

/// Strings for execve, each ended by a zero byte.
#[derive(Debug, Default)]
pub struct CStrings {
    bytes: Vec<u8>,
    /// Where each string begins.
    starts: Vec<usize>,
}

/// A string for the kernel has a zero byte inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroByte;

impl CStrings {
    /// Adds a string made of these parts.
    ///
    /// # Errors
    ///
    /// [`ZeroByte`].
    pub fn push(&mut self, parts: &[&[u8]]) -> Result<(), ZeroByte> {
        self.starts.push(self.bytes.len());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        let start = self.starts.last().copied().unwrap_or_default();
        let zero = self.bytes[start..].contains(&0);
        self.bytes.push(0);
        if zero { Err(ZeroByte) } else { Ok(()) }
    }

    /// The strings.
    pub fn iter(&self) -> impl Iterator<Item = &CStr> {
        let strings =
            self.starts.iter().map(|start| CStr::from_bytes_until_nul(&self.bytes[*start..]));
        // Each is ended, so none is left out.
        strings.flatten()
    }

    /// The list that execve takes: pointers to the strings, then null.
    #[must_use]
    pub fn pointers(&self) -> Pointers<'_> {
        let pointers = self.iter().map(CStr::as_ptr).chain([ptr::null()]);
        Pointers { pointers: pointers.collect(), strings: PhantomData }
    }
}

/// Pointers to strings, ended by null.
#[derive(Debug)]
pub struct Pointers<'a> {
    pointers: Vec<*const c_char>,
    strings: PhantomData<&'a CStrings>,
}

/// Whether this is the machine's PID 1.
#[must_use]
pub fn is_first_process() -> bool {
    // SAFETY: no arguments.
    matches!(unsafe { call3(GETPID, 0, 0, 0) }, Ok(1))
}

/// Makes a copy of this process. In the copy only what needs no lock may be done when this process has threads.
///
/// # Errors
///
/// As clone(2).
pub fn fork() -> Result<Forked, Errno> {
    clone(0)
}

/// [`fork`] into a new PID namespace.
///
/// # Errors
///
/// As clone(2); `EINVAL` when the kernel has no PID namespaces.
pub fn clone_into_pid_namespace() -> Result<Forked, Errno> {
    clone(CLONE_NEWPID)
}

fn clone(flags: usize) -> Result<Forked, Errno> {
    // SAFETY: memory is copied and the stack is kept, so both processes go on from here on their own.
    match unsafe { raw_call(CLONE, [flags | SIGCHLD, 0, 0, 0, 0, 0]) }? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(Pid(pid as i32))),
    }
}

/// Processes made from now on are in the PID namespace of `process`.
///
/// # Errors
///
/// As pidfd_open(2) and setns(2).
pub fn join_pid_namespace(process: Pid) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe {
        let pidfd = Fd::from_call(call3(PIDFD_OPEN, process.0 as usize, 0, 0)?);
        call3(SETNS, pidfd.argument(), CLONE_NEWPID, 0)?;
    }
    Ok(())
}

/// Replaces this process by a program; returns only on failure, why.
#[must_use]
pub fn execve(path: &CStr, argv: &Pointers<'_>, envp: &Pointers<'_>) -> Errno {
    let argv = argv.pointers.as_ptr() as usize;
    let envp = envp.pointers.as_ptr() as usize;
    // SAFETY: the kernel reads the strings, whose lists end with null.
    match unsafe { call3(EXECVE, path.as_ptr() as usize, argv, envp) } {
        Err(errno) => errno,
        Ok(_) => unreachable!("execve returned"),
    }
}

/// Ends this process.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: no pointers.
        let _ = unsafe { call3(EXIT_GROUP, code.into(), 0, 0) };
    }
}

/// Takes one ended child off the kernel's list; none when no other has ended.
#[must_use]
pub fn wait_any() -> Option<(Pid, Status)> {
    let mut status = 0_i32;
    let start = ptr::from_mut(&mut status) as usize;
    // SAFETY: the kernel writes the status.
    match unsafe { raw_call(WAIT4, [usize::MAX, start, WNOHANG, 0, 0, 0]) } {
        Ok(0) | Err(_) => None,
        Ok(pid) => Some((Pid(pid as i32), parse_status(status))),
    }
}

/// Without `WUNTRACED`, a status is an exit or a signal.
fn parse_status(status: i32) -> Status {
    match status & 0x7f {
        0 => Status::Exit((status >> 8) as u8),
        number => Status::Signal(Signal(number as u8)),
    }
}

/// Sends a signal to a process.
///
/// # Errors
///
/// As kill(2).
pub fn kill(process: Pid, signal: Signal) -> Result<(), Errno> {
    // SAFETY: no pointers.
    unsafe { call3(KILL, process.0 as usize, signal.0.into(), 0) }.map(drop)
}

/// Sends a signal to all processes of a group.
///
/// # Errors
///
/// As kill(2).
pub fn kill_group(group: Pid, signal: Signal) -> Result<(), Errno> {
    kill(Pid(-group.0), signal)
}

/// Kills every process but PID 1, which calls this, and waits until all of them are gone.
pub fn kill_all() {
    // Without any other process it fails, which is as well.
    let _ = kill(Pid(-1), Signal::KILL);
    // SAFETY: the status is not asked for.
    while unsafe { raw_call(WAIT4, [usize::MAX, 0, 0, 0, 0, 0]) }.is_ok() {}
}

/// Takes on a user, a group and supplementary groups, for good.
///
/// # Errors
///
/// As setgroups(2), setgid(2), setuid(2).
pub fn set_identity(uid: u32, gid: u32, groups: &[u32]) -> Result<(), Errno> {
    // SAFETY: the kernel reads the groups.
    unsafe {
        call3(SETGROUPS, groups.len(), groups.as_ptr() as usize, 0)?;
        call3(SETGID, gid as usize, 0, 0)?;
        call3(SETUID, uid as usize, 0, 0).map(drop)
    }
}

/// What a process may use, `RLIMIT_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `RLIMIT_NPROC`
    Processes = 6,
    /// `RLIMIT_NOFILE`
    OpenFiles = 7,
}

/// Limits what this process and those that it starts may use; the first number is the soft limit.
///
/// # Errors
///
/// As setrlimit(2).
pub fn set_limit(resource: Resource, limit: [u64; 2]) -> Result<(), Errno> {
    // SAFETY: the kernel reads a `struct rlimit`.
    unsafe { call3(SETRLIMIT, resource as usize, limit.as_ptr() as usize, 0) }.map(drop)
}

/// Begins a new session, without a controlling terminal.
///
/// # Errors
///
/// `EPERM` when this process leads a process group.
pub fn new_session() -> Result<(), Errno> {
    // SAFETY: no arguments.
    unsafe { call3(SETSID, 0, 0, 0) }.map(drop)
}

/// Changes the working directory.
///
/// # Errors
///
/// As chdir(2).
pub fn chdir(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path.
    unsafe { call3(CHDIR, path.as_ptr() as usize, 0, 0) }.map(drop)
}

/// Sets the host name.
///
/// # Errors
///
/// As sethostname(2); `EINVAL` above 64 bytes.
pub fn set_hostname(name: &str) -> Result<(), Errno> {
    // SAFETY: the kernel reads the name.
    unsafe { call3(SETHOSTNAME, name.as_ptr() as usize, name.len(), 0) }.map(drop)
}

/// Restarts the machine; with the kernel word `reboot=t` by a triple fault, at which the VMM ends.
///
/// # Errors
///
/// As reboot(2); it does not return otherwise.
pub fn restart() -> Result<(), Errno> {
    const MAGIC1: usize = 0xfee1_dead;
    const MAGIC2: usize = 0x2812_1969;
    const RESTART: usize = 0x0123_4567;
    // SAFETY: no pointers.
    unsafe { call3(REBOOT, MAGIC1, MAGIC2, RESTART) }.map(drop)
}
