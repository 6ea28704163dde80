//! The session's streams.

use std::time::Duration;

use crate::{bare, run, run_recipe, sandbox};

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn outputs_are_apart_and_nothing_else_is_among_them() {
    let sandbox = sandbox();
    let script = r"printf 'a\0b\377\r\n'; printf 'c\033[1m' >&2; exit 7";
    let done = run(&sandbox, "-q", &["sh", "-c", script]).run().expect_code(7);
    assert_eq!(done.stdout, b"a\0b\xff\r\n");
    assert_eq!(done.stderr, "c\x1b[1m");
}

/// A hundred megabytes through each of the three, at once.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn what_goes_through_the_streams_is_unaltered() {
    let sandbox = sandbox();
    let mut noise = 1_u64;
    let bytes = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (noise >> 56) as u8
    });
    let bytes: Vec<u8> = bytes.take(100_000_000).collect();
    let script = format!(
        "exec '{}' run --kernel '{}' -q -i '{}' tee /dev/stderr 2>errors",
        env!("CARGO_BIN_EXE_mote"),
        sandbox.kernel().display(),
        bare(&sandbox, ""),
    );
    let run = sandbox.shell(&script).stdin(bytes.clone());
    let done = run.run_within(Duration::from_secs(600)).expect_code(0);
    assert!(done.stdout == bytes, "{} other bytes of output", done.stdout.len());
    let errors = std::fs::read(sandbox.home().join("errors")).unwrap();
    assert!(errors == bytes, "{} other bytes of errors", errors.len());
}

/// As docker does it: standard input is given with -i only.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn without_interactive_there_is_no_input() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let done = run_recipe(&sandbox, "-q", &bare, &["wc", "-c"]).stdin("not for the guest").run();
    assert_eq!(done.expect_code(0).text(), "0\n");
}

/// A session without a command is a shell, and whoever runs it wants to say something.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_shell_reads_commands_from_a_pipe() {
    let sandbox = sandbox();
    let done = run(&sandbox, "-q", &[]).stdin("cd /etc\nhead -n 1 passwd\npwd\nexit 3\n").run();
    assert_eq!(done.expect_code(3).text(), "root:x:0:0::/root:/bin/sh\n/etc\n");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_kernels_messages_come_on_standard_error_and_only_when_asked_for() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let done = run_recipe(&sandbox, "--verbose --timings", &bare, &["echo", "hi"]).run();
    let done = done.expect_code(0).expect_said(&[
        "Linux version ",
        "Kernel command line: ",
        "where the time went:\n",
        " s  qemu and kernel, to init (",
        " s  command\n",
    ]);
    assert_eq!(done.text(), "hi\n");
    let quiet = run_recipe(&sandbox, "", &bare, &["echo", "hi"]).run().expect_code(0);
    quiet.expect_unsaid(&["Linux", "where the time went"]);
}

/// As in containers without udev.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_machine_without_dev_fd_runs_guests() {
    let sandbox = sandbox();
    let (mote, kernel) = (env!("CARGO_BIN_EXE_mote"), sandbox.kernel().display());
    let recipe = bare(&sandbox, "");
    let script = format!(
        "mkdir dev && mount -t tmpfs dev dev || exit 99
        for file in null urandom tty; do : >dev/$file; mount --bind /dev/$file dev/$file; done
        mount --move dev /dev; [ ! -e /dev/fd ] || exit 98
        exec {mote} run --kernel {kernel} {recipe} echo here"
    );
    let done = sandbox.shell("exec unshare -rm sh -c \"$SCRIPT\"").env("SCRIPT", script).run();
    assert_eq!(done.expect_code(0).text(), "here\n");
}
