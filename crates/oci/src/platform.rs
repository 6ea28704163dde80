//! What an image runs on.

use std::fmt;
use std::str::FromStr;

/// An operating system, a processor and perhaps its variant, in Go's words: `linux/amd64`,
/// `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `v7`.
    pub variant: Option<String>,
}

/// A text that is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a platform, which is OS/ARCHITECTURE[/VARIANT]: {text}")]
pub struct PlatformError {
    /// What was given.
    pub text: String,
}

impl Default for Platform {
    /// `linux/amd64`.
    fn default() -> Self {
        Self { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None }
    }
}

impl Platform {
    /// How well an image for `self` serves who wants `wanted`: not at all, or the higher the
    /// better. Variants of one architecture build upon each other, so that a lower one serves too.
    pub(crate) fn fitness(&self, wanted: &Self) -> Option<u32> {
        if (&self.os, &self.architecture) != (&wanted.os, &wanted.architecture) {
            return None;
        }
        let [have, want] = [self.level(), wanted.level()];
        match (have, want) {
            (Some(have), Some(want)) => (have <= want).then_some(have),
            _ => (self.variant == wanted.variant).then_some(0),
        }
    }

    /// The number of the variant, where it is one; containerd's defaults where there is none.
    fn level(&self) -> Option<u32> {
        match (&self.variant, self.architecture.as_str()) {
            (Some(variant), _) => variant.strip_prefix('v')?.parse().ok(),
            (None, "amd64") => Some(1),
            (None, "arm64") => Some(8),
            (None, "arm") => Some(7),
            (None, _) => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let word = |word: &&str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let words: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match words.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some((*variant).to_owned())),
            _ => return Err(PlatformError { text: text.to_owned() }),
        };
        if !words.iter().all(word) {
            return Err(PlatformError { text: text.to_owned() });
        }
        let (os, architecture) = ((*os).to_owned(), (*architecture).to_owned());
        Ok(Self { os, architecture, variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_build_upon_each_other() {
        for (have, wanted, fitness) in [
            ("linux/amd64", "linux/amd64", Some(1)),
            ("linux/amd64/v2", "linux/amd64", None),
            ("linux/amd64/v2", "linux/amd64/v3", Some(2)),
            ("linux/arm64/v8", "linux/arm64", Some(8)),
            ("linux/arm64", "linux/arm64/v8", Some(8)),
            ("linux/arm/v6", "linux/arm/v7", Some(6)),
            ("linux/arm/v7", "linux/arm/v6", None),
            ("linux/riscv64", "linux/riscv64", Some(0)),
            ("linux/mips/odd", "linux/mips", None),
            ("windows/amd64", "linux/amd64", None),
            ("linux/386", "linux/amd64", None),
        ] {
            let [a, b]: [Platform; 2] = [have, wanted].map(|text| text.parse().unwrap());
            assert_eq!(a.fitness(&b), fitness, "{have} for {wanted}");
            assert_eq!(a.to_string(), have);
        }
        for text in ["", "linux", "linux/", "linux/amd64/", "a/b/c/d", "linux/am d64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
