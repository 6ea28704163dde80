//! Sessions on the caller's terminal.

use mote_manifest::Recipe;
use mote_testkit::{Sandbox, Signal, Terminal};

use crate::{QEMU, path, run, run_recipe, sandbox};

const PROMPT: &str = "root@mote:~# ";

/// A shell that has shown its prompt.
fn shell(sandbox: &Sandbox) -> Terminal {
    let mut terminal = run(sandbox, "", &[]).start_on_terminal(33, 101);
    terminal.screen.wait_for(PROMPT);
    terminal
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_shell_has_the_callers_terminal() {
    let sandbox = sandbox();
    let mut terminal = shell(&sandbox);
    assert_ne!(terminal.attributes(), terminal.before, "not in raw mode");

    terminal.type_text("stty size; tty\r");
    terminal.screen.wait_for("\r\n33 101\r\n/dev/pts/0\r\n");
    terminal.screen.wait_for(PROMPT);

    // The quotes keep the echo of what is typed from being taken for what is printed.
    terminal.type_text(
        "sh -c 'trap \"echo WIN\"\"CH\" WINCH; echo wait\"\"ing; \
         while [ \"$(stty size)\" != \"50 132\" ]; do sleep 1; done; echo se\"\"en'\r",
    );
    terminal.screen.wait_for("\nwaiting\r\n");
    terminal.resize(50, 132);
    terminal.screen.wait_for("WINCH\r\n");
    terminal.screen.wait_for("seen\r\n");
    terminal.screen.wait_for(PROMPT);

    // ^C is the guest's key: it interrupts the command, and mote goes on.
    terminal.type_text("echo star''ted; sleep 1000\r");
    terminal.screen.wait_for("\nstarted\r\n");
    terminal.type_text("\x03");
    terminal.screen.wait_for(PROMPT);
    terminal.type_text("echo code=$?\r");
    terminal.screen.wait_for("\ncode=130\r\n");

    terminal.type_text("exit 3\r");
    let before = terminal.before;
    let (status, after) = terminal.finish();
    assert_eq!(status.code(), Some(3));
    assert_eq!(after, before, "the terminal was not restored");
    sandbox.assert_no_orphans();
}

/// While the system comes up: the session has the size that the terminal has when it begins, and until then
/// ^C is mote's.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_terminal_before_its_session() {
    let sandbox = sandbox();
    let recipe = Recipe::builtin_text("busybox").unwrap().to_owned();
    let slow = "\n[[busybox.start]]\nname = \"S10slow\"\nscript = \"\"\"\n#!/bin/sh\necho com''ing >/dev/console; sleep 5\n\"\"\"\n";
    let file = path(sandbox.write("slow.toml", recipe + slow));
    let begin = |command: &[&str]| {
        let mut terminal =
            run_recipe(&sandbox, "-it --verbose", &file, command).start_on_terminal(24, 80);
        terminal.screen.wait_for("coming");
        assert_eq!(terminal.attributes(), terminal.before, "raw mode before the session");
        terminal
    };
    let mut terminal = begin(&["sh", "-c", "until stty size | grep '50 132'; do sleep 0.1; done"]);
    terminal.resize(50, 132);
    terminal.screen.wait_for("50 132\r\n");
    assert_eq!(terminal.finish().0.code(), Some(0));

    let mut terminal = begin(&["sh", "-c", "trap 'echo in the session; exit 3' INT; sleep 1000"]);
    terminal.type_text("\x03");
    assert_eq!(terminal.finish().0.code(), Some(130));
    sandbox.assert_no_orphans();
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_terminated_mote_restores_the_terminal() {
    let sandbox = sandbox();
    let script = "trap 'echo no' TERM; echo ready; while :; do sleep 1; done";
    let mut terminal = run(&sandbox, "-it", &["sh", "-c", script]).start_on_terminal(24, 80);
    terminal.screen.wait_for("ready\r\n");
    assert_ne!(terminal.attributes(), terminal.before, "not in raw mode");
    terminal.signal(Signal::TERM);
    terminal.screen.wait_for("no\r\n");
    terminal.signal(Signal::TERM);
    let before = terminal.before;
    let (status, after) = terminal.finish();
    assert_eq!(status.code(), Some(143));
    assert_eq!(after, before, "the terminal was not restored");
    sandbox.assert_no_orphans();
}

/// Somebody ends QEMU, or it fails.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_machine_that_dies_leaves_the_terminal_as_it_was() {
    let sandbox = sandbox();
    let mut terminal = shell(&sandbox);
    assert_ne!(terminal.attributes(), terminal.before, "not in raw mode");
    let qemu = sandbox.wait_for_program(QEMU);
    let killed = std::process::Command::new("kill").args(["-KILL", &qemu.pid.to_string()]).status();
    assert!(killed.unwrap().success());
    terminal.screen.wait_for("error: ");
    let before = terminal.before;
    let (status, after) = terminal.finish();
    assert_eq!((status.code(), after), (Some(125), before));
    sandbox.assert_no_orphans();
}

/// A terminal for the output alone, as docker's -t without -i: keys keep their meaning here.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn ctrl_c_ends_a_command_that_does_not_read_the_terminal() {
    let sandbox = sandbox();
    let script = "echo ready; exec sleep 1000";
    let mut terminal = run(&sandbox, "", &["sh", "-c", script]).start_on_terminal(24, 80);
    terminal.screen.wait_for("ready\r\n");
    assert_eq!(terminal.attributes(), terminal.before, "raw mode without -it");
    terminal.type_text("\x03");
    assert_eq!(terminal.finish().0.code(), Some(130));
    sandbox.assert_no_orphans();
}
