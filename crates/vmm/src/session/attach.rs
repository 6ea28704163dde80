//! The loop: everything that can happen in a running machine, in one poll(2).

use std::io::{self, PipeReader};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use mote_contract::{Outcome as SessionOutcome, Stop, Verdict};
use mote_process::{Cancel, Child, Tail, poll_until};
use rustix::event::{PollFd, PollFlags};

use super::channel::Channel;
use super::io::{Event, SessionIo};
use super::record::ConsoleRecord;
use super::silence::Silence;
use super::streams::Streams;
use crate::console::{Cause, classify, classify_qemu, panic_line};
use crate::outcome::{Awaited, End, Outcome, Timeline};
use crate::qemu::Forwarding;
use crate::{Control, VmmError};

/// How long QEMU may take to exit once the guest has announced its end.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(5);
/// What QEMU prints when KVM cannot go on; it then waits for a debugger, for ever.
pub(super) const KVM_IS_STUCK: &str = "KVM internal error";
/// Enough for what QEMU itself has to say.
const SAID_LINES: usize = 30;
const SAID_BYTES: usize = 8 << 10;

/// A machine that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    pub(crate) child: Child,
    pub(crate) console: UnixStream,
    pub(crate) channel: Option<UnixStream>,
    /// The ports that are to be forwarded.
    pub(crate) forwarding: Option<Forwarding>,
    /// What QEMU itself prints.
    pub(crate) said: PipeReader,
    pub(crate) spawned: Instant,
    /// Why init will not be heard of, if that is known already.
    pub(crate) no_init: Option<Cause>,
}

impl Running {
    /// QEMU's process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Connects the session to `io` and waits for the machine's end, whatever that is. Whoever cancels ends the
    /// machine.
    ///
    /// # Errors
    ///
    /// [`VmmError::Io`] when the host's side fails; the machine is killed then.
    pub fn attach(self, io: SessionIo<'_>, cancel: &Cancel) -> Result<Outcome, VmmError> {
        let outcome = Attached::new(self, io, cancel.clone()).run();
        outcome.map_err(|source| VmmError::Io { doing: "follow the machine", source })
    }
}

/// The state of the loop. What it does about each thing that happens is in `events`.
pub(super) struct Attached<'a> {
    pub(super) child: Child,
    /// QEMU's exit, once it was seen.
    pub(super) exit: Option<ExitStatus>,
    pub(super) said: Option<PipeReader>,
    pub(super) said_tail: Tail,
    pub(super) console: Option<UnixStream>,
    pub(super) record: ConsoleRecord,
    pub(super) link: Link,
    /// The ports that are to be forwarded, until the guest can be reached.
    pub(super) forwarding: Option<Forwarding>,
    pub(super) streams: Streams<'a>,
    pub(super) control: Control,
    pub(super) cancel: Cancel,
    pub(super) on_event: &'a mut dyn FnMut(&Event),
    pub(super) timeout: Option<Duration>,
    pub(super) silence: Silence,
    pub(super) no_init: Option<Cause>,
    pub(super) timeline: Timeline,
    pub(super) session: Option<SessionOutcome>,
    pub(super) stop: Option<Stop>,
    /// Why we have killed the machine.
    pub(super) killed: Option<End>,
}

/// How the session's streams travel.
pub(super) enum Link {
    /// In frames; the socket is gone once either side has closed it.
    Channel { socket: Option<UnixStream>, protocol: Box<Channel> },
    /// As they are, over the console, with what is still to be typed there.
    Console { typed: Vec<u8> },
}

/// What the loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Exit,
    Cancel,
    Control,
    Said,
    Console,
    Channel,
    Stdin,
    Output,
}

impl<'a> Attached<'a> {
    fn new(running: Running, io: SessionIo<'a>, cancel: Cancel) -> Self {
        let link = match running.channel {
            Some(socket) => Link::Channel { socket: Some(socket), protocol: Box::default() },
            None => Link::Console { typed: Vec::new() },
        };
        Self {
            child: running.child,
            exit: None,
            said: Some(running.said),
            said_tail: Tail::new(SAID_LINES, SAID_BYTES),
            console: Some(running.console),
            record: ConsoleRecord::new(io.console_log),
            link,
            forwarding: running.forwarding,
            streams: Streams::new(io.stdin, io.stdout, io.stderr),
            control: io.control,
            cancel,
            on_event: io.on_event,
            timeout: io.timeout,
            silence: Silence::new(io.silence_limit, running.spawned),
            no_init: running.no_init,
            timeline: Timeline::new(running.spawned),
            session: None,
            stop: None,
            killed: None,
        }
    }

    fn run(mut self) -> io::Result<Outcome> {
        loop {
            self.take_frames()?;
            if self.is_finished() {
                break;
            }
            let ready = self.wait()?;
            if ready.is_empty() {
                self.out_of_time()?;
            }
            for (source, flags) in ready {
                self.handle(source, flags)?;
            }
        }
        let on_event = &mut *self.on_event;
        self.record.finish(&mut |line| on_event(&Event::Console(line)));
        let console_tail = self.record.tail();
        Ok(Outcome { end: self.end(&console_tail), timeline: self.timeline, console_tail })
    }

    /// QEMU has ended, and all that it left behind was taken.
    fn is_finished(&self) -> bool {
        let link_is_open = matches!(&self.link, Link::Channel { socket: Some(_), .. });
        let open =
            link_is_open || self.said.is_some() || self.console.is_some() || self.streams.is_busy();
        self.exit.is_some() && !open
    }

    /// Waits for the first of everything that can happen next; none when a deadline has passed.
    fn wait(&self) -> io::Result<Vec<(Source, PollFlags)>> {
        let (sources, mut fds): (Vec<_>, Vec<_>) = self.watched().into_iter().unzip();
        poll_until(&mut fds, self.deadline())?;
        let ready = sources.into_iter().zip(&fds).map(|(source, fd)| (source, fd.revents()));
        Ok(ready.filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// Only what can be acted upon is watched: poll(2) reports a closed descriptor for ever.
    fn watched(&self) -> Vec<(Source, PollFd<'_>)> {
        let mut watched = Vec::with_capacity(8);
        let mut watch = |source, fd| watched.push((source, fd));
        if self.exit.is_none() {
            watch(Source::Exit, PollFd::new(&self.child, PollFlags::IN));
        }
        if self.killed.is_none() {
            watch(Source::Cancel, PollFd::new(&self.cancel, PollFlags::IN));
        }
        watch(Source::Control, PollFd::new(&self.control, PollFlags::IN));
        if let Some(said) = &self.said {
            watch(Source::Said, PollFd::new(said, PollFlags::IN));
        }
        if let Some(output) = self.streams.awaited_output() {
            watch(Source::Output, PollFd::from_borrowed_fd(output, PollFlags::OUT));
        }
        if let Some(stdin) = self.streams.awaited_stdin(self.stdin_window()) {
            watch(Source::Stdin, PollFd::from_borrowed_fd(stdin, PollFlags::IN));
        }
        let takes_output = !self.streams.is_busy();
        let (console_in, console_out) = match &self.link {
            Link::Channel { .. } => (true, false),
            Link::Console { typed } => (takes_output, !typed.is_empty()),
        };
        if let (Some(console), Some(flags)) = (&self.console, wanted(console_in, console_out)) {
            watch(Source::Console, PollFd::new(console, flags));
        }
        if let Link::Channel { socket: Some(socket), protocol } = &self.link
            && let Some(flags) = wanted(takes_output, !protocol.outgoing().is_empty())
        {
            watch(Source::Channel, PollFd::new(socket, flags));
        }
        watched
    }

    /// When the machine is to be killed if nothing happens before.
    fn deadline(&self) -> Option<Instant> {
        if self.exit.is_some() {
            return None;
        }
        let of_stop = self.timeline.stopping.map(|since| since + STOP_GRACE);
        let of_timeout = self.timeout.map(|timeout| self.timeline.spawned + timeout);
        let of_silence = self.awaited().map(|_| self.silence.deadline());
        of_stop.into_iter().chain(of_timeout).chain(of_silence).min()
    }

    /// What the guest has to do before its session starts. A machine without channel never tells.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let Link::Channel { .. } = &self.link else { return None };
        match (self.timeline.hello, self.timeline.started) {
            _ if self.session.is_some() || self.stop.is_some() => None,
            (None, _) => Some(Awaited::Init),
            (Some(_), None) => Some(Awaited::System),
            (Some(_), Some(_)) => None,
        }
    }

    /// Bytes of standard input that the guest takes now.
    pub(super) fn stdin_window(&self) -> usize {
        match &self.link {
            Link::Channel { socket: None, .. } => 0,
            Link::Channel { protocol, .. } => protocol.stdin_window(),
            Link::Console { typed } if typed.is_empty() => usize::MAX,
            Link::Console { .. } => 0,
        }
    }

    fn end(&mut self, console: &str) -> End {
        if let Some(killed) = self.killed.take() {
            return killed;
        }
        let by_console = matches!(self.link, Link::Console { .. });
        let (session, stop) = match self.record.verdict() {
            Some(Verdict::Ended(outcome)) if by_console => (Some(outcome.clone()), None),
            Some(Verdict::Stopping(stop)) if by_console => (None, Some(*stop)),
            // An init that cannot speak over its channel says why it fails. Later, any program can.
            Some(Verdict::Ended(failed @ SessionOutcome::Failed { .. }))
                if self.timeline.started.is_none() && self.stop.is_none() =>
            {
                (self.session.take().or_else(|| Some(failed.clone())), None)
            }
            _ => (self.session.take(), self.stop),
        };
        let status = self.exit.filter(|status| !status.success());
        let said = self.said_tail.to_text();
        match (session, stop, status) {
            (_, Some(Stop::Poweroff), _) => End::Poweroff,
            (_, Some(Stop::Reboot), _) => End::Reboot,
            (_, Some(Stop::Halt), _) => End::Halt,
            (Some(outcome), _, _) => End::Session(outcome),
            (None, _, Some(status)) => {
                let cause = classify_qemu(&said);
                End::VmmFailed { status, said, cause }
            }
            (None, _, None) => self.sudden_end(console),
        }
    }

    /// The machine ended without a word of init's.
    fn sudden_end(&self, console: &str) -> End {
        match panic_line(console) {
            Some(line) => End::Panic { line: line.to_owned(), cause: classify(console) },
            None if self.timeline.hello.is_none() => {
                End::NeverReachedInit { cause: classify(console) }
            }
            None => End::Vanished,
        }
    }
}

fn wanted(input: bool, output: bool) -> Option<PollFlags> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, input);
    flags.set(PollFlags::OUT, output);
    (!flags.is_empty()).then_some(flags)
}
