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
                return Err(ConfigError::UnusablePath { path: path.to_owned() });
            }
        }
        let output = self.run_conf(source, toolchain, work, cancel)?;
        let unknown = unknown_symbols(&output, &self.asked);
        if !unknown.is_empty() {
            return Err(ConfigError::Unknown { version: source.version.to_string(), unknown });
        }
        let text = read(&work.join(".config"))?;
        let config = Config::parse(".config", &text)?;
        let warnings = judge(source, &self.asked, &config)?;
        Ok(ConfigOutcome { text, config, warnings })
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
        Some(UnknownSymbol { request, nearest: None })
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
    Err(ConfigError::Dropped { version: source.version.to_string(), dropped: required })
}

fn unmet(dropped: Dropped) -> Unmet {
    Unmet { dropped, reason: None }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(io("read", path))
}

fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    fs::write(path, text).map_err(io("write", path))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ConfigError {
    let path = path.to_owned();
    move |source| ConfigError::Io { action, path, source }
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
    fn a_path_that_makefiles_cannot_take_is_refused() {
        let sandbox = Sandbox::new();
        for bad in ["/a b", "/a:b", "/a$b", "relative", "/a#b"] {
            let plan = plan(&["base"], "");
            let resolved = plan.resolve(
                &sandbox.source,
                &sandbox.toolchain,
                Path::new(bad),
                &Cancel::default(),
            );
            let error = resolved.unwrap_err();
            assert_eq!(error.to_string(), format!("the kernel's makefiles cannot work in {bad}"));
        }
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
