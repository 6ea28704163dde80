//! What is asked of one version of the kernel.

use std::collections::BTreeSet;

use mote_kconfig::{Asked, Config, Value, parse_fragment};

use super::{ConfigError, ConfigFile, ConfigSpec};
use crate::{Catalogue, KernelVersion};

/// A [`ConfigSpec`] worked out for one version of the kernel: all that goes into its `.config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPlan {
    /// The features asked for and all that they require, each after the ones it requires.
    pub features: Vec<String>,
    /// Every symbol asked for, with who asked.
    pub asked: Asked,
    /// The configuration to start from.
    pub(crate) base: Option<Base>,
    /// The fragments, as they were read.
    pub(crate) fragments: Vec<ConfigFile>,
}

/// A configuration to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) written: ConfigFile,
    pub(crate) config: Config,
}

impl ConfigSpec {
    /// Works out what is asked of a kernel of this version. Nothing is run or read.
    ///
    /// # Errors
    ///
    /// An unknown feature, a line that cannot be read, two features that disagree, a symbol that is
    /// asked for as a module.
    pub fn plan(
        &self,
        catalogue: &Catalogue,
        version: &KernelVersion,
    ) -> Result<ConfigPlan, ConfigError> {
        // Neither the order in which features were named must show in what is built, nor that one
        // was named which another requires.
        let mut names: BTreeSet<_> = self.features.iter().collect();
        for name in &self.features {
            for required in catalogue.resolve(std::slice::from_ref(name))? {
                if required.name != *name {
                    names.remove(&required.name);
                }
            }
        }
        let features = catalogue.resolve(&Vec::from_iter(names))?;
        let mut requests: Vec<_> =
            features.iter().flat_map(|feature| feature.requests(version)).collect();
        for ConfigFile { file, text } in &self.fragments {
            requests.extend(parse_fragment(file, text)?);
        }
        let asked = Asked::merge(requests)?;
        let modules = asked.iter().map(|(_, wish)| &wish.request);
        let modules: Vec<_> =
            modules.filter(|request| request.value == Value::Module).cloned().collect();
        if !modules.is_empty() {
            return Err(ConfigError::Modules { requests: modules });
        }
        Ok(ConfigPlan {
            features: features.iter().map(|feature| feature.name.clone()).collect(),
            asked,
            base: self.base.as_ref().map(Base::read).transpose()?,
            fragments: self.fragments.clone(),
        })
    }
}

impl Base {
    fn read(written: &ConfigFile) -> Result<Self, ConfigError> {
        let config = Config::parse(&written.file, &written.text)?;
        Ok(Self { written: written.clone(), config })
    }

    /// The base without the symbols asked for, then those: Kconfig takes the later of two members
    /// of a choice.
    pub(crate) fn with(&self, asked: &Asked) -> String {
        let kept: Config = self
            .config
            .iter()
            .filter(|(symbol, _)| asked.get(symbol.as_str()).is_none())
            .map(|(symbol, value)| (symbol.clone(), value.clone()))
            .collect();
        kept.render() + &asked.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_is_asked_for_as_a_module_is_an_error() {
        let plan = |fragment: &str| {
            let fragments = vec![ConfigFile { file: "mine.cfg".into(), text: fragment.into() }];
            let spec = ConfigSpec { fragments, ..ConfigSpec::default() };
            spec.plan(&testing::catalogue(), &"6.12".parse().unwrap())
        };
        let error = plan("EXT4_FS=m\n\nBTRFS_FS=m # optional\nSWAP=y\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "mote builds no modules\n  BTRFS_FS: mine.cfg:3 asks for m\n  \
             EXT4_FS: mine.cfg:1 asks for m"
        );
        assert_eq!(
            error.hint().unwrap(),
            "ask for it to be built in:\n  CONFIG_BTRFS_FS=y\n  CONFIG_EXT4_FS=y"
        );
        // A later line wins.
        plan("EXT4_FS=m\nEXT4_FS=y\n").unwrap();
    }

    #[test]
    fn the_same_set_is_the_same_plan_however_it_is_named() {
        let catalogue = Catalogue::parse([
            ("base", "summary = \"s\"\n"),
            ("net", "summary = \"s\"\nrequires = [\"base\"]\n"),
            ("erofs", "summary = \"s\"\nrequires = [\"base\"]\n"),
            ("image", "summary = \"s\"\nrequires = [\"net\", \"erofs\"]\n"),
        ])
        .unwrap();
        let plan = |names: &[&str]| {
            let features = names.iter().map(|&name| name.to_owned()).collect();
            let spec = ConfigSpec { features, ..ConfigSpec::default() };
            spec.plan(&catalogue, &"6.12".parse().unwrap()).unwrap()
        };
        let image = plan(&["image"]);
        assert_eq!(image.features, ["base", "net", "erofs", "image"]);
        for names in [&["erofs", "image"][..], &["image", "base"], &["net", "erofs", "image"]] {
            assert_eq!(plan(names), image, "{names:?}");
        }
    }
}
