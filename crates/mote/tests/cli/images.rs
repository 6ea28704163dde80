//! `mote image`, with the BusyBox of this machine.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::process::Command;

use mote_testkit::Sandbox;
use serde_json::Value;

use super::sandbox;

fn build(sandbox: &Sandbox, compress: &str, to: &str) -> Vec<u8> {
    let args = ["image", "build", "recipe:busybox", "--compress", compress, "-o", to];
    let built = sandbox.mote(args).run().expect_code(0);
    let bytes = fs::read(sandbox.home().join(to)).unwrap();
    built.expect_said(&["BusyBox ", &format!("{to}: {} bytes\n", bytes.len())]);
    bytes
}

fn inspect(sandbox: &Sandbox, file: &str) -> Value {
    let args = ["image", "inspect", "--format", "json", file];
    serde_json::from_slice(&sandbox.mote(args).run().expect_code(0).stdout).unwrap()
}

#[test]
fn an_image_is_the_same_to_the_byte_and_lists_what_it_holds() {
    let sandbox = sandbox();
    let first = build(&sandbox, "none", "first.cpio");
    assert!(first == build(&sandbox, "none", "second.cpio"), "two builds differ");

    let shown = inspect(&sandbox, "first.cpio");
    assert_eq!(shown["bytes"], first.len());
    let entry = |name: &str| {
        let entries = shown["entries"].as_array().unwrap();
        let found = entries.iter().find(|entry| entry["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {shown}")).clone()
    };
    assert_eq!(entry("etc/shadow")["mode"], "-rw-------");
    assert_eq!(entry("var/run")["target"], "../run");
    assert_eq!(
        (&entry("dev/console")["device"], &entry("dev/console")["uid"]),
        (&"5:1".into(), &0.into())
    );

    let text = sandbox.mote(["image", "inspect", "first.cpio"]).run().expect_code(0).text();
    assert!(text.contains(" var/run -> ../run\n"), "{text}");
    assert!(text.contains("compression none"), "{text}");
}

#[test]
fn every_compression_holds_the_same() {
    let sandbox = sandbox();
    let plain = build(&sandbox, "none", "plain.cpio");
    let entries = inspect(&sandbox, "plain.cpio")["entries"].clone();
    for compress in ["gzip", "zstd", "lz4", "xz"] {
        let file = format!("system.{compress}");
        let packed = build(&sandbox, compress, &file);
        assert!(packed.len() < plain.len() * 3 / 4, "{compress}: {}", packed.len());
        let shown = inspect(&sandbox, &file);
        assert_eq!(shown["segments"][0]["compression"], *compress);
        assert!(shown["entries"] == entries, "{compress}");
    }
}

#[test]
fn an_image_gets_the_name_of_its_recipe() {
    let sandbox = sandbox();
    sandbox.mote(["image", "build", "recipe:busybox"]).run().expect_code(0);
    sandbox.mote(["image", "build", "recipe:busybox", "--compress", "lz4"]).run().expect_code(0);
    for name in ["busybox.cpio", "busybox.cpio.lz4"] {
        assert!(sandbox.home().join(name).is_file(), "{name}");
    }
}

#[test]
fn where_no_image_can_go_is_told_and_nothing_is_left() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.home().join("folder")).unwrap();
    let table = [
        (
            "missing/system.cpio",
            "error: cannot write missing/system.cpio\n",
            "caused by: No such file or directory",
        ),
        (
            "folder",
            "error: cannot write a file to folder: it is a directory\n",
            "hint: name a file in it",
        ),
        ("new/", "error: cannot write a file to new/: it is a directory\n", ""),
    ];
    for (to, message, cause) in table {
        let failed = sandbox.mote(["image", "build", "recipe:busybox", "-o", to]).run();
        // BusyBox is the first thing that would be looked for.
        failed.expect_code(125).expect_said(&[message, cause]).expect_unsaid(&["BusyBox"]);
    }
    let left: Vec<_> =
        fs::read_dir(sandbox.home()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["folder"]);
}

/// A device gets the bytes; it is not replaced by a file.
#[test]
fn a_full_disk_is_told_with_a_hint() {
    let sandbox = sandbox();
    let failed = sandbox.mote(["image", "build", "recipe:busybox", "-o", "/dev/full"]).run();
    failed.expect_code(125).expect_said(&[
        "error: cannot write the image /dev/full\n",
        "caused by: No space left on device",
        "hint: free some space on that file system\n",
    ]);
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

#[test]
fn what_is_no_image_is_told() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.home().join("folder")).unwrap();
    sandbox.write("junk", "this is no image\n");
    let whole = build(&sandbox, "none", "whole.cpio");
    sandbox.write("cut", &whole[..whole.len() / 2]);
    let packed = build(&sandbox, "zstd", "whole.zst");
    sandbox.write("cut.zst", &packed[..packed.len() / 2]);
    let table = [
        (
            "junk",
            "error: cannot read the image junk\n",
            "neither a cpio archive nor a compressed one",
        ),
        ("cut", "error: cannot read the image cut\n", "ends in the middle of an entry"),
        ("cut.zst", "error: cannot read the image cut.zst\n", "caused by: "),
        ("./gone", "error: this path is no recipe: ./gone\n", "hint: say what it is"),
        ("gone", "error: gone:latest has not been pulled\n", "hint: pull it"),
        ("folder", "error: cannot open the image folder\n", "caused by: is a directory"),
    ];
    for (file, message, cause) in table {
        let failed = sandbox.mote(["image", "inspect", file]).run().expect_code(125);
        failed.expect_said(&[message, cause]);
    }
}

#[test]
fn overlays_are_applied_in_their_order() {
    let sandbox = sandbox();
    sandbox.write("root/file", "below");
    sandbox.write("a/file", "from a");
    sandbox.write("b/file", "from b");
    let home = sandbox.home();
    let tar =
        Command::new("tar").current_dir(&home).args(["-C", "b", "-cf", "b.tar", "."]).status();
    assert!(tar.unwrap().success());
    for (overlays, on_top) in [(["a", "b.tar"], "from b"), (["b.tar", "a"], "from a")] {
        let build = sandbox.mote(["image", "build", "dir:root", "--format", "initramfs"]);
        let build = build.args(overlays.iter().flat_map(|overlay| ["--overlay", overlay]));
        build.args(["-o", "tree.cpio"]).run().expect_code(0);
        let image = fs::read(home.join("tree.cpio")).unwrap();
        let has = |text: &str| image.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        let there = ["below", "from a", "from b"].map(|text| (text, has(text)));
        assert_eq!(there, ["below", "from a", "from b"].map(|text| (text, text == on_top)));
    }
}

#[test]
fn an_archive_that_is_a_bomb_is_refused() {
    let sandbox = sandbox();
    sandbox.write("bomb.tar", vec![0; 2 << 20]);
    let gzip = Command::new("gzip").arg(sandbox.home().join("bomb.tar")).status();
    assert!(gzip.unwrap().success());
    for kind in ["oci-archive", "docker-archive"] {
        let source = format!("{kind}:bomb.tar.gz");
        let args = ["image", "build", &source, "--format", "erofs", "--unpack-limit", "1m"];
        let failed = sandbox.mote(args).run().expect_code(125);
        failed.expect_said(&["more than 1048576 bytes when inflated", "hint: ", "--unpack-limit"]);
    }
    assert_eq!(fs::read_dir(sandbox.cache().join("work")).unwrap().count(), 0);
}

/// What is here already.
#[test]
fn only_registries_are_pulled_from() {
    let failed = sandbox().mote(["pull", "oci:layout"]).run().expect_code(125);
    failed.expect_said(&["it is here already: mote run oci:layout"]);
}

#[test]
fn what_is_missing_is_told_before_anything_is_unpacked() {
    let mut sandbox = sandbox().without_programs();
    // Nobody looks into it.
    sandbox.write("root.tar", "not an archive");
    let build = |args: &[&str]| {
        sandbox
            .mote(["image", "build", "tar:root.tar", "--format", "erofs"])
            .args(args.to_vec())
            .run()
    };
    let failed = build(&["--compress", "zstd"]).expect_code(125);
    failed.expect_said(&["error: mkfs.erofs is not installed\n", "hint: "]);
    let failed = build(&["--overlay", "gone"]).expect_code(125);
    failed.expect_said(&["error: cannot read gone\n"]);
    sandbox.program("mkfs.erofs", "echo usage: mkfs.erofs -zlz4");
    let build = sandbox.mote(["image", "build", "tar:root.tar", "--format", "erofs"]);
    let failed = build.args(["--compress", "lz4"]).run().expect_code(125);
    failed.expect_said(&["is too old: it makes no image of a tar stream"]);
}
