//! Accelerators: what they are, what suits each, and which one really works here.

mod choice;
pub(crate) mod guest;
mod key;
mod probe;
mod settings;
mod tsc;

pub use choice::{AccelChoice, choose_accel};
pub use key::probe_key;
pub use probe::{ProbeOutcome, ProbeVerdict, probe_accel};
pub use settings::{Setting, cpu_model, kernel_words, machine_options};
pub use tsc::measure_host_tsc_khz;

use std::fmt;
use std::str::FromStr;

/// How QEMU executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Accel {
    /// Linux's hypervisor, through `/dev/kvm`.
    Kvm,
    /// QEMU's own translator: works everywhere, some ten times slower.
    Tcg,
    /// The hypervisor of Windows.
    Whpx,
    /// The hypervisor of macOS.
    Hvf,
}

impl Accel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kvm, Self::Tcg, Self::Whpx, Self::Hvf];

    /// The name that QEMU and mote's `--accel` give it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Whpx => "whpx",
            Self::Hvf => "hvf",
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no accelerator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown accelerator: {0} (kvm, tcg, whpx or hvf)")]
pub struct UnknownAccel(pub String);

impl FromStr for Accel {
    type Err = UnknownAccel;

    fn from_str(name: &str) -> Result<Self, UnknownAccel> {
        let known = Self::ALL.into_iter().find(|accel| accel.name() == name);
        known.ok_or_else(|| UnknownAccel(name.to_owned()))
    }
}
