//! A kernel's folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mote_kconfig::{Asked, Config, Dropped, Necessity, Request, Verdict};
use serde::Deserialize;

use super::ArtefactError;
use super::digest::sha256_hex;
use super::record::{FileRecord, KernelRecord, SCHEMA};

/// A built kernel: its folder and what `kernel.json` says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    dir: PathBuf,
    record: KernelRecord,
    config: Config,
}

/// How closely a kernel's files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// They are there and have the right size.
    Size,
    /// They have the right digest too.
    Digest,
}

impl Kernel {
    /// The stripped ELF, with the PVH note if the configuration has it.
    pub const VMLINUX: &'static str = "vmlinux";
    /// The compressed image with the boot protocol of real machines.
    pub const BZIMAGE: &'static str = "bzImage";
    /// Addresses and names of all symbols.
    pub const SYSTEM_MAP: &'static str = "System.map";
    /// The `.config`.
    pub const CONFIG: &'static str = "config";
    /// What the kernel is made of.
    pub const RECORD: &'static str = "kernel.json";
    /// All that [`Kernel::RECORD`] has the digests of.
    pub const FILES: [&'static str; 4] =
        [Self::BZIMAGE, Self::SYSTEM_MAP, Self::CONFIG, Self::VMLINUX];

    /// Opens a kernel's folder and looks whether all is there.
    ///
    /// # Errors
    ///
    /// A folder that is no kernel's, or lacks a file; a record of another schema; a file that has
    /// another size than the record says.
    pub fn load(dir: &Path) -> Result<Self, ArtefactError> {
        let record = load_record(dir)?;
        for name in Self::FILES {
            check(dir, name, record.files.get(name), Integrity::Size)?;
        }
        let path = dir.join(Self::CONFIG);
        let text = fs::read_to_string(&path).map_err(ArtefactError::io("read", &path))?;
        let config = Config::parse(Self::CONFIG, &text)
            .map_err(|source| ArtefactError::Config { dir: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned(), record, config })
    }

    /// Looks whether the files are those that were written.
    ///
    /// # Errors
    ///
    /// The first that is missing or another.
    pub fn check(&self, integrity: Integrity) -> Result<(), ArtefactError> {
        let files = &self.record.files;
        Self::FILES
            .into_iter()
            .try_for_each(|name| check(&self.dir, name, files.get(name), integrity))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it is made of.
    pub fn record(&self) -> &KernelRecord {
        &self.record
    }

    /// Its configuration: what was got.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Asked against got; what is dropped here was optional.
    pub fn verdict(&self) -> Verdict {
        Verdict::compare(&self.record.asked, &self.config)
    }

    /// Whether it has all that is asked: each symbol has the value asked for, or is optional and was
    /// asked of this kernel too.
    pub fn serves(&self, asked: &Asked) -> bool {
        let asked_here = |request: &Request| {
            let here = self.record.asked.get(request.symbol.as_str());
            here.is_some_and(|wish| wish.request.value.same_as(&request.value))
        };
        Verdict::compare(asked, &self.config).dropped.iter().all(|Dropped { request, .. }| {
            request.necessity == Necessity::Optional && asked_here(request)
        })
    }

    /// The path of its `vmlinux`.
    pub fn vmlinux(&self) -> PathBuf {
        self.dir.join(Self::VMLINUX)
    }

    /// The path of its `bzImage`.
    pub fn bzimage(&self) -> PathBuf {
        self.dir.join(Self::BZIMAGE)
    }
}

fn load_record(dir: &Path) -> Result<KernelRecord, ArtefactError> {
    let path = dir.join(Kernel::RECORD);
    let json = fs::read(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            ArtefactError::NotKernel { dir: dir.to_owned() }
        }
        _ => ArtefactError::io("read", &path)(source),
    })?;
    let unreadable = |source| ArtefactError::Json { path: path.clone(), source };
    let Schema { schema } = serde_json::from_slice(&json).map_err(unreadable)?;
    if schema != SCHEMA {
        return Err(ArtefactError::Schema { path, found: schema });
    }
    serde_json::from_slice(&json).map_err(unreadable)
}

/// The only part of `kernel.json` that is the same in every schema.
#[derive(Deserialize)]
struct Schema {
    schema: u64,
}

fn check(
    dir: &Path,
    name: &str,
    recorded: Option<&FileRecord>,
    integrity: Integrity,
) -> Result<(), ArtefactError> {
    let missing = || ArtefactError::Missing { dir: dir.to_owned(), file: name.to_owned() };
    let changed =
        |what| ArtefactError::Changed { dir: dir.to_owned(), file: name.to_owned(), what };
    let recorded = recorded.ok_or_else(missing)?;
    let path = dir.join(name);
    let metadata = fs::metadata(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => missing(),
        _ => ArtefactError::io("read", &path)(source),
    })?;
    if metadata.len() != recorded.bytes {
        return Err(changed("size"));
    }
    if integrity == Integrity::Digest {
        let content = fs::read(&path).map_err(ArtefactError::io("read", &path))?;
        if sha256_hex(content) != recorded.sha256 {
            return Err(changed("digest"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use mote_process::Cancel;

    use super::*;
    use crate::ConfigPlan;
    use crate::testing::{Sandbox, plan};

    fn kernel(sandbox: &Sandbox) -> Kernel {
        kernel_of(sandbox, &plan(&["net"], "SWAP=y # optional: for later\n"))
    }

    fn kernel_of(sandbox: &Sandbox, plan: &ConfigPlan) -> Kernel {
        let jobs = NonZeroUsize::MIN;
        let outcome = crate::build(
            &sandbox.spec(plan),
            &sandbox.dirs(),
            jobs,
            &Cancel::default(),
            &mut |_| {},
        );
        outcome.unwrap().kernel
    }

    #[test]
    fn what_was_written_is_read_back() {
        let sandbox = Sandbox::new();
        let kernel = kernel(&sandbox);
        let record = kernel.record();
        assert_eq!(record.load_end_bytes, 0x20_0000);
        assert_eq!(record.pvh_entry, Some(0x100_0020));
        assert_eq!(record.source.sha256, "ab".repeat(32));
        assert_eq!(record.fragments[0].file, "mine.cfg");
        assert_eq!(
            record.asked.get("NET").unwrap().request.origin.to_string(),
            "feature net (features/net.toml:3)"
        );
        assert!(kernel.config().is_set("SWAP"));
        assert!(kernel.verdict().dropped.is_empty());
        assert_eq!(Kernel::load(kernel.dir()).unwrap(), kernel);
        kernel.check(Integrity::Digest).unwrap();
    }

    #[test]
    fn a_kernel_serves_whoever_asks_for_no_more() {
        let sandbox = Sandbox::with_make(
            "case $goal in\n allnoconfig) grep -v ZSWAP \"$KCONFIG_ALLCONFIG\" > .config ;;\n bzImage)\n\
             mkdir -p arch/x86/boot include/config; cp \"${0%/*}/elf\" vmlinux\n\
             touch arch/x86/boot/bzImage System.map; echo 6.12 > include/config/kernel.release ;;\nesac\n",
        );
        let kernel = kernel_of(&sandbox, &plan(&["net"], "SWAP=y\nZSWAP=y # optional\n"));
        let serves =
            |features: &[&str], fragment: &str| kernel.serves(&plan(features, fragment).asked);
        for fragment in ["", "SWAP=y", "SWAP=y # optional", "ZSWAP=y # optional", "UNKNOWN=n"] {
            assert!(serves(&["base"], fragment) && serves(&["net"], fragment), "{fragment}");
        }
        for fragment in ["SWAP=n", "ZSWAP=y", "ZSMALLOC=y", "ZSMALLOC=y # optional", "HZ=100"] {
            assert!(!serves(&["base"], fragment), "{fragment}");
        }
    }

    #[test]
    fn damage_is_told() {
        let sandbox = Sandbox::new();
        let kernel = kernel(&sandbox);
        let path = |name: &str| kernel.dir().join(name);
        let told = |error: ArtefactError| {
            error.to_string().replace(sandbox.path("").to_str().unwrap(), "BOX/")
        };
        let json = fs::read_to_string(path("kernel.json")).unwrap();

        fs::write(path("bzImage"), "egami\n").unwrap();
        Kernel::load(kernel.dir()).unwrap();
        let error = kernel.check(Integrity::Digest).unwrap_err();
        assert_eq!(
            told(error),
            "the kernel was changed, bzImage has another digest than kernel.json says: BOX/kernel"
        );
        fs::write(path("bzImage"), "").unwrap();
        let error = Kernel::load(kernel.dir()).unwrap_err();
        assert_eq!(
            told(error),
            "the kernel was changed, bzImage has another size than kernel.json says: BOX/kernel"
        );
        fs::remove_file(path("bzImage")).unwrap();
        let error = Kernel::load(kernel.dir()).unwrap_err();
        assert_eq!(error.hint().unwrap(), "build the kernel again");
        assert_eq!(told(error), "the kernel is not complete, bzImage is missing: BOX/kernel");

        fs::write(path("kernel.json"), json.replace("\"schema\": 1", "\"schema\": 7, \"new\": 0"))
            .unwrap();
        let error = Kernel::load(kernel.dir()).unwrap_err();
        assert_eq!(
            told(error),
            "kernel.json has schema 7, this mote reads 1: BOX/kernel/kernel.json"
        );
        fs::write(path("kernel.json"), &json[..json.len() / 2]).unwrap();
        let error = Kernel::load(kernel.dir()).unwrap_err();
        assert_eq!(told(error), "cannot understand BOX/kernel/kernel.json");
        fs::remove_file(path("kernel.json")).unwrap();
        let error = Kernel::load(kernel.dir()).unwrap_err();
        assert_eq!(told(error), "not a kernel made by mote, kernel.json is missing: BOX/kernel");
    }
}
