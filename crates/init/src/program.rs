//! Starting a program: all that can fail or allocate is prepared before the fork.

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use mote_contract::Session;

use crate::error::{InitError, Result, shown};
use crate::sys::{self, CStrings, Errno, Fd, Forked, Pid, Pointers, ZeroByte};

/// A program ready to be started.
#[derive(Debug)]
pub struct Program {
    argv: CStrings,
    envp: CStrings,
    cwd: CString,
    /// What to try to execute, in this order.
    candidates: CStrings,
    lookup: Lookup,
}

#[derive(Debug)]
enum Lookup {
    /// The name has a slash: it is the path.
    Path,
    /// The name was looked for in these directories.
    Search { name: String, path: String },
}

/// The standard streams of a program.
#[derive(Clone, Copy, Debug)]
pub struct Streams<'a> {
    /// Standard input; becomes the controlling terminal when it is a terminal.
    pub input: &'a Fd,
    /// Standard output.
    pub output: &'a Fd,
    /// Standard error.
    pub error: &'a Fd,
}

impl<'a> Streams<'a> {
    /// One descriptor, a terminal, for all three.
    #[must_use]
    pub fn terminal(fd: &'a Fd) -> Self {
        Self { input: fd, output: fd, error: fd }
    }
}

/// Where a child failed, for its parent.
#[derive(Clone, Copy)]
enum Stage {
    Chdir = 1,
    Execve = 2,
}

/// Where programs are looked for when the environment has no `PATH`; execvp(3) has `/bin:/usr/bin`, without the
/// directories of the superuser.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Program {
    /// The session's program.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn of_session(session: &Session) -> Result<Self> {
        let path = session.env.iter().rfind(|(key, _)| key == "PATH");
        let path = path.map_or(DEFAULT_PATH, |(_, value)| value);
        let mut program = Self::looked_up(&session.argv[0], path)?;
        for argument in &session.argv {
            program.add_argument(argument.as_bytes())?;
        }
        for (key, value) in &session.env {
            program.add_variable(&[key.as_bytes(), b"=", value.as_bytes()])?;
        }
        program.cwd = CString::new(session.cwd.as_str()).map_err(|_| zero_byte("cwd")(ZeroByte))?;
        Ok(program)
    }

    /// The program at a path, without arguments and environment yet, in the root directory.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn at(path: &str) -> Result<Self> {
        let mut candidates = CStrings::default();
        candidates.push(&[path.as_bytes()]).map_err(zero_byte("path"))?;
        Ok(Self {
            argv: CStrings::default(),
            envp: CStrings::default(),
            cwd: c"/".into(),
            candidates,
            lookup: Lookup::Path,
        })
    }

    /// The program of a name, in the directories of a `PATH` unless it has a slash.
    fn looked_up(name: &str, path: &str) -> Result<Self> {
        let mut program = Self::at(name)?;
        if name.is_empty() || name.contains('/') {
            return Ok(program);
        }
        program.lookup = Lookup::Search { name: name.into(), path: path.into() };
        program.candidates = CStrings::default();
        for directory in path.split(':') {
            let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            let file = program.candidates.push(&[directory.as_bytes(), slash, name.as_bytes()]);
            file.map_err(zero_byte("PATH"))?;
        }
        Ok(program)
    }

    /// Adds an argument; the first is the name that the program sees.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn add_argument(&mut self, argument: &[u8]) -> Result<()> {
        self.argv.push(&[argument]).map_err(zero_byte("argv"))
    }

    /// Adds a variable, `KEY=value` in parts, to the environment.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn add_variable(&mut self, parts: &[&[u8]]) -> Result<()> {
        self.envp.push(parts).map_err(zero_byte("env"))
    }

    /// Starts the program as leader of a session of its own, and returns when it is being executed. `fork` decides
    /// in which namespace.
    ///
    /// # Errors
    ///
    /// [`InitError::NotFound`], [`InitError::NotExecutable`], or another call that failed.
    pub fn start(&self, fork: fn() -> Result<Forked, Errno>, streams: Streams<'_>) -> Result<Pid> {
        let (failure, report) = sys::pipe().map_err(InitError::call(format_args!("pipe2()")))?;
        let (argv, envp) = (self.argv.pointers(), self.envp.pointers());
        let pid = match fork().map_err(InitError::call(format_args!("clone()")))? {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                let (stage, errno) = self.become_program(&argv, &envp, streams);
                // Without the parent, there is nobody to tell.
                let _ = report.write_all(&[stage as u8, errno.0 as u8]);
                sys::exit(127);
            }
        };
        drop(report);
        let mut bytes = Vec::new();
        failure.read_append(&mut bytes, 2).map_err(InitError::call(format_args!("read(pipe)")))?;
        match bytes[..] {
            [stage, errno] => Err(self.failure(stage, Errno(errno.into())).into()),
            _ => Ok(pid),
        }
    }

    /// What the child does; it returns only when it failed.
    fn become_program(
        &self,
        argv: &Pointers<'_>,
        envp: &Pointers<'_>,
        streams: Streams<'_>,
    ) -> (Stage, Errno) {
        sys::unblock_all_signals();
        // These cannot fail but for a standard input that is no terminal, which is no failure.
        let _ = sys::new_session();
        let _ = sys::set_controlling_terminal(streams.input);
        for (fd, number) in [(streams.input, 0), (streams.output, 1), (streams.error, 2)] {
            let _ = fd.duplicate_as(number);
        }
        if let Err(errno) = sys::chdir(&self.cwd) {
            return (Stage::Chdir, errno);
        }
        (Stage::Execve, self.execute(argv, envp))
    }

    /// Tries the candidates as execvp(3) does.
    fn execute(&self, argv: &Pointers<'_>, envp: &Pointers<'_>) -> Errno {
        let mut failure = Errno::ENOENT;
        for path in self.candidates.iter() {
            match sys::execve(path, argv, envp) {
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => failure = Errno::EACCES,
                errno => return errno,
            }
        }
        failure
    }

    fn failure(&self, stage: u8, errno: Errno) -> InitError {
        if stage == Stage::Chdir as u8 {
            let call = format!("chdir({})", shown(&self.cwd));
            return InitError::Call { call, errno };
        }
        let file = self.candidates.iter().next().unwrap_or_default();
        match (&self.lookup, errno) {
            (Lookup::Search { name, path }, Errno::ENOENT) => {
                InitError::NotFound { what: format!("{name}: not found in {path}") }
            }
            (Lookup::Search { name, .. }, errno) => {
                InitError::NotExecutable { path: name.clone(), errno }
            }
            (Lookup::Path, Errno::ENOENT) => InitError::NotFound {
                what: match sys::exists(file) {
                    true => format!("execve({}): its interpreter was not found", shown(file)),
                    false => format!("execve({}): ENOENT", shown(file)),
                },
            },
            (Lookup::Path, errno) => InitError::NotExecutable { path: shown(file).into(), errno },
        }
    }
}

fn zero_byte(what: &'static str) -> impl FnOnce(ZeroByte) -> Box<InitError> {
    move |_| Box::new(InitError::ZeroByte { what })
}
