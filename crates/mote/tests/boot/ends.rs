//! How machines end, and what mote's exit code says of it.

use mote_testkit::Finished;

use crate::{bare, run, run_recipe, sandbox};

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_exit_code_is_the_commands() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let table = [
        (&["true"][..], 0, ""),
        (&["sh", "-c", "exit 255"], 255, ""),
        (&["sh", "-c", "kill -KILL $$"], 137, ""),
        (&["frobnicate"], 127, "error: "),
        (&["/etc/passwd"], 126, "error: "),
    ];
    for (command, code, said) in table {
        let done = run_recipe(&sandbox, "", &bare, command).run().expect_code(code);
        done.expect_said(&[said]).expect_unsaid(&["panic", "hint"]);
    }
}

/// The system's init takes itself down, as on real hardware.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_system_that_stops_ends_the_machine() {
    let sandbox = sandbox();
    for (command, said) in [
        ("poweroff", "the guest was powered off\n"),
        ("reboot", "the guest asked for a reboot, which ends the machine\n"),
    ] {
        // What follows the command does not matter: the system kills the session.
        let script = format!("{command}; sleep 1000");
        run(&sandbox, "", &["sh", "-c", &script]).run().expect_code(0).expect_said(&[said]);
    }
    sandbox.assert_no_orphans();
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_bare_system_can_be_stopped_too() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    for (command, said) in [
        ("poweroff", "the guest was powered off\n"),
        ("reboot", "the guest asked for a reboot, which ends the machine\n"),
        ("halt", "the guest was halted\n"),
    ] {
        let script = format!("{command}; sleep 1000");
        let done = run_recipe(&sandbox, "", &bare, &["sh", "-c", &script]).run();
        done.expect_code(0).expect_said(&[said]);
    }
}

/// The panic's text, and where the whole console is, which holds more than was shown.
fn expect_panic(sandbox: &mote_testkit::Sandbox, done: Finished, texts: &[&str]) {
    let done = done.expect_code(125);
    let done = done.expect_said(&["error: the guest's kernel panicked: "]).expect_said(texts);
    let (_, log) = done.stderr.split_once("  the whole console: ").expect("the log is named");
    let log = log.lines().next().unwrap();
    assert!(log.starts_with(sandbox.state().to_str().unwrap()), "{log}");
    let console = std::fs::read_to_string(log).expect("the log was kept");
    assert!(console.contains("Kernel panic - not syncing: "), "{console}");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_panic_is_told_from_all_else() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    // No memory is left to anybody, and the kernel was told not to choose whom to kill.
    let script = "echo started; echo 2 >/proc/sys/vm/panic_on_oom; tail /dev/zero";
    let done = run_recipe(&sandbox, "--memory 48m", &bare, &["sh", "-c", script]).run();
    assert_eq!(done.text(), "started\n");
    expect_panic(&sandbox, done, &["panic_on_oom is enabled", "the end of its console:"]);
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_panic_before_init_is_explained() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let done = run_recipe(&sandbox, "--append rdinit=/bin/false", &bare, &["true"]).run();
    let texts = ["Attempted to kill init!", "PID 1 died", "hint: "];
    expect_panic(&sandbox, done, &texts);
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn too_little_memory_is_refused_before_the_boot() {
    let sandbox = sandbox();
    let done = run(&sandbox, "--memory 8m", &["true"]).run().expect_code(125);
    done.expect_said(&["error: 8 MiB of memory are too few: ", "hint: give it more: --memory "]);
}

/// Whoever chooses the root file system is not second-guessed, and learns it from the guest.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_guest_that_dies_for_memory_is_explained() {
    let sandbox = sandbox();
    let flags = "--memory 16m --append rootfstype=tmpfs";
    let done = run(&sandbox, flags, &["true"]).run().expect_code(125);
    done.expect_said(&["error: the guest", "hint: give it more: --memory"]);
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_kernel_that_cannot_do_it_is_refused_before_the_boot() {
    let sandbox = sandbox();
    let done = run(&sandbox, "--cpus 2", &["true"]).run().expect_code(125);
    done.expect_said(&[
        "error: this kernel cannot run it: ",
        "it lacks CONFIG_SMP: the guest has more than one processor",
        "hint: build one that has them: mote kernel build --feature ",
        "smp",
    ]);
}

/// Whoever a daemon leaves behind is a child of PID 1's.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn orphans_are_reaped() {
    let sandbox = sandbox();
    let script =
        "(sleep 0.1 &); (sleep 0.2 &); sleep 1; cat /proc/[0-9]*/stat | grep -c ') Z '; true";
    let counted = run_recipe(&sandbox, "", &bare(&sandbox, ""), &["sh", "-c", script]).run();
    assert_eq!(counted.expect_code(0).text(), "0\n");
}

/// What root can do to the system that it runs in.
const TAKEN: [&str; 16] = [
    "umount /proc",
    "umount -a",
    "umount -l /proc /sys /dev",
    "umount /proc; kill -9 1; sleep 1",
    "kill -STOP 1",
    "kill -TERM 1; kill -STOP 1",
    "mount -o remount,ro /",
    "rm -rf /dev /.mote /bin /sbin /usr",
    "rm -rf /",
    "kill -9 -1",
    "f() { f | f & }; f; sleep 2",
    "cat /dev/zero >/fill",
    "tail /dev/zero",
    "ifconfig eth0 down; ifconfig lo down",
    "i=0; while [ $i -lt 3000 ]; do mkdir /tmp/$i || break; i=$((i + 1)); done",
    "for port in /dev/vport*; do cat $port & echo junk >$port; done",
];

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn whatever_root_does_to_its_system_the_machine_ends_with_the_session() {
    let sandbox = sandbox();
    for recipe in ["recipe:busybox", &bare(&sandbox, "")] {
        for taken in TAKEN {
            let script = format!("({taken}) 2>/dev/null; exit 3");
            let run = run_recipe(&sandbox, "", recipe, &["sh", "-c", &script]).run();
            // Some kill the session, too, or have asked init to stop.
            let ended = matches!(run.status.code(), Some(0 | 3 | 137));
            assert!(ended, "{recipe}: {taken}: {}: {}", run.status, run.stderr);
        }
    }
    sandbox.assert_no_orphans();
}
