//! The kernel's own `conf` makes a `.config` of a plan; asked is compared with got.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mote_kconfig::{Asked, Config, Dropped, Necessity, Verdict};
use mote_process::{Cancel, Output};

use super::{ConfigError, ConfigPlan, UnknownSymbol, Unmet};
use crate::kbuild::Kbuild;
use crate::source::Source;
use crate::{KernelVersion, Toolchain};

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
        let kbuild = Kbuild::enter(toolchain, &source.dir, work)?;
        self.resolve_in(&kbuild, &source.version, cancel)
    }

    /// [`ConfigPlan::resolve`] where a build goes on.
    pub(crate) fn resolve_in(
        &self,
        kbuild: &Kbuild<'_>,
        version: &KernelVersion,
        cancel: &Cancel,
    ) -> Result<ConfigOutcome, ConfigError> {
        let output = self.run_conf(kbuild, cancel)?;
        let unknown = unknown_symbols(&output, &self.asked);
        if !unknown.is_empty() {
            return Err(ConfigError::Unknown { version: version.to_string(), unknown });
        }
        let text = kbuild.config_text()?;
        let config = kbuild.config()?;
        let (dropped, warnings): (Vec<_>, Vec<_>) = Verdict::compare(&self.asked, &config)
            .dropped
            .into_iter()
            .map(unmet)
            .partition(|unmet| unmet.dropped.request.necessity == Necessity::Required);
        if !dropped.is_empty() {
            return Err(ConfigError::Dropped { version: version.to_string(), dropped });
        }
        Ok(ConfigOutcome { text, config, warnings })
    }

    /// Leaves a `.config`; gives what `conf` said.
    pub(crate) fn run_conf(
        &self,
        kbuild: &Kbuild<'_>,
        cancel: &Cancel,
    ) -> Result<Output, ConfigError> {
        let mut make = kbuild.make();
        make.env("KCONFIG_WARN_UNKNOWN_SYMBOLS", "1");
        match &self.base {
            None => {
                let fragment = kbuild.out.join("asked.config");
                write(&fragment, &self.asked.render())?;
                make.env("KCONFIG_ALLCONFIG", fragment).arg("allnoconfig");
            }
            Some(base) => {
                write(&kbuild.dot_config(), &base.with(&self.asked))?;
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
        Some(UnknownSymbol { request, nearest: None })
    };
    names.into_iter().filter_map(unknown).collect()
}

fn unmet(dropped: Dropped) -> Unmet {
    Unmet { dropped, reason: None }
}

fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    fs::write(path, text).map_err(ConfigError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sandbox, catalogue, plan};
    use crate::{ConfigFile, ConfigSpec};

    /// A `conf` that knows neither SWAPP nor how to give NET, and defaults HZ.
    const STUBBORN: &str = r#"
case $goal in allnoconfig) from=$KCONFIG_ALLCONFIG ;; olddefconfig) from=.config ;; esac
grep -q SWAPP $from && echo "$from:1:warning: unknown symbol: SWAPP" >&2
{ grep -v 'NET=\|SWAPP' $from || true; echo CONFIG_HZ=250; } > got
mv got .config
"#;

    fn resolve(make: &str, plan: &ConfigPlan) -> Result<ConfigOutcome, ConfigError> {
        let sandbox = Sandbox::with_make(make);
        plan.resolve(&sandbox.source, &sandbox.toolchain, &sandbox.path("work"), &Cancel::default())
    }

    #[test]
    fn what_is_asked_can_be_got() {
        let outcome = resolve(STUBBORN, &plan(&["base"], "SWAP=y\nHZ=250\n")).unwrap();
        assert_eq!(
            outcome.text,
            "CONFIG_64BIT=y\nCONFIG_HZ=250\nCONFIG_PVH=y\nCONFIG_SWAP=y\nCONFIG_HZ=250\n"
        );
        assert!(outcome.config.is_set("SWAP"));
        assert!(outcome.warnings.is_empty());
    }

    #[test]
    fn an_unknown_symbol_is_an_error_unless_it_is_the_bases() {
        let error = resolve(STUBBORN, &plan(&["base"], "\nSWAPP=y\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Linux 6.12.95 does not have 1 symbol\n  SWAPP, asked by mine.cfg:2"
        );
        let base = ConfigFile {
            file: "old".into(),
            text: "CONFIG_SWAPP=y\nCONFIG_64BIT=n\nCONFIG_SMP=y\n".into(),
        };
        let spec =
            ConfigSpec { features: vec!["base".into()], fragments: vec![], base: Some(base) };
        let plan = spec.plan(&catalogue(), &"6.12.95".parse().unwrap()).unwrap();
        let outcome = resolve(STUBBORN, &plan).unwrap();
        assert_eq!(outcome.text, "CONFIG_SMP=y\nCONFIG_64BIT=y\nCONFIG_PVH=y\nCONFIG_HZ=250\n");
    }

    #[test]
    fn a_dropped_symbol_is_an_error_unless_it_is_optional() {
        let error = resolve(STUBBORN, &plan(&["net"], "HZ=100")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Kconfig dropped 2 symbols of what was asked of Linux 6.12.95\n  \
             HZ=100, asked by mine.cfg:1, is 250\n  \
             NET=y, asked by feature net (features/net.toml:3), is not there"
        );
        assert!(error.hint().unwrap().contains("# optional"));

        let outcome = resolve(STUBBORN, &plan(&["net"], "NET=y # optional")).unwrap();
        assert_eq!(outcome.warnings.len(), 1);
        assert_eq!(outcome.warnings[0].dropped.request.symbol, "NET");
    }

    #[test]
    fn a_failing_make_is_shown() {
        let error =
            resolve("echo 'fixdep: oh' >&2; exit 2", &plan(&["base"], "")).unwrap_err().to_string();
        assert!(
            error.starts_with("a program failed with exit status 2\n  command: env -i"),
            "{error}"
        );
        assert!(error.contains("fixdep: oh"), "{error}");
    }
}
