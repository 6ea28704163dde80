//! Real builds of real sources. `MOTE_TEST_SOURCE_6_1` and `MOTE_TEST_SOURCE_6_12` name a directory
//! or a tarball of Linux.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use mote_kernel::source::{Source, digest_tarball, unpack};
use mote_kernel::{
    BuildDirs, BuildEvent, Catalogue, ConfigError, ConfigFile, ConfigPlan, ConfigSpec, Integrity,
    Kernel, KernelSpec, Toolchain, build,
};
use mote_process::Cancel;

/// As little as a kernel with a console and the PVH entry can be made of; IKCONFIG puts the whole
/// configuration into its bytes.
const SMALL: &str = "64BIT=y\nEXPERT=y\nPRINTK=y\nBUG=y\nDEBUG_BUGVERBOSE=y\nTTY=y\nSERIAL_8250=y\n\
    SERIAL_8250_CONSOLE=y\nHYPERVISOR_GUEST=y\nPARAVIRT=y\nPVH=y\nBLK_DEV_INITRD=y\nBINFMT_ELF=y\n\
    IKCONFIG=y\n";

#[test]
#[ignore = "builds kernels: run by ./test"]
fn linux_6_1_is_the_same_wherever_it_is_built() {
    same_wherever_built("MOTE_TEST_SOURCE_6_1");
}

#[test]
#[ignore = "builds kernels: run by ./test"]
fn linux_6_12_is_the_same_wherever_it_is_built() {
    same_wherever_built("MOTE_TEST_SOURCE_6_12");
}

#[test]
#[ignore = "runs the kernel's own conf: run by ./test"]
fn what_linux_6_1_drops_is_explained() {
    dropped_symbols_are_explained("MOTE_TEST_SOURCE_6_1");
}

#[test]
#[ignore = "runs the kernel's own conf: run by ./test"]
fn what_linux_6_12_drops_is_explained() {
    dropped_symbols_are_explained("MOTE_TEST_SOURCE_6_12");
}

fn same_wherever_built(variable: &str) {
    let lab = Lab::new(variable);
    let copy = lab.path("a/copy/of/the/source");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    // Hard links are another path as good as copies are.
    let copied = Command::new("cp").arg("-al").arg(&lab.source.dir).arg(&copy).status();
    assert!(copied.unwrap().success());
    let elsewhere = Source { dir: copy, ..lab.source.clone() };

    let plan = lab.plan(&[], SMALL);
    let one = lab.build(&lab.source, &plan, "one", 2);
    let other = lab.build(&elsewhere, &plan, "a/longer/path", 3);
    for name in
        [Kernel::VMLINUX, Kernel::BZIMAGE, Kernel::SYSTEM_MAP, Kernel::CONFIG, Kernel::RECORD]
    {
        let [one, other] = [&one, &other].map(|kernel| fs::read(kernel.dir().join(name)).unwrap());
        assert!(one == other, "{name} differs");
    }
    one.check(Integrity::Digest).unwrap();
    assert!(one.record().pvh_entry.is_some());
    assert!(
        one.record().release.starts_with(&lab.source.version.to_string()),
        "{:?}",
        one.record()
    );
}

/// A source, and a folder to work in.
struct Lab {
    root: tempfile::TempDir,
    source: Source,
    toolchain: Toolchain,
}

impl Lab {
    fn new(variable: &str) -> Self {
        let wanted = std::env::var_os(variable)
            .unwrap_or_else(|| panic!("set {variable} to a directory or tarball of Linux"));
        // On the disk that the crate is built on: a kernel's objects may not fit into /tmp.
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let source = open(Path::new(&wanted), root.path());
        let search = std::env::var_os("PATH").unwrap();
        let toolchain = Toolchain::find(&search, &Cancel::default())
            .unwrap_or_else(|error| panic!("{error}\nhint: {:?}", error.hint()));
        Self { root, source, toolchain }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn plan(&self, features: &[&str], fragment: &str) -> ConfigPlan {
        let spec = ConfigSpec {
            features: features.iter().map(|&name| name.to_owned()).collect(),
            fragments: vec![ConfigFile { file: "mine.cfg".into(), text: fragment.into() }],
            base: None,
        };
        spec.plan(Catalogue::builtin(), &self.source.version).unwrap()
    }

    fn build(&self, source: &Source, plan: &ConfigPlan, name: &str, jobs: usize) -> Kernel {
        let spec =
            KernelSpec { source, plan, toolchain: &self.toolchain, epoch_s: KernelSpec::EPOCH_S };
        let dir = |part: &str| self.path(name).join(part);
        let dirs = BuildDirs { work: dir("work"), kernel: dir("kernel"), log: self.path("log") };
        let mut told = Vec::new();
        let on_event = &mut |event| {
            if let BuildEvent::Compiled(progress) = event {
                told.push(progress);
            }
        };
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let built = build(&spec, &dirs, jobs, &Cancel::default(), on_event);
        let outcome = built.unwrap_or_else(|error| panic!("{error}\nhint: {:?}", error.hint()));
        let (first, last) = (told[0], told[told.len() - 1]);
        let off = first.total.abs_diff(last.done);
        assert!(off * 10 <= last.done, "of {} files, {} were foreseen", last.done, first.total);
        outcome.kernel
    }
}

fn open(wanted: &Path, root: &Path) -> Source {
    let cancel = Cancel::default();
    let memo = root.join("memo");
    let opened = if wanted.is_dir() {
        Source::open_directory(wanted, &memo, &cancel, &|_, _| {})
    } else {
        digest_tarball(wanted, &memo, &cancel, &|_, _| {}).and_then(|digest| {
            let dir = root.join("source");
            fs::create_dir(&dir).unwrap();
            unpack(wanted, &dir, &cancel, &|_, _| {})?;
            Source::open_unpacked(&dir, digest)
        })
    };
    opened.unwrap_or_else(|error| panic!("{error}\nhint: {:?}", error.hint()))
}

/// A fragment that cannot be satisfied, and what must be said of each of its lines.
fn dropped_symbols_are_explained(variable: &str) {
    let lab = Lab::new(variable);
    let resolve = |fragment: &str| {
        let work = lab.path("conf");
        lab.plan(&[], fragment).resolve(&lab.source, &lab.toolchain, &work, &Cancel::default())
    };
    let outcome = resolve(SMALL).unwrap();
    assert!(outcome.config.is_set("PVH") && outcome.warnings.is_empty());

    let error = resolve("64BIT=y\nIPV6=y\nUNIX=y # optional\nRTC_CLASS=y\n").unwrap_err();
    assert!(matches!(error, ConfigError::Dropped { .. }), "{error:?}");
    let told = error.to_string();
    for line in [
        "Kconfig dropped 1 symbol that was asked of Linux ",
        "  IPV6: mine.cfg:2 asks for y, Kconfig gives n",
        "    needs INET, which nobody asked for (",
        "    needs NET, which nobody asked for (",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }

    let outcome = resolve("64BIT=y\nUNIX=y # optional\n").unwrap();
    assert_eq!(outcome.warnings.len(), 1);

    let error = resolve("64BIT=y\nVIRTIO_MIMO=y\n").unwrap_err().to_string();
    assert!(
        error.ends_with("\n  VIRTIO_MIMO, asked for by mine.cfg:2: did you mean VIRTIO_MMIO?"),
        "{error}"
    );
}
