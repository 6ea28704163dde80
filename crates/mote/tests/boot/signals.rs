//! Signals to mote, at any moment: the session's business while one runs, the end of all before.

use std::fs;

use mote_testkit::{Running, Sandbox, Signal};

use crate::{QEMU, bare, run_recipe, sandbox};

/// A session that has said `ready`.
fn ready(sandbox: &Sandbox, script: &str) -> Running {
    let bare = bare(sandbox, "");
    let mut running = run_recipe(sandbox, "", &bare, &["sh", "-c", script]).start();
    running.stdout.wait_for("ready\n");
    running
}

/// Nothing is left: no process, and no folder of a run that did not fail.
fn assert_clean(sandbox: &Sandbox) {
    sandbox.assert_no_orphans();
    let left: Vec<_> = match fs::read_dir(sandbox.state().join("instances")) {
        Ok(instances) => instances.map(|entry| entry.unwrap().path()).collect(),
        // None was started so far.
        Err(_) => Vec::new(),
    };
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn during_the_boot_a_signal_ends_everything() {
    let sandbox = sandbox();
    // The first run of all tries the accelerators, with a QEMU too.
    let bare = bare(&sandbox, "");
    run_recipe(&sandbox, "", &bare, &["true"]).run().expect_code(0);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let run = run_recipe(&sandbox, "", &bare, &["sleep", "1000"]);
        let mut preparing = run.start();
        preparing.stderr.wait_for("BusyBox ");
        preparing.signal(signal);
        preparing.finish().expect_code(code).expect_unsaid(&["panic"]);
        assert_clean(&sandbox);

        let booting = run.start();
        sandbox.wait_for_program(QEMU);
        booting.signal(signal);
        booting.finish().expect_code(code).expect_unsaid(&["panic"]);
        assert_clean(&sandbox);
    }
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_running_command_gets_the_signal() {
    let sandbox = sandbox();
    let running = ready(&sandbox, "trap 'echo told; exit 9' TERM; echo ready; sleep 1000 & wait");
    running.signal(Signal::TERM);
    let done = running.finish().expect_code(9);
    assert_eq!(done.text(), "ready\ntold\n");
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let running = ready(&sandbox, "echo ready; exec sleep 1000");
        running.signal(signal);
        running.finish().expect_code(code);
    }
    assert_clean(&sandbox);
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_second_signal_ends_what_ignores_the_first() {
    let sandbox = sandbox();
    let script = "trap 'echo no' INT; echo ready; while :; do sleep 1; done";
    let mut running = ready(&sandbox, script);
    running.signal(Signal::INT);
    running.stdout.wait_for("no\n");
    running.signal(Signal::INT);
    running.finish().expect_code(130);
    assert_clean(&sandbox);
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_killed_mote_takes_its_guest_along() {
    let sandbox = sandbox();
    let running = ready(&sandbox, "echo ready; exec sleep 1000");
    sandbox.wait_for_program(QEMU);
    running.signal(Signal::KILL);
    assert_eq!(running.finish().status.code(), None);
    sandbox.assert_no_orphans();
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn an_interrupted_proof_leaves_no_machine() {
    let sandbox = sandbox();
    let proof = sandbox.mote(["kernel", "test"]).arg(sandbox.kernel()).start();
    sandbox.wait_for_program(QEMU);
    proof.signal(Signal::INT);
    proof.finish().expect_code(130);
    sandbox.assert_no_orphans();
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_users_own_signals_are_the_sessions() {
    let sandbox = sandbox();
    let script =
        "trap 'echo one' USR1; trap 'exit 9' USR2; echo ready; while :; do sleep 0.1; done";
    let running = ready(&sandbox, script);
    running.signal(Signal::USR1);
    running.signal(Signal::USR2);
    assert_eq!(running.finish().expect_code(9).text(), "ready\none\n");
}

/// As `mote run … | head -n 1`: nobody reads the session any more. Many a language's runtime ignores SIGPIPE.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_session_without_a_reader_ends() {
    let sandbox = sandbox();
    let (kernel, recipe) = (sandbox.kernel().display(), bare(&sandbox, ""));
    let mote = env!("CARGO_BIN_EXE_mote");
    let ignores = r#"sh -c "trap '' PIPE; while echo y; do :; done 2>/dev/null; exit 7""#;
    for (program, status) in [("yes", 141), (ignores, 7)] {
        let run = format!("{mote} -q run --kernel {kernel} {recipe} {program}");
        let done = sandbox.shell(&format!("{{ {run}; echo status $? >&2; }} | head -n 1")).run();
        let done = done.expect_code(0);
        assert_eq!(done.text(), "y\n");
        done.expect_said(&[&format!("status {status}")]);
    }
    sandbox.assert_no_orphans();
}

/// Servers read their configuration anew then, as often as it comes and however long they run on.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_session_that_handles_hangups_goes_on() {
    let sandbox = sandbox();
    let script = "trap 'echo again; n=$((n + 1))' HUP; echo ready
        until [ \"$n\" = 2 ]; do sleep 0.1; done; sleep 12; echo still here";
    let mut running = ready(&sandbox, script);
    for _ in 0..2 {
        running.signal(Signal::HUP);
        running.stdout.wait_for("again\n");
    }
    running.finish().expect_code(0).expect_unsaid(&["panic"]);
}

/// The one that nobody can end any more.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_terminal_that_has_gone_ends_the_machine() {
    let sandbox = sandbox();
    let (mote, kernel) = (env!("CARGO_BIN_EXE_mote"), sandbox.kernel().display());
    let recipe = bare(&sandbox, "");
    let ignoring = "trap : HUP TERM; echo ready; while :; do sleep 1; done";
    let run = format!("{mote} run -it --kernel {kernel} {recipe} sh -c '{ignoring}'");
    // Killed, script(1) closes its terminal's other end, as a window does.
    let mut window = sandbox.shell("exec script -qc \"$RUN\" /dev/null").env("RUN", run).start();
    window.stdout.wait_for("ready\r\n");
    window.signal(Signal::KILL);
    sandbox.assert_no_orphans();
}
