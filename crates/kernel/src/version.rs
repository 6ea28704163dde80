//! Kernel versions.

use std::fmt;
use std::str::FromStr;

/// The version of a Linux source: `6.12.95`, `6.1`, `6.13-rc2`.
///
/// Ordered by its three numbers, then by what follows them (`EXTRAVERSION` of the top `Makefile`) as
/// text: 6.13-rc2 comes after 6.13, so that a feature's `since = "6.13"` holds for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    major: u32,
    minor: u32,
    patch: u32,
    extra: String,
}

impl KernelVersion {
    /// A version of three numbers.
    pub fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, extra: String::new() }
    }

    /// The same version with an `EXTRAVERSION`, such as `-rc2`.
    pub fn with_extra(mut self, extra: &str) -> Self {
        self.extra = extra.to_owned();
        self
    }
}

impl fmt::Display for KernelVersion {
    /// As the top `Makefile` composes `KERNELVERSION`, but without a last `.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch != 0 {
            write!(f, ".{}", self.patch)?;
        }
        f.write_str(&self.extra)
    }
}

/// A text that is no kernel version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a kernel version (such as 6.12 or 6.12.95): {text}")]
pub struct VersionError {
    /// What was given.
    pub text: String,
}

impl FromStr for KernelVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        parse(text).ok_or_else(|| VersionError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<KernelVersion> {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (numbers, extra) = text.split_at(end);
    let numbers: Vec<u32> =
        numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let version = match *numbers.as_slice() {
        [major, minor] => KernelVersion::new(major, minor, 0),
        [major, minor, patch] => KernelVersion::new(major, minor, patch),
        _ => return None,
    };
    (extra.is_empty() || extra.starts_with(['-', '+'])).then(|| version.with_extra(extra))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        for (text, printed) in [
            ("6.12", "6.12"),
            ("6.12.0", "6.12"),
            ("6.12.95", "6.12.95"),
            ("6.13-rc2", "6.13-rc2"),
            ("5.4.0-9+", "5.4-9+"),
        ] {
            assert_eq!(text.parse::<KernelVersion>().unwrap().to_string(), printed);
        }
        for text in ["", "6", "6.", "6.1.2.3", "v6.1", "6.1rc2", "-6.1", "6.99999999999"] {
            assert_eq!(
                text.parse::<KernelVersion>(),
                Err(VersionError { text: text.into() }),
                "{text}"
            );
        }
    }

    #[test]
    fn orders_as_since_and_until_need() {
        let version = |text: &str| text.parse::<KernelVersion>().unwrap();
        assert!(version("6.2") < version("6.12"));
        assert!(version("6.12") < version("6.12.1"));
        assert!(version("6.13-rc2") >= version("6.13"));
    }
}
