//! A run, from the classic system's start to the end of the session or of the system: one loop that waits for
//! signals, the host, the system, and the session's streams.

use mote_contract::{GuestFrame, HostFrame, Io, Outcome, RunConfig, Stop, TerminalSize};

use crate::channel::Channel;
use crate::error::{InitError, Result};
use crate::program::Program;
use crate::session::Session;
use crate::sys::{self, Fd, PollFd, Signal, Status};
use crate::system::System;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The session ended.
    Session {
        /// When it ended, nanoseconds of `CLOCK_BOOTTIME`.
        boottime_ns: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// The machine was asked to stop.
    Stop(Stop),
}

/// A run.
#[derive(Debug)]
pub struct Run<'c> {
    config: &'c RunConfig,
    program: Program,
    signals: Fd,
    channel: Option<&'c mut Channel>,
    system: Option<System>,
    session: Option<Session>,
    /// What the host asked for before the session was started.
    early_size: Option<TerminalSize>,
    early_signal: Option<Signal>,
    end: Option<End>,
    /// Which of the two outputs is read first; they take turns.
    turn: usize,
}

/// How long a classic system may take to stop after the session's end.
const STOP_LIMIT_NS: u64 = 60_000_000_000;
/// How often it is looked whether it is still about to.
const STOP_RETRY_MS: u32 = 500;

const SIGNALS: usize = 0;
const CHANNEL: usize = 1;
const SYSTEM: usize = 2;
const INPUT: usize = 3;
const OUTPUTS: usize = 4;

impl<'c> Run<'c> {
    /// A run of `program`, the session's, as configured; `signals` are those of [`sys::block_all_signals`], and there is a channel and a started
    /// system when the configuration asks for one.
    #[must_use]
    pub fn new(
        config: &'c RunConfig,
        program: Program,
        signals: Fd,
        channel: Option<&'c mut Channel>,
        system: Option<System>,
    ) -> Self {
        Self {
            config,
            program,
            signals,
            channel,
            system,
            session: None,
            early_size: None,
            early_signal: None,
            end: None,
            turn: 0,
        }
    }

    /// Starts the session, as soon as the system is up, and returns when one of them ended; all output of the session
    /// has been sent then.
    ///
    /// # Errors
    ///
    /// A session that could not be started, a call that failed, or a host that is gone.
    pub fn run(mut self) -> Result<End> {
        let end = self.run_until_end();
        let drained = self.drain();
        end.and_then(|end| drained.map(|()| end))
    }

    fn run_until_end(&mut self) -> Result<End> {
        if self.system.is_none() {
            self.start_session()?;
        }
        loop {
            self.send_what_there_is()?;
            if let Some(end) = self.final_end() {
                return Ok(end);
            }
            self.wait()?;
        }
    }

    /// The end, unless the session's end is but a part of the system's, which is given some time.
    fn final_end(&self) -> Option<End> {
        match (&self.end, &self.system) {
            (Some(End::Session { boottime_ns, .. }), Some(system))
                if sys::boottime_ns() < boottime_ns + STOP_LIMIT_NS && system.is_stopping() =>
            {
                None
            }
            (end, _) => end.clone(),
        }
    }

    fn start_session(&mut self) -> Result<()> {
        let terminal = self.config.session.terminal;
        let size = terminal.map(|size| self.early_size.unwrap_or(size));
        let session = match (self.config.io, size) {
            (Io::Console, size) => Session::start_on_console(&self.program, size),
            (Io::Channel, Some(size)) => Session::start_with_terminal(&self.program, size),
            (Io::Channel, None) => Session::start_with_pipes(&self.program),
        }?;
        self.send(&GuestFrame::Started {
            boottime_ns: sys::boottime_ns(),
            pid: session.pid().0.unsigned_abs(),
        });
        if let Some(signal) = self.early_signal {
            session.signal(signal);
        }
        self.session = Some(session);
        Ok(())
    }

    fn send(&mut self, frame: &GuestFrame<'_>) {
        if let Some(channel) = &mut self.channel {
            channel.outbox.push(frame);
        }
    }

    /// Flushes the outbox and, when the channel took it all, fills it with new credit.
    fn send_what_there_is(&mut self) -> Result<()> {
        let Some(channel) = &mut self.channel else {
            return Ok(());
        };
        channel.flush()?;
        if !channel.outbox.is_empty() {
            return Ok(());
        }
        if let Some(bytes) = self.session.as_mut().and_then(Session::take_credit) {
            channel.outbox.push(&GuestFrame::StdinCredit { bytes });
            channel.flush()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let mut fds = self.what_to_wait_for();
        // A system that ought to stop may stop doing so, and nobody would tell.
        let timeout_ms = self.end.as_ref().map(|_| STOP_RETRY_MS);
        sys::poll(&mut fds, timeout_ms).map_err(InitError::call(format_args!("ppoll()")))?;
        if fds[SIGNALS].is_ready() {
            self.take_signals()?;
        }
        if fds[CHANNEL].is_hung_up() {
            return Err(InitError::HostGone.into());
        }
        if fds[CHANNEL].is_readable() {
            self.receive()?;
        }
        if fds[SYSTEM].is_ready() {
            self.system_is_up()?;
        }
        if fds[INPUT].is_ready()
            && let Some(session) = &mut self.session
        {
            session.flush_input();
        }
        self.read_outputs([&fds[OUTPUTS], &fds[OUTPUTS + 1]].map(PollFd::is_ready))
    }

    fn what_to_wait_for(&self) -> [PollFd; 6] {
        let mut fds = [PollFd::NONE; 6];
        fds[SIGNALS] = PollFd::read(&self.signals);
        if let Some(channel) = &self.channel {
            fds[CHANNEL] = channel.poll();
        }
        if let Some(up) = self.system.as_ref().and_then(System::starting) {
            fds[SYSTEM] = PollFd::read(up);
        }
        if let Some(session) = &self.session {
            fds[INPUT] = session.poll_input();
            if self.channel.as_ref().is_some_and(|channel| channel.outbox.is_empty()) {
                fds[OUTPUTS..].copy_from_slice(&session.poll_outputs());
            }
        }
        fds
    }

    /// Without a classic system, init is what programs ask to stop the machine.
    fn take_signals(&mut self) -> Result<()> {
        let next = || sys::read_signal(&self.signals);
        while let Some(signal) = next().map_err(InitError::call(format_args!("read(signals)")))? {
            let stop = match signal {
                Signal::TERM => Stop::Reboot,
                Signal::USR2 => Stop::Poweroff,
                Signal::USR1 => Stop::Halt,
                _ => continue,
            };
            self.end = Some(End::Stop(stop));
        }
        self.reap()
    }

    /// Takes every ended child off the kernel's list: orphans end up here, too.
    fn reap(&mut self) -> Result<()> {
        while let Some((pid, status)) = sys::wait_any() {
            if let Some(system) = &self.system
                && system.pid() == pid
            {
                self.end = Some(End::Stop(system.stop_of(status)?));
            }
            let is_session = self.session.as_ref().map(Session::pid) == Some(pid);
            if is_session && self.end.is_none() {
                self.end = Some(End::Session {
                    boottime_ns: sys::boottime_ns(),
                    outcome: outcome(status),
                });
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let Some(channel) = &mut self.channel else {
            return Ok(());
        };
        channel.receive(|frame| match (&mut self.session, frame) {
            (Some(session), frame) => session.handle(frame),
            (None, HostFrame::Resize { rows, cols }) => {
                self.early_size = Some(TerminalSize { rows, cols });
                Ok(())
            }
            (None, HostFrame::Signal { number }) => {
                self.early_signal = Some(Signal(number));
                Ok(())
            }
            // Without a session there is no output either.
            (None, HostFrame::CloseOutput(_)) => Ok(()),
            (None, HostFrame::Stdin(_)) => Err(InitError::NoCredit.into()),
        })
    }

    fn system_is_up(&mut self) -> Result<()> {
        let Some(system) = &mut self.system else {
            return Ok(());
        };
        system.came_up()?;
        self.send(&GuestFrame::SystemUp { boottime_ns: sys::boottime_ns() });
        self.start_session()
    }

    /// Reads the outputs that are ready, as long as the channel takes what they give.
    fn read_outputs(&mut self, ready: [bool; 2]) -> Result<()> {
        let (Some(session), Some(channel)) = (&mut self.session, &mut self.channel) else {
            return Ok(());
        };
        self.turn ^= 1;
        for index in [self.turn, self.turn ^ 1] {
            if ready[index] && channel.outbox.is_empty() {
                session.read_output(index, &mut channel.outbox);
                channel.flush()?;
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<()> {
        match (&mut self.session, &mut self.channel) {
            (Some(session), Some(channel)) => session.drain(channel),
            _ => Ok(()),
        }
    }
}

fn outcome(status: Status) -> Outcome {
    match status {
        Status::Exit(code) => Outcome::Exit(code),
        Status::Signal(signal) => Outcome::Signal(signal.0),
    }
}
