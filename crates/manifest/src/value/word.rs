//! Values that are one of a few words.

use std::fmt;
use std::str::FromStr;

use crate::nearest::nearest;

/// A word that is not one of those that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}: {text}")]
pub struct UnknownWord {
    /// What the word should name.
    pub what: &'static str,
    /// What was given.
    pub text: String,
    /// What there is.
    pub known: &'static [&'static str],
}

impl UnknownWord {
    /// The nearest word, or all of them.
    pub fn hint(&self) -> Option<String> {
        Some(match nearest(&self.text, self.known.iter().copied()) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("known are {}", self.known.join(", ")),
        })
    }
}

/// A guest's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// QEMU's user network: the guest reaches what the host reaches, without rights on the host.
    User(Addressing),
    /// No network device.
    None,
}

/// How a guest gets its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// mote's init sets it at once.
    Static,
    /// The guest asks for it.
    Dhcp,
}

impl Network {
    const KNOWN: &[&str] = &["user", "user:dhcp", "none"];
}

impl Default for Network {
    /// The user network, addressed without waiting.
    fn default() -> Self {
        Self::User(Addressing::Static)
    }
}

impl FromStr for Network {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "user" => Ok(Self::User(Addressing::Static)),
            "user:dhcp" => Ok(Self::User(Addressing::Dhcp)),
            "none" => Ok(Self::None),
            _ => Err(UnknownWord { what: "network", text: text.to_owned(), known: Self::KNOWN }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User(Addressing::Static) => "user",
            Self::User(Addressing::Dhcp) => "user:dhcp",
            Self::None => "none",
        })
    }
}

/// How a guest's instructions are run. Without one, what works is found by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// Linux' own virtualisation.
    Kvm,
    /// QEMU's translation to host instructions: works everywhere, slowly.
    Tcg,
    /// The Windows Hypervisor Platform.
    Whpx,
    /// macOS' Hypervisor framework.
    Hvf,
}

impl Accel {
    const KNOWN: &[&str] = &["kvm", "tcg", "whpx", "hvf"];
}

impl FromStr for Accel {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            "whpx" => Ok(Self::Whpx),
            "hvf" => Ok(Self::Hvf),
            _ => {
                Err(UnknownWord { what: "accelerator", text: text.to_owned(), known: Self::KNOWN })
            }
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Whpx => "whpx",
            Self::Hvf => "hvf",
        })
    }
}

/// When a registry is asked for an image; docker's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pull {
    /// If it was not pulled before.
    #[default]
    Missing,
    /// Every time: what the name stands for may have changed.
    Always,
    /// Never.
    Never,
}

impl Pull {
    const KNOWN: &[&str] = &["missing", "always", "never"];
}

impl FromStr for Pull {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "missing" => Ok(Self::Missing),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => {
                Err(UnknownWord { what: "pull policy", text: text.to_owned(), known: Self::KNOWN })
            }
        }
    }
}

impl fmt::Display for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

/// What a guest's root file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rootfs {
    /// The initramfs: all of it is in the guest's memory.
    Initramfs,
    /// A read-only EROFS disk; what is written goes to memory.
    Erofs,
    /// A writable ext4 disk that lives as long as the run.
    Ext4,
}

impl Rootfs {
    const KNOWN: &[&str] = &["initramfs", "erofs", "ext4"];
}

impl FromStr for Rootfs {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "initramfs" => Ok(Self::Initramfs),
            "erofs" => Ok(Self::Erofs),
            "ext4" => Ok(Self::Ext4),
            _ => Err(UnknownWord {
                what: "root file system",
                text: text.to_owned(),
                known: Self::KNOWN,
            }),
        }
    }
}

impl fmt::Display for Rootfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initramfs => "initramfs",
            Self::Erofs => "erofs",
            Self::Ext4 => "ext4",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_come_back() {
        for word in Network::KNOWN {
            assert_eq!(word.parse::<Network>().unwrap().to_string(), *word);
        }
        for word in Accel::KNOWN {
            assert_eq!(word.parse::<Accel>().unwrap().to_string(), *word);
        }
        for word in Pull::KNOWN {
            assert_eq!(word.parse::<Pull>().unwrap().to_string(), *word);
        }
        for word in Rootfs::KNOWN {
            assert_eq!(word.parse::<Rootfs>().unwrap().to_string(), *word);
        }
    }

    #[test]
    fn others_are_told_the_nearest() {
        let error = "user:dchp".parse::<Network>().unwrap_err();
        assert_eq!(error.to_string(), "unknown network: user:dchp");
        assert_eq!(error.hint().unwrap(), "did you mean user:dhcp?");
        let error = "xen".parse::<Accel>().unwrap_err();
        assert_eq!(error.to_string(), "unknown accelerator: xen");
        assert_eq!(error.hint().unwrap(), "known are kvm, tcg, whpx, hvf");
    }
}
