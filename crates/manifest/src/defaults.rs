//! `config.toml`: what a user wants when no flag, no variable and no recipe says anything.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;

use crate::error::RecipeError;
use crate::load::{Document, Kind, read};
use crate::raw;
use crate::resolve::run::{at_least_one, parse};
use crate::run::RunSettings;

/// A user's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// For `mote run`.
    pub run: RunSettings,
    /// What the kernel source `auto` means.
    pub source: Option<String>,
    /// Where kernel sources are downloaded from: what stands before `/pub/linux/kernel`.
    pub mirror: Option<String>,
    /// Every key that is there.
    pub written: BTreeMap<&'static str, Written>,
}

/// A key's value, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The value.
    pub value: String,
    /// Its line, counted from 1.
    pub line: usize,
}

impl Defaults {
    /// The keys, which have the names of the flags and take the same words.
    pub const KEYS: [&str; 8] =
        ["memory", "cpus", "accel", "network", "pull", "unpack-limit", "source", "mirror"];

    /// Reads a file; nothing if there is none.
    ///
    /// # Errors
    /// When it cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Option<Self>, RecipeError> {
        match read(path, Kind::Configuration) {
            Err(RecipeError::Missing { .. }) => Ok(None),
            text => Self::parse(&text?, &path.display().to_string()).map(Some),
        }
    }

    /// Reads the text of a file; `origin` names it in errors.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn parse(text: &str, origin: &str) -> Result<Self, RecipeError> {
        let document = Document { origin, text };
        let raw: raw::Defaults = document.deserialize()?;
        let mut written = BTreeMap::new();
        let texts = [
            &raw.memory,
            &raw.accel,
            &raw.network,
            &raw.pull,
            &raw.unpack_limit,
            &raw.source,
            &raw.mirror,
        ];
        let names = ["memory", "accel", "network", "pull", "unpack-limit", "source", "mirror"];
        let mut note = |name, value: String, span| {
            written.insert(name, Written { value, line: document.line(span) });
        };
        for (name, value) in names.into_iter().zip(texts) {
            if let Some(value) = value {
                note(name, value.get_ref().clone(), value.span());
            }
        }
        if let Some(cpus) = &raw.cpus {
            note("cpus", cpus.get_ref().to_string(), cpus.span());
        }
        Ok(Self {
            run: RunSettings {
                memory: raw.memory.map(|memory| parse(&document, &memory)).transpose()?,
                cpus: raw.cpus.map(|cpus| at_least_one(&document, &cpus)).transpose()?,
                accel: raw.accel.map(|accel| parse(&document, &accel)).transpose()?,
                network: raw.network.map(|network| parse(&document, &network)).transpose()?,
                pull: raw.pull.map(|pull| parse(&document, &pull)).transpose()?,
                unpack_limit: raw.unpack_limit.map(|limit| parse(&document, &limit)).transpose()?,
                ..RunSettings::default()
            },
            source: raw.source.map(Spanned::into_inner),
            mirror: raw.mirror.map(Spanned::into_inner),
            written,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_flags_grammar_and_its_line() {
        let text = "# mine\nmemory = \"256m\"\ncpus = 2\naccel = \"tcg\"\nnetwork = \"none\"\npull = \"never\"\n\
            unpack-limit = \"1g\"\nsource = \"6.12\"\nmirror = \"http://mirror\"\n";
        let defaults = Defaults::parse(text, "c").unwrap();
        assert_eq!(defaults.run.memory.map(|memory| memory.mib()), Some(256));
        assert_eq!((defaults.run.cpus, defaults.source.as_deref()), (Some(2), Some("6.12")));
        let lines: Vec<_> = defaults.written.iter().map(|(name, at)| (*name, at.line)).collect();
        assert_eq!(lines.len(), Defaults::KEYS.len());
        assert!(Defaults::KEYS.iter().zip(2..).all(|(name, line)| lines.contains(&(*name, line))));
        assert_eq!(Defaults::parse("", "c").unwrap(), Defaults::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, message, hint) in [
            ("memry = \"1g\"", "c:1: unknown key memry", "did you mean memory?"),
            ("[run]\nmemory = \"1g\"", "c:1: unknown key run", "known are memory, "),
            ("\ncpus = 0", "c:2: not a number from 1: 0", ""),
            ("memory = 5", "c:1: invalid type: integer `5`, expected a string", ""),
            ("accel = \"kvn\"", "c:1: unknown accelerator: kvn", "did you mean kvm?"),
            ("memory =", "c:1: ", ""),
        ] {
            let error = Defaults::parse(text, "c").unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(error.hint().unwrap_or_default().starts_with(hint), "{:?}", error.hint());
        }
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert_eq!(Defaults::load(&path).unwrap(), None);
        let told = || Defaults::load(&path).unwrap_err().to_string();
        std::fs::write(&path, b"memory = \"1g\"\n\xff").unwrap();
        assert_eq!(
            told(),
            format!("the configuration is not UTF-8 text, on line 2: {}", path.display())
        );
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(told(), format!("the configuration is a directory: {}", path.display()));
    }
}
