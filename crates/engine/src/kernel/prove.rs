//! Proving a kernel's features: a guest runs the probe of each.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use mote_contract::{
    CONFIG_VERSION, INIT_PATH, Io, Network as GuestNetwork, Root, RunConfig, Session, Verdict,
};
use mote_kernel::{Catalogue, Kernel};
use mote_manifest::Recipe;
use mote_rootfs::tree::{Inode, Tree, TreePath};
use mote_vmm::{
    AccelChoice, Cmdline, Control, Drive, DriveAccess, Event, KernelMessages, Machine, MachineSpec,
    Network, Outcome, Sandbox, SessionIo, Sink, UserNetwork, descriptor_path, find_qemu,
};
use serde::Serialize;

use crate::event::{self, Step};
use crate::host::Host;
use crate::run::{Lack, in_memory, lacking};
use crate::{EngineError, accel, guest, system};

/// Enough for every probe.
const MEMORY_MIB: u32 = 256;
/// An empty disk for the probes of drives and file systems, in bytes.
const SCRATCH_BYTES: u64 = 64 << 20;
/// A guest that takes longer hangs: all probes together take some seconds under TCG.
const TIMEOUT: Duration = Duration::from_secs(300);
/// What the lines of the script begin with.
const MARK: &str = "@mote-probe@";

/// What came of one feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The feature.
    pub feature: String,
    /// Whether it is there.
    pub result: ProofResult,
    /// What the probe printed.
    pub output: String,
}

/// Whether a feature is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "status")]
pub enum ProofResult {
    /// Its probe succeeded.
    Proven,
    /// Its probe failed with this status.
    Failed(u8),
    /// The guest ended before the probe did.
    NotRun,
}

impl ProofResult {
    /// Whether the feature is proven.
    pub fn is_proven(self) -> bool {
        self == Self::Proven
    }
}

impl fmt::Display for ProofResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven => f.write_str("proven"),
            Self::Failed(status) => write!(f, "not proven: the probe ended with status {status}"),
            Self::NotRun => f.write_str("not proven: the guest ended before its probe"),
        }
    }
}

/// Boots `kernel` and runs the probes of its features: one proof for each that has a probe, sorted
/// by name.
///
/// # Errors
/// A kernel that cannot run probes at all, or a machine that cannot be started.
pub fn prove(host: &Host, kernel: &Kernel) -> Result<Vec<Proof>, EngineError> {
    let io = reporting(kernel)?;
    let probes = probes(kernel);
    let tree = tree(host, &probes)?;
    let qemu = find_qemu(&host.search_path)?;
    let AccelChoice { accel, host_tsc_khz, .. } = accel::choose(host, &qemu, None)?;
    let has = |symbol: &str| kernel.config().is_built_in(symbol);

    let initrd =
        OwnedFd::from(in_memory(Some(&tree), &config(io, has("VIRTIO_NET")), &host.cancel)?);
    let scratch = has("VIRTIO_BLK").then(|| scratch_disk(host)).transpose()?;
    let cmdline = Cmdline {
        accel,
        host_tsc_khz,
        messages: KernelMessages::Quiet,
        rdinit: Some(INIT_PATH.to_owned()),
        append: Vec::new(),
    };
    let drive =
        |disk: &OwnedFd| Drive { file: descriptor_path(disk), access: DriveAccess::ReadWrite };
    let spec = MachineSpec {
        accel,
        memory_mib: MEMORY_MIB,
        cpus: if has("SMP") { 2 } else { 1 },
        kernel: kernel.vmlinux(),
        initrd: Some(descriptor_path(&initrd)),
        cmdline: cmdline.words().into_iter().map(|word| word.text).collect(),
        drives: scratch.iter().map(drive).collect(),
        network: match has("VIRTIO_NET") {
            true => Network::User(UserNetwork::new(Vec::new())),
            false => Network::None,
        },
        sandbox: Sandbox::On,
    };
    let descriptors = [initrd].into_iter().chain(scratch).collect();
    let machine = Machine { qemu, spec, descriptors, io };
    let step = Step::Prove { release: kernel.record().release.clone() };
    let (outcome, said) = event::step(&*host.sink, step, |_| run(host, machine))?;
    let proofs = read_proofs(&probes, &said);
    if proofs.iter().any(|proof| proof.result == ProofResult::NotRun) {
        host.warn(format!("the guest ended early: {}", describe(&outcome)));
    }
    Ok(proofs)
}

/// How the guest can report: over the channel if the kernel can, or else over the serial console.
fn reporting(kernel: &Kernel) -> Result<Io, EngineError> {
    let has = |symbol: &str| kernel.config().is_built_in(symbol);
    let need = |symbol, feature, purpose| Lack { symbol, feature, purpose };
    let mut lacks = vec![
        need("BLK_DEV_INITRD", "initramfs", "the probes are in an initramfs"),
        need("BINFMT_ELF", "base", "the probes run ELF programs"),
        need("DEVTMPFS", "base", "the probes find devices in /dev"),
    ];
    let io = match has("VIRTIO_CONSOLE") && has("VIRTIO_MMIO") {
        true => Io::Channel,
        false => {
            lacks.push(need("SERIAL_8250_CONSOLE", "serial", "the probes report on a console"));
            Io::Console
        }
    };
    lacks.retain(|lack| !has(lack.symbol));
    match lacks.is_empty() {
        true => Ok(io),
        false => Err(lacking(kernel, lacks)),
    }
}

/// The probes of the kernel's features, by name.
fn probes(kernel: &Kernel) -> BTreeMap<&str, &'static str> {
    let catalogue = Catalogue::builtin();
    let features = kernel.record().features.iter();
    features
        .filter_map(|name| Some((name.as_str(), catalogue.get(name).ok()?.probe.as_deref()?)))
        .collect()
}

/// The BusyBox system with the probes and what they use.
fn tree(host: &Host, probes: &BTreeMap<&str, &str>) -> Result<Tree, EngineError> {
    let recipe = Recipe::builtin("busybox").map_err(crate::program::ProgramError::from)?;
    let mut tree = system::tree(host, &recipe)?;
    let mut insert = |path: &str, inode| {
        let path = TreePath::parse(path)?;
        tree.insert(&path, inode)?;
        Ok::<_, EngineError>(())
    };
    insert("/.mote/prove", Inode::file(include_str!("prove.sh"), 0o755))?;
    insert("/.mote/bin/sys", Inode::file(guest::SYS.to_vec(), 0o755))?;
    for (name, probe) in probes {
        insert(&format!("/.mote/probes/{name}"), Inode::file(*probe, 0o755))?;
    }
    Ok(tree)
}

fn config(io: Io, network: bool) -> RunConfig {
    let user = UserNetwork::new(Vec::new());
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RunConfig {
        version: CONFIG_VERSION,
        hostname: None,
        clock_unix_ns: None,
        entropy_seed: None,
        network: match network {
            true => GuestNetwork::Static {
                address: user.guest,
                gateway: user.gateway,
                dns: vec![user.dns],
            },
            false => GuestNetwork::None,
        },
        hosts: Vec::new(),
        root: Root::Initramfs,
        tmpfs: Vec::new(),
        system: None,
        session: Session {
            argv: ["/bin/sh", "/.mote/prove"].map(str::to_owned).to_vec(),
            env: vec![
                variable("PATH", "/.mote/bin:/sbin:/usr/sbin:/bin:/usr/bin"),
                variable("HOME", "/root"),
                variable("MARK", MARK),
            ],
            cwd: "/".to_owned(),
            user: None,
            terminal: None,
        },
        io,
    }
}

fn scratch_disk(host: &Host) -> Result<OwnedFd, EngineError> {
    let work = host.cache.work()?;
    let disk: File = tempfile::tempfile_in(work.path()).map_err(EngineError::Scratch)?;
    disk.set_len(SCRATCH_BYTES).map_err(EngineError::Scratch)?;
    Ok(disk.into())
}

/// Runs the machine; gives all that the probes printed.
fn run(host: &Host, machine: Machine) -> Result<(Outcome, String), EngineError> {
    let console_only = machine.io == Io::Console;
    let running = machine.start(&host.cancel)?;
    let (mut output, mut errors, mut console) = (Vec::new(), Vec::new(), String::new());
    let mut on_event = |event: &Event| {
        if let Event::Console(line) = event
            && console_only
            && Verdict::parse(line).is_none()
        {
            console.push_str(line);
            console.push('\n');
        }
    };
    let io = SessionIo {
        stdin: None,
        stdout: Sink::Writer(&mut output),
        stderr: Sink::Writer(&mut errors),
        console_log: None,
        control: Control::new()?,
        timeout: Some(TIMEOUT),
        silence_limit: TIMEOUT,
        on_event: &mut on_event,
    };
    let outcome = running.attach(io, &host.cancel)?;
    host.cancel.check()?;
    let said = if console_only { console } else { String::from_utf8_lossy(&output).into_owned() };
    Ok((outcome, said))
}

fn describe(outcome: &Outcome) -> String {
    format!("{:?}\n{}", outcome.end, outcome.console_tail)
}

/// Reads what the script printed. What no line says did not run.
fn read_proofs(probes: &BTreeMap<&str, &str>, said: &str) -> Vec<Proof> {
    let mut results = BTreeMap::new();
    let mut output = String::new();
    for line in said.lines().map(|line| line.trim_end_matches('\r')) {
        let Some(report) = line.strip_prefix(MARK) else {
            output.push_str(line);
            output.push('\n');
            continue;
        };
        let words: Vec<_> = report.split_whitespace().collect();
        match words[..] {
            ["begin", _] => output.clear(),
            ["end", name, status] => {
                let result = match status.parse() {
                    Ok(0) => ProofResult::Proven,
                    Ok(status) => ProofResult::Failed(status),
                    Err(_) => continue,
                };
                let printed = mote_process::printable(output.trim_end().as_bytes());
                results.insert(name, (result, printed));
            }
            _ => {}
        }
    }
    probes
        .keys()
        .map(|&name| {
            let (result, output) =
                results.remove(name).unwrap_or((ProofResult::NotRun, String::new()));
            Proof { feature: name.to_owned(), result, output }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_printed_is_read() {
        let probes = BTreeMap::from([("ext4", ""), ("net", ""), ("vsock", "")]);
        let said = format!(
            "junk\n{MARK} begin ext4\r\nfound\r\n\n{MARK} end ext4 0\n\
             {MARK} begin net\nno eth0\n\n{MARK} end net 3\n{MARK} begin vsock\nhangs"
        );
        let proof = |feature: &str, result, output: &str| Proof {
            feature: feature.to_owned(),
            result,
            output: output.to_owned(),
        };
        assert_eq!(
            read_proofs(&probes, &said),
            [
                proof("ext4", ProofResult::Proven, "found"),
                proof("net", ProofResult::Failed(3), "no eth0"),
                proof("vsock", ProofResult::NotRun, ""),
            ]
        );
    }
}
