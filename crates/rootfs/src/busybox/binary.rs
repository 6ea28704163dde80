//! A BusyBox binary: is it one that a system can be made of, and what can it do?

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mote_process::{Cancel, Command, ProcessError, Program};
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};

use super::applets::{parse_list, parse_usage};
use crate::tree::TreePath;

/// The largest file that is taken for a BusyBox, in bytes.
const LARGEST: u64 = 64 << 20;

/// How long the binary may take to list its applets.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a BusyBox comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusyboxBinary {
    /// The host's own, found at this path.
    Host(PathBuf),
    /// A binary that the user named.
    Path(PathBuf),
    /// Built from this source tarball.
    BuiltFrom(PathBuf),
}

/// `the host's /bin/busybox`, `./busybox`, `built from busybox-1.36.1.tar.bz2`.
impl fmt::Display for BusyboxBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(path) => write!(f, "the host's {}", path.display()),
            Self::Path(path) => path.display().fmt(f),
            Self::BuiltFrom(source) => write!(f, "built from {}", source.display()),
        }
    }
}

/// A static BusyBox for x86-64, and its applets.
#[derive(Clone, Debug)]
pub struct Busybox {
    /// Where it comes from.
    pub origin: BusyboxBinary,
    /// Its version, as in `1.35.0`; empty where it does not say.
    pub version: String,
    /// The binary.
    pub bytes: Arc<[u8]>,
    /// Where links to it belong, sorted: `/bin/sh`, `/sbin/init`, …
    pub applets: Vec<TreePath>,
}

impl Busybox {
    /// Whether there is an applet of that name, in whichever directory.
    pub fn has_applet(&self, name: &str) -> bool {
        let is = |path: &TreePath| path.components().last() == Some(name.as_bytes());
        self.applets.iter().any(is)
    }
}

/// Why a file is no BusyBox for a system.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Far too large for a BusyBox.
    #[error("{} has {len} bytes: that is no BusyBox", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// Not an executable for x86-64.
    #[error("{} is no ELF executable for x86-64", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
    },
    /// It needs a dynamic linker and libraries, which the system has not.
    #[error("{} is linked dynamically", path.display())]
    Dynamic {
        /// The file.
        path: PathBuf,
    },
    /// The program could not be run to list its applets.
    #[error("{} cannot be asked for its applets", path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ProcessError,
    },
    /// It runs and lists no applets.
    #[error("{} lists no applets: it is no BusyBox", path.display())]
    NoApplets {
        /// The file.
        path: PathBuf,
    },
}

impl LoadError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dynamic { .. } => Some(
                "apt-get install busybox-static, or let mote build BusyBox from source".to_owned(),
            ),
            _ => None,
        }
    }
}

/// Reads a BusyBox binary, checks that it is one that runs without libraries, and asks it for its
/// applets, for which it is run on the host.
///
/// # Errors
///
/// See [`LoadError`].
pub fn load_busybox(
    origin: BusyboxBinary,
    path: &Path,
    cancel: &Cancel,
) -> Result<Busybox, LoadError> {
    let bytes = read(path)?;
    check_elf(path, &bytes)?;
    let ask = |args: &[&str]| ask(path, args, cancel);
    // A BusyBox without FEATURE_INSTALLER knows neither option, and says so with its usage.
    let mut applets = parse_list(&ask(&["--list-full"])?);
    if applets.is_empty() {
        applets = parse_list(&ask(&["--list"])?);
    }
    let usage = ask(&[])?;
    if applets.is_empty() {
        applets = parse_usage(&usage);
    }
    if applets.is_empty() {
        return Err(LoadError::NoApplets { path: path.to_owned() });
    }
    let version = parse_version(&usage);
    Ok(Busybox { origin, version, bytes: bytes.into(), applets: applets.into_iter().collect() })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let len = fs::metadata(path).map_err(failed)?.len();
    if len > LARGEST {
        return Err(LoadError::TooLarge { path: path.to_owned(), len });
    }
    fs::read(path).map_err(failed)
}

/// What the program prints; nothing where it fails.
fn ask(path: &Path, args: &[&str], cancel: &Cancel) -> Result<String, LoadError> {
    // A bare name would be looked up in PATH.
    let program = Program::at(Path::new(".").join(path));
    let output = Command::new(&program).args(args).timeout(LIST_TIMEOUT).output(cancel);
    match output {
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(ProcessError::Failed { .. }) => Ok(String::new()),
        Err(source) => Err(LoadError::Run { path: path.to_owned(), source }),
    }
}

/// From `BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) multi-call binary.`
fn parse_version(usage: &str) -> String {
    let (_, version) = usage.split_once("BusyBox v").unwrap_or_default();
    version.split_whitespace().next().unwrap_or_default().to_owned()
}

fn check_elf(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    let not_elf = || LoadError::NotElf { path: path.to_owned() };
    let header = elf::FileHeader64::<object::LittleEndian>::parse(bytes).map_err(|_| not_elf())?;
    let endian = header.endian().map_err(|_| not_elf())?;
    let executable = matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN);
    if header.e_machine(endian) != elf::EM_X86_64 || !executable {
        return Err(not_elf());
    }
    let segments = header.program_headers(endian, bytes).map_err(|_| not_elf())?;
    if segments.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP) {
        return Err(LoadError::Dynamic { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> PathBuf {
        let search = std::env::var_os("PATH").unwrap();
        let found = Program::find("busybox", &search);
        found.expect("busybox: apt-get install busybox-static").path().to_owned()
    }

    fn load(path: &Path) -> Result<Busybox, LoadError> {
        load_busybox(BusyboxBinary::Path(path.to_owned()), path, &Cancel::default())
    }

    #[test]
    fn the_host_s_busybox_lists_its_applets() {
        let busybox = load(&host()).unwrap();
        assert!(busybox.version.starts_with("1."), "{}", busybox.version);
        assert!(busybox.applets.contains(&TreePath::parse("sbin/init").unwrap()));
        assert!(busybox.has_applet("sh") && !busybox.has_applet("busybox"));
        assert!(busybox.applets.is_sorted());
    }

    #[test]
    fn what_is_no_static_busybox_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let mut foreign = fs::read(host()).unwrap();
        foreign[18] = 0xb7; // e_machine: AArch64
        let other = dir.path().join("other");
        fs::write(&other, foreign).unwrap();
        let missing = dir.path().join("missing");
        let dynamic = Path::new("/bin/sh").canonicalize().unwrap();
        let table = [
            (script, "is no ELF executable for x86-64"),
            (other, "is no ELF executable for x86-64"),
            (missing, "cannot be read"),
            (dynamic, "is linked dynamically"),
        ];
        for (path, message) in table {
            let error = load(&path).unwrap_err();
            assert_eq!(error.to_string(), format!("{} {message}", path.display()));
            let dynamic = matches!(error, LoadError::Dynamic { .. });
            assert_eq!(error.hint().is_some(), dynamic);
        }
    }

    #[test]
    fn the_version_is_read_from_the_usage() {
        let usage = "BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) multi-call binary.\n";
        assert_eq!(parse_version(usage), "1.35.0");
        assert_eq!(parse_version(""), "");
    }
}
