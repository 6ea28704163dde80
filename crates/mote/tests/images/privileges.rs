//! Nothing needs a privilege.

use std::path::Path;
use std::process::Command;

use mote_testkit::image;

use crate::{kernel, sandbox};

/// As Debian's `nobody`, without capabilities or any way to get some.
const AS_NOBODY: &str = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \
                         --inh-caps=-all --bounding-set=-all --no-new-privs \"$@\"";

fn check(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Reads layers with foreign owners and device nodes, writes a disk and boots it, with nothing but
/// files of its own.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn an_ordinary_user_runs_an_image() {
    let sandbox = sandbox();
    let home = sandbox.home();
    // Wherever the tests lie, this user may read there or not.
    let material = [Path::new(env!("CARGO_BIN_EXE_mote")), kernel(), &image("odd")];
    check(Command::new("cp").arg("-rL").args(material).arg(&home));
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        check(Command::new("chown").args(["-R", "65534:65534"]).arg(home.parent().unwrap()));
    }
    let kernel = kernel().file_name().unwrap();
    let run = |args: &[&str]| {
        let script = if is_root { AS_NOBODY } else { "exec \"$@\"" };
        sandbox.shell(script).args(["sh", "./mote"]).args(args.iter().copied())
    };
    let who =
        run(&["run", "--kernel"]).arg(Path::new("./").join(kernel)).args(["oci:odd", "id", "-u"]);
    assert_eq!(who.run().expect_code(0).text(), "0\n");
    run(&["image", "build", "oci:odd", "--format", "ext4", "-o", "odd.ext4"]).run().expect_code(0);
    check(Command::new("e2fsck").arg("-fn").arg(home.join("odd.ext4")));
    sandbox.assert_no_orphans();
}
