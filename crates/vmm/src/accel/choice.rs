//! Which accelerator to use.

use mote_process::{Cancel, ProcessError, Program};

use super::{Accel, ProbeOutcome, ProbeVerdict, probe_accel};

/// The accelerator to use and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccelChoice {
    /// To be used.
    pub accel: Accel,
    /// One line for the user.
    pub reason: String,
}

/// The choice that follows from what was found about KVM.
pub fn choose_accel(kvm: &ProbeOutcome) -> AccelChoice {
    match &kvm.verdict {
        ProbeVerdict::Works => {
            AccelChoice { accel: Accel::Kvm, reason: "kvm runs a guest here".to_owned() }
        }
        ProbeVerdict::Fails { reason } => {
            AccelChoice { accel: Accel::Tcg, reason: format!("kvm does not work here: {reason}") }
        }
    }
}

/// The accelerator that the user asked for, or else the best one that runs a guest.
///
/// # Errors
///
/// Those of [`probe_accel`].
pub fn detect_accel(
    qemu: &Program,
    asked: Option<Accel>,
    cancel: &Cancel,
) -> Result<AccelChoice, ProcessError> {
    match asked {
        Some(accel) => Ok(AccelChoice { accel, reason: "asked for".to_owned() }),
        None => Ok(choose_accel(&probe_accel(qemu, Accel::Kvm, cancel)?)),
    }
}
