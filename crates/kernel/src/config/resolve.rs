//! The kernel's own `conf` makes a `.config` of a plan; asked is compared with got.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mote_kconfig::{Asked, Config, Dropped, Necessity, Verdict};
use mote_process::{Cancel, Output};

use super::{ConfigError, ConfigPlan, UnknownSymbol, Unmet};
use crate::source::Source;
use crate::{Toolchain, make};

/// What `conf` says of a name that no Kconfig file defines, if `KCONFIG_WARN_UNKNOWN_SYMBOLS` is
/// set (scripts/kconfig/confdata.c, since 6.6 and in late stable releases of earlier series).
const UNKNOWN: &str = "warning: unknown symbol: ";

/// A resolved configuration. What was required is in it, or there would be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigOutcome {
    /// The text of the `.config`, as the kernel's `conf` wrote it.
    pub text: String,
    /// The same, read.
    pub config: Config,
    /// Optional symbols that Kconfig did not give.
    pub warnings: Vec<Unmet>,
}

impl ConfigPlan {
    /// Has the kernel's own `conf` make `work/.config`, and compares asked with got. `work` is the
    /// output directory of the kernel's makefiles; it is created, and can be used again.
    ///
    /// # Errors
    ///
    /// Symbols that this kernel does not have, or that Kconfig dropped although they are required,
    /// each with who asked and why; a path, program or file that cannot be used.
    pub fn resolve(
        &self,
        source: &Source,
        toolchain: &Toolchain,
        work: &Path,
        cancel: &Cancel,
    ) -> Result<ConfigOutcome, ConfigError> {
        for path in [&source.dir, work] {
            if !make::is_usable(path) {
                return Err(ConfigError::UnusablePath {
                    path: path.to_owned(),
                });
            }
        }
        let output = self.run_conf(source, toolchain, work, cancel)?;
        let unknown = unknown_symbols(&output, &self.asked);
        if !unknown.is_empty() {
            return Err(ConfigError::Unknown {
                version: source.version.to_string(),
                unknown,
            });
        }
        let text = read(&work.join(".config"))?;
        let config = Config::parse(".config", &text)?;
        let warnings = judge(source, &self.asked, &config)?;
        Ok(ConfigOutcome {
            text,
            config,
            warnings,
        })
    }

    fn run_conf(
        &self,
        source: &Source,
        toolchain: &Toolchain,
        work: &Path,
        cancel: &Cancel,
    ) -> Result<Output, ConfigError> {
        fs::create_dir_all(work).map_err(io("create the directory", work))?;
        let mut make = make::command(toolchain, &source.dir, work);
        make.env("KCONFIG_WARN_UNKNOWN_SYMBOLS", "1");
        match &self.base {
            None => {
                let fragment = work.join("asked.config");
                write(&fragment, &self.asked.render())?;
                make.env("KCONFIG_ALLCONFIG", fragment).arg("allnoconfig");
            }
            Some(base) => {
                write(&work.join(".config"), &base.with(&self.asked))?;
                make.arg("olddefconfig");
            }
        }
        Ok(make.output(cancel)?)
    }
}

/// The names that `conf` did not know, of those asked for: a base may have been made for another
/// version of the kernel.
fn unknown_symbols(output: &Output, asked: &Asked) -> Vec<UnknownSymbol> {
    let said = String::from_utf8_lossy(&output.stderr);
    let names: BTreeSet<&str> = said
        .lines()
        .filter_map(|line| line.split_once(UNKNOWN))
        .map(|(_, name)| name.trim())
        .collect();
    let unknown = |name: &str| {
        let request = asked.get(name)?.request.clone();
        Some(UnknownSymbol {
            request,
            nearest: None,
        })
    };
    names.into_iter().filter_map(unknown).collect()
}

/// What was dropped: an error if any of it was required, otherwise warnings.
fn judge(source: &Source, asked: &Asked, got: &Config) -> Result<Vec<Unmet>, ConfigError> {
    let (required, optional): (Vec<_>, Vec<_>) = Verdict::compare(asked, got)
        .dropped
        .into_iter()
        .map(unmet)
        .partition(|unmet| unmet.dropped.request.necessity == Necessity::Required);
    if required.is_empty() {
        return Ok(optional);
    }
    Err(ConfigError::Dropped {
        version: source.version.to_string(),
        dropped: required,
    })
}

fn unmet(dropped: Dropped) -> Unmet {
    Unmet {
        dropped,
        reason: None,
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(io("read", path))
}

fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    fs::write(path, text).map_err(io("write", path))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ConfigError {
    let path = path.to_owned();
    move |source| ConfigError::Io {
        action,
        path,
        source,
    }
}
