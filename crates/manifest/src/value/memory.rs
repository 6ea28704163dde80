//! An amount of memory.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// A guest's memory: docker's notation, in whole MiB.
///
/// A number and one of `b`, `k`, `m`, `g` in either case, each 1024 times the one before. A number
/// alone counts bytes, as with docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(NonZeroU32);

impl Memory {
    /// That many MiB; nothing for 0.
    pub fn from_mib(mib: u32) -> Option<Self> {
        NonZeroU32::new(mib).map(Self)
    }

    /// The amount in MiB.
    pub fn mib(self) -> u32 {
        self.0.get()
    }
}

impl Default for Memory {
    /// 128 MiB: what the measurements of mote's kernels are made with.
    fn default() -> Self {
        const DEFAULT_MIB: NonZeroU32 = NonZeroU32::new(128).unwrap();
        Self(DEFAULT_MIB)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0)
    }
}

/// A text that is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Something else than a number and a unit.
    #[error("not an amount of memory: {text}")]
    NotAnAmount {
        /// What was given.
        text: String,
    },
    /// Not a whole number of MiB, or none at all.
    #[error("not a whole number of MiB: {text}")]
    NotWholeMib {
        /// What was given.
        text: String,
    },
    /// More than fits.
    #[error("more memory than any machine has: {text}")]
    TooMuch {
        /// What was given.
        text: String,
    },
}

impl MemoryError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::TooMuch { .. } => return None,
            Self::NotAnAmount { text } | Self::NotWholeMib { text } => text,
        };
        let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Some(if bare {
            format!("a number alone counts bytes: write {text}m for {text} MiB")
        } else {
            "write a number and its unit, b, k, m or g, such as 128m".to_owned()
        })
    }
}

impl FromStr for Memory {
    type Err = MemoryError;

    fn from_str(text: &str) -> Result<Self, MemoryError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit {
            "" | "b" | "B" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            "g" | "G" => 30,
            _ => return Err(MemoryError::NotAnAmount { text: text.to_owned() }),
        };
        if number.is_empty() {
            return Err(MemoryError::NotAnAmount { text: text.to_owned() });
        }
        let too_much = || MemoryError::TooMuch { text: text.to_owned() };
        let number: u64 = number.parse().map_err(|_| too_much())?;
        let bytes = number.checked_mul(1 << shift).ok_or_else(too_much)?;
        if bytes == 0 || !bytes.is_multiple_of(1 << 20) {
            return Err(MemoryError::NotWholeMib { text: text.to_owned() });
        }
        let mib = u32::try_from(bytes >> 20).map_err(|_| too_much())?;
        Self::from_mib(mib).ok_or_else(too_much)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dockers_notation() {
        for (text, mib) in [
            ("128m", 128),
            ("128M", 128),
            ("1g", 1024),
            ("24M", 24),
            ("131072k", 128),
            ("134217728", 128),
            ("134217728b", 128),
            ("4294967295m", u32::MAX),
        ] {
            let memory: Memory = text.parse().unwrap();
            assert_eq!(memory.mib(), mib, "{text}");
            assert_eq!(memory.to_string().parse(), Ok(memory), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message) in [
            ("", "not an amount of memory: "),
            ("m", "not an amount of memory: m"),
            ("128q", "not an amount of memory: 128q"),
            ("128MiB", "not an amount of memory: 128MiB"),
            ("-1m", "not an amount of memory: -1m"),
            ("1.5g", "not an amount of memory: 1.5g"),
            ("0", "not a whole number of MiB: 0"),
            ("0m", "not a whole number of MiB: 0m"),
            ("1025k", "not a whole number of MiB: 1025k"),
            ("128", "not a whole number of MiB: 128"),
            ("4294967296m", "more memory than any machine has: 4294967296m"),
            ("99999999999g", "more memory than any machine has: 99999999999g"),
            ("99999999999999999999", "more memory than any machine has: 99999999999999999999"),
        ] {
            assert_eq!(text.parse::<Memory>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_bare_number_is_told_its_unit() {
        let hint = |text: &str| text.parse::<Memory>().unwrap_err().hint().unwrap();
        assert_eq!(hint("128"), "a number alone counts bytes: write 128m for 128 MiB");
        assert!(hint("128q").contains("b, k, m or g"));
    }
}
