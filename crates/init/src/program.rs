//! Starting a program: all that can fail or allocate is prepared before the fork.

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use mote_contract::Session;

use crate::error::InitError;
use crate::sys::{self, CStrings, Errno, Fd, Forked, Pid};

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
    pub fn of_session(session: &Session) -> Result<Self, InitError> {
        let env = session.env.iter();
        let path = env.clone().rfind(|(key, _)| key == "PATH");
        let path = path.map_or(DEFAULT_PATH, |(_, value)| value);
        let name = &session.argv[0];
        let (candidates, lookup) = candidates(name, path)?;
        Ok(Self {
            argv: c_strings(session.argv.iter().map(String::as_str), "argv")?,
            envp: c_strings(env.map(|(key, value)| format!("{key}={value}")), "env")?,
            cwd: CString::new(session.cwd.as_str())
                .map_err(|_| InitError::ZeroByte { what: "cwd" })?,
            candidates,
            lookup,
        })
    }

    /// The program at a path with these arguments and this environment, in the root directory.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn at<'a>(
        path: &'a str,
        arguments: impl Iterator<Item = &'a [u8]>,
        environment: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, InitError> {
        Ok(Self {
            argv: c_strings([path.as_bytes()].into_iter().chain(arguments), "argv")?,
            envp: c_strings(environment, "env")?,
            cwd: c"/".into(),
            candidates: c_strings([path], "path")?,
            lookup: Lookup::Path,
        })
    }

    /// Starts the program as leader of a session of its own, and returns when it is being executed. `fork` decides
    /// in which namespace.
    ///
    /// # Errors
    ///
    /// [`InitError::NotFound`], [`InitError::NotExecutable`], or another call that failed.
    pub fn start(
        &self,
        fork: fn() -> Result<Forked, Errno>,
        streams: Streams<'_>,
    ) -> Result<Pid, InitError> {
        let (failure, report) = sys::pipe().map_err(InitError::call("pipe2()"))?;
        let pid = match fork().map_err(InitError::call("clone()"))? {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                let (stage, errno) = self.become_program(streams);
                // Without the parent, there is nobody to tell.
                let _ = report.write_all(&[stage as u8, errno.0 as u8]);
                sys::exit(127);
            }
        };
        drop(report);
        let mut bytes = Vec::new();
        failure.read_append(&mut bytes, 2).map_err(InitError::call("read(pipe)"))?;
        match bytes[..] {
            [stage, errno] => Err(self.failure(stage, Errno(errno.into()))),
            _ => Ok(pid),
        }
    }

    /// What the child does; it returns only when it failed.
    fn become_program(&self, streams: Streams<'_>) -> (Stage, Errno) {
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
        (Stage::Execve, self.execute())
    }

    /// Tries the candidates as execvp(3) does.
    fn execute(&self) -> Errno {
        let mut failure = Errno::ENOENT;
        for path in self.candidates.strings() {
            match sys::execve(path, &self.argv, &self.envp) {
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => failure = Errno::EACCES,
                errno => return errno,
            }
        }
        failure
    }

    fn failure(&self, stage: u8, errno: Errno) -> InitError {
        if stage == Stage::Chdir as u8 {
            let call = format!("chdir({:?})", self.cwd);
            return InitError::Call { call, errno };
        }
        let file = &self.candidates.strings()[0];
        match (&self.lookup, errno) {
            (Lookup::Search { name, path }, Errno::ENOENT) => {
                InitError::NotFound { what: format!("{name}: not found in {path}") }
            }
            (Lookup::Search { name, .. }, errno) => {
                InitError::NotExecutable { path: name.clone(), errno }
            }
            (Lookup::Path, Errno::ENOENT) => InitError::NotFound {
                what: match sys::exists(file) {
                    true => format!("execve({file:?}): its interpreter was not found"),
                    false => format!("execve({file:?}): ENOENT"),
                },
            },
            (Lookup::Path, errno) => {
                InitError::NotExecutable { path: file.to_string_lossy().into_owned(), errno }
            }
        }
    }
}

fn candidates(name: &str, path: &str) -> Result<(CStrings, Lookup), InitError> {
    if name.is_empty() || name.contains('/') {
        return Ok((c_strings([name], "argv")?, Lookup::Path));
    }
    let files = path.split(':').map(|directory| match directory {
        "" => name.into(),
        directory => format!("{directory}/{name}"),
    });
    let lookup = Lookup::Search { name: name.into(), path: path.into() };
    Ok((c_strings(files, "argv")?, lookup))
}

fn c_strings<T: Into<Vec<u8>>>(
    strings: impl IntoIterator<Item = T>,
    what: &'static str,
) -> Result<CStrings, InitError> {
    CStrings::new(strings).map_err(|_| InitError::ZeroByte { what })
}
