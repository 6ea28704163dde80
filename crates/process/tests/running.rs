//! Real programs, run to their ends and before.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mote_process::{Cancel, Child, Command, ProcessError, Program, Streams};

fn sh(script: &str) -> Command {
    let mut command = Command::new(&Program::at("/bin/sh"));
    command.args(["-c", script]);
    command
}

fn quiet(stdout: Stdio) -> Streams {
    Streams { stdin: Stdio::null(), stdout, stderr: Stdio::null() }
}

/// Waits for the death of a process that is not our child: its process descriptor says so at once.
fn assert_dies(pid: &str) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return;
    };
    let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)).unwrap();
    assert_eq!(ready, 1, "process {pid:?} still lives");
}

#[test]
fn both_streams_are_kept_apart_however_much_there_is() {
    let script = "head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2; cat; echo end";
    let output = sh(script).output(&Cancel::default()).unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (300_004, 200_000));
}

#[test]
fn a_descriptor_is_the_standard_input_of_one_run() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"given").unwrap();
    drop(writer);
    let mut command = sh("cat");
    let mut run = || command.output(&Cancel::default()).unwrap().stdout;
    assert_eq!(run(), b"");
    command.stdin(reader);
    let mut run = || command.output(&Cancel::default()).unwrap().stdout;
    assert_eq!((run(), run()), (b"given".to_vec(), b"".to_vec()));
}

#[test]
fn a_failure_shows_what_can_be_pasted_and_the_end_of_the_output() {
    let mut command = sh("seq 100; echo \"$GREETING\" >&2; exit 3");
    command.env("GREETING", "it's \x1b[31mred").env_remove("MAKEFLAGS").current_dir("/");
    let error = command.output(&Cancel::default()).unwrap_err();
    let ProcessError::Failed { command, status, tail, log } = &error else { panic!("{error}") };
    assert_eq!(status.code(), Some(3));
    assert_eq!(tail.lines().count(), 30);
    assert!(tail.ends_with("100\nit's \\x1b[31mred"), "{tail}");
    assert_eq!(*log, None);

    let pasted = std::process::Command::new("bash").args(["-c", command]).output().unwrap();
    assert_eq!(pasted.status.code(), Some(3));
    assert_eq!(pasted.stderr, b"it's \x1b[31mred\n");
    let text = error.to_string();
    assert!(
        text.starts_with(
            "a program failed with exit status 3\n  command: cd / && env -u MAKEFLAGS "
        ),
        "{text}"
    );
}

#[test]
fn a_signal_is_told_from_a_status() {
    let error = sh("kill -9 $$").output(&Cancel::default()).unwrap_err();
    assert!(error.to_string().starts_with("a program failed with signal 9\n"), "{error}");
}

#[test]
fn the_log_has_everything_and_the_callback_each_line() {
    let sandbox = tempfile::tempdir().unwrap();
    let log = sandbox.path().join("log");
    let mut lines = Vec::new();
    let script = "echo one; echo two >&2; printf 'three\\r\\nfour'";
    sh(script).stream(&Cancel::default(), &log, &mut |line| lines.push(line.to_owned())).unwrap();
    assert_eq!(lines, ["one", "two", "three", "four"]);

    let error = sh("echo last; exit 1").stream(&Cancel::default(), &log, &mut |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with(&format!("output:\n    last\n  the whole log: {}", log.display())),
        "{text}"
    );
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(
        logged.contains("one\ntwo\nthree\r\nfour$ /bin/sh -c 'echo last; exit 1'\nlast\n"),
        "{logged}"
    );
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left_running() {
    let mut pid = String::new();
    let script = "echo $$; exec sleep 1000";
    let error = sh(script)
        .stream(&Cancel::default(), Path::new("/dev/full"), &mut |line| pid = line.to_owned());
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "cannot write the log /dev/full");
    assert_eq!(error.hint().unwrap(), "free some space on that file system");
    if !pid.is_empty() {
        assert_dies(&pid);
    }
}

#[test]
fn cancelling_ends_the_whole_group() {
    let sandbox = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let mut pids = Vec::new();
    let begun = Instant::now();
    let script = "sleep 1000 & echo $!; echo $$; wait";
    let error = sh(script).stream(&cancel, &sandbox.path().join("log"), &mut |line| {
        pids.push(line.to_owned());
        if pids.len() == 2 {
            cancel.cancel(2);
        }
    });
    assert!(matches!(error, Err(ProcessError::Cancelled(cancelled)) if cancelled.signal == 2));
    assert!(begun.elapsed() < Duration::from_secs(2), "SIGTERM was enough");
    pids.iter().for_each(|pid| assert_dies(pid));
    assert!(
        matches!(sh("exit 0").output(&cancel), Err(ProcessError::Cancelled(_))),
        "nothing starts any more"
    );
}

#[test]
fn who_ignores_sigterm_is_killed() {
    let sandbox = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let mut pid = String::new();
    let script = "trap '' TERM; sleep 1000 & echo $!; while :; do wait; done";
    let error = sh(script).stream(&cancel, &sandbox.path().join("log"), &mut |line| {
        pid = line.to_owned();
        cancel.cancel(15);
    });
    assert!(matches!(error, Err(ProcessError::Cancelled(_))));
    assert_dies(&pid);
}

#[test]
fn time_can_be_limited() {
    let error = sh("echo begun; exec sleep 1000")
        .timeout(Duration::from_millis(300))
        .output(&Cancel::default());
    let text = error.unwrap_err().to_string();
    assert!(
        text.starts_with("a program did not end within 0.3 s\n") && text.ends_with("\n    begun"),
        "{text}"
    );
}

#[test]
fn what_the_program_leaves_behind_does_not_outlive_it() {
    let output = sh("sleep 1000 & echo $!").output(&Cancel::default()).unwrap();
    assert_dies(std::str::from_utf8(&output.stdout).unwrap());
}

#[test]
fn a_daemon_that_keeps_the_pipe_does_not_keep_us() {
    let begun = Instant::now();
    let output = sh("setsid sleep 5 & echo here").output(&Cancel::default()).unwrap();
    assert_eq!(output.stdout, b"here\n");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let child =
        std::thread::spawn(|| sh("exec sleep 1000").spawn(quiet(Stdio::null())).unwrap()).join();
    let mut child: Child = child.unwrap();
    assert_eq!(child.wait_timeout(Duration::from_millis(300)).unwrap(), None);
    let pid = child.id().to_string();
    drop(child);
    assert_dies(&pid);
}

#[test]
fn a_descriptor_is_handed_over_under_its_number() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let number = theirs.as_raw_fd();
    // Not sh: Debian's knows no descriptors above 9.
    let mut command = Command::new(&Program::at("/bin/bash"));
    command.args(["-c", &format!("read word <&{number}; echo \"got $word\" >&{number}")]);
    let mut child = command.inherit(theirs).spawn(quiet(Stdio::null())).unwrap();
    ours.write_all(b"hello\n").unwrap();
    let mut answer = String::new();
    ours.read_to_string(&mut answer).unwrap(); // ends: no copy of the descriptor stayed here
    assert_eq!(answer, "got hello\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn ending_a_child_takes_as_long_as_it_needs() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = sh("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
        .spawn(quiet(writer.into()))
        .unwrap();
    let mut lines = BufReader::new(reader).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    assert_eq!(child.terminate(Duration::from_secs(10)).unwrap().code(), Some(7));
    assert_eq!(lines.next().unwrap().unwrap(), "bye");
}

#[test]
fn a_missing_program_is_named() {
    let error = Command::new(&Program::at("/nonexistent/tool"))
        .arg("a b")
        .output(&Cancel::default())
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot start a program: /nonexistent/tool 'a b'");
}

#[test]
fn an_environment_can_be_empty() {
    let mut command = Command::new(&Program::at("/usr/bin/env"));
    command.env_clear().env("ONLY", "this one");
    assert_eq!(command.render(), "env -i ONLY='this one' /usr/bin/env");
    assert_eq!(command.output(&Cancel::default()).unwrap().stdout, b"ONLY=this one\n");
}

/// Not a test of its own: what `killed` runs in a second process, which it then kills.
#[test]
#[ignore = "the victim of other tests"]
fn victim() {
    match std::env::var("MOTE_TEST_VICTIM").as_deref() {
        Ok("spawns") => {
            let child = sh("exec sleep 1000").spawn(quiet(Stdio::null())).unwrap();
            println!("child {}", child.id());
            std::thread::park();
        }
        Ok("streams") => {
            let log = tempfile::NamedTempFile::new().unwrap();
            // The signal that ends the shell with us does not reach `sleep`.
            let mut build = sh("sleep 1000 & echo child $!; wait");
            let stopped =
                build.stream(&Cancel::default(), log.path(), &mut |line| println!("{line}"));
            panic!("{stopped:?}");
        }
        _ => {} // someone runs all ignored tests: there is nobody to kill us
    }
}

/// Kills a process that does `what`, and expects what it has started to die.
fn killed(what: &str) {
    let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env("MOTE_TEST_VICTIM", what)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let pid =
        lines.filter_map(|line| Some(line.split_once("child ")?.1.to_owned())).next().unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_dies(&pid);
}

#[test]
fn a_child_dies_with_us() {
    killed("spawns");
}

#[test]
fn what_a_build_has_started_dies_with_us() {
    killed("streams");
}

#[test]
fn a_build_ends_without_a_trace_of_its_guard() {
    let is_guarded = |pid: &str| {
        let ending = format!("\0sh\0{pid}\0");
        let processes = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
        let said =
            processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        said.map(|said| String::from_utf8_lossy(&said).into_owned())
            .any(|said| said.ends_with(&ending))
    };
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut pid = None;
    let mut build = sh("echo $$; sleep 0.3");
    let on_line = &mut |line: &str| {
        let limit = Instant::now() + Duration::from_secs(10);
        while !is_guarded(line) {
            assert!(Instant::now() < limit, "{line} is not guarded");
        }
        pid = Some(line.to_owned());
    };
    build.stream(&Cancel::default(), log.path(), on_line).unwrap();
    assert!(!is_guarded(&pid.unwrap()));
}
