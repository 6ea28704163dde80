//! A running program.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use crate::guard::Guard;
use crate::poll_until;

/// Whom a signal to a child reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The child leads a process group of its own: all of it.
    Group,
    /// The child shares our process group, to use our terminal: only the child.
    Alone,
}

/// A running program with its process group; killed and reaped when dropped.
///
/// It also dies, by the kernel's hand, when this process does; what it has started dies with it where
/// it is guarded.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    pid: Pid,
    reach: Reach,
    exit: OwnedFd,
    guard: Option<Guard>,
    status: Option<ExitStatus>,
}

impl Child {
    pub(crate) fn new(mut inner: std::process::Child, reach: Reach) -> io::Result<Self> {
        let pid = Pid::from_child(&inner);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(exit) => Ok(Self { inner, pid, reach, exit, guard: None, status: None }),
            Err(error) => {
                inner.kill()?;
                inner.wait()?;
                Err(error.into())
            }
        }
    }

    /// Has all of its group die when this process does.
    pub(crate) fn guard(&mut self) -> io::Result<()> {
        self.guard = Some(Guard::new(self.id())?);
        Ok(())
    }

    /// Its process identifier, which is also its group's.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.await_exit(None)?;
        self.reap()
    }

    /// Waits until the program ends by itself, but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        match self.await_exit(Some(timeout))? {
            true => self.reap().map(Some),
            false => Ok(None),
        }
    }

    /// Asks the program and its group to end (SIGTERM), and kills them after `grace`.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub fn terminate(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM);
        if let Some(status) = self.wait_timeout(grace)? {
            return Ok(status);
        }
        self.kill()
    }

    /// Kills the program and its group at once.
    ///
    /// # Errors
    ///
    /// When the system cannot wait.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Sends a signal, unless the program was reaped and its number may belong to another.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.status.is_some() {
            return;
        }
        // The only failure left is that all are dead already.
        let _ = match self.reach {
            Reach::Group => kill_process_group(self.pid, signal),
            Reach::Alone => kill_process(self.pid, signal),
        };
    }

    /// Collects an ended program's status, after killing what it left behind in its group.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        self.guard = None;
        // Until it is reaped, the program's number, and so its group's, cannot be given to another.
        if self.reach == Reach::Group {
            self.signal(Signal::KILL);
        }
        let status = self.inner.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    /// Whether the program has ended within `timeout` (`None`: for ever).
    fn await_exit(&self, timeout: Option<Duration>) -> io::Result<bool> {
        if self.status.is_some() {
            return Ok(true);
        }
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        poll_until(&mut [PollFd::new(&self.exit, PollFlags::IN)], deadline)
    }
}

impl AsFd for Child {
    /// A process descriptor, readable once the program has ended, for poll(2).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.exit.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.kill();
        }
    }
}
