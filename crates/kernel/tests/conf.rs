//! The kernel's own `conf` on real sources: `MOTE_TEST_SOURCE_6_1` and `MOTE_TEST_SOURCE_6_12` name
//! a directory or a tarball of Linux.

use std::fs;
use std::path::{Path, PathBuf};

use mote_kernel::source::{Source, digest_tarball, unpack};
use mote_kernel::{Catalogue, ConfigError, ConfigFile, ConfigPlan, ConfigSpec, Toolchain};
use mote_process::Cancel;

/// As little as a kernel with a console and the PVH entry can be made of.
const SMALL: &str = "64BIT=y\nEXPERT=y\nPRINTK=y\nBUG=y\nDEBUG_BUGVERBOSE=y\nTTY=y\nSERIAL_8250=y\n\
    SERIAL_8250_CONSOLE=y\nHYPERVISOR_GUEST=y\nPARAVIRT=y\nPVH=y\nBLK_DEV_INITRD=y\nBINFMT_ELF=y\n";

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
