//! The command that `--dry-run` prints.

use crate::{run, sandbox};

/// Pasted into a shell it boots the same guest, on the shell's own streams, and ends.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_printed_command_boots_and_says_the_verdict() {
    let sandbox = sandbox();
    let command = ["sh", "-c", "echo from the guest; exit 4"];
    let printed = run(&sandbox, "--dry-run --hostname pasted", &command).run().expect_code(0);
    let line = printed.text();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with('/') && line.contains("qemu-system-x86_64 "), "{line}");
    assert!(line.contains(" -nodefaults ") && line.contains(" -sandbox on,"), "{line}");

    let done = sandbox.shell(&line).run().expect_code(0);
    let text = done.text().replace('\r', "");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.contains(&"from the guest"), "{text}");
    assert!(lines.contains(&"mote: verdict exit=4"), "{text}");
    sandbox.assert_no_orphans();
}
