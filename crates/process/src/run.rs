//! Following a program to its end: its output, its exit, the user's wish to stop and the clock, in one poll(2).

use std::io::{self, PipeReader, Read};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use crate::{Cancel, Cancelled, Child, poll_until};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// How a followed program ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Because the user asked to stop.
    Cancelled(Cancelled),
    /// Because it took longer than this.
    TimedOut(Duration),
}

/// Reads `pipes` into `sink` (with the pipe's index) until the program has ended, of itself or by our hand.
pub(crate) fn follow(
    child: &mut Child,
    mut pipes: Vec<PipeReader>,
    cancel: &Cancel,
    timeout: Option<Duration>,
    sink: &mut dyn FnMut(usize, &[u8]) -> io::Result<()>,
) -> io::Result<Ending> {
    let mut open: Vec<usize> = (0..pipes.len()).collect();
    let mut deadline = timeout.map(|timeout| Instant::now() + timeout);
    // Set once we have asked the program to end.
    let mut why = None;
    loop {
        let ready = wait_for_any(child, &pipes, &open, cancel, why.is_none(), deadline)?;
        read_ready(&mut pipes, &mut open, &ready.pipes, sink)?;
        if ready.exit {
            break;
        }
        if ready.cancelled
            && let Err(cancelled) = cancel.check()
        {
            why = Some(Ending::Cancelled(cancelled));
            child.signal(Signal::TERM);
            deadline = Some(Instant::now() + GRACE);
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            if why.is_some() {
                child.signal(Signal::KILL);
                deadline = None;
            } else {
                why = timeout.map(Ending::TimedOut);
                child.signal(Signal::TERM);
                deadline = Some(Instant::now() + GRACE);
            }
        }
    }
    let status = child.wait()?;
    drain(&mut pipes, &mut open, sink)?;
    Ok(why.unwrap_or(Ending::Exited(status)))
}

#[derive(Default)]
struct Ready {
    /// Indices of pipes with something to read, or at their end.
    pipes: Vec<usize>,
    exit: bool,
    cancelled: bool,
}

fn wait_for_any(
    child: &Child,
    pipes: &[PipeReader],
    open: &[usize],
    cancel: &Cancel,
    heed_cancel: bool,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let heed = if heed_cancel { PollFlags::IN } else { PollFlags::empty() };
    let mut fds = vec![PollFd::new(child, PollFlags::IN), PollFd::new(cancel, heed)];
    fds.extend(open.iter().map(|index| PollFd::new(&pipes[*index], PollFlags::IN)));
    poll_until(&mut fds, deadline)?;
    let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
    let ready_pipes = open.iter().zip(&fds[2..]).filter(|(_, fd)| is_ready(fd));
    Ok(Ready {
        pipes: ready_pipes.map(|(index, _)| *index).collect(),
        exit: is_ready(&fds[0]),
        cancelled: is_ready(&fds[1]),
    })
}

/// One read of each ready pipe; those at their end leave `open`.
fn read_ready(
    pipes: &mut [PipeReader],
    open: &mut Vec<usize>,
    ready: &[usize],
    sink: &mut dyn FnMut(usize, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = [0_u8; 16 << 10];
    for index in ready {
        match pipes[*index].read(&mut buffer) {
            Ok(0) => open.retain(|other| other != index),
            Ok(length) => sink(*index, &buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads what the ended program has left in its pipes. It does not wait for their end: a process that has left the
/// program's group may hold them for ever.
fn drain(
    pipes: &mut [PipeReader],
    open: &mut Vec<usize>,
    sink: &mut dyn FnMut(usize, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let mut fds: Vec<_> =
            open.iter().map(|index| PollFd::new(&pipes[*index], PollFlags::IN)).collect();
        if !poll_until(&mut fds, Some(Instant::now()))? {
            return Ok(());
        }
        let readable: Vec<_> = open
            .iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(index, _)| *index)
            .collect();
        drop(fds);
        read_ready(pipes, open, &readable, sink)?;
    }
}
