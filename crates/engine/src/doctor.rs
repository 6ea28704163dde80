//! What this machine has and lacks.

use mote_kernel::missing_tools;
use mote_kernel::source::{self, Found};
use mote_process::Program;
use mote_rootfs::busybox::{BusyboxBinary, load_busybox};
use mote_vmm::{Accel, QEMU_PACKAGE, find_qemu, probe_accel};
use serde::Serialize;

use crate::cache::Shelf;
use crate::host::{Host, shown};
use crate::{EngineError, accel};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Missing or broken; mote works without it, but slower or not in every way.
    Poor,
    /// Missing or broken; mote cannot build and run a microVM without it.
    Bad,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Good, found: found.into(), fix: None }
    }

    fn lacking(
        what: &'static str,
        state: State,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { what, state, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Looks at all that mote uses.
///
/// # Errors
/// The user's interruption.
pub fn examine(host: &Host) -> Result<Vec<Finding>, EngineError> {
    let mut findings = qemu(host)?;
    let built = !host.cache.entries(Shelf::Kernels)?.is_empty();
    findings.push(build_tools(host, built)?);
    findings.push(kernel_source(host, built));
    findings.push(busybox(host));
    findings.push(cache(host));
    Ok(findings)
}

fn qemu(host: &Host) -> Result<Vec<Finding>, EngineError> {
    const WHAT: &str = "qemu";
    let install = format!("apt install {QEMU_PACKAGE}");
    let Ok(program) = find_qemu(&host.search_path) else {
        return Ok(vec![Finding::lacking(WHAT, State::Bad, "not installed", install)]);
    };
    let version = match program.version_line(&host.cancel) {
        Ok(version) => Finding::good(WHAT, version),
        Err(error) => Finding::lacking(WHAT, State::Bad, error.to_string(), install),
    };
    host.cancel.check()?;
    let kvm = kvm(host, &program)?;
    // One of them is enough.
    let without_tcg = if kvm.state == State::Good { State::Poor } else { State::Bad };
    let tcg = tcg(host, &program, without_tcg)?;
    Ok(vec![version, kvm, tcg])
}

fn kvm(host: &Host, qemu: &Program) -> Result<Finding, EngineError> {
    // What is remembered of it may have been mended since: runs are to know.
    let verdict = accel::probe_kvm(host, qemu)?;
    Ok(match accel::reason(&verdict) {
        None => Finding::good("kvm", "runs a guest"),
        Some(reason) => Finding::lacking("kvm", State::Poor, reason, kvm_fix(reason)),
    })
}

/// What mends KVM, by what QEMU said of it.
fn kvm_fix(reason: &str) -> &'static str {
    if reason.contains("Permission denied") {
        "usermod -aG kvm $USER, then log in again; until then guests run under tcg, slower"
    } else if reason.contains("No such file") {
        "switch virtualisation on in the firmware (of a virtual machine: nested virtualisation), \
         then modprobe kvm; until then guests run under tcg, slower"
    } else {
        "nothing to be done inside this machine: its KVM is there and runs no guest, as in many \
         virtual machines; guests run under tcg, slower"
    }
}

fn tcg(host: &Host, qemu: &Program, without: State) -> Result<Finding, EngineError> {
    let outcome = probe_accel(qemu, Accel::Tcg, &host.cancel)?;
    Ok(match accel::reason(&outcome.verdict) {
        None => Finding::good("tcg", "runs a guest"),
        Some(reason) => Finding::lacking(
            "tcg",
            without,
            reason,
            format!("apt install --reinstall {QEMU_PACKAGE}"),
        ),
    })
}

fn build_tools(host: &Host, built: bool) -> Result<Finding, EngineError> {
    const WHAT: &str = "kernel build tools";
    let missing = missing_tools(&host.search_path, &host.cancel)?;
    if missing.is_empty() {
        return Ok(Finding::good(WHAT, "all there"));
    }
    let names: Vec<_> = missing.iter().map(|tool| tool.name).collect();
    let mut packages: Vec<_> = missing.iter().map(|tool| tool.debian_package).collect();
    packages.dedup();
    let found = format!("missing: {}", names.join(", "));
    let (without, until_then) = without_builds(built);
    let fix = format!("apt install {}{until_then}", packages.join(" "));
    Ok(Finding::lacking(WHAT, without, found, fix))
}

/// How bad it is that no kernel can be built, and what works all the same.
fn without_builds(built: bool) -> (State, &'static str) {
    match built {
        false => (State::Bad, ""),
        true => (State::Poor, "; until then only kernels that are in the cache run"),
    }
}

fn kernel_source(host: &Host, built: bool) -> Finding {
    const WHAT: &str = "kernel source";
    let sources = host.cache.shelf(Shelf::Sources);
    match source::find_on_machine(&host.debian_sources, &sources) {
        Ok(Found::Tarball(path)) => Finding::good(WHAT, shown(&path)),
        Ok(Found::Unpacked(source)) => {
            Finding::good(WHAT, format!("Linux {} in the cache", source.version))
        }
        Err(error) => {
            let fix = "apt install linux-source, or name a version to download: \
                       mote kernel build --source 6.12";
            let (without, until_then) = without_builds(built);
            Finding::lacking(WHAT, without, error.to_string(), format!("{fix}{until_then}"))
        }
    }
}

fn busybox(host: &Host) -> Finding {
    const WHAT: &str = "busybox";
    const FIX: &str =
        "apt install busybox-static, or name a binary or a source tarball in a recipe";
    let Ok(program) = Program::find("busybox", &host.search_path) else {
        return Finding::lacking(WHAT, State::Poor, "not installed", FIX);
    };
    let path = program.path();
    match load_busybox(BusyboxBinary::Host(path.to_owned()), path, &host.cancel) {
        Ok(busybox) => {
            Finding::good(WHAT, format!("{}, static: {}", busybox.version, path.display()))
        }
        Err(error) => Finding::lacking(WHAT, State::Poor, error.to_string(), FIX),
    }
}

fn cache(host: &Host) -> Finding {
    const WHAT: &str = "cache";
    const FIX: &str = "set XDG_CACHE_HOME to a writable directory";
    match host.cache.work() {
        Ok(_) => Finding::good(WHAT, shown(host.cache.root())),
        Err(error) => Finding::lacking(WHAT, State::Bad, error.to_string(), FIX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_source_runs_the_kernels_that_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let host = crate::testing::host(dir.path());
        for (built, state) in [(false, State::Bad), (true, State::Poor)] {
            let finding = kernel_source(&host, built);
            assert_eq!(finding.state, state);
            assert_eq!(finding.fix.unwrap().contains("only kernels that are in the cache"), built);
        }
    }

    #[test]
    fn the_advice_fits_what_is_wrong_with_kvm() {
        for (reason, advice) in [
            ("qemu said: Could not access KVM kernel module: Permission denied", "usermod -aG kvm"),
            (
                "qemu said: Could not access KVM kernel module: No such file or directory",
                "modprobe",
            ),
            ("qemu said: failed to set MSR 0x10a to 0x69", "nothing to be done"),
        ] {
            assert!(kvm_fix(reason).contains(advice), "{reason}");
        }
    }
}
