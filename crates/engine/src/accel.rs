//! Which accelerator works here, found by running a guest and remembered.

use std::fs;
use std::path::{Path, PathBuf};
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

/// What notes about KVM are called.
const KVM: &str = "accelerator";

/// What is remembered of a probe.
#[derive(Serialize, Deserialize)]
struct Remembered {
    /// Why KVM does not work; it does if there is no reason.
    kvm_fails: Option<String>,
}

/// How long it is remembered that KVM does not work. Nothing that can be seen tells when it begins to,
/// once somebody has mended it; but where it hangs, not every run is to wait for it.
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
    let mut choice = match asked {
        Some(accel) => AccelChoice::new(accel, "asked for"),
        None => choose_probed(host, qemu)?,
    };
    if choice.accel == Accel::Tcg {
        choice.host_tsc_khz = host_tsc_khz(&note(host, qemu, "tsc")?);
    }
    Ok(choice)
}

/// Where something is noted that holds for this QEMU on this machine.
fn note(host: &Host, qemu: &Program, what: &str) -> Result<PathBuf, EngineError> {
    let mut hasher = Hasher::new("accelerator");
    hasher.field(probe_key(qemu).as_bytes());
    Ok(host.cache.memo()?.join(format!("{what}-{}", hasher.finish())))
}

fn choose_probed(host: &Host, qemu: &Program) -> Result<AccelChoice, EngineError> {
    let verdict = match remembered(&note(host, qemu, KVM)?) {
        Some(Remembered { kvm_fails: None }) => ProbeVerdict::Works,
        Some(Remembered { kvm_fails: Some(reason) }) => ProbeVerdict::Fails { reason },
        None => event::step(&*host.sink, Step::ProbeAccelerator, |_| probe_kvm(host, qemu))?,
    };
    Ok(choose_accel(&ProbeOutcome { accel: Accel::Kvm, verdict, elapsed: Duration::ZERO }))
}

fn remembered(note: &Path) -> Option<Remembered> {
    let remembered: Remembered = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let is_young =
        || fs::metadata(note).ok()?.modified().ok()?.elapsed().ok().map(|age| age < SHORT);
    (remembered.kvm_fails.is_none() || is_young() == Some(true)).then_some(remembered)
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

/// Runs a guest under KVM, and remembers how that went.
pub(crate) fn probe_kvm(host: &Host, qemu: &Program) -> Result<ProbeVerdict, EngineError> {
    let verdict = probe_accel(qemu, Accel::Kvm, &host.cancel)?.verdict;
    let kvm_fails = reason(&verdict).map(str::to_owned);
    if let Ok(json) = serde_json::to_vec(&Remembered { kvm_fails }) {
        // Only a note: without it the next run tries again.
        let _ = fs::write(note(host, qemu, KVM)?, json);
    }
    Ok(verdict)
}
