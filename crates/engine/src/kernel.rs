//! Kernels: from what is wanted to a built one in the cache, and what can be asked of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mote_kconfig::Explanation;
use mote_kernel::source::{Digest, SourceSpec};
use mote_kernel::{
    BuildDirs, BuildEvent, Catalogue, ConfigFile, ConfigOutcome, ConfigPlan, ConfigSpec, Kernel,
    KernelSpec, Toolchain,
};

use crate::cache::{Origin, Shelf};
use crate::event::{self, Event, Step};
use crate::host::{Host, shown};
use crate::source::{self, Identified, SourceWanted};
use crate::{EngineError, toolchain};

/// A kernel as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct KernelWanted {
    /// From which source.
    pub source: SourceWanted,
    /// What it is to have.
    pub features: Vec<String>,
    /// Files with further symbols; they win over features.
    pub fragments: Vec<PathBuf>,
    /// A configuration to start from, instead of nothing.
    pub config: Option<PathBuf>,
}

/// A kernel in the cache.
#[derive(Debug, Clone)]
pub struct CachedKernel {
    /// Its key: the digest of all that went into it.
    pub key: String,
    /// The kernel.
    pub kernel: Kernel,
    /// When it was made.
    pub made: SystemTime,
}

/// Which kernel is wanted, worked out as far as its key.
struct Wanted {
    source: Identified,
    plan: ConfigPlan,
    key: String,
}

/// The kernel that is wanted, from the cache or built now.
///
/// # Errors
/// A source that cannot be had, a configuration that Kconfig does not give, a build that fails,
/// the user's interruption.
pub fn ensure(host: &Host, wanted: &KernelWanted) -> Result<CachedKernel, EngineError> {
    let wanted = work_out(host, wanted)?;
    let what = format!("Linux {}", wanted.source.version);
    let make = |partial: &Path| build(host, &wanted, partial);
    let (dir, origin) =
        host.cache.ensure(Shelf::Kernels, &wanted.key, &what, &host.cancel, &*host.sink, make)?;
    let kernel = Kernel::load(&dir)?;
    if origin == Origin::Found {
        for dropped in kernel.verdict().dropped {
            host.warn(format!("optional, and not in this kernel: {}", dropped.request.symbol));
        }
    }
    CachedKernel::open(wanted.key, dir)
}

impl CachedKernel {
    fn open(key: String, dir: PathBuf) -> Result<Self, EngineError> {
        let kernel = Kernel::load(&dir)?;
        let made = fs::metadata(&dir)
            .and_then(|metadata| metadata.modified())
            .map_err(EngineError::io("examine", &dir))?;
        Ok(Self { key, kernel, made })
    }
}

fn work_out(host: &Host, wanted: &KernelWanted) -> Result<Wanted, EngineError> {
    let source = source::identify(host, &wanted.source)?;
    let plan = wanted.spec()?.plan(Catalogue::builtin(), &source.version)?;
    let compiler = toolchain::compiler(host)?;
    let key = mote_kernel::key(&source.digest, &plan, &compiler, KernelSpec::EPOCH_S);
    Ok(Wanted { source, plan, key })
}

impl KernelWanted {
    fn spec(&self) -> Result<ConfigSpec, EngineError> {
        Ok(ConfigSpec {
            features: self.features.clone(),
            fragments: self.fragments.iter().map(|path| read(path)).collect::<Result<_, _>>()?,
            base: self.config.as_deref().map(read).transpose()?,
        })
    }
}

fn read(path: &Path) -> Result<ConfigFile, EngineError> {
    let text = fs::read_to_string(path).map_err(EngineError::io("read", path))?;
    Ok(ConfigFile { file: shown(path), text })
}

fn build(host: &Host, wanted: &Wanted, partial: &Path) -> Result<(), EngineError> {
    let toolchain = toolchain::find(host)?;
    let source = wanted.source.open(host)?;
    let version = source.version.to_string();
    let spec = KernelSpec {
        source: &source,
        plan: &wanted.plan,
        toolchain: &toolchain,
        epoch_s: KernelSpec::EPOCH_S,
    };
    let log = host.cache.logs()?.join(format!("kernel-{}.log", &wanted.key[..16]));
    let work = partial.join("work");
    let dirs = BuildDirs { work: work.clone(), kernel: partial.to_owned(), log: log.clone() };
    event::step(&*host.sink, Step::BuildKernel { version, log }, |progress| {
        mote_kernel::build(&spec, &dirs, host.jobs, &host.cancel, &mut |event| match event {
            BuildEvent::Configured { warnings } => {
                for unmet in warnings {
                    host.warn(format!("optional, and dropped by Kconfig: {unmet}"));
                }
            }
            BuildEvent::Compiled(at) => progress(at.done.into(), Some(at.total.into())),
        })
    })?;
    fs::remove_dir_all(&work).map_err(EngineError::io("remove", &work))
}
