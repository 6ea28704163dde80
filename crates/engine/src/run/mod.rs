//! Running a recipe: from its settings to a machine, and from the machine's end to an outcome.

mod config;
mod ended;
mod fit;
mod initrd;
mod ports;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use mote_contract::{INIT_PATH, Io, TerminalSize};
use mote_kernel::Kernel;
use mote_manifest::{Network, Recipe};
use mote_process::{Command, Program};
use mote_rootfs::tree::Tree;
use mote_vmm::{
    Accel, AccelChoice, Cmdline, KernelMessages, Machine, MachineSpec, Sandbox, UserNetwork,
    Wiring, descriptor_path, find_qemu, render_argv,
};

pub use ended::{Ended, GuestFailure, Instance};
pub use fit::Lack;
pub(crate) use fit::lacking;
pub use initrd::InitrdError;
pub(crate) use initrd::in_memory;
pub use ports::Published;

use crate::cache::Shelf;
use crate::digest::Hasher;
use crate::host::Host;
use crate::kernel::{self, KernelWanted};
use crate::{EngineError, accel, system};

/// The guest's memory unless another amount is wanted, in MiB.
const MEMORY_MIB: u32 = 128;

/// A run with all that it needs: kernel, file system, accelerator.
pub struct Plan {
    recipe: Recipe,
    kernel: Kernel,
    tree: Tree,
    qemu: Program,
    accel: AccelChoice,
    published: Vec<Published>,
    terminal: Option<TerminalSize>,
}

impl Plan {
    /// Finds or makes whatever the run needs. `terminal` is the size of the session's terminal,
    /// if it has one.
    ///
    /// # Errors
    /// Whatever cannot be had; a kernel that cannot do what the run needs.
    pub fn make(
        host: &Host,
        recipe: Recipe,
        terminal: Option<TerminalSize>,
    ) -> Result<Self, EngineError> {
        recipe.run.check()?;
        let qemu = find_qemu(&host.search_path)?;
        // What is wrong with all else is told before a kernel is built, which takes minutes.
        let published = ports::publish(&recipe.run)?;
        let tree = system::tree(host, &recipe)?;
        let kernel = kernel(host, &recipe)?;
        let has_terminal = if terminal.is_some() { fit::Terminal::Yes } else { fit::Terminal::No };
        let lacks = fit::lacks(&kernel, &recipe, has_terminal);
        if !lacks.is_empty() {
            return Err(lacking(&kernel, lacks));
        }
        let accel = accel::choose(host, &qemu, recipe.run.accel.map(vmm_accel))?;
        Ok(Self { recipe, kernel, tree, qemu, accel, published, terminal })
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
        let initrd = OwnedFd::from(initrd::in_memory(&self.tree, &self.config(Io::Channel)?)?);
        let machine = Machine {
            qemu: self.qemu.clone(),
            spec: self.machine(descriptor_path(&initrd)),
            descriptors: vec![initrd],
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
        let spec = self.machine(self.keep_initrd(host)?);
        let mut command = Command::new(&self.qemu);
        command.args(render_argv(&spec, &Wiring::Pasteable));
        Ok(command.render())
    }

    fn keep_initrd(&self, host: &Host) -> Result<PathBuf, EngineError> {
        let mut bytes = Vec::new();
        initrd::write(&self.tree, &self.config(Io::Console)?, &mut bytes)?;
        let mut hasher = Hasher::new("initramfs of a run");
        hasher.field(&bytes);
        let make = |partial: &std::path::Path| {
            let path = partial.join(INITRD);
            fs::write(&path, &bytes).map_err(EngineError::io("write", &path))
        };
        let key = hasher.finish();
        let what = &self.recipe.name;
        let (dir, _) =
            host.cache.ensure(Shelf::Images, &key, what, &host.cancel, &*host.sink, make)?;
        Ok(dir.join(INITRD))
    }

    fn config(&self, io: Io) -> Result<mote_contract::RunConfig, EngineError> {
        // By hand, the session is on the machine's console, which is a terminal already.
        let terminal = self.terminal.filter(|_| io == Io::Channel);
        config::render(&self.recipe, io, terminal).map_err(EngineError::Entropy)
    }

    fn machine(&self, initrd: PathBuf) -> MachineSpec {
        let run = &self.recipe.run;
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
            memory_mib: run.memory.map_or(MEMORY_MIB, |memory| memory.mib()),
            cpus: run.cpus.unwrap_or(1),
            kernel: self.kernel.vmlinux(),
            initrd: Some(initrd),
            cmdline: cmdline.words().into_iter().map(|word| word.text).collect(),
            drives: Vec::new(),
            network: match run.network.unwrap_or_default() {
                Network::None => mote_vmm::Network::None,
                Network::User(_) => mote_vmm::Network::User(UserNetwork::new(
                    self.published.iter().map(|published| published.forward).collect(),
                )),
            },
            sandbox: Sandbox::On,
        }
    }
}

/// The name of an initramfs in the cache.
const INITRD: &str = "initramfs.cpio";

/// The kernel that the recipe names, or one with the features that it and the run ask for.
fn kernel(host: &Host, recipe: &Recipe) -> Result<Kernel, EngineError> {
    if let Some(name) = &recipe.run.kernel {
        return kernel::find(host, Some(&name.to_string_lossy()));
    }
    let mut wanted = KernelWanted::of_recipe(recipe);
    wanted.features.extend(recipe.run.feature.iter().cloned());
    if recipe.run.cpus.unwrap_or(1) > 1 {
        wanted.features.push("smp".to_owned());
    }
    Ok(kernel::ensure(host, &wanted)?.kernel)
}

fn vmm_accel(accel: mote_manifest::Accel) -> Accel {
    match accel {
        mote_manifest::Accel::Kvm => Accel::Kvm,
        mote_manifest::Accel::Tcg => Accel::Tcg,
        mote_manifest::Accel::Whpx => Accel::Whpx,
        mote_manifest::Accel::Hvf => Accel::Hvf,
    }
}
