//! Kernels: from what is wanted to a built one in the cache, and what can be asked of it.

mod choose;
mod prove;

pub(crate) use choose::{Match, provide};
pub use prove::{Proof, ProofResult, prove};

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mote_kconfig::Symbol;
use mote_kconfig::tree::Explanation;
use mote_kernel::source::{Digest, Source, SourceKind, SourceSpec};
use mote_kernel::{
    BuildDirs, BuildEvent, Catalogue, ConfigFile, ConfigOutcome, ConfigPlan, ConfigSpec, Kernel,
    KernelInputs, KernelSpec, Toolchain,
};

use mote_manifest::Recipe;

use crate::cache::{Held, Origin, Shelf, Work};
use crate::event::{self, Step};
use crate::export::Files;
use crate::host::{Host, shown};
use crate::source::{self, Identified, SourceWanted};
use crate::{EngineError, export, toolchain};

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
    /// What compresses bzImage, with its version.
    compressor: String,
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
    let obtain = || {
        let make = |partial: &Path| build(host, &wanted, partial);
        host.cache.ensure(Shelf::Kernels, &wanted.key, &what, &host.cancel, &*host.sink, make)
    };
    let (dir, origin) = obtain()?;
    let (made, origin) = match CachedKernel::open(wanted.key.clone(), dir.clone()) {
        Err(EngineError::Artefact(damage)) if origin == Origin::Found && damage.is_damage() => {
            host.warn(format!("{damage}; it is built again"));
            remove_damaged(dir)?;
            let (dir, origin) = obtain()?;
            (CachedKernel::open(wanted.key.clone(), dir)?, origin)
        }
        opened => (opened?, origin),
    };
    if origin == Origin::Found {
        for dropped in made.kernel.verdict().dropped {
            host.warn(format!("optional, and not in this kernel: {}", dropped.request.symbol));
        }
        warn_of_modules(host, made.kernel.config().module_count());
    }
    Ok(made)
}

/// Removes a kernel, unless another mote makes it anew just now, or has done so.
fn remove_damaged(dir: PathBuf) -> Result<(), EngineError> {
    if let Some(entry) = Held::new(dir)?
        && Kernel::load(&entry.path).is_err_and(|error| error.is_damage())
    {
        entry.remove()?;
    }
    Ok(())
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
    let spec = wanted.spec()?;
    let source = source::identify(host, &wanted.source)?;
    let plan = spec.plan(Catalogue::builtin(), &source.version)?;
    let compiler = toolchain::compiler(host)?;
    let compressor = toolchain::compressor(host, &plan)?;
    let inputs = KernelInputs {
        source: &source.digest,
        plan: &plan,
        compiler: &compiler,
        compressor: &compressor,
        epoch_s: KernelSpec::EPOCH_S,
    };
    let key = inputs.key();
    Ok(Wanted { source, plan, compressor, key })
}

impl KernelWanted {
    /// The kernel of a recipe.
    pub(crate) fn of_recipe(recipe: &Recipe) -> Self {
        let Ok(spec) = recipe.kernel.source.parse::<SourceSpec>();
        Self {
            source: SourceWanted { spec: spec.relative_to(&recipe.base), pinned: None },
            features: recipe.kernel.features.clone(),
            fragments: recipe.kernel.fragments.clone(),
            config: recipe.kernel.config.clone(),
        }
    }

    /// What can be told of it without a source. A wrong name is told before one is unpacked, which
    /// takes a while.
    fn spec(&self) -> Result<ConfigSpec, EngineError> {
        Catalogue::builtin().resolve(&self.features)?;
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
        compressor: &wanted.compressor,
        epoch_s: KernelSpec::EPOCH_S,
    };
    let log = host.cache.logs()?.join(format!("kernel-{}.log", &wanted.key[..16]));
    let work = host.cache.unfinished(Shelf::Kernels, &wanted.key);
    let dirs = BuildDirs { work: work.clone(), kernel: partial.to_owned(), log: log.clone() };
    event::step(&*host.sink, Step::BuildKernel { version, log }, |progress| {
        mote_kernel::build(&spec, &dirs, host.jobs, &host.cancel, &mut |event| match event {
            BuildEvent::Configured { warnings, modules } => {
                for unmet in warnings {
                    host.warn(format!("optional, and dropped by Kconfig: {unmet}"));
                }
                warn_of_modules(host, modules);
            }
            BuildEvent::Resumed { files } => {
                host.note(format!(
                    "going on where a build was interrupted: {files} files are there"
                ));
            }
            BuildEvent::Compiled(at) => progress(at.done.into(), Some(at.total.into())),
        })
    })?;
    let unchanged = check_unchanged(host, &source);
    fs::remove_dir_all(&work).map_err(EngineError::io("remove", &work))?;
    unchanged
}

/// Refuses to keep a kernel of another source than the one that its key names. Only the user's own
/// directory can have changed.
fn check_unchanged(host: &Host, source: &Source) -> Result<(), EngineError> {
    if source.kind == SourceKind::Directory
        && source::open_directory(host, &source.dir)?.digest != source.digest
    {
        return Err(EngineError::SourceChanged { path: source.dir.clone() });
    }
    Ok(())
}

/// Nobody can ask for a module, but a configuration that is started from can have them.
fn warn_of_modules(host: &Host, count: usize) {
    match count {
        0 => {}
        1 => host.warn("1 symbol is a module, which is not built".to_owned()),
        _ => host.warn(format!("{count} symbols are modules, which are not built")),
    }
}

/// A configuration that was resolved without building.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What was asked, as a fragment.
    pub asked: String,
    /// What Kconfig gave.
    pub outcome: ConfigOutcome,
}

/// Resolves a configuration and builds nothing.
///
/// # Errors
/// As [`ensure`], but for the build.
pub fn resolve(host: &Host, wanted: &KernelWanted) -> Result<Resolved, EngineError> {
    let desk = Desk::open(host, wanted)?;
    let step = Step::Configure { version: desk.source.version.to_string() };
    let outcome = event::step(&*host.sink, step, |_| {
        desk.plan.resolve(&desk.source, &desk.toolchain, desk.work.path(), &host.cancel)
    })?;
    for unmet in &outcome.warnings {
        host.warn(format!("optional, and dropped by Kconfig: {unmet}"));
    }
    warn_of_modules(host, outcome.config.module_count());
    Ok(Resolved { asked: desk.plan.asked.render(), outcome })
}

/// Runs the kernel's own editor on the caller's terminal, whose `TERM` is `term`, and gives what
/// was changed as a fragment; it is empty if nothing was.
///
/// # Errors
/// As [`resolve`], and those of the editor.
pub fn menuconfig(host: &Host, wanted: &KernelWanted, term: &OsStr) -> Result<String, EngineError> {
    let desk = Desk::open(host, wanted)?;
    let work = desk.work.path();
    let changed = desk.plan.menuconfig(&desk.source, &desk.toolchain, work, term, &host.cancel)?;
    Ok(changed.render())
}

/// What it takes to ask Kconfig something.
struct Desk {
    source: Source,
    plan: ConfigPlan,
    toolchain: Toolchain,
    work: Work,
}

impl Desk {
    fn open(host: &Host, wanted: &KernelWanted) -> Result<Self, EngineError> {
        let spec = wanted.spec()?;
        let toolchain = toolchain::find(host)?;
        let source = source::identify(host, &wanted.source)?.open(host)?;
        let plan = spec.plan(Catalogue::builtin(), &source.version)?;
        let work = host.cache.work()?;
        Ok(Self { source, plan, toolchain, work })
    }
}

/// All kernels in the cache, the newest first.
///
/// # Errors
/// When the cache cannot be read. What is no kernel of this mote's is left out with a warning.
pub fn list(host: &Host) -> Result<Vec<CachedKernel>, EngineError> {
    let mut kernels = Vec::new();
    for (key, dir) in host.cache.entries(Shelf::Kernels)? {
        match CachedKernel::open(key, dir) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) => host.warn(error.to_string()),
        }
    }
    kernels.sort_by(|a, b| (b.made, &a.key).cmp(&(a.made, &b.key)));
    Ok(kernels)
}

/// The kernel that a user names: a folder, or the beginning of a key in the cache; the newest in
/// the cache if nothing is named.
///
/// # Errors
/// When there is none, or more than one begins so.
pub fn find(host: &Host, name: Option<&str>) -> Result<Kernel, EngineError> {
    let Some(name) = name else {
        let newest = list(host)?.into_iter().next();
        return Ok(newest.ok_or(EngineError::NoKernels)?.kernel);
    };
    let is_key = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_key || Path::new(name).is_dir() {
        return Ok(Kernel::load(Path::new(name))?);
    }
    let entries = host.cache.entries(Shelf::Kernels)?;
    let mut matching = entries.into_iter().filter(|(key, _)| key.starts_with(name));
    match (matching.next(), matching.next()) {
        (None, _) => Err(EngineError::NoSuchKernel { name: name.to_owned() }),
        (Some((_, dir)), None) => Ok(Kernel::load(&dir)?),
        (Some(_), Some(_)) => Err(EngineError::AmbiguousKernel { name: name.to_owned() }),
    }
}

/// Says why `symbol` has the value that it has in `kernel`. The source is the one that the kernel
/// was built from: in the cache, or the one that is given.
///
/// # Errors
/// When the source is not to be had or cannot be understood, or no symbol has that name.
pub fn explain(
    host: &Host,
    kernel: &Kernel,
    symbol: &Symbol,
    wanted: Option<SourceSpec>,
) -> Result<Explanation, EngineError> {
    let record = &kernel.record().source;
    let digest: Digest = record.sha256.parse()?;
    let source = match wanted {
        Some(spec) => source::identify(host, &SourceWanted { spec, pinned: None })?.open(host)?,
        None => source::find_again(host, &digest)?,
    };
    if source.digest != digest {
        host.warn(format!("the kernel was built from another source, Linux {}", record.version));
    }
    Ok(kernel.explain(symbol, &source.dir)?)
}

/// What [`export`] writes.
const EXPORTED: Files = Files { mark: Kernel::RECORD, others: &Kernel::FILES };

/// Refuses a folder to which [`export`] would not copy a kernel, before there is one.
///
/// # Errors
/// When something else is there.
pub fn check_export(to: &Path) -> Result<(), EngineError> {
    export::check_folder(to, EXPORTED).map(drop)
}

/// Copies a kernel to a folder of the user's: a new one, an empty one, or one that holds a kernel and
/// nothing else.
///
/// # Errors
/// When something else is there, and nothing was changed; when the file system refuses.
pub fn export(kernel: &Kernel, to: &Path) -> Result<(), EngineError> {
    export::replace_folder(to, EXPORTED, |partial| {
        for name in Kernel::FILES.into_iter().chain([Kernel::RECORD]) {
            let (from, to) = (kernel.dir().join(name), partial.join(name));
            fs::copy(&from, &to).map_err(EngineError::io("copy to", &to))?;
        }
        Ok(())
    })
}
