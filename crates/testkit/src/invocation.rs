//! How a program is started in a sandbox.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Finished, PATIENCE, Running, Sandbox, Terminal};

/// A program to be started in a sandbox.
#[derive(Debug)]
pub struct Invocation<'s> {
    sandbox: &'s Sandbox,
    program: PathBuf,
    args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
}

impl<'s> Invocation<'s> {
    pub(crate) fn new(sandbox: &'s Sandbox, program: &Path, args: Vec<OsString>) -> Self {
        let program = program.to_owned();
        Self { sandbox, program, args, variables: Vec::new(), stdin: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment, beside those of the sandbox.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// What it reads; nothing by default.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// If it cannot be started or does not end.
    #[track_caller]
    pub fn run(self) -> Finished {
        self.run_within(PATIENCE)
    }

    /// Runs it to its end, however long that takes: a kernel's build takes longer than others.
    ///
    /// # Panics
    ///
    /// If it cannot be started or does not end in time.
    #[track_caller]
    pub fn run_within(mut self, patience: Duration) -> Finished {
        let input = std::mem::take(&mut self.stdin);
        let mut running = self.start();
        let mut stdin = running.take_stdin();
        // In a thread: the program may print before it has read everything, and need not read it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let finished = running.finish_within(patience);
        writer.join().expect("a thread that does not panic");
        finished
    }

    /// Starts it with its three streams on pipes; it reads nothing as long as nothing is written.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(&self) -> Running {
        let mut command = self.command(&self.program);
        command.args(&self.args);
        Running::start(&mut command)
    }

    /// Starts it on a terminal of its own, which is its controlling terminal.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start_on_terminal(&self, rows: u16, cols: u16) -> Terminal {
        // Becomes the program, under the same number.
        let mut command = self.command(Path::new("setsid"));
        command.arg("--ctty").arg(&self.program).args(&self.args);
        Terminal::start(command, rows, cols)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.sandbox.environment());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.sandbox.home());
        command
    }
}
