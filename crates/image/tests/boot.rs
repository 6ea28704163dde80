//! BusyBox systems on a real kernel, without mote's init.
//!
//! `MOTE_TEST_KERNEL` names a vmlinux with the features of the recipe `busybox`.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use mote_image::{Compression, join_padding, write_initramfs};
use mote_process::{Cancel, Program};
use mote_rootfs::busybox::{
    Busybox, BusyboxBinary, BusyboxSpec, ExtraFile, Login, Password, StartScript, User, build_tree,
    load_busybox,
};
use mote_rootfs::tree::{Inode, Node, Tree, TreePath};

/// Under TCG, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(120);

const PROMPT: &str = "root@";

/// A machine whose console is our two pipes.
struct Machine {
    qemu: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    /// Everything shown.
    seen: String,
    /// How much of it was looked for already.
    read: usize,
    _initrd: tempfile::NamedTempFile,
}

impl Machine {
    fn boot(initrd: &[u8], words: &str) -> Self {
        let kernel = std::env::var("MOTE_TEST_KERNEL").expect("MOTE_TEST_KERNEL names no vmlinux");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(initrd).unwrap();
        let mut qemu = Command::new("qemu-system-x86_64")
            .args("-M microvm,acpi=off -accel tcg -cpu max,-pku -m 128 -nodefaults".split(' '))
            .args("-no-user-config -display none -no-reboot -serial stdio".split(' '))
            .args("-netdev user,id=n -device virtio-net-device,netdev=n -kernel".split(' '))
            .arg(kernel)
            .arg("-initrd")
            .arg(file.path())
            .arg("-append")
            .arg(format!(
                "console=ttyS0 quiet reboot=t panic=-1 no_timer_check nolapic_timer {words}"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("qemu-system-x86_64: apt-get install qemu-system-x86");
        let keyboard = qemu.stdin.take().unwrap();
        let mut output = qemu.stdout.take().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { qemu, keyboard, screen, seen: String::new(), read: 0, _initrd: file }
    }

    /// Waits until the console shows something, and returns what it showed before.
    fn wait_for(&mut self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen[self.read..].find(wanted) {
                let before = self.seen[self.read..self.read + at].to_owned();
                self.read += at + wanted.len();
                return before;
            }
            match self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("{error} before {wanted:?} was seen in:\n{}", self.seen),
            }
        }
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
    }

    /// What a command prints.
    fn run(&mut self, command: &str) -> String {
        // The echo of what is typed shows neither marker.
        self.type_line(&format!("echo BEG''IN; {command}; echo EN''D $?"));
        self.wait_for("BEGIN\r\n");
        let output = self.wait_for("END ").replace('\r', "");
        self.wait_for("\n");
        output
    }

    /// Waits until the machine has ended by itself.
    fn wait_for_end(mut self) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it still runs:\n{}", self.seen),
            }
        }
        assert!(self.qemu.wait().unwrap().success());
        self.seen[self.read..].to_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn busybox() -> Busybox {
    let path = match std::env::var_os("MOTE_TEST_BUSYBOX") {
        Some(path) => path.into(),
        None => {
            let found = Program::find("busybox", &std::env::var_os("PATH").unwrap());
            found.expect("busybox: apt-get install busybox-static").path().to_owned()
        }
    };
    load_busybox(BusyboxBinary::Path(path.clone()), &path, &Cancel::default()).unwrap()
}

fn image(spec: &BusyboxSpec, compression: Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    let tree = build_tree(spec, &busybox()).unwrap();
    write_initramfs(&tree, compression, &mut bytes, &mut |_| Ok(())).unwrap();
    bytes
}

fn user(name: &str, uid: u32, password: Password) -> User {
    let home = if uid == 0 { "/root".to_owned() } else { format!("/home/{name}") };
    let (name, gecos, shell) = (name.to_owned(), String::new(), "/bin/sh".to_owned());
    User { name, uid, gid: uid, gecos, home, shell, password }
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn it_boots_to_a_shell_of_root_and_reboots() {
    let spec = BusyboxSpec {
        motd: Some("welcome".to_owned()),
        environment: [("GREETING".to_owned(), "it's $me".to_owned())].into(),
        start_scripts: vec![StartScript {
            name: "S50hello".to_owned(),
            content: "#!/bin/sh\necho \"hello: $1 $GREETING\"\n".into(),
        }],
        ..BusyboxSpec::default()
    };
    let mut machine = Machine::boot(&image(&spec, Compression::None), "");
    machine.wait_for("hello: start it's $me");
    machine.wait_for("welcome");
    machine.wait_for(PROMPT);
    assert_eq!(
        machine.run("id -un; pwd; hostname; echo $GREETING; tty"),
        "root\n/root\nmote\nit's $me\n/dev/ttyS0\n"
    );
    let mounts = machine.run("mount");
    for mount in [
        "proc on /proc",
        "sysfs on /sys",
        "devtmpfs on /dev",
        "gid=5,mode=620,ptmxmode=666",
        "tmpfs on /dev/shm",
        "tmpfs on /tmp",
        "tmpfs on /run",
    ] {
        assert!(mounts.contains(mount), "{mount} is not in\n{mounts}");
    }
    assert_eq!(
        machine.run("stat -c '%a %u %n' /etc/shadow /dev/shm /tmp /root"),
        "600 0 /etc/shadow\n1777 0 /dev/shm\n1777 0 /tmp\n700 0 /root\n"
    );
    // A static network, from /etc/network/interfaces.
    assert!(machine.run("ip addr show eth0").contains("inet 10.0.2.15/24 "));
    assert!(machine.run("ip route").contains("default via 10.0.2.2 dev eth0"));
    assert!(machine.run("ip addr show lo").contains("inet 127.0.0.1/8 "));
    assert!(machine.run("ping -c 1 10.0.2.2").contains("1 packets received"));
    let wget = machine.run("wget -O - http://localhost:1 2>&1");
    assert!(wget.contains("127.0.0.1:1"), "{wget}");
    machine.type_line("reboot");
    let last = machine.wait_for_end();
    assert!(last.contains("hello: stop it's $me"), "{last}");
    assert!(last.contains("Requesting system reboot"), "{last}");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_login_asks_for_the_password() {
    let spec = BusyboxSpec {
        login: Login::Password,
        users: vec![
            user("root", 0, Password::Plain("secret".to_owned())),
            user("donno", 1000, Password::Plain("hunter2".to_owned())),
        ],
        ..BusyboxSpec::default()
    };
    let mut machine = Machine::boot(&image(&spec, Compression::None), "hostname=from-kernel");
    machine.wait_for("from-kernel login: ");
    machine.type_line("donno");
    machine.wait_for("Password: ");
    machine.type_line("wrong");
    machine.wait_for("Login incorrect");
    machine.wait_for("login: ");
    machine.type_line("donno");
    machine.wait_for("Password: ");
    machine.type_line("hunter2");
    machine.wait_for("donno@from-kernel:~$ ");
    assert_eq!(
        machine.run("id -un; pwd; test -r /etc/shadow || echo no"),
        "donno\n/home/donno\nno\n"
    );
    machine.type_line("exit");
    machine.wait_for("login: ");
    machine.type_line("root");
    machine.wait_for("Password: ");
    machine.type_line("secret");
    machine.wait_for(PROMPT);
    machine.type_line("poweroff");
    machine.wait_for("Requesting system poweroff");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn dhcp_configures_the_network_when_asked() {
    // The kernel hands words that it does not know to its init as variables.
    let image = image(&BusyboxSpec::default(), Compression::None);
    let mut machine = Machine::boot(&image, "MOTE_NETWORK=dhcp");
    machine.wait_for("lease of 10.0.2.15 obtained");
    machine.wait_for(PROMPT);
    assert!(machine.run("ip addr show eth0").contains("inet 10.0.2.15/24 "));
    assert!(machine.run("ip route").contains("default via 10.0.2.2 dev eth0"));
    assert_eq!(machine.run("cat /etc/resolv.conf"), "nameserver 10.0.2.3\n");
    assert_eq!(machine.run("pidof udhcpc >/dev/null && echo renews"), "renews\n");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn under_mote_it_says_that_it_is_up_and_starts_no_session() {
    let listener = "#!/bin/sh\n[ $1 = start ] && { read -r line </.mote/up; echo \"said: $line\" >/dev/console; sleep 1; ps >/dev/console; echo done >/dev/console; } &\n";
    let spec = BusyboxSpec {
        start_scripts: vec![StartScript { name: "S99listen".to_owned(), content: listener.into() }],
        files: vec![ExtraFile { path: path(".mote/up"), inode: Inode::new(Node::Fifo, 0o600) }],
        ..BusyboxSpec::default()
    };
    let mut machine = Machine::boot(&image(&spec, Compression::None), "");
    machine.wait_for("said: up");
    let processes = machine.wait_for("done");
    assert!(processes.contains("sleep 2147483647"), "{processes}");
    assert!(!processes.contains("-sh"), "{processes}");
}

/// What mote does for a run: another archive after the user's image, in whichever compression.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_kernel_unpacks_every_compression_and_an_archive_after_it() {
    let mut more = Tree::new();
    let hello = "#!/bin/sh\n/bin/busybox echo unpacked as $(/bin/busybox stat -c %a%u%g%h /more /again)\n/bin/busybox reboot -f\n";
    more.insert(&path("start"), Inode::file(hello, 0o755)).unwrap();
    more.insert(&path("more"), Inode::file("x", 0o4751).owned_by(7, 8)).unwrap();
    more.link(&path("again"), &path("more")).unwrap();
    for compression in Compression::ALL {
        let mut bytes = image(&BusyboxSpec::default(), compression);
        bytes.resize(bytes.len() + join_padding(bytes.len() as u64), 0);
        write_initramfs(&more, Compression::None, &mut bytes, &mut |_| Ok(())).unwrap();
        let shown = Machine::boot(&bytes, "rdinit=/start").wait_for_end();
        assert!(shown.contains("unpacked as 4751782 4751782"), "{compression}: {shown}");
        assert!(!shown.contains("nitramfs unpacking failed"), "{compression}: {shown}");
    }
}
