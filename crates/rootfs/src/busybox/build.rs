//! BusyBox from its source.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use mote_process::{Cancel, Command, ProcessError, Program};

use super::binary::{Busybox, BusyboxBinary, LoadError, load_busybox};
use crate::tree::SOURCE_DATE_EPOCH;

/// The configuration: what differs from the defaults. Part of what a built BusyBox is known by.
pub const BUILD_CONFIG: &str = include_str!("busybox.config");

/// A build of BusyBox.
#[derive(Clone, Debug)]
pub struct BuildSpec {
    /// The source: a tarball as busybox.net and Debian have it, in any compression that the
    /// host's tar reads.
    pub tarball: PathBuf,
    /// An empty directory to unpack and build in; it stays as the build leaves it.
    pub work_dir: PathBuf,
    /// Where the output of the programs goes.
    pub log: PathBuf,
    /// How many compilers run at a time.
    pub jobs: NonZero<usize>,
    /// Where programs are looked for, in the form of `PATH`: the only variable that they see of
    /// the caller's.
    pub search: OsString,
}

/// How far a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildEvent {
    /// The tarball is being unpacked.
    Unpacking,
    /// The configuration is being made.
    Configuring,
    /// So many files were compiled. BusyBox has about 600 with this configuration.
    Compiled(u32),
}

/// Why there is no BusyBox.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The tarball cannot be read.
    #[error("{} cannot be read", path.display())]
    Tarball {
        /// The tarball.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tarball is damaged, or none.
    #[error("{} cannot be unpacked", path.display())]
    Unpack {
        /// The tarball.
        path: PathBuf,
        /// What tar said.
        source: ProcessError,
    },
    /// The tarball holds something else.
    #[error("{} is no source of BusyBox: it has no {missing}", path.display())]
    NotBusybox {
        /// The tarball.
        path: PathBuf,
        /// The file by which one is known.
        missing: &'static str,
    },
    /// A file of the work directory cannot be read or written.
    #[error("{} cannot be read or written", path.display())]
    WorkDir {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// BusyBox did not keep something of the configuration.
    #[error("BusyBox did not keep {}", lines.join(", "))]
    Config {
        /// Lines of the configuration that the final one contradicts.
        lines: Vec<&'static str>,
    },
    /// `make` failed.
    #[error("BusyBox could not be built")]
    Make(#[source] ProcessError),
    /// A program that the build needs is missing, or the user has stopped the build.
    #[error(transparent)]
    Process(ProcessError),
    /// What was built is no BusyBox.
    #[error("what was built cannot be used")]
    Load(#[source] LoadError),
}

impl BuildError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Make(_) => {
                Some("a C compiler and a static C library are needed: apt-get install gcc make libc6-dev".to_owned())
            }
            Self::Unpack { .. } => Some("tar needs bzip2 for .bz2, xz-utils for .xz".to_owned()),
            Self::Process(error) => error.hint(),
            Self::Load(error) => error.hint(),
            _ => None,
        }
    }
}

/// Builds a static BusyBox. The same source and compiler give the same bytes.
///
/// # Errors
///
/// See [`BuildError`]. The work directory then holds what there was.
pub fn build_busybox(
    spec: &BuildSpec,
    cancel: &Cancel,
    on_event: &mut dyn FnMut(BuildEvent),
) -> Result<Busybox, BuildError> {
    let build = Build { spec, source: spec.work_dir.join("source"), cancel };
    on_event(BuildEvent::Unpacking);
    build.unpack()?;
    on_event(BuildEvent::Configuring);
    build.configure()?;
    build.compile(on_event)?;
    let origin = BusyboxBinary::BuiltFrom(spec.tarball.clone());
    load_busybox(origin, &build.source.join("busybox"), cancel).map_err(BuildError::Load)
}

struct Build<'a> {
    spec: &'a BuildSpec,
    source: PathBuf,
    cancel: &'a Cancel,
}

impl Build<'_> {
    fn unpack(&self) -> Result<(), BuildError> {
        let tarball = &self.spec.tarball;
        let unreadable = |source| BuildError::Tarball { path: tarball.clone(), source };
        // The program runs in its own directory, and says less well what is wrong with a path.
        let absolute = tarball.canonicalize().map_err(unreadable)?;
        fs::File::open(&absolute).map_err(unreadable)?;
        fs::create_dir_all(&self.source).map_err(|source| self.work_dir(&self.source, source))?;

        let mut command = self.command("tar")?;
        command.args(["--extract", "--strip-components=1", "--no-same-owner", "--file"]);
        command.arg(&absolute).current_dir(&self.source);
        self.run(&mut command, &mut |_| {}, |source| BuildError::Unpack {
            path: tarball.clone(),
            source,
        })?;
        for missing in ["include/libbb.h", "Makefile", "Config.in"] {
            if !self.source.join(missing).exists() {
                return Err(BuildError::NotBusybox { path: tarball.clone(), missing });
            }
        }
        Ok(())
    }

    /// The fragment becomes a default configuration of BusyBox's own, for its `conf` takes those
    /// without a question.
    fn configure(&self) -> Result<(), BuildError> {
        let fragment = self.source.join("configs/mote_defconfig");
        fs::write(&fragment, BUILD_CONFIG).map_err(|source| self.work_dir(&fragment, source))?;
        self.make(&["mote_defconfig".as_ref()], &mut |_| {})?;
        let config = self.source.join(".config");
        let text = fs::read_to_string(&config).map_err(|source| self.work_dir(&config, source))?;
        let lines = not_kept(BUILD_CONFIG, &text);
        if lines.is_empty() { Ok(()) } else { Err(BuildError::Config { lines }) }
    }

    fn compile(&self, on_event: &mut dyn FnMut(BuildEvent)) -> Result<(), BuildError> {
        let jobs = format!("-j{}", self.spec.jobs);
        let mut compiled = 0;
        self.make(&[jobs.as_ref(), "busybox".as_ref()], &mut |line| {
            if line.trim_start().starts_with("CC ") {
                compiled += 1;
                on_event(BuildEvent::Compiled(compiled));
            }
        })
    }

    fn make(&self, args: &[&OsStr], on_line: &mut dyn FnMut(&str)) -> Result<(), BuildError> {
        let mut command = self.command("make")?;
        command.args(args).current_dir(&self.source);
        // Nor may the time of the build.
        command.env("KCONFIG_NOTIMESTAMP", "1");
        command.env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_string());
        self.run(&mut command, on_line, BuildError::Make)
    }

    fn run(
        &self,
        command: &mut Command,
        on_line: &mut dyn FnMut(&str),
        failed: impl FnOnce(ProcessError) -> BuildError,
    ) -> Result<(), BuildError> {
        command.stream(self.cancel, &self.spec.log, on_line).map_err(|error| match error {
            ProcessError::Failed { .. } => failed(error),
            other => BuildError::Process(other),
        })
    }

    /// A call of this program. The habits of the caller may not show in the bytes.
    fn command(&self, name: &str) -> Result<Command, BuildError> {
        let program = Program::find(name, &self.spec.search).map_err(BuildError::Process)?;
        let mut command = Command::new(&program);
        command.env_clear().env("PATH", &self.spec.search).env("LC_ALL", "C");
        Ok(command)
    }

    fn work_dir(&self, path: &Path, source: io::Error) -> BuildError {
        BuildError::WorkDir { path: path.to_owned(), source }
    }
}

/// The lines of the fragment that the configuration contradicts. A symbol that is to be off and
/// does not exist is off.
fn not_kept(fragment: &'static str, config: &str) -> Vec<&'static str> {
    let kept = |line: &str| match line.strip_prefix("# ") {
        None => config.lines().any(|got| got == line),
        Some(off) => {
            let symbol = off.trim_end_matches(" is not set");
            !config.lines().any(|got| got.strip_prefix(symbol).is_some_and(|v| v.starts_with('=')))
        }
    };
    let settings = fragment
        .lines()
        .filter(|line| line.starts_with("CONFIG_") || line.starts_with("# CONFIG_"));
    settings.filter(|line| !kept(line)).collect()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn what_is_not_kept_is_found() {
        let fragment =
            "# why\nCONFIG_A=y\nCONFIG_B=\"x\"\n# CONFIG_C is not set\n# CONFIG_D is not set\n";
        assert!(
            not_kept(fragment, "CONFIG_A=y\nCONFIG_B=\"x\"\n# CONFIG_C is not set\n").is_empty()
        );
        assert_eq!(
            not_kept(fragment, "CONFIG_AA=y\nCONFIG_B=\"x\"\nCONFIG_C=y\nCONFIG_DD=y\n"),
            ["CONFIG_A=y", "# CONFIG_C is not set"]
        );
    }

    fn spec(dir: &Path, tarball: PathBuf) -> BuildSpec {
        BuildSpec {
            tarball,
            work_dir: dir.join("work"),
            log: dir.join("log"),
            jobs: std::thread::available_parallelism().unwrap(),
            search: std::env::var_os("PATH").unwrap(),
        }
    }

    fn build(spec: &BuildSpec) -> Result<Busybox, BuildError> {
        build_busybox(spec, &Cancel::default(), &mut |_| {})
    }

    #[test]
    fn what_is_no_source_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing.tar");
        let error = build(&spec(dir.path(), missing.clone())).unwrap_err();
        assert_eq!(error.to_string(), format!("{} cannot be read", missing.display()));

        let text = dir.path().join("text.tar.gz");
        fs::write(&text, "no archive").unwrap();
        let error = build(&spec(dir.path(), text.clone())).unwrap_err();
        assert_eq!(error.to_string(), format!("{} cannot be unpacked", text.display()));
        assert!(error.source().unwrap().to_string().contains("tar"), "{error:?}");

        let other = tarball(dir.path(), "all:\n");
        fs::remove_file(dir.path().join("busybox-1/Config.in")).unwrap();
        let other = repack(dir.path(), &other);
        let error = build(&spec(dir.path(), other.clone())).unwrap_err();
        let wanted = format!("{} is no source of BusyBox: it has no Config.in", other.display());
        assert_eq!(error.to_string(), wanted);
    }

    /// A source whose `make` does as we say.
    fn tarball(dir: &Path, makefile: &str) -> PathBuf {
        let source = dir.join("busybox-1");
        for name in ["include", "configs"] {
            fs::create_dir_all(source.join(name)).unwrap();
        }
        fs::write(source.join("include/libbb.h"), "").unwrap();
        fs::write(source.join("Config.in"), "").unwrap();
        fs::write(source.join("Makefile"), makefile).unwrap();
        repack(dir, &dir.join("busybox-1.tar"))
    }

    fn repack(dir: &Path, tarball: &Path) -> PathBuf {
        let mut tar = std::process::Command::new("tar");
        tar.arg("-C").arg(dir).arg("-cf").arg(tarball).arg("busybox-1");
        assert!(tar.status().unwrap().success());
        tarball.to_owned()
    }

    #[test]
    fn a_failing_build_says_which_step_and_shows_the_command() {
        let keep_all = "mote_defconfig:\n\tcp configs/mote_defconfig .config\n";
        let compiler = "busybox:\n\t@echo '  CC      a.o'; echo 'a.c:1: error: no'; exit 1\n";
        let nothing = "busybox:\n\techo hello >busybox\n";
        let table = [
            ("mote_defconfig:\n\tfalse\n".to_owned(), "BusyBox could not be built", "make"),
            (
                "mote_defconfig:\n\ttouch .config\n".to_owned(),
                "BusyBox did not keep CONFIG_STATIC=y,",
                "",
            ),
            (keep_all.to_owned() + compiler, "BusyBox could not be built", "a.c:1: error: no"),
            (keep_all.to_owned() + nothing, "what was built cannot be used", "is no ELF"),
        ];
        for (makefile, message, cause) in table {
            let dir = tempfile::tempdir().unwrap();
            let error = build(&spec(dir.path(), tarball(dir.path(), &makefile))).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
            let source = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(source.contains(cause), "{source}");
        }
    }

    #[test]
    fn nothing_of_the_callers_environment_is_seen() {
        // Cargo sets it.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let dir = tempfile::tempdir().unwrap();
        let makefile = "mote_defconfig:\n\tenv; false\n";
        let spec = spec(dir.path(), tarball(dir.path(), makefile));
        build(&spec).unwrap_err();
        let log = fs::read_to_string(&spec.log).unwrap();
        assert!(log.contains("PATH=") && !log.contains("CARGO"), "{log}");
    }

    #[test]
    fn a_build_can_be_cancelled() {
        let dir = tempfile::tempdir().unwrap();
        let spec = spec(dir.path(), tarball(dir.path(), "mote_defconfig:\n\tsleep 60\n"));
        let cancel = Cancel::default();
        let started = std::time::Instant::now();
        let error = build_busybox(&spec, &cancel, &mut |event| {
            if event == BuildEvent::Configuring {
                let cancel = cancel.clone();
                std::thread::spawn(move || {
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    cancel.cancel(2);
                });
            }
        })
        .unwrap_err();
        assert!(matches!(error, BuildError::Process(ProcessError::Cancelled(_))), "{error}");
        assert!(started.elapsed().as_secs() < 30);
    }

    /// The digest of what another machine has made, of Debian's BusyBox 1.35.0 with its gcc 12.
    const MADE_ELSEWHERE: &str = "3d0d0e17a94b05ceeadc385338d9acc8e0cd4342935dd786e3c5eed754104e33";

    /// It is what another machine has made, or else, if source or compiler are others by now, what
    /// is made here once more.
    #[test]
    #[ignore = "builds BusyBox: run by ./test"]
    fn the_same_source_gives_the_same_bytes() {
        let tarball = std::env::var_os("MOTE_TEST_BUSYBOX_SOURCE").expect(
            "MOTE_TEST_BUSYBOX_SOURCE names no tarball: apt-get source --download-only busybox",
        );
        let build = || {
            let dir = tempfile::tempdir().unwrap();
            let spec = spec(dir.path(), tarball.clone().into());
            let mut last = BuildEvent::Unpacking;
            let built = build_busybox(&spec, &Cancel::default(), &mut |event| last = event);
            assert!(matches!(last, BuildEvent::Compiled(400..)), "{last:?}");
            built.unwrap()
        };
        let first = build();
        let digest: String =
            Sha256::digest(&first.bytes).iter().map(|b| format!("{b:02x}")).collect();
        if digest != MADE_ELSEWHERE {
            assert!(build().bytes == first.bytes);
            println!("as MADE_ELSEWHERE it spares the second build: {digest}");
        }
        for applet in ["init", "sh", "ifup", "udhcpc", "getty", "login", "httpd", "wget"] {
            assert!(first.has_applet(applet), "{applet}");
        }
        assert!(!first.has_applet("tc"));
    }
}
