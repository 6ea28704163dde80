//! The session: what the user asked to run, with its standard streams.

use mote_contract::{HostFrame, Stream, TerminalSize};

use crate::channel::Channel;
use crate::error::{InitError, Result};
use crate::input::{Input, Kind};
use crate::outbox::{Fill, Outbox};
use crate::program::{Program, Streams};
use crate::sys::{self, Fd, Pid, PollFd, Signal};
use crate::system::open_console;

/// A session that was started.
#[derive(Debug)]
pub struct Session {
    pid: Pid,
    /// None on the console.
    input: Option<Input>,
    /// Those that are not at their end.
    outputs: [Option<Fd>; 2],
}

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// Most bytes that a pipe holds, unless the superuser changes `fs.pipe-max-size`.
const LARGEST_PIPE: usize = 1 << 20;

impl Session {
    /// Starts it with a terminal of this size.
    ///
    /// # Errors
    ///
    /// As [`Program::start`], or a call that failed.
    pub fn start_with_terminal(program: &Program, size: TerminalSize) -> Result<Self> {
        let pty = sys::open_pty().map_err(InitError::call(format_args!("open(/dev/ptmx)")))?;
        let prepare = || {
            sys::set_window_size(&pty.master, size)?;
            pty.master.set_nonblocking()?;
            pty.master.duplicate()
        };
        let output = prepare().map_err(InitError::call(format_args!("ioctl(pty)")))?;
        let pid = program.start(sys::fork, Streams::Terminal(&pty.terminal))?;
        Ok(Self {
            pid,
            input: Some(Input::new(Kind::Terminal, pty.master)),
            outputs: [Some(output), None],
        })
    }

    /// Starts it with three pipes.
    ///
    /// # Errors
    ///
    /// As [`Program::start`], or a call that failed.
    pub fn start_with_pipes(program: &Program) -> Result<Self> {
        let prepare = || {
            let (stdin, stdout, stderr) = (sys::pipe()?, sys::pipe()?, sys::pipe()?);
            for ours in [&stdin.1, &stdout.0, &stderr.0] {
                ours.set_nonblocking()?;
            }
            Ok((stdin, stdout, stderr))
        };
        let (stdin, stdout, stderr) =
            prepare().map_err(InitError::call(format_args!("pipe2()")))?;
        let streams = Streams::Pipes([&stdin.0, &stdout.1, &stderr.1]);
        let pid = program.start(sys::fork, streams)?;
        Ok(Self {
            pid,
            input: Some(Input::new(Kind::Pipe, stdin.1)),
            outputs: [Some(stdout.0), Some(stderr.0)],
        })
    }

    /// Starts it on the kernel's console, which becomes its terminal.
    ///
    /// # Errors
    ///
    /// As [`Program::start`], or when there is no console.
    pub fn start_on_console(program: &Program, size: Option<TerminalSize>) -> Result<Self> {
        let console = open_console()?;
        if let Some(size) = size {
            // A console that is no terminal has no size.
            let _ = sys::set_window_size(&console, size);
        }
        let pid = program.start(sys::fork, Streams::Terminal(&console))?;
        Ok(Self { pid, input: None, outputs: [None, None] })
    }

    /// Its process number, and that of its process group.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What to wait for to give the program its input.
    #[must_use]
    pub fn poll_input(&self) -> PollFd {
        let waiting = self.input.as_ref().and_then(Input::waiting);
        waiting.map_or(PollFd::NONE, PollFd::write)
    }

    /// What to wait for to read its output.
    #[must_use]
    pub fn poll_outputs(&self) -> [PollFd; 2] {
        let poll = |output: &Option<Fd>| output.as_ref().map_or(PollFd::NONE, PollFd::read);
        [poll(&self.outputs[0]), poll(&self.outputs[1])]
    }

    /// Gives the program as much input as it takes.
    pub fn flush_input(&mut self) {
        if let Some(input) = &mut self.input {
            input.flush();
        }
    }

    /// New credit for the host's standard input.
    pub fn take_credit(&mut self) -> Option<u32> {
        self.input.as_mut()?.take_credit()
    }

    /// Reads from one of the two outputs into the channel's empty outbox; how many bytes, 0 when there are none now.
    pub fn read_output(&mut self, index: usize, outbox: &mut Outbox) -> usize {
        let Some(output) = &self.outputs[index] else {
            return 0;
        };
        match outbox.fill(STREAMS[index], output) {
            Fill::Frame(len) => len,
            Fill::Nothing => 0,
            Fill::End => {
                self.outputs[index] = None;
                0
            }
        }
    }

    /// Sends all that the program, which has ended, has written. What others go on writing is bounded.
    ///
    /// # Errors
    ///
    /// As [`Channel::flush_all`].
    pub fn drain(&mut self, channel: &mut Channel) -> Result<()> {
        for index in 0..self.outputs.len() {
            let mut rest = LARGEST_PIPE;
            while rest > 0 {
                channel.flush_all()?;
                match self.read_output(index, &mut channel.outbox) {
                    0 => break,
                    len => rest = rest.saturating_sub(len),
                }
            }
        }
        channel.flush_all()
    }

    /// Does what the host asks for.
    ///
    /// # Errors
    ///
    /// [`InitError::NoCredit`].
    pub fn handle(&mut self, frame: HostFrame<'_>) -> Result<()> {
        match frame {
            HostFrame::Signal { number } => self.signal(Signal(number)),
            HostFrame::Stdin(bytes) => {
                if let Some(input) = &mut self.input {
                    input.accept(bytes)?;
                }
            }
            HostFrame::Resize { rows, cols } => {
                if let Some(input) = &self.input {
                    input.resize(TerminalSize { rows, cols });
                }
            }
            HostFrame::CloseOutput(stream) => self.close_output(stream),
        }
        Ok(())
    }

    /// Nobody reads an output any more. Whoever writes to a pipe gets `SIGPIPE`, or `EPIPE` if that is ignored; a
    /// terminal hangs up.
    fn close_output(&mut self, closed: Stream) {
        for (output, stream) in self.outputs.iter_mut().zip(STREAMS) {
            if stream == closed {
                *output = None;
            }
        }
        self.input.take_if(|input| input.kind() == Kind::Terminal);
    }

    /// Sends it a signal. An interrupt is what Ctrl-C means, and goes to all of its process group as from a terminal;
    /// any other is for the program alone.
    pub fn signal(&self, signal: Signal) {
        // It may have ended just now, and the host may send a number that is no signal.
        let _ = match signal {
            Signal::INT => sys::kill_group(self.pid, signal),
            signal => sys::kill(self.pid, signal),
        };
    }
}
