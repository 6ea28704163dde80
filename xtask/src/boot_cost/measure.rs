//! Measuring one kernel: QEMU counts its instructions and device accesses.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mote_contract::INIT_PATH;
use mote_engine::Host;
use mote_kernel::Kernel;
use mote_process::{Cancel, Command, ProcessError, Program};
use mote_vmm::{
    Accel, Cmdline, KernelMessages, MachineSpec, Network, Sandbox, UserNetwork, Wiring, find_qemu,
    render_argv,
};
use serde::{Serialize, Serializer};
use tempfile::TempDir;

use super::pid1;
use super::trace::{self, Console};

/// The memory in which instructions and device accesses are counted.
pub const MEMORY_MIB: u32 = 128;
/// Decompressing a kernel takes a quiet host some seconds under TCG.
const TIMEOUT: Duration = Duration::from_secs(180);
/// A guest with too little memory may hang instead of ending; what boots does so at once.
const RAM_TIMEOUT: Duration = Duration::from_secs(30);
/// With a disk the guest waits for the host, and waiting counts as instructions: the least of
/// several boots is the nearest to what the kernel itself costs.
const DISK_BOOTS: usize = 9;

/// What makes QEMU count instead of measure time: one instruction is one nanosecond and one tick of
/// the time stamp counter, and nothing is random.
const COUNTING: [&str; 9] = [
    "-icount",
    "shift=0,sleep=off",
    "-cpu",
    "max,-rdrand,-rdseed,-pku",
    "-seed",
    "1",
    "-rtc",
    "base=2020-01-01T00:00:00,clock=vm",
    "-no-reboot",
];

/// Which file of a kernel is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The stripped ELF, through PVH.
    Vmlinux,
    /// The compressed image, with its own boot protocol.
    Bzimage,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vmlinux => "vmlinux",
            Self::Bzimage => "bzImage",
        })
    }
}

/// How a kernel is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As `mote run` does it: with channel and network.
    Mote,
    /// Without any device that is not needed, as comparable systems are.
    Bare(Console, Root),
}

/// Where PID 1 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// In an initramfs.
    Initramfs,
    /// On an ext4 disk.
    Ext4,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mote => "as mote run does",
            Self::Bare(Console::Serial, Root::Initramfs) => "ttyS0, initramfs",
            Self::Bare(Console::Virtio, Root::Initramfs) => "hvc0, initramfs",
            Self::Bare(Console::Serial, Root::Ext4) => "ttyS0, ext4",
            Self::Bare(Console::Virtio, Root::Ext4) => "hvc0, ext4",
        })
    }
}

impl Way {
    fn console(self) -> Console {
        match self {
            Self::Mote => Console::Serial,
            Self::Bare(console, _) => console,
        }
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line of the table.
#[derive(Debug, Serialize)]
pub struct Measurement {
    /// The kernel's name.
    pub kernel: String,
    /// Its file.
    pub form: Form,
    /// How it was started.
    pub way: Way,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// What a kernel costs until PID 1.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// Instructions until PID 1's first, the firmware's included.
    pub instructions: u64,
    /// Accesses to devices other than the PIT until PID 1 prints.
    pub device_accesses: u64,
    /// The least memory in which PID 1 runs, in MiB.
    pub smallest_ram_mib: u32,
    /// Of the kernel's file.
    pub kernel_bytes: u64,
}

/// What every measurement needs.
pub struct Bench {
    qemu: Program,
    cancel: Cancel,
    dir: TempDir,
    /// QEMU's first line about itself.
    pub qemu_version: String,
    /// Of the initramfs with PID 1.
    pub initramfs_bytes: u64,
}

impl Bench {
    /// Finds QEMU; writes PID 1 as an initramfs and as an ext4 disk.
    ///
    /// # Errors
    ///
    /// A program that is missing, a file that cannot be written.
    pub fn prepare(host: &Host) -> Result<Self> {
        let qemu = find_qemu(&host.search_path)?;
        let dir = TempDir::new()?;
        let initramfs = pid1::initramfs()?;
        let bench = Self {
            qemu_version: qemu.version_line(&host.cancel)?,
            qemu,
            cancel: host.cancel.clone(),
            initramfs_bytes: initramfs.len() as u64,
            dir,
        };
        fs::write(bench.file("initramfs"), initramfs)?;
        bench.make_disk(host)?;
        Ok(bench)
    }

    fn make_disk(&self, host: &Host) -> Result<()> {
        let tree = self.file("tree");
        fs::create_dir(&tree)?;
        let init = tree.join("init");
        fs::write(&init, pid1::elf())?;
        fs::set_permissions(&init, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let mke2fs = Program::find("mke2fs", &host.search_path).context("the package e2fsprogs")?;
        Command::new(&mke2fs)
            .args(["-q", "-t", "ext4", "-d"])
            .args([&tree, &self.file("disk")])
            .arg("8M")
            .output(&self.cancel)?;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Boots the kernel as often as it takes.
    ///
    /// # Errors
    ///
    /// A kernel that does not reach PID 1, a QEMU that does not run.
    pub fn measure(&self, kernel: &Kernel, form: Form, way: Way) -> Result<Cost> {
        let file = match form {
            Form::Vmlinux => kernel.vmlinux(),
            Form::Bzimage => kernel.bzimage(),
        };
        let boots = match way {
            Way::Bare(_, Root::Ext4) => DISK_BOOTS,
            Way::Mote | Way::Bare(_, Root::Initramfs) => 1,
        };
        let counts = (0..boots).map(|_| self.count(&file, way)).collect::<Result<Vec<_>>>()?;
        let (instructions, device_accesses) =
            counts.into_iter().min().expect("a kernel is booted at least once");
        Ok(Cost {
            instructions,
            device_accesses,
            smallest_ram_mib: self.smallest_ram_mib(&file, way)?,
            kernel_bytes: fs::metadata(&file)?.len(),
        })
    }

    /// Instructions until PID 1, and device accesses until it prints.
    fn count(&self, kernel: &Path, way: Way) -> Result<(u64, u64)> {
        let log = self.file("trace");
        let console = self.boot(kernel, way, MEMORY_MIB, Some(&log), TIMEOUT)?;
        let Some(instructions) = pid1::read(&console) else {
            let said = mote_process::printable(console.as_bytes());
            bail!("PID 1 was not reached; the console said:\n{said}");
        };
        let trace = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        let device_accesses = trace::count(&trace, way.console())
            .context("PID 1 printed, and no access to its console was seen")?;
        Ok((instructions, device_accesses))
    }

    /// The least memory that works, given that [`MEMORY_MIB`] do.
    fn smallest_ram_mib(&self, kernel: &Path, way: Way) -> Result<u32> {
        let (mut fails, mut works) = (1, MEMORY_MIB);
        while works - fails > 1 {
            let middle = fails.midpoint(works);
            let console = self.boot(kernel, way, middle, None, RAM_TIMEOUT)?;
            match pid1::read(&console) {
                Some(_) => works = middle,
                None => fails = middle,
            }
        }
        Ok(works)
    }

    /// What the guest printed; a guest that hangs is ended, and a QEMU that refuses printed nothing.
    fn boot(
        &self,
        kernel: &Path,
        way: Way,
        memory_mib: u32,
        log: Option<&Path>,
        timeout: Duration,
    ) -> Result<String> {
        let (mut ours, console) = UnixStream::pair()?;
        let (_channel_host, channel) = UnixStream::pair()?;
        let mut command = Command::new(&self.qemu);
        command.args(self.argv(kernel, way, memory_mib, &console, &channel)).args(COUNTING);
        if let Some(log) = log {
            command
                .args([
                    "-trace",
                    "memory_region_ops_read",
                    "-trace",
                    "memory_region_ops_write",
                    "-D",
                ])
                .arg(log);
        }
        command.inherit(console).inherit(channel).timeout(timeout);
        match command.output(&self.cancel) {
            Ok(_) | Err(ProcessError::TimedOut { .. } | ProcessError::Failed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        drop(command);
        let mut said = Vec::new();
        ours.read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    fn argv(
        &self,
        kernel: &Path,
        way: Way,
        memory_mib: u32,
        console: &UnixStream,
        channel: &UnixStream,
    ) -> Vec<OsString> {
        match way {
            Way::Mote => {
                let wiring = Wiring::Inherited {
                    console: console.as_raw_fd(),
                    channel: Some(channel.as_raw_fd()),
                    monitor: None,
                };
                render_argv(&self.as_mote_does(kernel, memory_mib), &wiring)
            }
            Way::Bare(kind, root) => self.bare(kernel, kind, root, memory_mib, console),
        }
    }

    fn as_mote_does(&self, kernel: &Path, memory_mib: u32) -> MachineSpec {
        let cmdline = Cmdline {
            accel: Accel::Tcg,
            host_tsc_khz: None, // `-icount` has a counter of its own
            messages: KernelMessages::Quiet,
            rdinit: Some(INIT_PATH.to_owned()),
            append: Vec::new(),
        };
        MachineSpec {
            accel: Accel::Tcg,
            memory_mib,
            cpus: 1,
            kernel: kernel.to_owned(),
            initrd: Some(self.file("initramfs")),
            cmdline: cmdline.words().into_iter().map(|word| word.text).collect(),
            drives: Vec::new(),
            network: Network::User(UserNetwork::new(Vec::new())),
            sandbox: Sandbox::Off,
        }
    }

    fn bare(
        &self,
        kernel: &Path,
        kind: Console,
        root: Root,
        memory_mib: u32,
        console: &UnixStream,
    ) -> Vec<OsString> {
        let mut argv: Vec<OsString> =
            ["-machine", "microvm,acpi=off", "-accel", "tcg", "-smp", "1"].map(Into::into).into();
        argv.extend(["-nodefaults", "-no-user-config", "-display", "none", "-m"].map(Into::into));
        argv.push(memory_mib.to_string().into());
        argv.extend([
            "-chardev".into(),
            format!("socket,id=console,fd={}", console.as_raw_fd()).into(),
        ]);
        let (device, name) = match kind {
            Console::Serial => (&["-serial", "chardev:console"][..], "ttyS0"),
            Console::Virtio => (
                &["-device", "virtio-serial-device", "-device", "virtconsole,chardev=console"][..],
                "hvc0",
            ),
        };
        argv.extend(device.iter().map(Into::into));
        let mut words =
            format!("console={name} quiet nokaslr no_timer_check nolapic_timer reboot=t panic=-1");
        match root {
            Root::Initramfs => {
                argv.extend(["-initrd".into(), self.file("initramfs").into()]);
                words.push_str(" rdinit=/init");
            }
            Root::Ext4 => {
                let disk = format!(
                    "if=none,id=disk,format=raw,readonly=on,cache=unsafe,file={}",
                    self.file("disk").display()
                );
                argv.extend([
                    "-drive".into(),
                    disk.into(),
                    "-device".into(),
                    "virtio-blk-device,drive=disk".into(),
                ]);
                words.push_str(" root=/dev/vda ro init=/init");
            }
        }
        argv.extend(["-kernel".into(), kernel.into(), "-append".into(), words.into()]);
        argv
    }
}
