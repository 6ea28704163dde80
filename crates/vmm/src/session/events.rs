//! What the loop does about each thing that happens.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use mote_contract::{GuestFrame, Outcome, Stop, Stream};
use mote_process::printable;
use rustix::event::PollFlags;

use super::attach::{Attached, KVM_IS_STUCK, Link, Source};
use super::channel::RECEIVE_BYTES;
use super::control::Request;
use super::io::Event;
use super::silence::Verdict;
use super::streams::{Stdin, Streams, Written};
use crate::Addressing;
use crate::console::classify;
use crate::outcome::{Awaited, End, Milestone, Timeline};
use crate::qemu::Forwarding;

/// How long QEMU may take to flush its drives when it is told to end.
const CANCEL_GRACE: Duration = Duration::from_secs(1);

impl Attached<'_> {
    /// Acts upon a source that is ready.
    pub(super) fn handle(&mut self, source: Source, flags: PollFlags) -> io::Result<()> {
        match source {
            Source::Exit => self.note_exit(),
            Source::Cancel => self.cancelled(),
            Source::Control => self.pass_on_requests(),
            Source::Said => self.read_said(),
            Source::Console => self.serve_console(flags),
            Source::Channel => self.serve_channel(flags),
            Source::Stdin => self.read_stdin(),
            Source::Output => {
                let written = self.streams.write_pending();
                self.heed(written);
                Ok(())
            }
        }
    }

    /// A deadline has passed: the machine is killed.
    pub(super) fn out_of_time(&mut self) -> io::Result<()> {
        let over = self.timeout.filter(|timeout| self.timeline.spawned.elapsed() >= *timeout);
        if let Some(after) = over {
            self.killed = Some(End::TimedOut { after });
            return self.kill();
        }
        match self.awaited() {
            Some(awaited) => self.look_at_silence(awaited),
            // The guest had announced its end, and so how it ended is known.
            None => self.kill(),
        }
    }

    fn look_at_silence(&mut self, awaited: Awaited) -> io::Result<()> {
        match self.silence.look(Instant::now()) {
            Verdict::Wait => Ok(()),
            Verdict::Notice(silent) => {
                (self.on_event)(&Event::StillWaiting { awaited, silent });
                Ok(())
            }
            Verdict::Stuck(after) => {
                let cause = match awaited {
                    Awaited::Init => self.no_init.or_else(|| classify(&self.record.tail())),
                    Awaited::System => None,
                };
                self.killed = Some(End::Silent { after, awaited, cause });
                self.kill()
            }
        }
    }

    fn note_exit(&mut self) -> io::Result<()> {
        self.exit = Some(self.child.wait()?);
        self.timeline.exited.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn cancelled(&mut self) -> io::Result<()> {
        let Some(signal) = self.cancel.signal() else { return Ok(()) };
        self.killed = Some(End::Cancelled { signal });
        self.child.terminate(CANCEL_GRACE)?;
        self.kill()
    }

    /// Ends the machine at once, unless it has ended already.
    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.hang_up();
        self.note_exit()
    }

    /// Nothing more of the session is wanted.
    fn hang_up(&mut self) {
        self.streams.give_up();
        if let Link::Channel { socket, .. } = &mut self.link {
            *socket = None;
        }
    }

    fn pass_on_requests(&mut self) -> io::Result<()> {
        let requests = self.control.take();
        if let Link::Channel { protocol, .. } = &mut self.link {
            requests.into_iter().for_each(|request| protocol.send_request(request));
        }
        Ok(())
    }

    fn read_said(&mut self) -> io::Result<()> {
        let mut buffer = [0_u8; 4096];
        let Some(said) = &mut self.said else { return Ok(()) };
        match said.read(&mut buffer)? {
            0 => self.said = None,
            length => self.said_tail.push(&buffer[..length]),
        }
        if self.exit.is_none() && self.said_tail.to_text().contains(KVM_IS_STUCK) {
            self.kill()?;
        }
        Ok(())
    }

    // The console

    fn serve_console(&mut self, flags: PollFlags) -> io::Result<()> {
        if let (Link::Console { typed }, Some(console)) = (&mut self.link, &mut self.console)
            && flags.contains(PollFlags::OUT)
        {
            let sent = send(console, typed)?;
            typed.drain(..sent);
        }
        if flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.read_console()?;
        }
        Ok(())
    }

    fn read_console(&mut self) -> io::Result<()> {
        let mut buffer = [0_u8; 16 << 10];
        let Some(console) = &mut self.console else { return Ok(()) };
        let length = match receive(console, &mut buffer)? {
            Received::Nothing => return Ok(()),
            Received::End => {
                self.console = None;
                return Ok(());
            }
            Received::Bytes(length) => length,
        };
        let now = Instant::now();
        self.timeline.first_console.get_or_insert(now);
        self.silence.broken(now);
        let on_event = &mut *self.on_event;
        self.record.push(&buffer[..length], &mut |line| on_event(&Event::Console(line)));
        if let Link::Console { .. } = self.link {
            self.streams.write(Stream::Stdout, &buffer[..length]);
        }
        Ok(())
    }

    // The channel

    fn serve_channel(&mut self, flags: PollFlags) -> io::Result<()> {
        let Link::Channel { socket: slot @ Some(_), protocol } = &mut self.link else {
            return Ok(());
        };
        let Some(socket) = slot else { return Ok(()) };
        if flags.contains(PollFlags::OUT) {
            let sent = send(socket, protocol.outgoing())?;
            protocol.sent(sent);
        }
        // What was received before comes first.
        let is_ready = flags.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        if !is_ready || self.streams.is_busy() || protocol.has_received() {
            return Ok(());
        }
        let mut buffer = vec![0_u8; RECEIVE_BYTES];
        match receive(socket, &mut buffer)? {
            Received::Nothing => {}
            Received::End => *slot = None,
            Received::Bytes(length) => protocol.receive(&buffer[..length]),
        }
        Ok(())
    }

    /// Acts upon the frames that were received, until one's output must wait.
    pub(super) fn take_frames(&mut self) -> io::Result<()> {
        while !self.streams.is_busy()
            && let Link::Channel { socket: Some(_), protocol } = &mut self.link
            && protocol.has_received()
        {
            let step = match protocol.next_frame() {
                Ok(None) => continue,
                Ok(Some(frame)) => act(frame, &mut self.streams),
                Err(misbehaviour) => {
                    self.killed = Some(End::Misbehaved { reason: misbehaviour.to_string() });
                    return self.kill();
                }
            };
            self.advance(step)?;
        }
        self.end_stdin();
        Ok(())
    }

    fn advance(&mut self, step: Step) -> io::Result<()> {
        let seen = Instant::now();
        self.silence.broken(seen);
        let milestone = |boottime_ns| Some(Milestone { seen, boottime_ns });
        let event = match step {
            Step::Nothing => return Ok(()),
            Step::Output(written) => {
                self.timeline.first_output.get_or_insert(seen);
                self.heed(written);
                return Ok(());
            }
            Step::Hello(boottime_ns) => {
                self.timeline.hello = milestone(boottime_ns);
                Event::Hello
            }
            Step::SystemUp(boottime_ns) => {
                self.timeline.system_up = milestone(boottime_ns);
                Event::SystemUp
            }
            Step::Started(boottime_ns) => {
                self.timeline.started = milestone(boottime_ns);
                Event::Started
            }
            Step::Ended(boottime_ns, outcome) => {
                self.timeline.ended = milestone(boottime_ns);
                self.session = Some(outcome);
                Event::Ended
            }
            Step::Stopping(stop) => {
                self.timeline.stopping = Some(seen);
                self.stop = Some(stop);
                self.hang_up(); // the answer that init waits for
                Event::Stopping(stop)
            }
        };
        (self.on_event)(&event);
        self.forward_ports()
    }

    /// Forwards the ports once the guest has its address.
    fn forward_ports(&mut self) -> io::Result<()> {
        let Timeline { hello, system_up, started, .. } = self.timeline;
        let can_be_reached = |forwarding: &mut Forwarding| match forwarding.addressing() {
            Addressing::Init => hello.is_some(),
            Addressing::Dhcp => system_up.or(started).is_some(),
        };
        match self.forwarding.take_if(can_be_reached).map(Forwarding::begin) {
            Some(Err(error)) if self.exit.is_none() => {
                self.killed = Some(End::NotForwarded { reason: error.to_string() });
                self.kill()
            }
            _ => Ok(()),
        }
    }

    // Standard streams

    fn read_stdin(&mut self) -> io::Result<()> {
        let window = self.stdin_window();
        if let Some(bytes) = self.streams.read_stdin(window) {
            match &mut self.link {
                Link::Channel { protocol, .. } => protocol.send_stdin(&bytes),
                Link::Console { typed } => typed.extend(bytes),
            }
        }
        Ok(())
    }

    /// Tells the guest once that standard input has ended; a console has no such notion.
    fn end_stdin(&mut self) {
        if matches!(self.streams.stdin, Stdin::Ending) && self.stdin_window() > 0 {
            self.streams.stdin = Stdin::Ended;
            if let Link::Channel { protocol, .. } = &mut self.link {
                protocol.send_stdin(&[]);
            }
        }
    }

    /// A session whose reader is gone is to learn it as it would on the host: from its next write.
    fn heed(&mut self, written: Written) {
        if let (Written::ReaderIsGone(stream), Link::Channel { protocol, .. }) =
            (written, &mut self.link)
        {
            protocol.send_request(Request::CloseOutput(stream));
        }
    }
}

/// What a frame changes, without the frame's borrowed bytes.
enum Step {
    Nothing,
    Output(Written),
    Hello(u64),
    SystemUp(u64),
    Started(u64),
    Ended(u64, Outcome),
    Stopping(Stop),
}

fn act(frame: GuestFrame<'_>, streams: &mut Streams<'_>) -> Step {
    match frame {
        GuestFrame::Hello { boottime_ns, .. } => Step::Hello(boottime_ns),
        GuestFrame::SystemUp { boottime_ns } => Step::SystemUp(boottime_ns),
        GuestFrame::Started { boottime_ns, .. } => Step::Started(boottime_ns),
        GuestFrame::Stdout(bytes) => Step::Output(streams.write(Stream::Stdout, bytes)),
        GuestFrame::Stderr(bytes) => Step::Output(streams.write(Stream::Stderr, bytes)),
        GuestFrame::StdinCredit { .. } => Step::Nothing,
        GuestFrame::Ended { boottime_ns, outcome } => Step::Ended(boottime_ns, harmless(outcome)),
        GuestFrame::Stopping(stop) => Step::Stopping(stop),
    }
}

/// The outcome with its text fit for a terminal: the guest wrote it.
fn harmless(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed { failure, message } => {
            Outcome::Failed { failure, message: printable(message.as_bytes()) }
        }
        other => other,
    }
}

enum Received {
    Nothing,
    Bytes(usize),
    End,
}

fn receive(socket: &mut UnixStream, buffer: &mut [u8]) -> io::Result<Received> {
    match socket.read(buffer) {
        Ok(0) => Ok(Received::End),
        Ok(length) => Ok(Received::Bytes(length)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(Received::Nothing),
            // QEMU died with unread bytes of ours.
            io::ErrorKind::ConnectionReset => Ok(Received::End),
            _ => Err(error),
        },
    }
}

/// Sends what the socket takes now. What cannot be sent any more is lost with the guest that would have read it.
fn send(socket: &mut UnixStream, bytes: &[u8]) -> io::Result<usize> {
    match socket.write(bytes) {
        Ok(sent) => Ok(sent),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ok(bytes.len()),
            _ => Err(error),
        },
    }
}
