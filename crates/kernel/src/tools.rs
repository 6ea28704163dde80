//! The programs that the kernel's own build needs
//! (Documentation/process/changes.rst, and what the x86 build calls beyond that).

use std::ffi::{OsStr, OsString};
use std::fmt;

use mote_kconfig::{Config, Value};
use mote_process::{Cancel, Command, ProcessError, Program};
use serde::{Deserialize, Serialize};

use crate::ConfigPlan;

/// One thing that a kernel build needs on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildTool {
    /// The program's name, or the header's.
    pub name: &'static str,
    /// How its presence is seen.
    pub kind: ToolKind,
    /// Debian's package that has it.
    pub debian_package: &'static str,
    /// What the build does with it.
    pub purpose: &'static str,
}

/// What a [`BuildTool`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// A program, looked for in the search path.
    Program,
    /// A C header, looked for by the compiler.
    Header,
}

impl fmt::Display for BuildTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn program(
    name: &'static str,
    debian_package: &'static str,
    purpose: &'static str,
) -> BuildTool {
    BuildTool { name, kind: ToolKind::Program, debian_package, purpose }
}

const GZIP: BuildTool =
    program("gzip", "gzip", "compresses the built-in configuration and bzImage");
const XZ: BuildTool = program("xz", "xz-utils", "compresses bzImage");

/// All that a kernel build needs.
pub const BUILD_TOOLS: &[BuildTool] = &[
    program("make", "make", "drives the build"),
    program("gcc", "gcc", "compiles"),
    program("ld", "binutils", "links"),
    program("strip", "binutils", "takes the symbol table out of vmlinux"),
    program("flex", "flex", "generates the lexer of Kconfig"),
    program("bison", "bison", "generates the parser of Kconfig"),
    program("bc", "bc", "computes the constants of the clock"),
    program("perl", "perl", "runs scripts of the build"),
    program("awk", "mawk", "generates the instruction tables of objtool"),
    GZIP,
    XZ,
    // Every x86-64 configuration has OBJTOOL: HAVE_UACCESS_VALIDATION and others select it.
    BuildTool {
        name: "gelf.h",
        kind: ToolKind::Header,
        debian_package: "libelf-dev",
        purpose: "compiles objtool",
    },
    BuildTool {
        name: "stdio.h",
        kind: ToolKind::Header,
        debian_package: "libc6-dev",
        purpose: "compiles the build's own programs",
    },
];

/// What compresses bzImage, by the symbol that chooses it (init/Kconfig).
const COMPRESSORS: [(&str, BuildTool); 7] = [
    ("KERNEL_GZIP", GZIP),
    ("KERNEL_XZ", XZ),
    ("KERNEL_BZIP2", program("bzip2", "bzip2", "compresses bzImage")),
    ("KERNEL_LZMA", program("lzma", "xz-utils", "compresses bzImage")),
    ("KERNEL_LZO", program("lzop", "lzop", "compresses bzImage")),
    ("KERNEL_LZ4", program("lz4", "lz4", "compresses bzImage")),
    ("KERNEL_ZSTD", program("zstd", "zstd", "compresses bzImage")),
];

/// The tools that a configuration needs, perhaps beyond [`BUILD_TOOLS`].
pub(crate) fn tools_for(config: &Config) -> Vec<BuildTool> {
    COMPRESSORS.iter().filter(|(symbol, _)| config.is_set(symbol)).map(|&(_, tool)| tool).collect()
}

impl ConfigPlan {
    /// What compresses the bzImage: as it is asked, or as the configuration that was started from
    /// has it, or gzip, which is what Kconfig takes then.
    fn compressor(&self) -> &'static BuildTool {
        let asked = |symbol: &str| {
            self.asked.get(symbol).is_some_and(|wish| wish.request.value == Value::Yes)
        };
        let based =
            |symbol: &str| self.base.as_ref().is_some_and(|base| base.config.is_set(symbol));
        let mut found = COMPRESSORS.iter().find(|(symbol, _)| asked(symbol));
        found = found.or_else(|| COMPRESSORS.iter().find(|(symbol, _)| based(symbol)));
        found.map_or(&GZIP, |(_, tool)| tool)
    }

    /// The program that compresses the bzImage, found in `search`, which has the form of `PATH`.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn find_compressor(&self, search: &OsStr) -> Result<Program, ToolsError> {
        let tool = self.compressor();
        Program::find(tool.name, search).map_err(|_| ToolsError::Missing { missing: vec![*tool] })
    }
}

/// The tools of [`BUILD_TOOLS`] that are not there, in that order; `search` has the form of `PATH`.
///
/// Without a compiler no header can be looked for: then the headers count as missing too.
///
/// # Errors
///
/// When the compiler cannot be run, or the user interrupts.
pub fn missing_tools(search: &OsStr, cancel: &Cancel) -> Result<Vec<BuildTool>, ProcessError> {
    missing_of(BUILD_TOOLS, search, cancel)
}

/// Those of `tools` that are not there.
fn missing_of(
    tools: &[BuildTool],
    search: &OsStr,
    cancel: &Cancel,
) -> Result<Vec<BuildTool>, ProcessError> {
    let compiler = Program::find("gcc", search).ok();
    let mut missing = Vec::new();
    for tool in tools {
        let present = match (tool.kind, &compiler) {
            (ToolKind::Program, _) => Program::find(tool.name, search).is_ok(),
            (ToolKind::Header, Some(compiler)) => has_header(compiler, search, tool.name, cancel)?,
            (ToolKind::Header, None) => false,
        };
        if !present {
            missing.push(*tool);
        }
    }
    Ok(missing)
}

/// An error that names all of `tools` that are not there.
pub(crate) fn require(
    tools: &[BuildTool],
    search: &OsStr,
    cancel: &Cancel,
) -> Result<(), ToolsError> {
    let missing = missing_of(tools, search, cancel)?;
    if missing.is_empty() { Ok(()) } else { Err(ToolsError::Missing { missing }) }
}

fn has_header(
    compiler: &Program,
    search: &OsStr,
    header: &str,
    cancel: &Cancel,
) -> Result<bool, ProcessError> {
    let mut command = Command::new(compiler);
    command.env_clear().env("PATH", search).env("LC_ALL", "C");
    command.args(["-fsyntax-only", "-include", header, "-x", "c", "/dev/null"]);
    match command.output(cancel) {
        Ok(_) => Ok(true),
        Err(ProcessError::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The programs of a kernel build, found and identified.
#[derive(Debug, Clone)]
pub struct Toolchain {
    pub(crate) make: Program,
    pub(crate) strip: Program,
    /// The only part of the caller's environment that the build sees: `PATH`.
    pub(crate) search: OsString,
    /// Who compiles and who links: part of what a kernel is made of.
    pub compiler: Compiler,
}

/// The identity of compiler and linker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compiler {
    /// The first line of `gcc --version`.
    pub cc: String,
    /// The first line of `ld --version`.
    pub ld: String,
}

/// Why there is no [`Toolchain`].
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// Something is not installed.
    #[error("to build a kernel, this machine lacks {}", list(missing))]
    Missing {
        /// What is missing.
        missing: Vec<BuildTool>,
    },
    /// A tool is there and cannot be asked.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl ToolsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { missing } => {
                let mut packages: Vec<_> = missing.iter().map(|tool| tool.debian_package).collect();
                packages.dedup();
                Some(format!("on Debian: apt install {}", packages.join(" ")))
            }
            Self::Process(error) => error.hint(),
        }
    }
}

fn list(tools: &[BuildTool]) -> String {
    tools.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ")
}

impl Toolchain {
    /// Finds the tools in `search`, which has the form of `PATH`.
    ///
    /// # Errors
    ///
    /// Tools that are missing, all of them; a compiler that cannot say its version.
    pub fn find(search: &OsStr, cancel: &Cancel) -> Result<Self, ToolsError> {
        require(BUILD_TOOLS, search, cancel)?;
        let version = |name| Program::find(name, search)?.version_line(cancel);
        let compiler = Compiler { cc: version("gcc")?, ld: version("ld")? };
        Ok(Self {
            make: Program::find("make", search)?,
            strip: Program::find("strip", search)?,
            search: search.to_owned(),
            compiler,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::testing::catalogue;
    use crate::{ConfigFile, ConfigSpec};

    #[test]
    fn this_machine_is_identified() {
        let search = std::env::var_os("PATH").unwrap();
        let toolchain = Toolchain::find(&search, &Cancel::default())
            .unwrap_or_else(|error| panic!("{error}\nhint: {:?}", error.hint()));
        assert!(toolchain.compiler.cc.starts_with("gcc"), "{:?}", toolchain.compiler);
        assert!(toolchain.compiler.ld.starts_with("GNU ld"), "{:?}", toolchain.compiler);
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let empty = tempfile::tempdir().unwrap();
        let error = Toolchain::find(empty.path().as_os_str(), &Cancel::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "to build a kernel, this machine lacks make, gcc, ld, strip, flex, bison, bc, perl, awk, \
             gzip, xz, gelf.h, stdio.h"
        );
        assert_eq!(
            error.hint().unwrap(),
            "on Debian: apt install make gcc binutils flex bison bc perl mawk gzip xz-utils \
             libelf-dev libc6-dev"
        );
    }

    #[test]
    fn the_compressor_is_the_one_that_was_asked_for() {
        let base = |text: &str| Some(ConfigFile { file: "old".into(), text: text.into() });
        let table = [
            ("", None, "gzip"),
            ("KERNEL_XZ=y", None, "xz"),
            ("", base("CONFIG_KERNEL_ZSTD=y\n"), "zstd"),
            ("KERNEL_LZ4=y", base("CONFIG_KERNEL_ZSTD=y\n"), "lz4"),
            ("KERNEL_LZ4=n", base("CONFIG_KERNEL_ZSTD=y\n"), "zstd"),
        ];
        for (fragment, base, name) in table {
            let fragments = vec![ConfigFile { file: "mine".into(), text: fragment.into() }];
            let spec = ConfigSpec { features: vec![], fragments, base };
            let plan = spec.plan(&catalogue(), &"6.12".parse().unwrap()).unwrap();
            assert_eq!(plan.compressor().name, name, "{fragment}");
            let error = plan.find_compressor("/nowhere".as_ref()).unwrap_err();
            assert_eq!(error.to_string(), format!("to build a kernel, this machine lacks {name}"));
        }
    }

    #[test]
    fn a_header_is_looked_for_by_the_compiler() {
        let bin = tempfile::tempdir().unwrap();
        let gcc = bin.path().join("gcc");
        fs::write(&gcc, "#!/bin/sh\ncase \"$*\" in *gelf.h*) exit 1 ;; esac\n").unwrap();
        fs::set_permissions(&gcc, fs::Permissions::from_mode(0o755)).unwrap();
        for tool in BUILD_TOOLS.iter().filter(|tool| tool.kind == ToolKind::Program) {
            if tool.name != "gcc" {
                symlink("/bin/true", bin.path().join(tool.name)).unwrap();
            }
        }
        let missing = missing_tools(bin.path().as_os_str(), &Cancel::default()).unwrap();
        assert_eq!(list(&missing), "gelf.h");
    }
}
