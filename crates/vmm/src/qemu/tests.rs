//! Real QEMUs under TCG with guests of a few instructions, and programs that play a broken QEMU.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mote_contract::{Io, Outcome as SessionOutcome};
use mote_process::{Cancel, Program};
use tempfile::TempDir;

use super::{Machine, find_qemu};
use crate::accel::guest::{CODE_ADDRESS, SCRATCH_ADDRESS, pvh_elf};
use crate::{
    Accel, Control, Drive, DriveAccess, End, Event, Forward, MachineSpec, Network, Outcome,
    Protocol, Running, Sandbox, SessionIo, Sink, UserNetwork, VmmError, probe_accel,
};

/// What a guest does after it has printed its text.
#[derive(Clone, Copy)]
enum Then {
    Reset,
    Hang,
}

/// A kernel that prints `text` on the serial port.
fn printing(text: &str, then: Then) -> Vec<u8> {
    let [a, b, c, d] = SCRATCH_ADDRESS.to_le_bytes();
    let end: &[u8] = match then {
        // An interrupt without a table to find its handler in: a triple fault.
        Then::Reset => &[0x0f, 0x01, 0x1d, a, b, c, d, 0xcc], // lidt [zeroes]; int3
        Then::Hang => &[0xf4, 0xeb, 0xfd],                    // hang: hlt; jmp hang
    };
    let print: &[u8] = &[
        0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x03, // jz end
        0xee, // out dx, al
        0xeb, 0xf8, // jmp next
    ];
    let text_address = CODE_ADDRESS + 5 + (print.len() + end.len()) as u32;
    let mut code = vec![0xbe]; // mov esi, text
    code.extend(text_address.to_le_bytes());
    code.extend(print);
    code.extend(end);
    code.extend(text.as_bytes());
    code.push(0);
    pvh_elf(&code)
}

/// A machine with everything that mote gives its machines.
fn machine(sandbox: &TempDir, kernel: &[u8]) -> Machine {
    let [kernel_file, disk, initrd] =
        ["kernel", "disk,1", "initrd"].map(|name| sandbox.path().join(name));
    fs::write(&kernel_file, kernel).unwrap();
    fs::write(&disk, [0; 4096]).unwrap();
    fs::write(&initrd, [0; 4096]).unwrap();
    let spec = MachineSpec {
        accel: Accel::Tcg,
        memory_mib: 16,
        cpus: 1,
        kernel: kernel_file,
        initrd: Some(initrd),
        cmdline: vec!["console=ttyS0".to_owned()],
        drives: vec![Drive { file: disk, access: DriveAccess::ReadOnly }],
        network: Network::User(UserNetwork::new(vec![Forward {
            protocol: Protocol::Tcp,
            host: free_port().parse().unwrap(),
            guest_port: 80,
        }])),
        sandbox: Sandbox::On,
    };
    let qemu = find_qemu("/usr/local/bin:/usr/bin".as_ref()).expect("apt install qemu-system-x86");
    Machine { qemu, spec, descriptors: Vec::new(), io: Io::Channel }
}

/// A port that is free, on an address that no other test here has: between being found free and
/// being bound by QEMU, nobody else takes it.
fn free_port() -> String {
    static TAKEN: AtomicU8 = AtomicU8::new(1);
    let address = Ipv4Addr::new(127, 0, 1, TAKEN.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().to_string()
}

fn attach(running: Running, cancel: &Cancel, on_event: &mut dyn FnMut(&Event)) -> Outcome {
    let io = SessionIo {
        stdin: None,
        stdout: Sink::Writer(&mut io::sink()),
        stderr: Sink::Writer(&mut io::sink()),
        console_log: None,
        control: Control::new().unwrap(),
        timeout: Some(Duration::from_secs(60)),
        silence_limit: crate::SILENCE_LIMIT,
        on_event,
    };
    running.attach(io, cancel).unwrap()
}

fn run(machine: Machine) -> Outcome {
    let cancel = Cancel::default();
    attach(machine.start(&cancel).unwrap(), &cancel, &mut |_| {})
}

#[test]
fn tcg_works_and_kvm_has_an_answer() {
    let qemu = find_qemu("/usr/local/bin:/usr/bin".as_ref()).expect("apt install qemu-system-x86");
    let tcg = probe_accel(&qemu, Accel::Tcg, &Cancel::default()).unwrap();
    assert!(tcg.works(), "{tcg:?}");
    let kvm = probe_accel(&qemu, Accel::Kvm, &Cancel::default()).unwrap();
    let crate::ProbeVerdict::Fails { reason, .. } = kvm.verdict else { return };
    assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
}

#[test]
fn an_accelerator_that_this_qemu_lacks_fails_with_its_words() {
    let qemu = find_qemu("/usr/local/bin:/usr/bin".as_ref()).expect("apt install qemu-system-x86");
    let hvf = probe_accel(&qemu, Accel::Hvf, &Cancel::default()).unwrap();
    let crate::ProbeVerdict::Fails { reason, .. } = hvf.verdict else { panic!("hvf on Linux") };
    assert!(reason.starts_with("qemu said: ") && reason.contains("hvf"), "{reason}");
}

#[test]
fn what_a_dying_guest_said_tells_why() {
    let table = [
        ("", End::NeverReachedInit { cause: crate::classify("") }),
        ("Linux version 6.12\n", End::NeverReachedInit { cause: None }),
        (
            "Kernel panic - not syncing: No working init found.\r\n",
            End::Panic {
                line: "No working init found.".to_owned(),
                cause: crate::classify("No working init found."),
            },
        ),
    ];
    for (text, end) in table {
        let sandbox = tempfile::tempdir().unwrap();
        let outcome = run(machine(&sandbox, &printing(text, Then::Reset)));
        assert_eq!(outcome.end, end);
        assert_eq!(outcome.console_tail, text.trim_end());
        let timeline = outcome.timeline;
        assert_eq!(timeline.first_console.is_some(), !text.is_empty());
        assert!(timeline.exited.unwrap() > timeline.spawned);
    }
}

#[test]
fn without_channel_the_verdict_line_counts() {
    let sandbox = tempfile::tempdir().unwrap();
    let kernel = printing("\r\nmote: verdict exit=7\r\n", Then::Reset);
    let outcome = run(Machine { io: Io::Console, ..machine(&sandbox, &kernel) });
    assert_eq!(outcome.end, End::Session(SessionOutcome::Exit(7)));
}

#[test]
fn a_guest_that_hangs_is_ended_by_whom_it_bores() {
    let sandbox = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let running = machine(&sandbox, &printing("ready\n", Then::Hang)).start(&cancel).unwrap();
    let qemu = running.id();
    let outcome = attach(running, &cancel, &mut |event| {
        assert_eq!(*event, Event::Console("ready".to_owned()));
        cancel.cancel(2);
    });
    assert_eq!(outcome.end, End::Cancelled { signal: 2 });
    assert!(!Path::new(&format!("/proc/{qemu}")).exists(), "no orphan");
}

#[test]
fn a_machine_that_nobody_attaches_to_is_killed() {
    let sandbox = tempfile::tempdir().unwrap();
    let running = machine(&sandbox, &printing("", Then::Hang)).start(&Cancel::default()).unwrap();
    let qemu = running.id();
    assert!(Path::new(&format!("/proc/{qemu}")).exists());
    drop(running);
    assert!(!Path::new(&format!("/proc/{qemu}")).exists());
}

#[test]
fn what_qemu_says_itself_is_passed_on() {
    let sandbox = tempfile::tempdir().unwrap();
    let mut machine = machine(&sandbox, &printing("", Then::Reset));
    machine.spec.drives[0].file = sandbox.path().to_owned();
    let End::VmmFailed { status, said, .. } = run(machine).end else { panic!() };
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("Is a directory") || said.contains("regular file"), "{said}");
}

#[test]
fn a_disk_that_is_missing_is_named() {
    let sandbox = tempfile::tempdir().unwrap();
    let mut machine = machine(&sandbox, &printing("", Then::Reset));
    let missing = sandbox.path().join("missing");
    machine.spec.drives[0].file = missing.clone();
    let error = machine.start(&Cancel::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read the disk {}", missing.display()));
}

#[test]
fn a_qemu_that_dies_is_told_from_a_guest_that_does() {
    let table = [
        ("echo 'it broke \\033[2J' >&2; exit 3", "exit status: 3", "it broke \\x1b[2J"),
        ("kill -SEGV $$", "signal: 11 (SIGSEGV) (core dumped)", ""),
    ];
    for (script, status_text, words) in table {
        let sandbox = tempfile::tempdir().unwrap();
        let broken = sandbox.path().join("qemu");
        fs::write(&broken, format!("#!/bin/sh\nulimit -c 0\n{script}\n")).unwrap();
        fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
        let machine = machine(&sandbox, &printing("", Then::Reset));
        let outcome = run(Machine { qemu: Program::at(broken), ..machine });
        let End::VmmFailed { status, said, .. } = outcome.end else { panic!("{:?}", outcome.end) };
        assert!(status_text.starts_with(&status.to_string()), "{status}");
        assert_eq!(said, words);
    }
}

#[test]
fn what_cannot_work_is_refused_before_qemu_starts() {
    type Change<'a> = &'a dyn Fn(&mut Machine);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let sandbox = tempfile::tempdir().unwrap();
    let error = |change: Change<'_>| -> VmmError {
        let mut machine = machine(&sandbox, &printing("", Then::Reset));
        machine.qemu = Program::at("/nonexistent/qemu"); // to be sure
        change(&mut machine);
        machine.start(&Cancel::default()).unwrap_err()
    };
    let file = |name: &str, bytes: &[u8]| {
        let path = sandbox.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut without_note = printing("", Then::Reset);
    without_note[0xb0 + 8] = 17; // another type of note
    let [text, no_pvh] = [file("text", &[b'x'; 4096]), file("no-pvh", &without_note)];
    let short = file("short", b"\x7fELF");

    let table: [(Change<'_>, String, &str); 8] = [
        (
            &|machine| machine.spec.kernel = text.clone(),
            format!("not an x86-64 kernel: {}", text.display()),
            "",
        ),
        (
            &|machine| machine.spec.kernel = short.clone(),
            format!("not an x86-64 kernel: {}", short.display()),
            "",
        ),
        (
            &|machine| machine.spec.kernel = no_pvh.clone(),
            format!("the kernel {} has no PVH entry point", no_pvh.display()),
            "enable CONFIG_PVH (feature pvh) in the kernel, or boot its bzImage",
        ),
        (
            &|machine| machine.spec.kernel = "/nonexistent/vmlinux".into(),
            "cannot read the kernel /nonexistent/vmlinux".to_owned(),
            "",
        ),
        (
            &|machine| machine.spec.initrd = Some("/nonexistent/initrd".into()),
            "cannot read the initrd /nonexistent/initrd".to_owned(),
            "",
        ),
        (
            &|machine| machine.spec.memory_mib = 4,
            "4 MiB of memory are too few: this kernel and file system need about 8 MiB".to_owned(),
            "give it more: --memory 8",
        ),
        (
            &|machine| {
                let Network::User(network) = &mut machine.spec.network else { panic!() };
                network.forwards[0].host = taken.to_string().parse().unwrap();
            },
            format!("port in use: {taken}/tcp"),
            "publish another port",
        ),
        (&|_| {}, "cannot start a program: /nonexistent/qemu ".to_owned(), ""),
    ];
    for (change, said, hint) in table {
        let error = error(change);
        assert!(error.to_string().starts_with(&said), "{error}");
        let given = error.hint().unwrap_or_default();
        assert!(given.contains(hint), "{given}");
    }
    let missing = find_qemu("/nonexistent".as_ref()).unwrap_err();
    assert_eq!(missing.to_string(), "qemu not found (qemu-system-x86_64)");
    assert_eq!(missing.hint().unwrap(), "apt install qemu-system-x86");
}

/// The forwards of a running machine, and where the first one is on the host.
fn forwarding(sandbox: &TempDir) -> (Running, SocketAddrV4) {
    let machine = machine(sandbox, &printing("", Then::Hang));
    let Network::User(network) = &machine.spec.network else { panic!() };
    let address = network.forwards[0].host;
    (machine.start(&Cancel::default()).unwrap(), address)
}

#[test]
fn a_port_is_closed_until_it_is_forwarded() {
    let sandbox = tempfile::tempdir().unwrap();
    let (mut running, address) = forwarding(&sandbox);
    let mut forwarding = running.forwarding.take().unwrap();
    // Once its monitor answers, QEMU has long set up the network.
    forwarding.monitor.execute("query-status", &serde_json::json!({})).unwrap();
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    forwarding.begin().unwrap();
    TcpStream::connect(address).unwrap();
}

/// Which can be only where a server has just ended: its connections keep the port for a while.
#[test]
fn a_port_that_somebody_takes_in_between_is_told() {
    let sandbox = tempfile::tempdir().unwrap();
    let machine = machine(&sandbox, &printing("", Then::Hang));
    let Network::User(network) = &machine.spec.network else { panic!() };
    let address = network.forwards[0].host;
    let server = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(address).unwrap();
    // Who closes first waits (TIME_WAIT).
    drop(server.accept().unwrap());
    drop((server, client));
    let mut running = machine.start(&Cancel::default()).unwrap();
    let forwarding = running.forwarding.take().unwrap();
    let _taken = TcpListener::bind(address).unwrap();
    let error = forwarding.begin().unwrap_err().to_string();
    let told = format!("cannot forward {address}/tcp: ");
    assert!(error.starts_with(&told) && error.contains("host forwarding rule"), "{error}");
}

#[test]
fn a_qemu_that_has_ended_says_itself_why() {
    let sandbox = tempfile::tempdir().unwrap();
    let (mut running, _) = forwarding(&sandbox);
    let forwarding = running.forwarding.take().unwrap();
    running.child.kill().unwrap();
    forwarding.begin().unwrap();
}
