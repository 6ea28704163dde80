//! Which kernel a run gets that names none.

use std::fs;

use mote_kernel::source::SourceError;
use mote_kernel::{Catalogue, Kernel};

use super::{CachedKernel, KernelWanted, ensure};
use crate::cache::Shelf;
use crate::host::Host;
use crate::{EngineError, source};

/// What a kernel has that is built because none in the cache will do, beside what is wanted of it: it
/// then serves recipes and images, whatever their root file system is, and the next run waits for no
/// compiler. Over `busybox` alone that costs a tenth more instructions until PID 1 and 58 kB; `smp`,
/// which costs as many instructions again and 2 to 4 MB, is not among them (docs/boot-cost.md).
const USUAL_FEATURES: [&str; 2] = ["image", "ext4"];

/// How closely a kernel is to be what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// It may have more, if it has all that is wanted.
    Serving,
    /// It has what is wanted and nothing else.
    Exact,
}

/// A kernel for a run. With [`Match::Serving`] that is the smallest one in the cache that is of the
/// wanted source and has all that is wanted; if there is none, one is built that, unless there are
/// fragments, has [`USUAL_FEATURES`] too.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn provide(
    host: &Host,
    wanted: &KernelWanted,
    closely: Match,
) -> Result<CachedKernel, EngineError> {
    if closely == Match::Exact {
        return ensure(host, wanted);
    }
    if let Some(found) = smallest_serving(host, wanted)? {
        return Ok(found);
    }
    let mut usual = wanted.clone();
    // A fragment may switch off what further features need, and no kernel would come of both.
    if wanted.fragments.is_empty() && wanted.config.is_none() {
        usual.features.extend(USUAL_FEATURES.map(str::to_owned));
    }
    ensure(host, &usual)
}

/// What starts from a whole configuration may differ from a kernel in symbols that nobody asked for,
/// so that no other kernel is known to serve. A machine that has no source runs what is there.
fn smallest_serving(
    host: &Host,
    wanted: &KernelWanted,
) -> Result<Option<CachedKernel>, EngineError> {
    if wanted.config.is_some() {
        return Ok(None);
    }
    let spec = wanted.spec()?;
    let source = match source::identify(host, &wanted.source) {
        Err(EngineError::Source(SourceError::NoneOnMachine { .. })) => None,
        identified => Some(identified?.digest.to_string()),
    };
    let serves = |kernel: &Kernel| {
        let from = &kernel.record().source;
        let version = from.version.parse().ok()?;
        let asked = spec.plan(Catalogue::builtin(), &version).ok()?.asked;
        let of_source = source.as_ref().is_none_or(|digest| *digest == from.sha256);
        (of_source && kernel.serves(&asked)).then_some(())
    };
    let mut kernels = host.cache.entries(Shelf::Kernels)?;
    kernels.sort_by_cached_key(|(_, dir)| {
        fs::metadata(dir.join(Kernel::VMLINUX)).map_or(u64::MAX, |vmlinux| vmlinux.len())
    });
    Ok(kernels.into_iter().find_map(|(key, dir)| {
        // A damaged one is no choice; whoever asks for precisely that one makes it again.
        let found = CachedKernel::open(key, dir).ok()?;
        serves(&found.kernel).map(|()| found)
    }))
}

#[cfg(test)]
mod tests {
    use mote_kernel::source::SourceKind;
    use mote_kernel::{Compiler, ConfigSpec, FileRecord, KernelRecord, SCHEMA, SourceRecord};

    use super::*;
    use crate::testing;

    /// Puts a kernel into the cache that has these features of Linux 6.12.95.
    fn put(host: &Host, key: &str, features: &[&str]) {
        let features = features.iter().map(|&name| name.to_owned()).collect();
        let spec = ConfigSpec { features, ..ConfigSpec::default() };
        let plan = spec.plan(Catalogue::builtin(), &"6.12.95".parse().unwrap()).unwrap();
        let dir = host.cache.shelf(Shelf::Kernels).join(key);
        fs::create_dir_all(&dir).unwrap();
        let config = plan.asked.render();
        let file = |name: &&str| {
            fs::write(dir.join(name), &config).unwrap();
            let record = FileRecord { bytes: config.len() as u64, sha256: String::new() };
            ((*name).to_owned(), record)
        };
        let record = KernelRecord {
            schema: SCHEMA,
            release: "6.12.95".to_owned(),
            source: SourceRecord {
                version: "6.12.95".to_owned(),
                kind: SourceKind::Unpacked,
                sha256: "ab".repeat(32),
            },
            features: plan.features,
            fragments: Vec::new(),
            base: None,
            asked: plan.asked,
            compiler: Compiler { cc: "cc".to_owned(), ld: "ld".to_owned() },
            compressor: "gzip".to_owned(),
            epoch_s: 0,
            load_end_bytes: 0,
            pvh_entry: None,
            files: Kernel::FILES.iter().map(file).collect(),
        };
        fs::write(dir.join(Kernel::RECORD), serde_json::to_vec(&record).unwrap()).unwrap();
    }

    #[test]
    fn a_machine_without_a_source_runs_the_smallest_kernel_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        put(&host, "aa", &["image", "smp", "ext4"]);
        put(&host, "bb", &["image"]);
        let key = |features: &[&str]| {
            let features = features.iter().map(|&name| name.to_owned()).collect();
            let wanted = KernelWanted { features, ..KernelWanted::default() };
            provide(&host, &wanted, Match::Serving).map(|kernel| kernel.key)
        };
        assert_eq!(key(&["busybox"]).unwrap(), "bb");
        assert_eq!(key(&["busybox", "smp"]).unwrap(), "aa");
        let error = key(&["tun"]).unwrap_err().to_string();
        assert!(error.starts_with("no Linux source on this machine"), "{error}");
    }
}
