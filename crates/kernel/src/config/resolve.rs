//! The kernel's own `conf` makes a `.config` of a plan; asked is compared with got.

use std::fs;
use std::path::Path;

use mote_kconfig::tree::SymbolTree;
use mote_kconfig::{Asked, Config, Dropped, Necessity, Value, Verdict};
use mote_process::Cancel;

use super::{ConfigError, ConfigPlan, Unfulfilled, UnknownSymbol};
use crate::kbuild::{Kbuild, load_tree};
use crate::source::Source;
use crate::{KernelVersion, Toolchain};

/// Symbols that name files of this machine. A kernel's key knows nothing of those, so that a cache
/// would go on giving out a kernel with what they once held. The default of `MODULE_SIG_KEY` is a
/// key that the build makes at random (certs/Makefile).
const HOST_FILES: [&str; 11] = [
    "INITRAMFS_SOURCE",
    "EXTRA_FIRMWARE",
    "BOOT_CONFIG_EMBED_FILE",
    "ACPI_CUSTOM_DSDT_FILE",
    "SYSTEM_TRUSTED_KEYS",
    "SYSTEM_REVOCATION_KEYS",
    "SYSTEM_BLACKLIST_HASH_LIST",
    "IPE_BOOT_POLICY",
    "CFG80211_EXTRA_REGDB_KEYDIR",
    "UNUSED_KSYMS_WHITELIST",
    "MODULE_SIG_KEY",
];

/// A resolved configuration. What was required is in it, or there would be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigOutcome {
    /// The text of the `.config`, as the kernel's `conf` wrote it.
    pub text: String,
    /// The same, read.
    pub config: Config,
    /// Optional symbols that Kconfig did not give.
    pub warnings: Vec<Unfulfilled>,
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
        self.run_conf(kbuild, cancel)?;
        let text = kbuild.config_text()?;
        let config = kbuild.config()?;
        refuse_host_files(&config)?;
        let dropped = Verdict::compare(&self.asked, &config).dropped;
        // Only what a kernel does not have, or has no use for, is absent from its `.config`.
        let absent =
            |asked: &Asked| asked.iter().any(|(symbol, _)| config.get(symbol.as_str()).is_none());
        if dropped.is_empty() && !absent(&self.asked) {
            return Ok(ConfigOutcome { text, config, warnings: Vec::new() });
        }
        // A kernel whose Kconfig files cannot be read here can still be built: its `conf` can.
        let tree = load_tree(&kbuild.source).ok();
        let tree = tree.as_ref();
        let unknown = tree.map_or_else(Vec::new, |tree| {
            unknown_symbols(&kbuild.source, tree, &self.asked, &config)
        });
        if !unknown.is_empty() {
            return Err(ConfigError::Unknown { version: version.to_string(), unknown });
        }
        let (dropped, warnings): (Vec<_>, Vec<_>) = dropped
            .into_iter()
            .map(|dropped| explain(tree, dropped, &config, &self.asked))
            .partition(|unfulfilled| unfulfilled.dropped.request.necessity == Necessity::Required);
        if !dropped.is_empty() {
            return Err(ConfigError::Dropped { version: version.to_string(), dropped });
        }
        Ok(ConfigOutcome { text, config, warnings })
    }

    /// Leaves a `.config`.
    pub(crate) fn run_conf(&self, kbuild: &Kbuild<'_>, cancel: &Cancel) -> Result<(), ConfigError> {
        let mut make = kbuild.make();
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
        make.output(cancel)?;
        Ok(())
    }
}

fn refuse_host_files(config: &Config) -> Result<(), ConfigError> {
    for symbol in HOST_FILES {
        match config.get(symbol) {
            Some(value @ Value::Text(files)) if !files.is_empty() => {
                return Err(ConfigError::HostFiles { symbol, value: value.clone() });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The symbols required, or required to be `n`, that no Kconfig file declares.
fn unknown_symbols(
    source: &Path,
    tree: &SymbolTree,
    asked: &Asked,
    got: &Config,
) -> Vec<UnknownSymbol> {
    tree.unknown(asked)
        .filter(|request| request.necessity == Necessity::Required)
        .filter(|request| got.get(request.symbol.as_str()).is_none())
        .map(|request| UnknownSymbol {
            request: request.clone(),
            elsewhere: other_architectures(source, request.symbol.as_str()),
            nearest: tree.nearest(request.symbol.as_str()).map(str::to_owned),
        })
        .collect()
}

/// The architectures whose Kconfig files declare a symbol. Those of x86 are read already.
fn other_architectures(source: &Path, symbol: &str) -> Vec<String> {
    let folders = fs::read_dir(source.join("arch")).into_iter().flatten().flatten();
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<_> = names
        .filter(|name| name != "x86" && declares(&source.join("arch").join(name), symbol))
        .collect();
    found.sort();
    found
}

/// Whether a Kconfig file in a folder or below it has a line `config SYMBOL` or `menuconfig SYMBOL`.
fn declares(folder: &Path, symbol: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => declares(&entry.path(), symbol),
        Ok(kind)
            if kind.is_file() && entry.file_name().as_encoded_bytes().starts_with(b"Kconfig") =>
        {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            text.lines().any(|line| {
                let line = line.strip_prefix("menu").unwrap_or(line);
                line.strip_prefix("config ").is_some_and(|name| name.trim() == symbol)
            })
        }
        _ => false,
    })
}

fn explain(
    tree: Option<&SymbolTree>,
    dropped: Dropped,
    got: &Config,
    asked: &Asked,
) -> Unfulfilled {
    let request = &dropped.request;
    let reasons = tree.map(|tree| tree.reasons(&request.symbol, &request.value, got, asked));
    Unfulfilled { reasons: reasons.unwrap_or_default(), dropped }
}

fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    fs::write(path, text).map_err(ConfigError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sandbox, catalogue, plan};
    use crate::{ConfigFile, ConfigSpec};

    /// A `conf` that drops NET, knows no SWAPP, and has HZ at 250.
    const STUBBORN: &str = r#"
case $goal in allnoconfig) from=$KCONFIG_ALLCONFIG ;; olddefconfig) from=.config ;; esac
{ grep -v 'NET=\|SWAPP\|HZ' $from || true; echo CONFIG_HZ=250; } > got
mv got .config
"#;

    const KCONFIG: &str = "config 64BIT\n\tbool\nconfig PVH\n\tbool \"pvh\"\n\
        config SWAP\n\tbool \"swap\"\nconfig SOCKETS\n\tbool \"sockets\"\n\
        config NET\n\tbool \"net\"\n\tdepends on SOCKETS\n\
        config HZ\n\tint \"hz\"\n\trange 200 300\n";

    fn resolve(make: &str, plan: &ConfigPlan) -> Result<ConfigOutcome, ConfigError> {
        let sandbox = Sandbox::with_make(make);
        fs::write(sandbox.source.dir.join("Kconfig"), KCONFIG).unwrap();
        let work = sandbox.path("work");
        plan.resolve(&sandbox.source, &sandbox.toolchain, &work, &Cancel::default())
    }

    #[test]
    fn what_is_asked_can_be_got() {
        let outcome = resolve(STUBBORN, &plan(&["base"], "SWAP=y\nHZ=250\n")).unwrap();
        assert_eq!(outcome.text, "CONFIG_64BIT=y\nCONFIG_PVH=y\nCONFIG_SWAP=y\nCONFIG_HZ=250\n");
        assert!(outcome.config.is_set("SWAP"));
        assert!(outcome.warnings.is_empty());
    }

    #[test]
    fn an_unknown_symbol_is_an_error_unless_it_is_optional_or_the_bases() {
        for value in ["y", "n"] {
            let plan = plan(&["base"], &format!("\nSWAPP={value}\n"));
            assert_eq!(
                resolve(STUBBORN, &plan).unwrap_err().to_string(),
                "symbols unknown to Linux 6.12.95\n  \
                 SWAPP, asked for by mine.cfg:2: did you mean SWAP?"
            );
        }
        let outcome = resolve(STUBBORN, &plan(&["base"], "SWAPP=y # optional\n")).unwrap();
        let warning = outcome.warnings[0].to_string();
        assert!(
            warning.starts_with(
                "SWAPP: mine.cfg:1 asks for y, Kconfig gives n
    "
            ),
            "{warning}"
        );
        assert!(warning.contains("SWAP"), "{warning}");
        let text = "CONFIG_SWAPP=y\nCONFIG_64BIT=n\nCONFIG_SMP=y\n";
        let base = ConfigFile { file: "old".into(), text: text.into() };
        let spec =
            ConfigSpec { features: vec!["base".into()], fragments: vec![], base: Some(base) };
        let plan = spec.plan(&catalogue(), &"6.12.95".parse().unwrap()).unwrap();
        let outcome = resolve(STUBBORN, &plan).unwrap();
        assert_eq!(outcome.text, "CONFIG_SMP=y\nCONFIG_64BIT=y\nCONFIG_PVH=y\nCONFIG_HZ=250\n");
    }

    #[test]
    fn a_symbol_of_another_architecture_is_told_with_its_own() {
        let sandbox =
            Sandbox::with_make("cp \"$KCONFIG_ALLCONFIG\" .config; sed -i /PAN/d .config\n");
        let source = &sandbox.source.dir;
        fs::write(source.join("Kconfig"), KCONFIG).unwrap();
        for (file, text) in [
            ("arm64/Kconfig", "config ARM64_PAN\n\tbool\n"),
            ("riscv/Kconfig.more/Kconfig.x", "menuconfig ARM64_PAN\n"),
            ("mips/Kconfig", "config ARM64_PANS\n# config ARM64_PAN\n"),
        ] {
            let path = source.join("arch").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let plan = plan(&["base"], "ARM64_PAN=y\n");
        let work = sandbox.path("work");
        let resolved = plan.resolve(&sandbox.source, &sandbox.toolchain, &work, &Cancel::default());
        assert_eq!(
            resolved.unwrap_err().to_string(),
            "symbols unknown to Linux 6.12.95\n  ARM64_PAN, asked for by mine.cfg:1: \
             not of x86-64, but of arm64, riscv"
        );
    }

    #[test]
    fn a_dropped_symbol_is_an_error_unless_it_is_optional() {
        let error = resolve(STUBBORN, &plan(&["net"], "HZ=100")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Kconfig dropped 2 symbols that were asked of Linux 6.12.95\n  \
             HZ: mine.cfg:1 asks for 100, Kconfig gives 250\n    \
             it must be from 200 to 300 (Kconfig:14)\n  \
             NET: feature net (features/net.toml:3) asks for y, Kconfig gives n\n    \
             needs SOCKETS, which nobody asked for (Kconfig:11)"
        );
        assert_eq!(
            error.hint().unwrap(),
            "ask for what they depend on, in a fragment:\n  CONFIG_SOCKETS=y\n\
             or mark a line of a fragment as optional: CONFIG_X=y # optional"
        );

        let outcome = resolve(STUBBORN, &plan(&["net"], "NET=y # optional")).unwrap();
        assert_eq!(outcome.warnings.len(), 1);
        assert_eq!(outcome.warnings[0].dropped.request.symbol, "NET");
    }

    #[test]
    fn files_of_this_machine_are_refused() {
        for symbol in HOST_FILES {
            let fragment = format!("SWAP=y\n{symbol}=\"/my/file\"\n");
            let error = resolve(STUBBORN, &plan(&["base"], &fragment)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{symbol} would build in files of this machine: \"/my/file\"")
            );
            let hint = error.hint().unwrap();
            assert!(hint.contains(&format!("CONFIG_{symbol}=\"\"")), "{hint}");
        }
    }

    /// Kconfig gives it a default that nobody asked for.
    #[test]
    fn a_signing_key_made_at_random_is_refused() {
        let make = r#"
cp "$KCONFIG_ALLCONFIG" .config
echo 'CONFIG_MODULE_SIG_KEY="certs/signing_key.pem"' >> .config
"#;
        let error = resolve(make, &plan(&["base"], "MODULE_SIG=y\n")).unwrap_err();
        assert!(error.to_string().starts_with("MODULE_SIG_KEY would build in"), "{error}");
    }

    #[test]
    fn without_readable_kconfig_files_a_drop_is_still_told() {
        let sandbox = Sandbox::with_make(STUBBORN);
        let work = sandbox.path("work");
        let plan = plan(&["net"], "");
        let resolved = plan.resolve(&sandbox.source, &sandbox.toolchain, &work, &Cancel::default());
        assert_eq!(
            resolved.unwrap_err().to_string(),
            "Kconfig dropped 1 symbol that was asked of Linux 6.12.95\n  \
             NET: feature net (features/net.toml:3) asks for y, Kconfig gives n"
        );
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
