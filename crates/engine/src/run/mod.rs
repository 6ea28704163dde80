//! Running a program: from its name and settings to a machine, and from the machine's end to an
//! outcome.

mod config;
mod ended;
mod fit;
mod initrd;
mod ports;
mod root;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use mote_contract::{INIT_PATH, Io, TerminalSize};
use mote_image::contents_bytes;
use mote_kernel::Kernel;
use mote_kernel::source::SourceSpec;
use mote_manifest::{Addressing, Network, RunSettings};
use mote_oci::Platform;
use mote_process::{Command, Program as Executable};
use mote_rootfs::tree::Tree;
use mote_vmm::{
    Accel, AccelChoice, Cmdline, Drive, Forward, KernelMessages, Machine, MachineSpec, Sandbox,
    UserNetwork, VmmError, Wiring, check_ports, descriptor_path, find_qemu, minimum_memory_mib,
    render_argv,
};

use config::Guest;
pub use ended::{Ended, GuestFailure, Instance};
pub use fit::Lack;
pub(crate) use fit::lacking;
pub use initrd::InitrdError;
pub(crate) use initrd::in_memory;
pub use ports::Published;
use root::RootDisk;

use crate::cache::Shelf;
use crate::contents::Contents;
use crate::digest::Hasher;
use crate::host::Host;
use crate::kernel::{self, KernelWanted, Match};
use crate::program::Program;
use crate::source::SourceWanted;
use crate::{EngineError, accel};

/// The memory of a guest whose system is small and known, in MiB.
const SYSTEM_MEMORY_MIB: u32 = 128;

/// The memory of a guest that runs somebody's image, in MiB. What the guest does not touch costs
/// the host nothing.
const IMAGE_MEMORY_MIB: u32 = 512;

/// The features of a kernel for an image.
const IMAGE_FEATURES: [&str; 1] = ["image"];

/// A run as it was asked for.
#[derive(Debug, Clone)]
pub struct RunWanted {
    /// What is run.
    pub program: Program,
    /// How: what the recipe says, with the flags laid over it.
    pub settings: RunSettings,
    /// The source of a kernel that has to be built, if the recipe's will not do.
    pub kernel_source: Option<SourceSpec>,
    /// The size of the session's terminal, if it has one.
    pub terminal: Option<TerminalSize>,
}

/// A run with all that it needs: kernel, file system, accelerator.
pub struct Plan {
    /// What the program is called.
    name: String,
    memory_mib: u32,
    guest: Guest,
    settings: RunSettings,
    kernel: Kernel,
    root: RootDisk,
    qemu: Executable,
    accel: AccelChoice,
    published: Vec<Published>,
}

impl Plan {
    /// Finds or makes whatever the run needs.
    ///
    /// # Errors
    /// Whatever cannot be had; a kernel that cannot do what the run needs.
    pub fn make(host: &Host, wanted: RunWanted) -> Result<Self, EngineError> {
        let RunWanted { program, settings, kernel_source, terminal } = wanted;
        settings.check()?;
        let kind = root::kind(&program, &settings)?;
        let qemu = find_qemu(&host.search_path)?;
        // What is wrong with all else is told before a kernel is built, which takes minutes.
        let published = ports::publish(&settings)?;
        if settings.dry_run != Some(true) {
            check_ports(&forwards(&published))?;
        }
        let policy = settings.pull.unwrap_or_default();
        let contents = Contents::find(host, program, &Platform::default(), policy)?;
        let guest = Guest::of(&contents, &settings, terminal)?;
        let root = RootDisk::make(host, &contents, &settings, kind)?;
        let memory_mib = memory_mib(&contents, &settings);
        check_initramfs(root.tree(), memory_mib)?;
        let kernel = kernel(host, &contents, &settings, &root, kernel_source)?;
        let has_terminal = if terminal.is_some() { fit::Terminal::Yes } else { fit::Terminal::No };
        let lacks = fit::lacks(&kernel, &settings, &root.needs(), has_terminal);
        if !lacks.is_empty() {
            return Err(lacking(&kernel, lacks));
        }
        let accel = accel::choose(host, &qemu, settings.accel.map(vmm_accel))?;
        let name = contents.name;
        Ok(Self { name, memory_mib, guest, settings, kernel, root, qemu, accel, published })
    }

    /// The accelerator and why it is this one.
    pub fn accel(&self) -> &AccelChoice {
        &self.accel
    }

    /// The ports that the host will offer.
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// The kernel that will boot.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Starts the machine.
    ///
    /// # Errors
    /// A machine that cannot be started: too little memory, a port in use, no rights.
    pub fn start(&self, host: &Host) -> Result<Instance, EngineError> {
        let config = self.config(Io::Channel)?;
        let initrd = OwnedFd::from(initrd::in_memory(self.root.tree(), &config, &host.cancel)?);
        let mut descriptors = Vec::new();
        let drive = self.root.drive(&mut descriptors)?;
        let machine = Machine {
            qemu: self.qemu.clone(),
            spec: self.machine(descriptor_path(&initrd), drive),
            descriptors: descriptors.into_iter().chain([initrd]).collect(),
            io: Io::Channel,
        };
        Instance::new(host, machine.start(&host.cancel)?, self.accel.clone())
    }

    /// The command that runs the same machine by hand, its console on the terminal; it can be
    /// pasted. Its initramfs is put into the cache.
    ///
    /// # Errors
    /// When the initramfs cannot be written.
    pub fn dry_run(&self, host: &Host) -> Result<String, EngineError> {
        let spec = self.machine(self.keep_initrd(host)?, self.root.pasteable_drive(host)?);
        let mut command = Command::new(&self.qemu);
        command.args(render_argv(&spec, &Wiring::Pasteable));
        Ok(command.render())
    }

    fn keep_initrd(&self, host: &Host) -> Result<PathBuf, EngineError> {
        let mut bytes = Vec::new();
        initrd::write(self.root.tree(), &self.config(Io::Console)?, &mut bytes, &host.cancel)?;
        let mut hasher = Hasher::new("initramfs of a run");
        hasher.field(&bytes);
        let make = |partial: &Path| {
            let path = partial.join(INITRD);
            fs::write(&path, &bytes).map_err(EngineError::io("write", &path))
        };
        let key = hasher.finish();
        let what = &self.name;
        let (dir, _) =
            host.cache.ensure(Shelf::Images, &key, what, &host.cancel, &*host.sink, make)?;
        Ok(dir.join(INITRD))
    }

    fn config(&self, io: Io) -> Result<mote_contract::RunConfig, EngineError> {
        config::render(&self.guest, &self.settings, self.root.told(), io)
    }

    fn machine(&self, initrd: PathBuf, drive: Option<Drive>) -> MachineSpec {
        let run = &self.settings;
        let messages = match run.verbose {
            Some(true) => KernelMessages::All,
            _ => KernelMessages::Quiet,
        };
        let append = run.append.as_deref().unwrap_or_default();
        let cmdline = Cmdline {
            accel: self.accel.accel,
            host_tsc_khz: self.accel.host_tsc_khz,
            messages,
            rdinit: Some(INIT_PATH.to_owned()),
            append: append.split_whitespace().map(str::to_owned).collect(),
        };
        MachineSpec {
            accel: self.accel.accel,
            memory_mib: self.memory_mib,
            cpus: run.cpus.unwrap_or(1),
            kernel: self.kernel.vmlinux(),
            initrd: Some(initrd),
            cmdline: cmdline.words().into_iter().map(|word| word.text).collect(),
            drives: drive.into_iter().collect(),
            network: match run.network.unwrap_or_default() {
                Network::None => mote_vmm::Network::None,
                Network::User(addressing) => mote_vmm::Network::User(UserNetwork {
                    addressing: vmm_addressing(addressing),
                    ..UserNetwork::new(forwards(&self.published))
                }),
            },
            sandbox: Sandbox::On,
        }
    }
}

/// The name of an initramfs in the cache.
const INITRD: &str = "initramfs.cpio";

fn memory_mib(contents: &Contents, settings: &RunSettings) -> u32 {
    let usual = match contents.recipe() {
        Some(_) => SYSTEM_MEMORY_MIB,
        None => IMAGE_MEMORY_MIB,
    };
    settings.memory.map_or(usual, |memory| memory.mib())
}

/// Refuses a root file system that cannot be in the guest's memory, before it is in the host's. What
/// only just fits is judged with the kernel beside it.
fn check_initramfs(tree: Option<&Tree>, memory_mib: u32) -> Result<(), EngineError> {
    let bytes = tree.map_or(0, contents_bytes);
    if bytes > u64::from(memory_mib) << 20 {
        let needed_mib = minimum_memory_mib(0, bytes);
        return Err(VmmError::MemoryTooSmall { asked_mib: memory_mib, needed_mib }.into());
    }
    Ok(())
}

/// The kernel that the user names, or one with the features that the program and the run ask for.
fn kernel(
    host: &Host,
    contents: &Contents,
    settings: &RunSettings,
    root: &RootDisk,
    source: Option<SourceSpec>,
) -> Result<Kernel, EngineError> {
    // A source is given for a kernel that is built: then the one that a recipe names is not taken.
    if let Some(name) = settings.kernel.as_ref().filter(|_| source.is_none()) {
        return kernel::find(host, Some(&name.to_string_lossy()));
    }
    let mut wanted = match contents.recipe() {
        Some(recipe) => KernelWanted::of_recipe(recipe),
        None => KernelWanted {
            features: IMAGE_FEATURES.map(str::to_owned).to_vec(),
            ..KernelWanted::default()
        },
    };
    if let Some(spec) = source {
        wanted.source = SourceWanted { spec, pinned: None };
    }
    wanted.features.extend(root.needs().iter().map(|need| need.feature.to_owned()));
    wanted.features.extend(settings.feature.iter().cloned());
    if settings.cpus.unwrap_or(1) > 1 {
        wanted.features.push("smp".to_owned());
    }
    let closely = if settings.exact == Some(true) { Match::Exact } else { Match::Serving };
    Ok(kernel::provide(host, &wanted, closely)?.kernel)
}

fn forwards(published: &[Published]) -> Vec<Forward> {
    published.iter().map(|published| published.forward).collect()
}

fn vmm_addressing(addressing: Addressing) -> mote_vmm::Addressing {
    match addressing {
        Addressing::Static => mote_vmm::Addressing::Init,
        Addressing::Dhcp => mote_vmm::Addressing::Dhcp,
    }
}

fn vmm_accel(accel: mote_manifest::Accel) -> Accel {
    match accel {
        mote_manifest::Accel::Kvm => Accel::Kvm,
        mote_manifest::Accel::Tcg => Accel::Tcg,
        mote_manifest::Accel::Whpx => Accel::Whpx,
        mote_manifest::Accel::Hvf => Accel::Hvf,
    }
}
