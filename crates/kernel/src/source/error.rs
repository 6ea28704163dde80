//! What can be wrong with a source.

use std::io;
use std::path::{Path, PathBuf};

use mote_process::Cancelled;

/// Why a source could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing at the path.
    #[error("no such source: {}", path.display())]
    Missing {
        /// What was given.
        path: PathBuf,
    },
    /// A directory was wanted and something else is there, or the other way round.
    #[error("not a {wanted}: {}", path.display())]
    WrongKind {
        /// `directory` or `file`.
        wanted: &'static str,
        /// What was given.
        path: PathBuf,
    },
    /// The directory, or what the tarball holds, is not Linux.
    #[error("not a Linux source, {missing} is missing: {}", path.display())]
    NotLinux {
        /// The directory or the tarball.
        path: PathBuf,
        /// What every Linux source has and this one lacks.
        missing: &'static str,
    },
    /// The kernel's own build refuses to build elsewhere from a tree that was built in.
    #[error("the source was built in, it holds {left_over}: {}", path.display())]
    NotClean {
        /// The directory.
        path: PathBuf,
        /// A file or directory that a build leaves behind.
        left_over: &'static str,
    },
    /// No way to decompress it is known.
    #[error("not an .xz, .gz, .zst or .bz2 tarball: {}", path.display())]
    UnknownCompression {
        /// The file.
        path: PathBuf,
    },
    /// The archive ends too early or holds what it must not.
    #[error("the tarball is damaged: {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it broke.
        source: io::Error,
    },
    /// An entry of the archive would reach outside of the directory that it is unpacked into, or is
    /// of a kind that no source has.
    #[error("the tarball holds an entry that is not accepted, {why}: {entry} in {}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The entry's name.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `auto`, and nothing is there.
    #[error("no Linux source on this machine: looked for linux-source-*.tar.* in {} and in the cache", debian_dir.display())]
    NoneOnMachine {
        /// Where Debian's package puts it.
        debian_dir: PathBuf,
    },
    /// The server does not have that release.
    #[error("no release {version} at {url}")]
    NoSuchRelease {
        /// The version asked for.
        version: String,
        /// The list that was read.
        url: String,
        /// The newest of that series, if there is one.
        newest: Option<String>,
    },
    /// The server could not be reached, or the connection broke too often.
    #[error("cannot download {url} (tried {attempts} times)")]
    Unreachable {
        /// The address.
        url: String,
        /// How often it was tried in a row without receiving anything.
        attempts: u32,
        /// What went wrong the last time.
        source: TransferError,
    },
    /// The server answered with something else than the file.
    #[error("the server answered {status} for {url}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A digest was given for a series, whose newest release changes.
    #[error("a digest was given for {version}, which is a series of releases")]
    PinnedSeries {
        /// The series.
        version: String,
    },
    /// The list of digests is not one.
    #[error("not a list of digests: {url}")]
    NotSums {
        /// The address.
        url: String,
    },
    /// What was downloaded is not what was published.
    #[error("the digest of {url} is {got}, not {wanted}: what was downloaded has been removed")]
    WrongDigest {
        /// The address.
        url: String,
        /// The published or pinned digest.
        wanted: String,
        /// The digest of what came.
        got: String,
    },
    /// The address of the mirror or of the proxy cannot be used.
    #[error("not a usable address: {url}")]
    BadAddress {
        /// The address.
        url: String,
        /// Why not.
        source: TransferError,
    },
}

/// Why a transfer failed: the cause below a [`SourceError`].
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// HTTP, TLS or the connection.
    #[error(transparent)]
    Http(#[from] ureq::Error),
    /// The connection broke while the body was read.
    #[error("the connection broke after {received} bytes")]
    Broken {
        /// Bytes received by this attempt.
        received: u64,
        /// Why.
        source: io::Error,
    },
    /// The server closed the connection before it had sent everything.
    #[error("the connection ended after {received} of {announced} bytes")]
    Short {
        /// Bytes of the file that are there.
        received: u64,
        /// Bytes that the file has.
        announced: u64,
    },
    /// The request ended without any reply.
    #[error("no reply")]
    Silent,
    /// The server has a trouble of its own that may pass.
    #[error("the server answered {status}")]
    Busy {
        /// The HTTP status.
        status: u16,
    },
}

impl SourceError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } => {
                "a source is auto, a directory, a tarball, or a version such as 6.12".to_owned()
            }
            Self::WrongKind { wanted: "directory", .. } => {
                "a tarball is known by its ending: .tar.xz, .tar.gz, .tar.zst or .tar.bz2".to_owned()
            }
            Self::NotLinux { .. } => "give the top directory of a Linux source, or a tarball of it".to_owned(),
            Self::NotClean { path, .. } => {
                format!("clean it with `make -C {} mrproper`, or use another copy", path.display())
            }
            Self::Damaged { .. } => "fetch it again and compare its digest with the published one".to_owned(),
            Self::NoneOnMachine { .. } => {
                "install Debian's linux-source, or give a directory, a tarball, or a version to download such as 6.12"
                    .to_owned()
            }
            Self::NoSuchRelease { newest: Some(newest), .. } => format!("the newest of that series is {newest}"),
            Self::NoSuchRelease { newest: None, .. } => {
                "release candidates are not published there: give a directory or a tarball".to_owned()
            }
            Self::Unreachable { .. } => {
                "without a network, give a directory or a tarball; what was received is kept and the next download goes on from there"
                    .to_owned()
            }
            Self::WrongDigest { .. } => "download it again; if that does not help, use another mirror".to_owned(),
            Self::PinnedSeries { version } => format!("name one of them, such as {version}.1"),
            Self::NotSums { .. } | Self::Status { .. } | Self::BadAddress { .. } => {
                "a mirror is the part of the address before /pub/linux/kernel".to_owned()
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "an unpacked Linux source needs about 2 GB".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What `error` of opening `path` means.
    pub(super) fn open(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.to_owned() },
            _ => Self::io("open", path)(error),
        }
    }

    /// What an error of reading `path` means, where an interruption may be wrapped in one.
    pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| match error.downcast::<Cancelled>() {
            Ok(cancelled) => Self::Cancelled(cancelled),
            Err(source) => Self::Io { action: "read", path, source },
        }
    }
}
