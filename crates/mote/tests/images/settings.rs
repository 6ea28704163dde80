//! What an image says of how it is run, and what the user says instead.

use crate::{run, sandbox};

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_image_says_who_where_and_with_what() {
    let sandbox = sandbox();
    let script = "id -un; pwd; echo $HOME";
    let shown = run(&sandbox, "--entrypoint sh", "python", &["-c", script]).run().expect_code(0);
    let text = shown.text();
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("app"), Some("/app")), "{text}");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_user_says_otherwise() {
    let sandbox = sandbox();
    let script =
        "id -u; id -g; pwd; echo $GREETING; hostname; grep -c 'db' /etc/hosts; stat -c %u .";
    let flags = "-u 1234:99 -w /made/for/it -e GREETING=hello --hostname guest \
                 --add-host db:10.0.2.2 --entrypoint sh";
    let shown = run(&sandbox, flags, "debian", &["-c", script]).run().expect_code(0);
    assert_eq!(shown.text(), "1234\n99\n/made/for/it\nhello\nguest\n1\n0\n");
}

/// As in docker: a name alone passes mote's own value on, and removes the image's where there is none.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_environment_is_dockers() {
    let sandbox = sandbox();
    let script = "echo ${GREETING-unset} $PYTHONUNBUFFERED $HOSTNAME ${TERM-unset}";
    let flags = "-e GREETING -e PYTHONUNBUFFERED --hostname guest --entrypoint sh";
    let shown = run(&sandbox, flags, "python", &["-uc", script]).env("PYTHONUNBUFFERED", "2");
    assert_eq!(shown.run().expect_code(0).text(), "unset 2 guest unset\n");
}

/// As in docker: another entry point makes the image's command meaningless, an empty one the entry
/// point itself.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn entry_point_and_command() {
    let sandbox = sandbox();
    let shown = run(&sandbox, "--entrypoint echo", "valkey", &[]).run().expect_code(0);
    assert_eq!(shown.text(), "\n");
    let sandbox_run = sandbox
        .mote(["run", "--entrypoint", "", "--kernel"])
        .arg(crate::kernel())
        .arg(crate::layout("valkey"))
        .args(["echo", "plain"]);
    assert_eq!(sandbox_run.run().expect_code(0).text(), "plain\n");
}

/// Nothing is added, lost or mixed up on the way.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn streams_are_apart_and_unaltered() {
    let sandbox = sandbox();
    let script = "cat; echo to stderr >&2; exit 42";
    let input: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let done = run(&sandbox, "-q -i", "busybox", &["sh", "-c", script]).stdin(input.clone()).run();
    let done = done.expect_code(42);
    assert!(done.stdout == input, "{} bytes came back", done.stdout.len());
    assert_eq!(done.stderr, "to stderr\n");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_terminal_has_its_size() {
    let sandbox = sandbox();
    let mut terminal = run(&sandbox, "-it", "busybox", &["sh"]).start_on_terminal(33, 101);
    terminal.type_text("stty size\n");
    terminal.screen.wait_for("33 101");
    terminal.type_text("exit 6\n");
    assert_eq!(terminal.finish().0.code(), Some(6));
}
