//! Which accelerator works here, found by running a guest and remembered.

use std::fs;
use std::path::Path;
use std::time::Duration;

use mote_process::Program;
use mote_vmm::{
    Accel, AccelChoice, ProbeOutcome, ProbeVerdict, choose_accel, measure_host_tsc_khz,
    probe_accel, probe_key,
};
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::digest::Hasher;
use crate::event::{self, Step};
use crate::host::Host;

/// What is remembered of a probe.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// Why KVM does not work; it does if there is no reason.
    kvm_fails: Option<String>,
    /// Whether it is so for good, or only for [`SHORT`].
    lasting: bool,
}

/// How long it is remembered that a guest was too slow: the host may have been busy, but where KVM
/// hangs, not every run is to wait for it.
const SHORT: Duration = Duration::from_secs(600);

/// Why an accelerator does not work, if it does not.
pub(crate) fn reason(verdict: &ProbeVerdict) -> Option<&str> {
    match verdict {
        ProbeVerdict::Works => None,
        ProbeVerdict::Fails { reason, .. } => Some(reason),
    }
}

/// The accelerator that was asked for, or the best one that runs a guest here.
pub(crate) fn choose(
    host: &Host,
    qemu: &Program,
    asked: Option<Accel>,
) -> Result<AccelChoice, EngineError> {
    let key = {
        let mut hasher = Hasher::new("accelerator");
        hasher.field(probe_key(qemu).as_bytes());
        hasher.finish()
    };
    let mut choice = match asked {
        Some(accel) => AccelChoice::new(accel, "asked for"),
        None => choose_probed(host, qemu, &host.cache.memo()?.join(format!("accelerator-{key}")))?,
    };
    if choice.accel == Accel::Tcg {
        let note = host.cache.memo()?.join(format!("tsc-{key}"));
        choice.host_tsc_khz = host_tsc_khz(&note);
    }
    Ok(choice)
}

fn choose_probed(host: &Host, qemu: &Program, note: &Path) -> Result<AccelChoice, EngineError> {
    let verdict = match remembered(note) {
        Some(Remembered { kvm_fails: None, .. }) => ProbeVerdict::Works,
        Some(Remembered { kvm_fails: Some(reason), lasting }) => {
            ProbeVerdict::Fails { reason, lasting }
        }
        None => probe(host, qemu, note)?,
    };
    Ok(choose_accel(&ProbeOutcome { accel: Accel::Kvm, verdict, elapsed: Duration::ZERO }))
}

fn remembered(note: &Path) -> Option<Remembered> {
    let remembered: Remembered = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let is_young =
        || fs::metadata(note).ok()?.modified().ok()?.elapsed().ok().map(|age| age < SHORT);
    (remembered.lasting || is_young() == Some(true)).then_some(remembered)
}

/// The rate of the host's time stamp counter, measured once.
fn host_tsc_khz(note: &Path) -> Option<u32> {
    let remembered = fs::read_to_string(note).ok().and_then(|text| text.parse().ok());
    remembered.or_else(|| {
        let khz = measure_host_tsc_khz()?;
        // Only a note, as above.
        let _ = fs::write(note, khz.to_string());
        Some(khz)
    })
}

fn probe(host: &Host, qemu: &Program, note: &Path) -> Result<ProbeVerdict, EngineError> {
    let probe = || probe_accel(qemu, Accel::Kvm, &host.cancel);
    let verdict = event::step(&*host.sink, Step::ProbeAccelerator, |_| probe())?.verdict;
    let kvm_fails = reason(&verdict).map(str::to_owned);
    let lasting = !matches!(verdict, ProbeVerdict::Fails { lasting: false, .. });
    if let Ok(json) = serde_json::to_vec(&Remembered { kvm_fails, lasting }) {
        // Only a note: without it the next run tries again.
        let _ = fs::write(note, json);
    }
    Ok(verdict)
}
