//! What to run, and the ways to run it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::child::Reach;
use crate::quote::{quote_assignment, quote_word};
use crate::run::{self, Ending};
use crate::{Cancel, Child, ProcessError, Program, Tail, keeper, spawn};

/// How much of a failed program's output an error shows.
const TAIL_LINES: usize = 30;
const TAIL_BYTES: usize = 8 << 10;
/// Longer lines reach the callback of [`Command::stream`] in pieces.
const LINE_BYTES: usize = 64 << 10;

/// A program with its arguments, environment and directory.
#[derive(Debug)]
pub struct Command {
    program: Program,
    args: Vec<OsString>,
    base: Environment,
    /// Set, or with `None` removed.
    env: BTreeMap<OsString, Option<OsString>>,
    current_dir: Option<PathBuf>,
    inherited: Vec<OwnedFd>,
    stdin: Option<OwnedFd>,
    timeout: Option<Duration>,
}

/// What the environment is before [`Command::env`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Environment {
    Ours,
    Empty,
}

/// What a program that succeeded has printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
}

/// The standard streams of a program started by [`Command::spawn`].
#[derive(Debug)]
pub struct Streams {
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
}

impl Command {
    /// `program` without arguments, in our directory and environment.
    pub fn new(program: &Program) -> Self {
        Self {
            program: program.clone(),
            args: Vec::new(),
            base: Environment::Ours,
            env: BTreeMap::new(),
            current_dir: None,
            inherited: Vec::new(),
            stdin: None,
            timeout: None,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Gives it an empty environment, to which [`Command::env`] adds.
    pub fn env_clear(&mut self) -> &mut Self {
        self.base = Environment::Empty;
        self.env.clear();
        self
    }

    /// Runs it in `directory`.
    pub fn current_dir(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.current_dir = Some(directory.into());
        self
    }

    /// Lets it have a descriptor, under the number that it has here; our copy is closed with this command.
    pub fn inherit(&mut self, descriptor: impl Into<OwnedFd>) -> &mut Self {
        self.inherited.push(descriptor.into());
        self
    }

    /// Gives it a descriptor as the standard input of its next run, for [`Command::output`] and [`Command::stream`],
    /// which have an empty one otherwise.
    pub fn stdin(&mut self, descriptor: impl Into<OwnedFd>) -> &mut Self {
        self.stdin = Some(descriptor.into());
        self
    }

    /// Ends it when it runs for longer; for [`Command::output`], [`Command::stream`] and [`Command::interact`].
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// The command as one line that can be pasted into a shell.
    pub fn render(&self) -> String {
        let mut line = String::new();
        if let Some(directory) = &self.current_dir {
            line.push_str(&format!("cd {} && ", quote_word(directory.as_os_str())));
        }
        let mut words = Vec::new();
        if self.base == Environment::Empty {
            words.push("env -i".to_owned());
        } else if self.env.values().any(Option::is_none) {
            words.push("env".to_owned());
            let removed = self.env.iter().filter(|(_, value)| value.is_none());
            words.extend(removed.map(|(name, _)| format!("-u {}", quote_word(name))));
        }
        let set = self.env.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        words.extend(set.map(|(name, value)| quote_assignment(name, value)));
        words.push(quote_word(self.program.path().as_os_str()));
        words.extend(self.args.iter().map(|arg| quote_word(arg)));
        line.push_str(&words.join(" "));
        line
    }

    /// Runs it to its end and keeps both output streams apart.
    ///
    /// # Errors
    ///
    /// Any [`ProcessError`]; an exit status other than 0 is [`ProcessError::Failed`].
    pub fn output(&mut self, cancel: &Cancel) -> Result<Output, ProcessError> {
        cancel.check()?;
        let (stdout, child_stdout) = io::pipe().map_err(|source| self.cannot_spawn(source))?;
        let (stderr, child_stderr) = io::pipe().map_err(|source| self.cannot_spawn(source))?;
        let streams = Streams {
            stdin: self.stdin.take().map_or_else(Stdio::null, Stdio::from),
            stdout: child_stdout.into(),
            stderr: child_stderr.into(),
        };
        let mut child = self.spawn(streams)?;

        let mut output = Output::default();
        let ending = run::follow(
            &mut child,
            vec![stdout, stderr],
            cancel,
            self.timeout,
            &mut |stream, chunk| {
                let kept = if stream == 0 { &mut output.stdout } else { &mut output.stderr };
                kept.extend_from_slice(chunk);
                Ok(())
            },
        );
        let ending = ending.map_err(|source| self.cannot_follow(source))?;
        let mut tail = new_tail();
        tail.push(&output.stdout);
        tail.push(&output.stderr);
        self.judge(ending, &tail, None)?;
        Ok(output)
    }

    /// Runs it to its end; what it prints on both streams is appended to `log`, under a line with the command, and
    /// given to `on_line` line by line (without the line feed; not UTF-8 is replaced). For programs that start many
    /// others: all of its group dies with us.
    ///
    /// # Errors
    ///
    /// Any [`ProcessError`]; an exit status other than 0 is [`ProcessError::Failed`].
    pub fn stream(
        &mut self,
        cancel: &Cancel,
        log: &Path,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<(), ProcessError> {
        cancel.check()?;
        let cannot_log = |source| ProcessError::Log { path: log.to_owned(), source };
        let mut file =
            OpenOptions::new().append(true).create(true).open(log).map_err(cannot_log)?;
        writeln!(file, "$ {}", self.render()).map_err(cannot_log)?;

        let (output, child_output) = io::pipe().map_err(|source| self.cannot_spawn(source))?;
        let child_errors = child_output.try_clone().map_err(|source| self.cannot_spawn(source))?;
        let streams = Streams {
            stdin: self.stdin.take().map_or_else(Stdio::null, Stdio::from),
            stdout: child_output.into(),
            stderr: child_errors.into(),
        };
        let mut child = self.spawn(streams)?;
        child.guard().map_err(|source| self.cannot_follow(source))?;

        let mut tail = new_tail();
        let mut line = Vec::new();
        let mut log_failure = None;
        let ending =
            run::follow(&mut child, vec![output], cancel, self.timeout, &mut |_, chunk| {
                tail.push(chunk);
                split_lines(&mut line, chunk, on_line);
                file.write_all(chunk).map_err(|source| {
                    log_failure = Some(cannot_log(source));
                    io::Error::from(io::ErrorKind::WriteZero)
                })
            });
        if let Some(failure) = log_failure {
            return Err(failure);
        }
        let ending = ending.map_err(|source| self.cannot_follow(source))?;
        if !line.is_empty() {
            on_line(&String::from_utf8_lossy(&line));
        }
        self.judge(ending, &tail, Some(log))
    }

    /// Runs it to its end on our own terminal and streams, in our process group: for programs the user works with.
    ///
    /// # Errors
    ///
    /// Any [`ProcessError`]; an exit status other than 0 is [`ProcessError::Failed`].
    pub fn interact(&mut self, cancel: &Cancel) -> Result<(), ProcessError> {
        cancel.check()?;
        let streams =
            Streams { stdin: Stdio::inherit(), stdout: Stdio::inherit(), stderr: Stdio::inherit() };
        let mut child = self.spawn_with(streams, Reach::Alone)?;
        let ending = run::follow(&mut child, Vec::new(), cancel, self.timeout, &mut |_, _| Ok(()));
        let ending = ending.map_err(|source| self.cannot_follow(source))?;
        self.judge(ending, &new_tail(), None)
    }

    /// Starts it as the leader of a process group of its own, for programs that live long.
    ///
    /// Descriptors given to [`Command::inherit`] are handed over: a second run has none.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Spawn`].
    pub fn spawn(&mut self, streams: Streams) -> Result<Child, ProcessError> {
        self.spawn_with(streams, Reach::Group)
    }

    fn spawn_with(&mut self, streams: Streams, reach: Reach) -> Result<Child, ProcessError> {
        let mut command = std::process::Command::new(self.program.path());
        command.args(&self.args).stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        if self.base == Environment::Empty {
            command.env_clear();
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = &self.current_dir {
            command.current_dir(directory);
        }
        if reach == Reach::Group {
            command.process_group(0);
        }
        // Held until the program runs, then closed here: the child alone has them.
        let inherited = std::mem::take(&mut self.inherited);
        spawn::prepare(&mut command, inherited.iter().map(AsRawFd::as_raw_fd).collect());
        keeper::spawn(command)
            .and_then(|child| Child::new(child, reach))
            .map_err(|source| self.cannot_spawn(source))
    }

    fn judge(&self, ending: Ending, tail: &Tail, log: Option<&Path>) -> Result<(), ProcessError> {
        let (command, tail, log) = (self.render(), tail.to_text(), log.map(Path::to_owned));
        match ending {
            Ending::Exited(status) if status.success() => Ok(()),
            Ending::Exited(status) => Err(ProcessError::Failed { command, status, tail, log }),
            Ending::Cancelled(cancelled) => Err(cancelled.into()),
            Ending::TimedOut(after) => Err(ProcessError::TimedOut { command, after, tail, log }),
        }
    }

    fn cannot_spawn(&self, source: io::Error) -> ProcessError {
        ProcessError::Spawn { command: self.render(), source }
    }

    fn cannot_follow(&self, source: io::Error) -> ProcessError {
        ProcessError::Follow { command: self.render(), source }
    }
}

fn new_tail() -> Tail {
    Tail::new(TAIL_LINES, TAIL_BYTES)
}

/// Gives the whole lines of `begun` + `chunk` to `on_line` and leaves the rest in `begun`.
fn split_lines(begun: &mut Vec<u8>, chunk: &[u8], on_line: &mut dyn FnMut(&str)) {
    for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
        begun.extend_from_slice(piece);
        if begun.ends_with(b"\n") || begun.len() >= LINE_BYTES {
            let text = String::from_utf8_lossy(begun);
            on_line(text.trim_end_matches(['\n', '\r']));
            begun.clear();
        }
    }
}
