//! The sandbox, with the shell in the place of mote.

use mote_testkit::{Sandbox, Signal};

fn sandbox() -> Sandbox {
    Sandbox::new("/bin/sh")
}

#[test]
fn a_program_knows_nothing_but_its_sandbox() {
    let mut sandbox = sandbox().without_programs();
    sandbox.program("hello", "read name; echo \"hello $name from $0\"; echo \"$PWD\" >&2; exit 3");
    let script = "hello; code=$?; ls; exit $code";
    let done = sandbox.mote(["-c", script]).stdin("you\n").env("COLOUR", "blue").run();
    let done = done.expect_code(3).expect_said(&[sandbox.home().to_str().unwrap(), "ls: "]);
    let text = done.text();
    assert!(text.starts_with("hello you from ") && text.ends_with("/bin/hello\n"), "{text}");
}

#[test]
fn what_a_program_leaves_behind_is_found() {
    let sandbox = sandbox();
    let mut running = sandbox.mote(["-c", "sleep 1000 & echo $!; wait"]).start();
    let pid: u32 = running.stdout.wait_for("\n").parse().unwrap();
    assert_eq!(sandbox.wait_for_program("sleep").pid, pid);
    running.signal(Signal::KILL);
    // Its output ends when the one that it left behind does.
    let left = sandbox.processes();
    assert!(left.iter().any(|process| process.pid == pid && process.argv == ["sleep", "1000"]));
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(running.finish().status.code(), None);
    sandbox.assert_no_orphans();
}

#[test]
fn a_terminal_is_one() {
    let sandbox = sandbox();
    let script = "trap 'stty size; exit 4' WINCH; tty; stty size; stty -echo; echo ready; \
                  while :; do sleep 0.1; done";
    let mut terminal = sandbox.mote(["-c", script]).start_on_terminal(11, 22);
    terminal.screen.wait_for("/dev/pts/");
    terminal.screen.wait_for("11 22\r\n");
    terminal.screen.wait_for("ready\r\n");
    assert_ne!(terminal.attributes(), terminal.before);
    terminal.resize(33, 44);
    terminal.screen.wait_for("33 44\r\n");
    assert_eq!(terminal.finish().0.code(), Some(4));
}

#[test]
#[should_panic(expected = "the stream ended before \"second\" was seen in:\nfirst\n")]
fn what_does_not_come_is_told_with_what_came() {
    let sandbox = sandbox();
    let mut running = sandbox.mote(["-c", "echo first"]).start();
    running.stdout.wait_for("second");
}
