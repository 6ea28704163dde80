//! Nothing needs a privilege.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mote_testkit::{Sandbox, image};

use crate::{kernel, layout, sandbox};

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

/// The paths that the calls of a trace make, or give something to.
fn made(trace: &str) -> Vec<PathBuf> {
    const CALLS: [&str; 12] = [
        "O_CREAT", "creat(", "mkdir", "mknod", "symlink", "link(", "linkat(", "rename", "chmod",
        "chown", "setxattr", "utime",
    ];
    let makes =
        |line: &&str| CALLS.iter().any(|call| line.contains(call)) && !line.contains("unlink");
    let paths = trace.lines().filter(makes).flat_map(|line| line.split('"').skip(1).step_by(2));
    paths.filter(|path| !path.starts_with("/proc/self/fd/")).map(PathBuf::from).collect()
}

/// A disk comes of layers without a file of theirs on the host: what is made besides it are the
/// cache's own folders.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn nothing_is_unpacked_onto_the_host() {
    let sandbox = sandbox();
    let strace = "exec strace -f -qq -e trace=%file -e signal=none -o trace \"$@\"";
    let args = ["sh", env!("CARGO_BIN_EXE_mote"), "image", "build", "--format", "erofs"];
    let build = sandbox.shell(strace).args(args).args(["-o", "odd.erofs", &layout("odd")]);
    build.run().expect_code(0);
    let made = made(&fs::read_to_string(sandbox.home().join("trace")).unwrap());
    assert!(made.iter().any(|path| path.ends_with("odd.erofs")), "{made:?}");
    for path in made {
        let is_ours = match path.strip_prefix(sandbox.cache()) {
            // At most a folder there, for files without names.
            Ok(inside) => inside.components().count() <= 2,
            Err(_) => {
                path.starts_with("odd.erofs") || sandbox.cache().starts_with(&path) || {
                    let name = path.to_str().unwrap();
                    name.starts_with(".odd.erofs.mote-partial-")
                }
            }
        };
        assert!(is_ours, "{} was made", path.display());
    }
}

/// What a power cut leaves is the disk's: a name there stands for all that it names.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn a_disk_is_written_out_before_it_has_its_name() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_mote"));
    let strace = "exec strace -f -qq -y -e trace=fsync,rename -e signal=none -o trace \"$@\"";
    let run =
        ["strace", env!("CARGO_BIN_EXE_mote"), "run", "--dry-run", "--accel", "tcg", "--kernel"];
    let run = sandbox.shell(strace).args(run).arg(kernel()).args([layout("busybox"), "x".into()]);
    run.run().expect_code(0);
    let trace = fs::read_to_string(sandbox.home().join("trace")).unwrap();
    let lines: Vec<_> = trace.lines().collect();
    let named: Vec<_> =
        (0..lines.len()).filter(|&at| lines[at].contains(".partial\", \"")).collect();
    // The disk, and the initramfs of a dry run.
    assert_eq!(named.len(), 2, "{trace}");
    for at in named {
        let partial = lines[at].split('"').nth(1).unwrap();
        let synced = |lines: &[&str], path: &str| {
            lines.iter().any(|line| line.contains("fsync(") && line.contains(&format!("<{path}>")))
        };
        for entry in fs::read_dir(partial.trim_end_matches(".partial")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(synced(&lines[..at], &format!("{partial}/{name}")), "{name}: {trace}");
        }
        assert!(synced(&lines[..at], partial), "{trace}");
        let shelf = partial.rsplit_once('/').unwrap().0;
        assert!(synced(&lines[at..], shelf), "{trace}");
    }
}
