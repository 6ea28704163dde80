//! What the tests of this crate share: a source that is none, and scripts instead of tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mote_process::Program;
use tempfile::TempDir;

use crate::source::{Source, SourceKind};
use crate::{
    BuildDirs, Catalogue, Compiler, ConfigFile, ConfigPlan, ConfigSpec, KernelSpec, Toolchain,
};

/// `base` asks for 64BIT and PVH; `net` requires it and asks for NET.
const FEATURES: [(&str, &str); 2] = [
    (
        "base",
        "summary = \"b\"\nsymbols = [\n { name = \"64BIT\", why = \"w\" },\n { name = \"PVH\", why = \"w\" },\n]\n",
    ),
    (
        "net",
        "summary = \"n\"\nrequires = [\"base\"]\nsymbols = [{ name = \"NET\", why = \"sockets\" }]\n",
    ),
];

/// The head of every `make`: reads the arguments, and makes the output directory.
const HEAD: &str = r#"#!/bin/sh
set -e
PATH=/usr/bin:/bin
for word; do
  case $word in
    O=*) out=${word#O=} ;;
    allnoconfig|olddefconfig|menuconfig|bzImage) goal=$word ;;
  esac
done
cd "$out"
"#;

/// A `make` whose Kconfig gives what was asked, and whose build takes no time.
const OBEDIENT: &str = r#"
case $goal in
  allnoconfig) cp "$KCONFIG_ALLCONFIG" .config ;;
  olddefconfig) ;;
  bzImage)
    echo '  CC      init/main.o'
    echo '  AS      init/head.o'
    mkdir -p arch/x86/boot include/config
    cp "${0%/*}/elf" vmlinux
    echo image > arch/x86/boot/bzImage
    echo map > System.map
    echo 6.12.95 > include/config/kernel.release ;;
esac
"#;

pub(crate) struct Sandbox {
    root: TempDir,
    pub(crate) source: Source,
    pub(crate) toolchain: Toolchain,
}

impl Sandbox {
    /// With a `make` that does what it should.
    pub(crate) fn new() -> Self {
        Self::with_make(OBEDIENT)
    }

    /// With a `make` of one's own; `$goal` is the target, and the output directory the current one.
    pub(crate) fn with_make(script: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let tool = |name: &str, script: &str| {
            let path = root.path().join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            Program::at(path)
        };
        tool("gcc", "#!/bin/sh\n");
        let search = format!("{}:/usr/bin:/bin", root.path().display()).into();
        let toolchain = Toolchain {
            make: tool("make", &format!("{HEAD}{script}")),
            strip: tool("strip", "#!/bin/sh\nPATH=/usr/bin:/bin\ncp \"$4\" \"$3\"\n"),
            search,
            compiler: Compiler { cc: "cc 1".into(), ld: "ld 1".into() },
        };
        fs::write(root.path().join("elf"), elf(62)).unwrap();
        let dir = root.path().join("source");
        fs::create_dir(&dir).unwrap();
        let source = Source {
            dir,
            version: "6.12.95".parse().unwrap(),
            digest: "ab".repeat(32).parse().unwrap(),
            kind: SourceKind::Directory,
        };
        Self { root, source, toolchain }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn dirs(&self) -> BuildDirs {
        BuildDirs { work: self.path("work"), kernel: self.path("kernel"), log: self.path("log") }
    }

    pub(crate) fn spec<'a>(&'a self, plan: &'a ConfigPlan) -> KernelSpec<'a> {
        KernelSpec {
            source: &self.source,
            plan,
            toolchain: &self.toolchain,
            compressor: "gzip 1",
            epoch_s: KernelSpec::EPOCH_S,
        }
    }
}

/// The plan of these features and one fragment.
pub(crate) fn plan(features: &[&str], fragment: &str) -> ConfigPlan {
    let spec = ConfigSpec {
        features: features.iter().map(|&name| name.to_owned()).collect(),
        fragments: vec![ConfigFile { file: "mine.cfg".into(), text: fragment.into() }],
        base: None,
    };
    spec.plan(&catalogue(), &"6.12.95".parse().unwrap()).unwrap()
}

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::parse(FEATURES).unwrap()
}

/// An ELF file for `machine` (x86-64 is 62) with a segment that ends at 2 MiB and a PVH note with
/// the entry 0x1000020.
pub(crate) fn elf(machine: u16) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let mut push = |bytes: &[u8]| elf.extend_from_slice(bytes);
    push(&2_u16.to_le_bytes()); // e_type: ET_EXEC
    push(&machine.to_le_bytes());
    push(&1_u32.to_le_bytes());
    push(&[0_u64, 64, 0].map(u64::to_le_bytes).concat()); // entry, program and section headers
    push(&0_u32.to_le_bytes());
    push(&[64_u16, 56, 2, 64, 0, 0].map(u16::to_le_bytes).concat());
    let mut segment = |kind: u32, offset: u64, address: u64, in_file: u64, in_memory: u64| {
        push(&[kind, 4].map(u32::to_le_bytes).concat());
        push(&[offset, address, address, in_file, in_memory, 4].map(u64::to_le_bytes).concat());
    };
    segment(1, 0, 0x10_0000, 176, 0x10_0000); // PT_LOAD
    segment(4, 176, 0, 24, 24); // PT_NOTE
    push(&[4_u32, 8, 18].map(u32::to_le_bytes).concat());
    push(b"Xen\0");
    push(&0x100_0020_u64.to_le_bytes());
    elf
}

/// The files of a directory, by name.
pub(crate) fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
