//! What init sets up before anything is started, as data: one value per change to the machine. They go through a
//! trait, so that the tests can record them, and fail them, without changing the machine they run on.

use alloc::vec::Vec;
use core::ffi::CStr;
use core::fmt;

use crate::error::{InitError, Result, shown};
use crate::sys::{self, Errno, Fd, Interface, OpenFlags, Resource};

/// Of a file of the image that init reads, this much at most, in bytes: it is not trusted.
pub const FILE_LIMIT: usize = 4 << 20;

const MS_RDONLY: usize = 1;
const MS_REMOUNT: usize = 32;
const MS_MOVE: usize = 8192;

/// A change to the machine. As text it is the call with its arguments.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    /// Make a directory.
    Mkdir {
        /// Its path.
        path: &'a CStr,
        /// Its permissions.
        mode: u32,
    },
    /// Mount a file system.
    Mount {
        /// The disk, or the type again where there is none.
        source: &'a CStr,
        /// Where.
        target: &'a CStr,
        /// Its type.
        kind: &'a CStr,
        /// `MS_` bits.
        flags: usize,
        /// Options of that type.
        options: &'a CStr,
    },
    /// Mount what is mounted here elsewhere instead.
    MoveMount {
        /// Here.
        from: &'a CStr,
        /// Elsewhere.
        to: &'a CStr,
    },
    /// Refuse all further writing to a mounted file system.
    RemountReadOnly {
        /// Where it is mounted.
        target: &'a CStr,
    },
    /// Change the working directory.
    Chdir {
        /// Its path.
        path: &'a CStr,
    },
    /// Make a directory the root.
    Chroot {
        /// Its path.
        path: &'a CStr,
    },
    /// Give a directory the mode, owner, times and extended attributes of another.
    CopyAttributes {
        /// The one that has them.
        from: &'a CStr,
        /// The one that gets them.
        to: &'a CStr,
    },
    /// Make a symbolic link.
    Symlink {
        /// What it points to.
        target: &'a CStr,
        /// Its own path.
        path: &'a CStr,
    },
    /// Make a named pipe.
    MakeFifo {
        /// Its path.
        path: &'a CStr,
    },
    /// Remove a file.
    Unlink {
        /// Its path.
        path: &'a CStr,
    },
    /// Write a file that must not be there yet.
    WriteNew {
        /// Its path.
        path: &'a CStr,
        /// What to write.
        text: &'a str,
    },
    /// Write to a file that is there.
    Write {
        /// Its path.
        path: &'a CStr,
        /// What to write.
        text: &'a str,
    },
    /// Limit what processes may use.
    SetLimit {
        /// What.
        resource: Resource,
        /// The soft and the hard limit.
        limit: [u64; 2],
    },
    /// Set the host name.
    SetHostname {
        /// The name.
        name: &'a str,
    },
    /// Set the wall clock.
    SetRealtime {
        /// Nanoseconds since 1970.
        unix_ns: u64,
    },
    /// Credit random bytes.
    AddEntropy {
        /// The bytes.
        seed: &'a [u8; 32],
    },
    /// Open the socket that [`Call::SetInterface`] needs.
    InetSocket,
    /// Set something of a network interface.
    SetInterface {
        /// Its name.
        name: &'a str,
        /// What to set.
        setting: Interface,
    },
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Mkdir { path, mode } => write!(f, "mkdir({}, {mode:#o})", shown(path)),
            Self::Mount { source, target, kind, flags, options } => {
                let [source, target, kind, options] = [source, target, kind, options].map(shown);
                write!(f, "mount({source}, {target}, {kind}, {flags:#x}, {options})")
            }
            Self::MoveMount { from, to } => {
                write!(f, "mount({}, {}, MS_MOVE)", shown(from), shown(to))
            }
            Self::RemountReadOnly { target } => {
                write!(f, "mount({}, MS_REMOUNT | MS_RDONLY)", shown(target))
            }
            Self::Chdir { path } => write!(f, "chdir({})", shown(path)),
            Self::Chroot { path } => write!(f, "chroot({})", shown(path)),
            Self::CopyAttributes { from, to } => {
                write!(f, "copy attributes({}, {})", shown(from), shown(to))
            }
            Self::Symlink { target, path } => {
                write!(f, "symlink({}, {})", shown(target), shown(path))
            }
            Self::MakeFifo { path } => write!(f, "mkfifo({})", shown(path)),
            Self::Unlink { path } => write!(f, "unlink({})", shown(path)),
            Self::WriteNew { path, text } => {
                write!(f, "create({}, {} bytes)", shown(path), text.len())
            }
            Self::Write { path, text } => {
                write!(f, "write({}, {} bytes)", shown(path), text.len())
            }
            Self::SetLimit { resource, limit: [soft, hard] } => {
                write!(f, "setrlimit({resource:?}, {soft}, {hard})")
            }
            Self::SetHostname { name } => write!(f, "sethostname({name})"),
            Self::SetRealtime { unix_ns } => {
                write!(f, "clock_settime(CLOCK_REALTIME, {unix_ns} ns)")
            }
            Self::AddEntropy { .. } => write!(f, "ioctl(/dev/urandom, RNDADDENTROPY)"),
            Self::InetSocket => write!(f, "socket(AF_INET, SOCK_DGRAM)"),
            Self::SetInterface { name, setting } => {
                let (request, address) = match setting {
                    Interface::Up => return write!(f, "ioctl({name}, SIOCSIFFLAGS, up)"),
                    Interface::Address(address) => ("SIOCSIFADDR", address),
                    Interface::Netmask(mask) => ("SIOCSIFNETMASK", mask),
                    Interface::DefaultRoute(gateway) => ("SIOCADDRT", gateway),
                };
                write!(f, "ioctl({name}, {request}, {address})")
            }
        }
    }
}

/// What makes the changes.
pub trait Kernel {
    /// Makes a change.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn make(&mut self, call: &Call<'_>) -> Result<(), Errno>;

    /// Reads a file of at most [`FILE_LIMIT`] bytes; of a longer one, the beginning.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn read(&mut self, path: &CStr) -> Result<Vec<u8>, Errno>;

    /// Makes a change without which init cannot go on.
    ///
    /// # Errors
    ///
    /// [`InitError::Call`].
    fn must(&mut self, call: &Call<'_>) -> Result<()> {
        self.make(call).map_err(InitError::call(format_args!("{call}")))
    }

    /// Makes a change, unless it fails for the reason that makes it needless.
    ///
    /// # Errors
    ///
    /// [`InitError::Call`] for any other reason.
    fn must_unless(&mut self, needless: Errno, call: &Call<'_>) -> Result<()> {
        match self.make(call) {
            Err(errno) if errno == needless => Ok(()),
            result => result.map_err(InitError::call(format_args!("{call}"))),
        }
    }
}

/// The kernel that init runs on.
#[derive(Debug, Default)]
pub struct Linux {
    socket: Option<Fd>,
}

impl Kernel for Linux {
    fn make(&mut self, call: &Call<'_>) -> Result<(), Errno> {
        match *call {
            Call::Mkdir { path, mode } => sys::mkdir(path, mode),
            Call::Mount { source, target, kind, flags, options } => {
                sys::mount(source, target, kind, flags, options)
            }
            Call::MoveMount { from, to } => sys::mount(from, to, c"", MS_MOVE, c""),
            Call::RemountReadOnly { target } => {
                sys::mount(c"", target, c"", MS_REMOUNT | MS_RDONLY, c"")
            }
            Call::Chdir { path } => sys::chdir(path),
            Call::Chroot { path } => sys::chroot(path),
            Call::CopyAttributes { from, to } => sys::copy_attributes(from, to),
            Call::Symlink { target, path } => sys::symlink(target, path),
            Call::MakeFifo { path } => sys::make_fifo(path),
            Call::Unlink { path } => sys::unlink(path),
            Call::WriteNew { path, text } => {
                sys::open(path, OpenFlags::CreateNew)?.write_all(text.as_bytes())
            }
            Call::Write { path, text } => {
                sys::open(path, OpenFlags::Write)?.write_all(text.as_bytes())
            }
            Call::SetLimit { resource, limit } => sys::set_limit(resource, limit),
            Call::SetHostname { name } => sys::set_hostname(name),
            Call::SetRealtime { unix_ns } => sys::set_realtime(unix_ns),
            Call::AddEntropy { seed } => {
                sys::add_entropy(&sys::open(c"/dev/urandom", OpenFlags::ReadWrite)?, seed)
            }
            Call::InetSocket => sys::inet_socket().map(|socket| self.socket = Some(socket)),
            Call::SetInterface { name, setting } => match &self.socket {
                Some(socket) => setting.set(socket, name),
                None => Err(Errno::EBADF),
            },
        }
    }

    fn read(&mut self, path: &CStr) -> Result<Vec<u8>, Errno> {
        sys::open(path, OpenFlags::Read)?.read_up_to(FILE_LIMIT)
    }
}

#[cfg(test)]
pub(crate) mod recorder {
    use super::*;
    use alloc::string::{String, ToString};

    /// Writes the calls down; those that begin with a text of `failing` fail.
    #[derive(Default)]
    pub(crate) struct Recorder {
        pub(crate) calls: Vec<String>,
        /// What the calls that did not fail have written.
        pub(crate) written: String,
        pub(crate) failing: Vec<(&'static str, Errno)>,
        /// The files that can be read, and what they hold.
        pub(crate) files: Vec<(&'static CStr, &'static str)>,
    }

    impl Recorder {
        pub(crate) fn failing(call: &'static str, errno: Errno) -> Self {
            Self { failing: Vec::from([(call, errno)]), ..Self::default() }
        }
    }

    impl Kernel for Recorder {
        fn make(&mut self, call: &Call<'_>) -> Result<(), Errno> {
            let name = call.to_string();
            let failing = self.failing.iter().find(|(text, _)| name.starts_with(text));
            let result = failing.map_or(Ok(()), |(_, errno)| Err(*errno));
            if let (Ok(()), Call::WriteNew { text, .. }) = (result, call) {
                self.written.push_str(text);
            }
            self.calls.push(name);
            result
        }

        fn read(&mut self, path: &CStr) -> Result<Vec<u8>, Errno> {
            let file = self.files.iter().find(|(known, _)| *known == path);
            file.map_or(Err(Errno::ENOENT), |(_, text)| Ok(text.as_bytes().to_vec()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::recorder::Recorder;
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_failure_names_the_call_and_its_arguments() {
        let mut kernel = Recorder::failing("mount", Errno::ENODEV);
        let (source, target, kind) = (c"/dev/vda", c"/disk", c"ext4");
        let call = Call::Mount { source, target, kind, flags: 1, options: c"noload" };
        let error = kernel.must(&call).unwrap_err();
        let message = "mount(/dev/vda, /disk, ext4, 0x1, noload): no such device (ENODEV)";
        assert_eq!(error.chain(), message);
        assert!(kernel.must_unless(Errno::ENODEV, &call).is_ok());
        assert!(kernel.must_unless(Errno::EEXIST, &call).is_err());
    }

    #[test]
    fn calls_as_text() {
        let name = "eth0";
        let cases = [
            (Call::Mkdir { path: c"/proc", mode: 0o555 }, "mkdir(/proc, 0o555)"),
            (Call::WriteNew { path: c"/etc/hosts", text: "abc" }, "create(/etc/hosts, 3 bytes)"),
            (Call::SetRealtime { unix_ns: 5 }, "clock_settime(CLOCK_REALTIME, 5 ns)"),
            (
                Call::SetInterface { name, setting: Interface::Netmask([255, 0, 0, 0].into()) },
                "ioctl(eth0, SIOCSIFNETMASK, 255.0.0.0)",
            ),
            (Call::SetInterface { name, setting: Interface::Up }, "ioctl(eth0, SIOCSIFFLAGS, up)"),
        ];
        for (call, text) in cases {
            assert_eq!(call.to_string(), text);
        }
    }
}
