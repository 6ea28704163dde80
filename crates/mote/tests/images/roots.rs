//! What an image becomes in the guest: on each root file system the same, to the last attribute.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use mote_testkit::Sandbox;

use crate::{kernel, layout, run, sandbox};

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn an_odd_image_is_as_it_should_be_on_every_root() {
    let sandbox = sandbox();
    for rootfs in ["erofs", "ext4"] {
        let checked = run(&sandbox, &format!("--rootfs {rootfs}"), "odd", &[]).run();
        assert_eq!(checked.expect_code(0).text(), "odd: as it should be\n", "{rootfs}");
    }
    // cpio has no extended attributes.
    let flags = "--rootfs initramfs --memory 512m --entrypoint /check";
    let checked = run(&sandbox, flags, "odd", &["--no-xattrs"]).run();
    assert_eq!(checked.expect_code(0).text(), "odd: as it should be\n");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn what_is_written_is_gone_in_the_next_run() {
    let sandbox = sandbox();
    for rootfs in ["erofs", "ext4"] {
        let flags = format!("--rootfs {rootfs}");
        let write = "test ! -e /new && echo new >/new && rm /bin/ls && cat /new";
        for _ in 0..2 {
            let written = run(&sandbox, &flags, "busybox", &["sh", "-c", write]).run();
            assert_eq!(written.expect_code(0).text(), "new\n", "{rootfs}");
        }
    }
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_read_only_root_refuses_and_a_tmpfs_takes() {
    let sandbox = sandbox();
    let script = "touch /new; echo $?; touch /scratch/new; echo $?; grep -o ' /scratch tmpfs.*=1024k' /proc/mounts";
    // As docker's own documentation has it.
    let flags = "--read-only --tmpfs /scratch:rw,noexec,nosuid,size=1024k";
    let tried = run(&sandbox, flags, "busybox", &["sh", "-c", script]).run().expect_code(0);
    let mounted = " /scratch tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k";
    assert_eq!(tried.text(), format!("1\n0\n{mounted}\n"));
    let refused = run(&sandbox, "--read-only --rootfs initramfs", "busybox", &[]).run();
    refused
        .expect_code(125)
        .expect_said(&["hint: leave out --read-only, or choose --rootfs erofs"]);
}

/// A system with its own init, as a recipe has it, is the same on a disk.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_classic_system_runs_from_a_disk() {
    let sandbox = sandbox();
    let script = "cat /proc/1/comm; grep -c ' / overlay' /proc/mounts; touch /new && reboot";
    for (rootfs, overlays) in [("erofs", "1"), ("ext4", "0")] {
        let run = sandbox.mote(["run", "--rootfs", rootfs, "--kernel"]).arg(kernel());
        let ended = run.args(["recipe:busybox", "sh", "-c", script]).run().expect_code(0);
        assert_eq!(ended.text(), format!("init\n{overlays}\n"), "{rootfs}");
        ended.expect_said(&["the guest asked for a reboot"]);
    }
}

/// `tar:` and `dir:` have no configuration: the command is the user's.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_tarball_and_a_directory_are_programs_too() {
    let sandbox = sandbox();
    let root = sandbox.home().join("root");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy("/bin/busybox", root.join("bin/sh")).expect("busybox-static");
    sandbox.write("root/etc/motto", "from the host\n");
    let packed = Command::new("tar")
        .args(["-C", root.to_str().unwrap(), "-czf"])
        .arg(sandbox.home().join("root.tar.gz"))
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    for source in ["dir:root", "tar:root.tar.gz"] {
        let run = |command: &[&str]| {
            let run = sandbox.mote(["run", "--kernel"]).arg(kernel()).arg(source);
            run.args(command.iter().copied()).run()
        };
        let script = "read line </etc/motto; echo \"$line\"";
        assert_eq!(run(&["sh", "-c", script]).expect_code(0).text(), "from the host\n", "{source}");
        run(&[]).expect_code(125).expect_said(&["does not say what to run", "give a command"]);
    }
}

/// What skopeo copies from one kind of source to the other is the same image to mote.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn a_layout_and_archives_of_it_become_the_same_image() {
    let sandbox = sandbox();
    let build = |source: &str| {
        let args = ["image", "build", source, "--format", "initramfs", "-o", "tree.cpio"];
        sandbox.mote(args).run().expect_code(0);
        std::fs::read(sandbox.home().join("tree.cpio")).unwrap()
    };
    let from = layout("busybox");
    let wanted = build(&from);
    for (source, tag) in [("oci-archive:oci.tar", ":v1"), ("docker-archive:docker.tar", ":app:v1")]
    {
        let copy = format!("skopeo --insecure-policy copy --quiet {from} {source}{tag}");
        sandbox.shell(&copy).run().expect_code(0);
        assert!(build(source) == wanted, "{source}");
    }
}

/// The second run does nothing but boot.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_disk_is_made_once_and_kept_while_it_is_used() {
    let sandbox = sandbox();
    let said =
        |sandbox: &Sandbox| run(sandbox, "", "busybox", &["true"]).run().expect_code(0).stderr;
    assert!(said(&sandbox).contains("writing the image"));
    assert_eq!(said(&sandbox), "");

    let mut running = run(&sandbox, "", "busybox", &["sh", "-c", "echo up; sleep 1000"]).start();
    running.stdout.wait_for("up\n");
    let pruned = sandbox.mote(["prune"]).run().expect_code(0).text();
    assert_eq!(pruned, "0 B freed\n");
    assert_eq!(said(&sandbox), "");
    running.signal(mote_testkit::Signal::TERM);
    running.finish();

    let pruned = sandbox.mote(["prune", "--dry-run"]).run().expect_code(0).text();
    assert!(pruned.contains(&layout("busybox")) && pruned.contains("would be freed"), "{pruned}");
    let pruned = sandbox.mote(["prune"]).run().expect_code(0).text();
    assert!(pruned.contains(&layout("busybox")), "{pruned}");
    assert!(said(&sandbox).contains("writing the image"));
}

/// Built, checked by the formats' own programs, listed, and with something on top.
#[test]
#[ignore = "needs the test images: run by ./test"]
fn images_are_built_and_listed_in_every_format() {
    let sandbox = sandbox();
    sandbox.write("top/etc/motto", "on top\n");
    let source = layout("odd");
    let check = |program: &str, args: &[&str], file: &str| {
        let checked = Command::new(program).args(args).arg(sandbox.home().join(file)).output();
        let checked = checked.unwrap_or_else(|_| panic!("{program} is not installed"));
        assert!(
            checked.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&checked.stdout)
        );
    };
    for format in ["erofs", "ext4", "initramfs"] {
        let file = format!("odd.{format}");
        let args = ["image", "build", &source, "--format", format, "--overlay", "top", "-o", &file];
        sandbox.mote(args).run().expect_code(0);
        let listed = sandbox.mote(["image", "inspect", &file]).run().expect_code(0).text();
        assert!(listed.contains("etc/motto\n"), "{format}: {listed}");
        match format {
            "erofs" => check("fsck.erofs", &[], &file),
            "ext4" => check("e2fsck", &["-fn"], &file),
            _ => {}
        }
        let again = format!("again.{format}");
        let args =
            ["image", "build", &source, "--format", format, "--overlay", "top", "-o", &again];
        sandbox.mote(args).run().expect_code(0);
        let read = |name: &str| std::fs::read(sandbox.home().join(name)).unwrap();
        assert!(read(&file) == read(&again), "{format}: two builds differ");
    }
    let args = ["image", "build", &source, "--format", "ext4", "--journal", "-o", "journal.ext4"];
    sandbox.mote(args).run().expect_code(0);
    check("e2fsck", &["-fn"], "journal.ext4");
    let dumped =
        Command::new("dumpe2fs").arg("-h").arg(sandbox.home().join("journal.ext4")).output();
    let features = String::from_utf8(dumped.unwrap().stdout).unwrap();
    assert!(features.contains("has_journal"), "{features}");
    let args = ["image", "build", &source, "--journal", "-o", "none"];
    sandbox.mote(args).run().expect_code(125).expect_said(&["--journal is for ext4 images only"]);
    let args = ["image", "build", &source, "--format", "ext4", "--size", "20m", "-o", "small.ext4"];
    let small = sandbox.mote(args).run().expect_code(125);
    small.expect_said(&["too few for the tree", "--size"]);
    assert!(!sandbox.home().join("small.ext4").exists());
}

/// Names, attributes and buffers are in memory, contents are not.
#[test]
#[ignore = "writes 1 GB twice: run by ./test"]
fn an_image_of_a_gigabyte_is_built_in_little_memory() {
    let sandbox = sandbox();
    let mote = env!("CARGO_BIN_EXE_mote");
    let archive = "truncate -s 1G zeros && tar -cf - zeros | gzip -1 >big.tar.gz && rm zeros";
    sandbox.shell(archive).run().expect_code(0);
    for format in ["erofs", "ext4"] {
        let build = format!("{mote} image build tar:big.tar.gz --format {format} -o big.{format}");
        sandbox.shell(&format!("ulimit -d 65536; {build}")).run().expect_code(0);
    }
}

/// The directory that every layer of overlayfs and every archive has.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_root_has_the_mode_and_the_owner_that_its_image_says() {
    let sandbox = sandbox();
    let busybox = sandbox.write("root/bin/busybox", fs::read("/bin/busybox").unwrap());
    fs::set_permissions(&busybox, Permissions::from_mode(0o755)).unwrap();
    // An entry for ./ itself.
    let script = "cd root && tar --mode=0711 --owner=7 --group=8 -cf ../root.tar ./";
    sandbox.shell(script).run().expect_code(0);
    let stat = ["/bin/busybox", "stat", "-c", "%a %u %g", "/"];
    for flags in [
        &["--rootfs", "erofs"][..],
        &["--rootfs", "erofs", "--read-only"],
        &["--rootfs", "ext4"],
        &["--rootfs", "initramfs"],
    ] {
        let run = sandbox.mote(["run", "-u", "7", "--kernel"]).arg(kernel()).args(flags.to_vec());
        let told = run.arg("tar:root.tar").args(stat).run().expect_code(0).text();
        assert_eq!(told, "711 7 8\n", "{flags:?}");
    }
}
