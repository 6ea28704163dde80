//! Does an accelerator run a guest here? Asked by running one, because `/dev/kvm` opens in places where every
//! ordinary guest dies.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mote_process::{Cancel, Command, ProcessError, Program};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{Accel, guest};
use crate::qemu::{Wiring, descriptor_path, render_argv};
use crate::{MachineSpec, Network, Sandbox};

/// A hypervisor answers in some 50 ms.
const TIMEOUT: Duration = Duration::from_secs(2);
/// TCG is only slow when the host is busy, which is no reason to do without it.
const TCG_TIMEOUT: Duration = Duration::from_secs(20);

/// What a probe has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// The accelerator asked about.
    pub accel: Accel,
    /// Whether it works.
    pub verdict: ProbeVerdict,
    /// How long the guest took, QEMU's start and end included.
    pub elapsed: Duration,
}

/// Whether an accelerator works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// The guest ran through.
    Works,
    /// It did not.
    Fails {
        /// One line for the user.
        reason: String,
    },
}

impl ProbeOutcome {
    /// Whether it works.
    pub fn works(&self) -> bool {
        self.verdict == ProbeVerdict::Works
    }
}

/// Runs a few instructions in a guest under `accel`, with the processor model and options that a machine would have.
///
/// # Errors
///
/// [`ProcessError::Cancelled`], and [`ProcessError::Spawn`] when QEMU itself cannot be started: that says nothing
/// about the accelerator.
pub fn probe_accel(
    qemu: &Program,
    accel: Accel,
    cancel: &Cancel,
) -> Result<ProbeOutcome, ProcessError> {
    let begun = Instant::now();
    let timeout = if accel == Accel::Tcg { TCG_TIMEOUT } else { TIMEOUT };
    let mut command = Command::new(qemu);
    let kernel =
        guest_file().map_err(|source| ProcessError::Spawn { command: command.render(), source })?;
    command.args(probe_argv(accel, descriptor_path(&kernel)));
    command.inherit(kernel).timeout(timeout);
    let verdict = match command.output(cancel) {
        Ok(_) => fails("the guest was reset before its first check".to_owned()),
        Err(ProcessError::Failed { status, tail, .. }) => match status.code() {
            Some(guest::PROVEN_STATUS) => ProbeVerdict::Works,
            Some(guest::WRONG_STATUS) => {
                fails("an instruction of the guest gave a wrong result".to_owned())
            }
            _ => fails(
                reason_in(&tail)
                    .unwrap_or_else(|| format!("qemu ended with {status} and said nothing")),
            ),
        },
        Err(ProcessError::TimedOut { tail, after, .. }) => {
            reason_in(&tail).map_or_else(|| too_slow(after), fails)
        }
        Err(error) => return Err(error),
    };
    Ok(ProbeOutcome { accel, verdict, elapsed: begun.elapsed() })
}

fn fails(reason: String) -> ProbeVerdict {
    ProbeVerdict::Fails { reason }
}

fn too_slow(after: Duration) -> ProbeVerdict {
    let after = after.as_secs();
    let reason = format!("the guest did not finish a few instructions within {after} s");
    ProbeVerdict::Fails { reason }
}

/// What QEMU says about an accelerator that does not work, as one line.
fn reason_in(output: &str) -> Option<String> {
    if let Some(at) = output.find("KVM internal error") {
        let detail = output[at..].lines().find(|line| *line == "emulation failure");
        let detail = detail.map_or(
            "",
            |_| ": the hypervisor cannot run an ordinary instruction (emulation failure)",
        );
        return Some(format!("the guest died with a KVM internal error{detail}"));
    }
    let is_reason = |line: &&str| !line.trim().is_empty() && !line.contains("warning: ");
    let line = output.lines().find(is_reason)?;
    let said = match line.split_once(": ") {
        Some((program, said)) if !program.contains(' ') => said.trim_start_matches("error: "),
        _ => line,
    };
    Some(format!("qemu said: {said}"))
}

fn guest_file() -> io::Result<File> {
    let mut file = File::from(memfd_create("probe", MemfdFlags::CLOEXEC)?);
    file.write_all(&guest::elf())?;
    Ok(file)
}

fn probe_argv(accel: Accel, kernel: PathBuf) -> Vec<OsString> {
    let spec = MachineSpec {
        accel,
        memory_mib: 4,
        cpus: 1,
        kernel,
        initrd: None,
        cmdline: Vec::new(),
        drives: Vec::new(),
        network: Network::None,
        sandbox: Sandbox::On,
    };
    let mut argv = render_argv(&spec, &Wiring::None);
    argv.push("-device".into());
    argv.push(format!("isa-debug-exit,iobase={:#x},iosize=1", guest::EXIT_PORT).into());
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_one_line() {
        let table = [
            (
                "KVM internal error. Suberror: 1\nextra data[0]: 0x1\nemulation failure\nEAX=0",
                Some(
                    "the guest died with a KVM internal error: the hypervisor cannot run an ordinary instruction \
                   (emulation failure)",
                ),
            ),
            (
                "Could not access KVM kernel module: Permission denied\nqemu-system-x86_64: failed to initialize kvm: x",
                Some("qemu said: Could not access KVM kernel module: Permission denied"),
            ),
            (
                "qemu: warning: host doesn't support x\nqemu: error: failed to set MSR 0x10a to 0x69\nqemu: ../a.c: Assertion",
                Some("qemu said: failed to set MSR 0x10a to 0x69"),
            ),
            ("", None),
        ];
        for (output, reason) in table {
            assert_eq!(reason_in(output).as_deref(), reason);
        }
    }
}
