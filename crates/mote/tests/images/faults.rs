//! What bad input gets: an error that says so, the right exit code, and nothing left behind.

use std::fs;

use crate::{run, sandbox};

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn what_the_guest_cannot_start_is_told() {
    let sandbox = sandbox();
    let table: [(&str, &[&str], i32, &str); 5] = [
        ("", &["no-such-program"], 127, "no-such-program"),
        ("", &["/etc"], 126, "/etc"),
        ("-u nobody-here", &["true"], 125, "nobody-here"),
        ("-u 1:no-such-group", &["true"], 125, "no-such-group"),
        ("", &["sh", "-c", "kill -KILL $$"], 137, ""),
    ];
    for (flags, command, code, said) in table {
        let failed = run(&sandbox, flags, "debian", command).run();
        failed.expect_code(code).expect_said(&[said]);
    }
    sandbox.assert_no_orphans();
}

#[test]
#[ignore = "needs the test images: run by ./test"]
fn what_cannot_boot_is_told_before() {
    let sandbox = sandbox();
    let foreign = run(&sandbox, "", "foreign", &[]).run().expect_code(125);
    foreign.expect_said(&["linux/amd64", "linux/arm64"]);
    let large = run(&sandbox, "--rootfs initramfs -m 48m", "debian", &["true"]).run();
    large.expect_code(125).expect_said(&["memory"]);
    let bomb = run(&sandbox, "--unpack-limit 1m", "debian", &["true"]).run().expect_code(125);
    bomb.expect_said(&["more than 1048576 inflated bytes", "--unpack-limit"]);
    let gone = sandbox.mote(["run", "oci:gone", "true"]).run().expect_code(125);
    gone.expect_said(&["gone"]);
    assert_eq!(fs::read_dir(sandbox.cache().join("work")).unwrap().count(), 0);
    let images = sandbox.cache().join("images");
    assert!(!images.exists() || fs::read_dir(images).unwrap().count() == 0);
}

/// A layer that is not what its digest says is found while it is read.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn a_damaged_layer_is_refused() {
    let sandbox = sandbox();
    let copy = sandbox.home().join("copy");
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(mote_testkit::image("busybox"))
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    let blobs = fs::read_dir(copy.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
    let layer = blobs.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&layer).unwrap();
    fs::write(&layer, bytes).unwrap();
    let args = ["image", "build", "oci:copy", "--format", "erofs", "-o", "out.erofs"];
    sandbox.mote(args).run().expect_code(125).expect_said(&["error: "]);
    let left: Vec<_> =
        fs::read_dir(sandbox.home()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["copy"]);
}
