//! Which accelerator to use.

use super::{Accel, ProbeOutcome, ProbeVerdict};

/// The accelerator to use and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccelChoice {
    /// To be used.
    pub accel: Accel,
    /// One line for the user.
    pub reason: String,
    /// The rate of the host's time stamp counter in kHz, if it is known and the accelerator shows that counter to the
    /// guest (see [`measure_host_tsc_khz`](crate::measure_host_tsc_khz)).
    pub host_tsc_khz: Option<u32>,
}

impl AccelChoice {
    /// `accel` for `reason`.
    pub fn new(accel: Accel, reason: impl Into<String>) -> Self {
        Self { accel, reason: reason.into(), host_tsc_khz: None }
    }
}

/// The choice that follows from what was found about KVM.
pub fn choose_accel(kvm: &ProbeOutcome) -> AccelChoice {
    match &kvm.verdict {
        ProbeVerdict::Works => AccelChoice::new(Accel::Kvm, "kvm runs a guest here"),
        ProbeVerdict::Fails { reason, .. } => {
            AccelChoice::new(Accel::Tcg, format!("kvm does not work here: {reason}"))
        }
    }
}
