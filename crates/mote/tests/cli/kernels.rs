//! `mote kernel` without a build.

use std::fs;

use mote_kernel::Catalogue;
use serde_json::Value;

use super::sandbox;

#[test]
fn features_are_listed_for_people_and_for_programs() {
    let sandbox = sandbox();
    let json = sandbox.mote(["kernel", "features", "--format", "json"]).run().expect_code(0);
    let listed: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    let names: Vec<_> = listed.iter().map(|feature| feature["name"].as_str().unwrap()).collect();
    assert_eq!(names, Catalogue::builtin().names().collect::<Vec<_>>());
    let net = listed.iter().find(|feature| feature["name"] == "net").unwrap();
    assert!(net["symbols"].as_u64() > Some(5) && net["requires"].is_array(), "{net}");

    let text = sandbox.mote(["kernel", "features"]).run().expect_code(0).text();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("FEATURE"));
    for name in names {
        let starts = |line: &str| line.split_whitespace().next() == Some(name);
        assert!(text.lines().any(starts), "{name} is not in:\n{text}");
    }
}

#[test]
fn an_empty_cache_is_an_empty_list() {
    let sandbox = sandbox();
    let json = sandbox.mote(["kernel", "ls", "--format", "json"]).run().expect_code(0);
    assert_eq!(json.text(), "[]\n");
    let text = sandbox.mote(["kernel", "ls"]).run().expect_code(0).text();
    assert_eq!(text.lines().count(), 1, "only a header: {text}");
    for verb in [&["explain", "PCI"][..], &["test"]] {
        let failed = sandbox.mote(["kernel"]).args(verb.iter().copied()).run().expect_code(125);
        failed.expect_said(&[
            "error: no kernel was built yet\n",
            "hint: build one: mote kernel build",
        ]);
    }
}

/// The name is wrong wherever the source is: it is not even looked at.
#[test]
fn an_unknown_feature_is_told_with_the_nearest() {
    let sandbox = sandbox();
    let table = [
        ("wiregaurd", "hint: did you mean wireguard?"),
        ("kitchen-sink", "hint: `mote kernel features` lists them"),
    ];
    for (name, hint) in table {
        for verb in ["build", "config"] {
            let args = ["kernel", verb, "--source", "/dev/null.tar.xz", "--feature", name];
            let failed = sandbox.mote(args).run().expect_code(125);
            failed.expect_said(&[&format!("error: unknown feature: {name}\n"), hint]);
        }
    }
}

#[test]
fn a_fragment_that_cannot_be_read_is_told_before_the_source() {
    let sandbox = sandbox();
    let build = ["kernel", "build", "--source", "/dev/null.tar.xz", "--fragment", "my.fragment"];
    let failed = sandbox.mote(build).run().expect_code(125);
    failed.expect_said(&["error: cannot read my.fragment\n", "caused by: No such file"]);
}

/// Before a source is looked at, let alone a kernel built.
#[test]
fn a_folder_with_something_else_is_not_replaced() {
    let sandbox = sandbox();
    let precious = sandbox.write("folder/precious", "mine");
    let build = ["kernel", "build", "--source", "/dev/null.tar.xz", "-o"];
    for (to, message) in [
        ("folder", "error: the folder holds something else than a kernel: folder/precious\n"),
        ("folder/precious", "error: cannot list folder/precious\n"),
    ] {
        let failed = sandbox.mote(build).arg(to).run().expect_code(125);
        failed.expect_said(&[message]);
    }
    assert_eq!(fs::read_to_string(precious).unwrap(), "mine");
}

#[test]
fn what_is_no_kernel_source_is_told() {
    let sandbox = sandbox();
    sandbox.write("tree/README", "not a kernel");
    sandbox.write("text.tar.xz", "not a tarball");
    fs::create_dir(sandbox.home().join("dir.tar.xz")).unwrap();
    let table = [
        ("tree", "not a Linux source, Makefile is missing: ", "hint: give the top directory"),
        ("./gone", "no such source: ./gone", "hint: a source is auto, a directory, a tarball, or"),
        ("text.tar.xz", "not an .xz, .gz, .zst or .bz2 tarball: text.tar.xz\n", ""),
        ("gone.tar.xz", "no such source: gone.tar.xz", "hint: a source is auto"),
    ];
    for (source, message, hint) in table {
        let failed = sandbox.mote(["kernel", "config", "--source", source]).run().expect_code(125);
        failed.expect_said(&["error: ", message, hint]);
    }
    sandbox.mote(["kernel", "config", "--source", "dir.tar.xz"]).run().expect_code(125);
}

/// A real xz stream, cut: of the head of a source, as a download that broke leaves it.
#[test]
fn a_truncated_tarball_is_damaged_and_leaves_nothing() {
    let sandbox = sandbox();
    for name in ["a", "b"] {
        // Incompressible, so that the cut is in the middle of a file.
        let mut noise = 1_u32;
        let bytes = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        });
        let bytes: Vec<u8> = bytes.take(200_000).collect();
        sandbox.write(&format!("linux/{name}"), bytes);
    }
    let packed = std::process::Command::new("tar")
        .args(["cJf", "whole.tar.xz", "linux"])
        .current_dir(sandbox.home())
        .status();
    assert!(packed.expect("tar is installed").success());
    let whole = fs::read(sandbox.home().join("whole.tar.xz")).unwrap();
    sandbox.write("cut.tar.xz", &whole[..whole.len() / 2]);
    let failed = sandbox.mote(["kernel", "build", "--source", "cut.tar.xz"]).run().expect_code(125);
    failed.expect_said(&["error: the tarball is damaged: cut.tar.xz\n", "hint: fetch it again"]);
    let left = fs::read_dir(sandbox.cache().join("sources")).unwrap();
    assert_eq!(left.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_kernel_that_is_not_there_is_told() {
    let sandbox = sandbox();
    sandbox.write("folder/vmlinux", "not a kernel");
    let table = [
        ("folder", "kernel.json is missing: folder", "hint: give a folder that"),
        ("./gone", "./gone", "hint: "),
        (
            "123abc",
            "no kernel in the cache has a key that begins with 123abc",
            "hint: list them: mote kernel ls",
        ),
    ];
    sandbox.write("../cache/mote/kernels/feed/kernel.json", "{}");
    for (kernel, message, hint) in table {
        let run = sandbox.mote(["run", "--kernel", kernel, "recipe:busybox", "true"]);
        run.run().expect_code(125).expect_said(&["error: ", message, hint]);
    }
}

#[test]
fn menuconfig_wants_a_terminal() {
    let failed = sandbox().mote(["kernel", "menuconfig"]).run().expect_code(125);
    failed.expect_said(&["error: menuconfig needs a terminal"]);
}

/// Before the editor is started, in which something might be changed for nothing.
#[test]
fn menuconfig_replaces_no_file() {
    let sandbox = sandbox();
    let precious = sandbox.write("menuconfig.fragment", "CONFIG_SWAP=y\n");
    let mut editor = sandbox.mote(["kernel", "menuconfig"]).start_on_terminal(24, 80);
    editor.screen.wait_for("there is a file already: menuconfig.fragment");
    editor.screen.wait_for("name another one with -o");
    assert_eq!(editor.finish().0.code(), Some(125));
    assert_eq!(fs::read_to_string(precious).unwrap(), "CONFIG_SWAP=y\n");
}
