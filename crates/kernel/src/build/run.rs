//! One build, from a plan to a kernel's folder.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use mote_process::{Cancel, Command, ProcessError};

use super::meter::Meter;
use super::{BuildError, Progress, date, estimate};
use crate::artefact::{self, Kernel, KernelSpec};
use crate::config::Unmet;
use crate::make;

/// Where a build works and what it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDirs {
    /// The output directory of the kernel's makefiles; some hundred MB. Of no use afterwards.
    pub work: PathBuf,
    /// The kernel's folder; made, and filled.
    pub kernel: PathBuf,
    /// Gets all that the build prints.
    pub log: PathBuf,
}

/// What a build reports while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// The configuration is resolved; these optional symbols were dropped.
    Configured {
        /// With the reasons.
        warnings: Vec<Unmet>,
    },
    /// A file was compiled.
    Compiled(Progress),
}

/// What a build came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildOutcome {
    /// The kernel, in its folder.
    pub kernel: Kernel,
    /// Optional symbols that Kconfig did not give.
    pub warnings: Vec<Unmet>,
}

/// Configures, compiles and packs a kernel. The same [`KernelSpec`] gives the same bytes, wherever
/// the source and the directories lie.
///
/// # Errors
///
/// A configuration that cannot be had, a compilation that fails, a disk that is full, the user's
/// wish to stop. What lies in the directories then is of no use.
pub fn build(
    spec: &KernelSpec<'_>,
    dirs: &BuildDirs,
    jobs: NonZeroUsize,
    cancel: &Cancel,
    on_event: &mut dyn FnMut(BuildEvent),
) -> Result<BuildOutcome, BuildError> {
    let config = spec
        .plan
        .resolve(spec.source, spec.toolchain, &dirs.work, cancel)?;
    let warnings = config.warnings;
    on_event(BuildEvent::Configured {
        warnings: warnings.clone(),
    });

    let mut meter = Meter::new(estimate::files_to_compile(&spec.source.dir, &config.config));
    let mut make = compilation(spec, &dirs.work, jobs);
    let made = make.stream(cancel, &dirs.log, &mut |line| {
        if let Some(progress) = meter.read(line) {
            on_event(BuildEvent::Compiled(progress));
        }
    });
    made.map_err(|error| explain(error, spec, meter))?;

    let kernel = artefact::write(spec, &dirs.work, &dirs.kernel, cancel)?;
    Ok(BuildOutcome { kernel, warnings })
}

/// `make vmlinux bzImage`, with everything fixed that would otherwise tell of this machine
/// (Documentation/kbuild/reproducible-builds.rst).
fn compilation(spec: &KernelSpec<'_>, work: &Path, jobs: NonZeroUsize) -> Command {
    let mut make = make::command(spec.toolchain, &spec.source.dir, work);
    let maps = [&*spec.source.dir, work]
        .map(|path| format!("-ffile-prefix-map={}/=", path.display()))
        .join(" ");
    make.arg(format!("-j{jobs}"))
        .args([
            "KBUILD_BUILD_USER=mote",
            "KBUILD_BUILD_HOST=mote",
            "KBUILD_BUILD_VERSION=1",
        ])
        .arg(format!(
            "KBUILD_BUILD_TIMESTAMP={}",
            date::render(spec.epoch_s)
        ))
        // Set, though empty, it keeps setlocalversion from adding a "+" of its own.
        .arg("LOCALVERSION=")
        .arg(format!("KCFLAGS={maps}"))
        .arg(format!("KAFLAGS={maps}"))
        .args(["vmlinux", "bzImage"]);
    make
}

/// Of a failed build, the first error lines instead of the last lines: with several jobs, much is
/// printed after the error.
fn explain(error: ProcessError, spec: &KernelSpec<'_>, meter: Meter) -> BuildError {
    match error {
        ProcessError::Failed {
            command,
            tail,
            log: Some(log),
            ..
        } => {
            let mut errors = meter.into_errors();
            if errors.is_empty() {
                errors = tail.lines().map(str::to_owned).collect();
            }
            BuildError::Failed {
                version: spec.source.version.to_string(),
                errors,
                command,
                log,
            }
        }
        other => BuildError::Process(other),
    }
}
