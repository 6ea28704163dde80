//! A program that runs.

use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::child::Child;
use crate::{Finished, PATIENCE, Transcript};

/// A program that runs with its streams on pipes; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it prints on standard output.
    pub stdout: Transcript,
    /// What it prints on standard error.
    pub stderr: Transcript,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Child::start(command);
        let streams = child.streams();
        let stdin = streams.stdin.take();
        let stdout = Transcript::of(streams.stdout.take().expect("it is a pipe"));
        let stderr = Transcript::of(streams.stderr.take().expect("it is a pipe"));
        Self { child, stdin, stdout, stderr }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its standard input is written; closed when dropped.
    ///
    /// # Panics
    ///
    /// The second time.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("it was not taken before")
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Closes its standard input and waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.finish_within(PATIENCE)
    }

    #[track_caller]
    pub(crate) fn finish_within(mut self, patience: Duration) -> Finished {
        drop(self.stdin.take());
        let status = self.child.wait(patience);
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        Finished { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    }
}
