//! A guest with the real init, as the engine starts it.

use std::fs;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use mote_contract::{
    CONFIG_PATH, CONFIG_VERSION, CONSOLE_PATH, INIT_PATH, Io, Network, Root, RunConfig, Session,
};
use mote_image::{Compression, write_initramfs};
use mote_process::Cancel;
use mote_rootfs::tree::{Inode, Tree, TreePath};
use mote_vmm::{
    Accel, Cmdline, Control, Drive, DriveAccess, KernelMessages, Machine, MachineSpec, Outcome,
    Sandbox, SessionIo, Sink, descriptor_path, find_qemu,
};

use crate::disk::Disk;

/// For a whole run under TCG on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is to be booted.
pub(crate) struct Guest {
    pub(crate) config: RunConfig,
    pub(crate) append: Vec<String>,
    pub(crate) memory_mib: u32,
    pub(crate) silence_limit: Duration,
    pub(crate) stdin: Vec<u8>,
    pub(crate) access: DriveAccess,
    pub(crate) busybox_in_initramfs: bool,
    disks: Vec<Disk>,
}

/// What it left.
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Seen {
    pub(crate) fn stdout(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> &str {
        str::from_utf8(&self.stderr).unwrap()
    }
}

impl Guest {
    /// A guest with these disks.
    pub(crate) fn new(disks: &[&Disk], root: Root) -> Self {
        let writes = matches!(root, Root::Disk { writes: mote_contract::Writes::Disk, .. });
        let session = Session {
            argv: Vec::new(),
            env: vec![("PATH".into(), "/bin".into())],
            cwd: "/".into(),
            user: None,
            terminal: None,
        };
        let config = RunConfig {
            version: CONFIG_VERSION,
            hostname: None,
            clock_unix_ns: None,
            entropy_seed: None,
            network: Network::None,
            hosts: Vec::new(),
            root,
            tmpfs: Vec::new(),
            system: None,
            session,
            io: Io::Channel,
        };
        Self {
            config,
            append: Vec::new(),
            memory_mib: 128,
            silence_limit: PATIENCE,
            stdin: Vec::new(),
            access: if writes { DriveAccess::ReadWrite } else { DriveAccess::ReadOnly },
            busybox_in_initramfs: false,
            disks: disks.iter().map(|&disk| disk.clone()).collect(),
        }
    }

    /// Runs a shell script.
    pub(crate) fn sh(self, script: &str) -> Seen {
        self.run(&["sh", "-c", script])
    }

    /// Runs a program and waits for the machine's end.
    pub(crate) fn run(mut self, argv: &[&str]) -> Seen {
        self.config.session.argv = argv.iter().map(ToString::to_string).collect();
        let stdin = crate::feed(std::mem::take(&mut self.stdin));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let io = SessionIo {
            stdin: Some(stdin.as_fd()),
            stdout: Sink::Writer(&mut stdout),
            stderr: Sink::Writer(&mut stderr),
            console_log: None,
            control: Control::new().unwrap(),
            timeout: Some(PATIENCE),
            silence_limit: self.silence_limit,
            on_event: &mut |_| {},
        };
        let cancel = Cancel::default();
        let running = self.machine().start(&cancel).unwrap();
        let outcome = running.attach(io, &cancel).unwrap();
        // Shown when the test fails.
        println!("{:?}\n{}", outcome.end, outcome.console_tail);
        Seen { outcome, stdout, stderr }
    }

    fn machine(&self) -> Machine {
        let initrd = OwnedFd::from(self.initrd());
        let accel = Accel::Tcg;
        let cmdline = Cmdline {
            accel,
            host_tsc_khz: None,
            messages: KernelMessages::Quiet,
            rdinit: Some(INIT_PATH.to_owned()),
            append: self.append.clone(),
        };
        let drive = |disk: &Disk| Drive { file: disk.path(), access: self.access };
        let spec = MachineSpec {
            accel,
            memory_mib: self.memory_mib,
            cpus: 1,
            kernel: kernel(),
            initrd: Some(descriptor_path(&initrd)),
            cmdline: cmdline.words().into_iter().map(|word| word.text).collect(),
            drives: self.disks.iter().map(drive).collect(),
            network: mote_vmm::Network::None,
            sandbox: Sandbox::On,
        };
        let qemu = find_qemu("/usr/local/bin:/usr/bin".as_ref());
        let qemu = qemu.expect("apt-get install qemu-system-x86");
        Machine { qemu, spec, descriptors: vec![initrd], io: Io::Channel }
    }

    fn initrd(&self) -> fs::File {
        let mut tree = Tree::new();
        let mut insert =
            |path: &str, inode| tree.insert(&TreePath::parse(path).unwrap(), inode).unwrap();
        insert(CONSOLE_PATH, Inode::char_device(5, 1, 0o600));
        insert(INIT_PATH, Inode::file(fs::read(init()).unwrap(), 0o755));
        insert(CONFIG_PATH, Inode::file(serde_json::to_vec(&self.config).unwrap(), 0o600));
        if self.busybox_in_initramfs {
            insert("/bin/busybox", Inode::file(fs::read("/usr/bin/busybox").unwrap(), 0o755));
        }
        let mut file = tempfile::tempfile().unwrap();
        write_initramfs(&tree, Compression::None, &mut file, &mut |_| Ok(())).unwrap();
        file.flush().and_then(|()| file.rewind()).unwrap();
        file
    }
}

fn kernel() -> PathBuf {
    std::env::var_os("MOTE_TEST_KERNEL").expect("MOTE_TEST_KERNEL names no vmlinux").into()
}

/// Init as the product has it: built with the profile `guest`, once for each test program.
fn init() -> &'static Path {
    static INIT: OnceLock<PathBuf> = OnceLock::new();
    INIT.get_or_init(|| build_init().expect("init can be built"))
}

fn build_init() -> io::Result<PathBuf> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CARGO_TARGET_DIR");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "");
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--package=mote-init",
        "--profile=guest",
        "--target",
    ]);
    cargo.arg(TARGET).arg("--target-dir").arg(&out);
    match cargo.status()?.success() {
        true => Ok(out.join(TARGET).join("guest/mote-init")),
        false => Err(io::Error::other(format!("{cargo:?} failed"))),
    }
}
