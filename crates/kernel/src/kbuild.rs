//! The kernel's own makefiles, called so that nothing of this machine but the compiler shows in
//! what they make (Documentation/kbuild/reproducible-builds.rst).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use mote_kconfig::Config;
use mote_kconfig::tree::{SymbolTree, TreeError};
use mote_process::Command;

use crate::{ConfigError, Toolchain};

/// Programs whose presence would show in the `.config`, called by a name that nothing has:
/// Kconfig writes down the versions of the Rust compiler and of pahole that it happens to find.
const ABSENT: [&str; 2] = ["RUSTC=absent", "PAHOLE=absent"];

const DOT_CONFIG: &str = ".config";

/// A source and an output directory to build it in.
#[derive(Debug)]
pub(crate) struct Kbuild<'a> {
    toolchain: &'a Toolchain,
    /// As the makefiles see it: without symbolic links.
    pub(crate) source: PathBuf,
    /// Likewise.
    pub(crate) out: PathBuf,
}

impl<'a> Kbuild<'a> {
    /// Makes the output directory.
    ///
    /// # Errors
    ///
    /// A path that does not exist, cannot be made, or cannot be used by the makefiles.
    pub(crate) fn enter(
        toolchain: &'a Toolchain,
        source: &Path,
        out: &Path,
    ) -> Result<Self, ConfigError> {
        fs::create_dir_all(out).map_err(ConfigError::io("create the directory", out))?;
        let [source, out] = [usable(source)?, usable(out)?];
        Ok(Self { toolchain, source, out })
    }

    /// `make` in the source, for x86-64, without a target.
    ///
    /// Only `PATH` comes from outside. The locale is fixed; there is no git for `setlocalversion`
    /// to ask, since a source is what its digest covers, and that leaves `.git` out.
    pub(crate) fn make(&self) -> Command {
        let mut make = Command::new(&self.toolchain.make);
        make.env_clear()
            .env("PATH", &self.toolchain.search)
            .env("LC_ALL", "C")
            .env("GIT_DIR", "/dev/null")
            .arg("-C")
            .arg(&self.source)
            .arg(assign("O", &self.out))
            .arg("ARCH=x86_64")
            .args(ABSENT);
        make
    }

    /// The `.config` as it is now.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        Ok(Config::parse(DOT_CONFIG, &self.config_text()?)?)
    }

    /// The text of the `.config` as it is now.
    pub(crate) fn config_text(&self) -> Result<String, ConfigError> {
        let path = self.dot_config();
        fs::read_to_string(&path).map_err(ConfigError::io("read", &path))
    }

    /// Where the makefiles keep the configuration.
    pub(crate) fn dot_config(&self) -> PathBuf {
        self.out.join(DOT_CONFIG)
    }

    /// Flags for compiler and assembler that take both directories off the paths that they write
    /// down: in `__FILE__`, and in debug information, which names the working directory too. It is
    /// stripped in the end, but goes into the build identifier.
    pub(crate) fn prefix_maps(&self) -> OsString {
        let directories = [&self.source, &self.out];
        let debug = directories.map(|path| (assign("-fdebug-prefix-map", path), "=."));
        let file = directories.map(|path| (assign("-ffile-prefix-map", path), "/="));
        let mut flags = OsString::new();
        for (flag, replacement) in debug.into_iter().chain(file) {
            flags.push(if flags.is_empty() { "" } else { " " });
            flags.push(flag);
            flags.push(replacement);
        }
        flags
    }
}

/// What the Kconfig files of a source declare for x86-64; the variables are those that the top
/// Makefile exports to them.
pub(crate) fn load_tree(source: &Path) -> Result<SymbolTree, TreeError> {
    SymbolTree::load(source, [("ARCH", "x86_64"), ("SRCARCH", "x86")])
}

/// `NAME=path`.
fn assign(name: &str, path: &Path) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(path);
    word
}

/// The path without symbolic links, if the makefiles can work there. They refuse spaces and colons
/// in the path of a source; in that of the output directory they split words, and make, the shell
/// and the prefix maps have special characters of their own.
fn usable(path: &Path) -> Result<PathBuf, ConfigError> {
    let path = fs::canonicalize(path).map_err(ConfigError::io("find", path))?;
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte) || !byte.is_ascii();
    if path.as_os_str().as_encoded_bytes().iter().all(is_plain) {
        Ok(path)
    } else {
        Err(ConfigError::UnusablePath { path })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Sandbox;

    #[test]
    fn a_path_that_makefiles_cannot_take_is_refused() {
        let sandbox = Sandbox::new();
        for bad in ["a b", "a:b", "a$b", "a#b", "a=b"] {
            let bad = sandbox.path(bad);
            let error = Kbuild::enter(&sandbox.toolchain, &sandbox.source.dir, &bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the kernel's makefiles cannot work in {}", bad.display())
            );
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn links_are_followed_as_the_makefiles_do() {
        let sandbox = Sandbox::new();
        let link = sandbox.path("link");
        symlink(&sandbox.source.dir, &link).unwrap();
        let kbuild = Kbuild::enter(&sandbox.toolchain, &link, &sandbox.path("out")).unwrap();
        assert_eq!(kbuild.source, fs::canonicalize(&sandbox.source.dir).unwrap());
        let maps = kbuild.prefix_maps().into_string().unwrap();
        let [source, out] = [kbuild.source.display(), kbuild.out.display()];
        assert_eq!(
            maps,
            format!(
                "-fdebug-prefix-map={source}=. -fdebug-prefix-map={out}=. \
                 -ffile-prefix-map={source}/= -ffile-prefix-map={out}/="
            )
        );
    }
}
