//! Starting a program: all that can fail or allocate is prepared before the fork.

use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::CStr;

use mote_contract::Session;

use crate::account::{Account, Identity};
use crate::binary;
use crate::error::{InitError, Result, shown, zero_byte};
use crate::sys::{self, CStrings, Errno, Fd, Forked, Pid, Pointers};

/// A program ready to be started.
#[derive(Debug)]
pub struct Program {
    argv: CStrings,
    envp: CStrings,
    cwd: CString,
    /// What it becomes; what init is when absent.
    identity: Option<Identity>,
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
pub enum Streams<'a> {
    /// Input, output and error.
    Pipes([&'a Fd; 3]),
    /// A terminal, which becomes the controlling one.
    Terminal(&'a Fd),
    /// The console of a PID 1, whose Ctrl-C is not for it.
    Console(&'a Fd),
}

/// Where a child failed, for its parent.
#[derive(Clone, Copy)]
enum Stage {
    Chdir = 1,
    Identity = 2,
    Execve = 3,
}

/// Where programs are looked for when the environment has no `PATH`; execvp(3) has `/bin:/usr/bin`, without the
/// directories of the superuser.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Program {
    /// The session's program, to be run by `account`.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn of_session(session: &Session, account: Account) -> Result<Self> {
        let path = session.env.iter().rfind(|(key, _)| key == "PATH");
        let path = path.map_or(DEFAULT_PATH, |(_, value)| value);
        let mut program = Self::looked_up(&session.argv[0], path)?;
        for argument in &session.argv {
            program.add_argument(argument.as_bytes())?;
        }
        for (key, value) in &session.env {
            program.add_variable(&[key.as_bytes(), b"=", value.as_bytes()])?;
        }
        if !session.env.iter().any(|(key, _)| key == "HOME") {
            program.add_variable(&[b"HOME=", account.home.as_bytes()])?;
        }
        program.cwd = CString::new(session.cwd.as_str()).map_err(|_| zero_byte("cwd"))?;
        program.identity = account.identity;
        Ok(program)
    }

    /// The program at a path, without arguments and environment yet, in the root directory.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn at(path: &str) -> Result<Self> {
        let mut candidates = CStrings::default();
        candidates.push(&[path.as_bytes()]).map_err(|_| zero_byte("path"))?;
        Ok(Self {
            argv: CStrings::default(),
            envp: CStrings::default(),
            cwd: c"/".into(),
            identity: None,
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
            file.map_err(|_| zero_byte("PATH"))?;
        }
        Ok(program)
    }

    /// Adds an argument; the first is the name that the program sees.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn add_argument(&mut self, argument: &[u8]) -> Result<()> {
        self.argv.push(&[argument]).map_err(|_| zero_byte("argv"))
    }

    /// Adds a variable, `KEY=value` in parts, to the environment.
    ///
    /// # Errors
    ///
    /// [`InitError::ZeroByte`].
    pub fn add_variable(&mut self, parts: &[&[u8]]) -> Result<()> {
        self.envp.push(parts).map_err(|_| zero_byte("env"))
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
        // None of these can fail, but for a console that is no terminal, which is no failure.
        let _ = sys::new_session();
        let fds = match streams {
            Streams::Pipes(fds) => fds,
            Streams::Terminal(fd) | Streams::Console(fd) => [fd; 3],
        };
        if let Streams::Terminal(terminal) = streams {
            let _ = sys::set_controlling_terminal(terminal);
        }
        for (fd, number) in fds.into_iter().zip(0..) {
            let _ = fd.duplicate_as(number);
        }
        if let Err(errno) = sys::chdir(&self.cwd) {
            return (Stage::Chdir, errno);
        }
        if let Some(Identity { uid, gid, groups }) = &self.identity {
            // So that it can open /dev/stdout and its like. A console is not given away.
            if !matches!(streams, Streams::Console(_)) {
                let _ = fds.map(|fd| fd.give_to(*uid));
            }
            match sys::set_identity(*uid, *gid, groups) {
                // A kernel need not know of users: then everybody is root.
                Err(Errno::ENOSYS) if (*uid, *gid) == (0, 0) => {}
                Err(errno) => return (Stage::Identity, errno),
                Ok(()) => {}
            }
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
            return InitError::Call { call: format!("chdir({})", shown(&self.cwd)), errno };
        }
        if stage == Stage::Identity as u8 {
            let identity = self.identity.as_ref();
            let (uid, gid) = identity.map_or((0, 0), |identity| (identity.uid, identity.gid));
            return InitError::Call { call: format!("setgid({gid}) and setuid({uid})"), errno };
        }
        let (name, file) = match &self.lookup {
            Lookup::Path => {
                (None, self.candidates.iter().map(|path| self.against_cwd(path)).next())
            }
            Lookup::Search { name, path } => {
                let mut files = self.candidates.iter().map(|path| self.against_cwd(path));
                let file = files.find(|file| sys::exists(file));
                if file.is_none() && errno == Errno::ENOENT {
                    return InitError::NotInPath { name: name.clone(), path: path.clone() };
                }
                (file.is_none().then_some(name), file)
            }
        };
        let file = file.unwrap_or_default();
        let path = name.map_or_else(|| String::from(shown(&file)), String::clone);
        let why = binary::why(&file, errno);
        match errno {
            Errno::ENOENT => InitError::NotFound { path, why },
            errno => InitError::NotExecutable { path, why, errno },
        }
    }

    /// The path that means here what `path` means in the program's working directory.
    fn against_cwd(&self, path: &CStr) -> CString {
        if path.to_bytes().starts_with(b"/") || path.is_empty() {
            return path.into();
        }
        let parts = [self.cwd.to_bytes(), b"/", path.to_bytes()];
        // Neither part has a zero byte.
        CString::new(parts.concat()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mote_contract::Failure;
    use std::os::unix::fs::PermissionsExt;
    use std::string::ToString;
    use std::{fs, vec};

    fn session(argv: &[&str], path: Option<&str>) -> Session {
        Session {
            argv: argv.iter().map(ToString::to_string).collect(),
            env: path.map(|path| ("PATH".into(), path.into())).into_iter().collect(),
            cwd: "/".into(),
            user: None,
            terminal: None,
        }
    }

    fn program(session: &Session) -> Result<Program> {
        Program::of_session(session, Account { identity: None, home: "/home/here".into() })
    }

    fn candidates(name: &str, path: Option<&str>) -> Vec<String> {
        let program = program(&session(&[name], path)).unwrap();
        program.candidates.iter().map(|path| shown(path).into()).collect()
    }

    #[test]
    fn what_is_tried() {
        assert_eq!(candidates("a", Some("/x:/y")), ["/x/a", "/y/a"]);
        assert_eq!(candidates("a", Some(":/y")), ["a", "/y/a"]);
        assert_eq!(candidates("./a", Some("/x")), ["./a"]);
        assert_eq!(candidates("", Some("/x")), [""]);
        assert_eq!(candidates("a", None).len(), 6);
    }

    #[test]
    fn zero_bytes_are_refused() {
        let sessions = [
            session(&["a\0b"], None),
            session(&["a", "\0"], None),
            session(&["a"], Some("\0")),
            Session { cwd: "/\0".into(), ..session(&["a"], None) },
        ];
        for session in sessions {
            let error = program(&session).unwrap_err();
            assert!(matches!(*error, InitError::ZeroByte { .. }));
        }
    }

    fn start(session: &Session) -> Result<Pid> {
        let (input, output) = sys::pipe().unwrap();
        let streams = Streams::Pipes([&input, &output, &output]);
        program(session)?.start(sys::fork, streams)
    }

    /// The failures of a real execve, as docker's exit codes.
    #[test]
    fn what_cannot_be_started() {
        let directory = std::env::temp_dir().join(format!("mote-init-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = |name: &str, text: &[u8], mode| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_string()
        };
        let plain = file("plain", b"text", 0o644);
        let broken = file("broken", b"\x7fELF", 0o755);
        let lost = file("lost", b"#!/no/such/interpreter\n", 0o755);
        let foreign = file("foreign", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0", 0o755);
        let path = directory.to_str();
        let relative = Session { cwd: path.unwrap().into(), ..session(&["./lost"], None) };
        let cases = vec![
            (session(&["no-such"], path), Failure::NotFound, "no-such: not found in "),
            (
                session(&["/no-such"], None),
                Failure::NotFound,
                "cannot run /no-such: no such file or directory (execve: ENOENT)",
            ),
            (
                session(&[&lost], None),
                Failure::NotFound,
                "lost: its interpreter /no/such/interpreter is not there (execve: ENOENT)",
            ),
            (session(&["lost"], path), Failure::NotFound, "/lost: its interpreter /no/such/"),
            (relative, Failure::NotFound, "/./lost: its interpreter /no/such/"),
            (
                session(&["plain"], path),
                Failure::NotExecutable,
                "/plain: permission denied (execve: EACCES)",
            ),
            (session(&[&plain], None), Failure::NotExecutable, "/plain: permission denied"),
            (
                session(&[&foreign], None),
                Failure::NotExecutable,
                "foreign: it is a program for arm64, and the guest is x86-64 (execve: ENOEXEC)",
            ),
            (session(&[&broken], None), Failure::NotExecutable, "broken: it is a damaged program"),
            (session(&["/"], None), Failure::NotExecutable, "cannot run /: is a directory"),
            (
                Session { cwd: "/no-such".into(), ..session(&["true"], None) },
                Failure::Mote,
                "chdir(/no-such): no such file or directory (ENOENT)",
            ),
        ];
        for (session, failure, message) in cases {
            let error = start(&session).unwrap_err();
            assert_eq!(error.failure(), failure, "{session:?}");
            assert!(error.chain().contains(message), "{}", error.chain());
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn arguments_environment_and_directory() {
        let (input, _) = sys::pipe().unwrap();
        let (result, output) = sys::pipe().unwrap();
        let script = "echo \"$0 $1 $KEY $PWD $HOME\"";
        let mut session = session(&["sh", "-c", script, "zero", "one"], Some("/usr/bin:/bin"));
        session.env.push(("KEY".into(), "a=b".into()));
        session.cwd = "/usr".into();
        program(&session)
            .unwrap()
            .start(sys::fork, Streams::Pipes([&input, &output, &output]))
            .unwrap();
        drop(output);
        assert_eq!(result.read_to_end().unwrap(), b"zero one a=b /usr /home/here\n");
    }
}
