//! `mote kernel build` with a `make` of the tests' own, which takes no time: what is kept, and what
//! is not.

use std::fs;
use std::path::PathBuf;

use mote_kernel::{BUILD_TOOLS, ToolKind};
use mote_testkit::{Finished, Sandbox};
use serde_json::Value;

/// A Kconfig that gives what was asked, and a build that leaves some program as the kernel.
const MAKE: &str = r#"
PATH=/usr/bin:/bin
for word; do
  case $word in
    O=*) out=${word#O=} ;;
    allnoconfig|olddefconfig|menuconfig|bzImage) goal=$word ;;
  esac
done
cd "$out"
case $goal in
  allnoconfig) cp "$KCONFIG_ALLCONFIG" .config ;;
  menuconfig) echo CONFIG_SWAP=y >> .config ;;
  bzImage)
    mkdir -p arch/x86/boot include/config
    cp /bin/true vmlinux
    echo image > arch/x86/boot/bzImage
    echo map > System.map
    echo 6.12.95 > include/config/kernel.release ;;
esac
"#;

/// A machine with a source in `linux` and all that builds it, and nothing else.
fn sandbox() -> Sandbox {
    let mut sandbox = super::sandbox().without_programs();
    for tool in BUILD_TOOLS.iter().filter(|tool| tool.kind == ToolKind::Program) {
        sandbox.program(tool.name, &format!("echo {} 1", tool.name));
    }
    sandbox.program("make", MAKE);
    sandbox.program("strip", "PATH=/bin; cp \"$4\" \"$3\"");
    sandbox.write("linux/Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 95\n");
    for name in ["linux/Kconfig", "linux/scripts/kconfig/Makefile", "linux/arch/x86/Makefile"] {
        sandbox.write(name, "");
    }
    sandbox
}

fn build(sandbox: &Sandbox, args: &[&str]) -> Finished {
    sandbox.mote(["kernel", "build", "--source", "linux"]).args(args.iter().copied()).run()
}

/// The folder of the kernel, with the smallest set of features.
fn kernel(sandbox: &Sandbox) -> PathBuf {
    let built = build(sandbox, &["--feature", "base"]).expect_code(0);
    PathBuf::from(built.text().trim_end())
}

#[test]
fn a_kernel_that_was_damaged_in_the_cache_is_built_again() {
    let sandbox = sandbox();
    let folder = kernel(&sandbox);
    let vmlinux = fs::read(folder.join("vmlinux")).unwrap();
    let again = |damage: &str| {
        let built = build(&sandbox, &["--feature", "base"]).expect_code(0);
        built.expect_said(&["warning: ", damage, "; it is built again"]);
        assert_eq!(fs::read(folder.join("vmlinux")).unwrap(), vmlinux);
    };
    fs::write(folder.join("vmlinux"), "").unwrap();
    again("the kernel was changed, vmlinux has another size than kernel.json says");
    fs::remove_file(folder.join("bzImage")).unwrap();
    again("the kernel is not complete, bzImage is missing");
    fs::write(folder.join("kernel.json"), "{").unwrap();
    again("cannot understand ");
    fs::remove_file(folder.join("kernel.json")).unwrap();
    again("kernel.json is missing");

    let found = build(&sandbox, &["--feature", "base"]).expect_code(0);
    found.expect_unsaid(&["warning: "]);
}

/// Under its key lies what its source was, and would be given out to who has that source.
#[test]
fn a_kernel_whose_source_changed_meanwhile_is_not_kept() {
    let mut sandbox = sandbox();
    let source = sandbox.home().join("linux");
    let change = format!("echo changed > {}/Kconfig", source.display());
    sandbox
        .program("make", &MAKE.replace("    echo image", &format!("    {change}\n    echo image")));
    let failed = build(&sandbox, &["--feature", "base"]).expect_code(125);
    let message = format!("error: the source was changed while it was built: {}", source.display());
    failed.expect_said(&[&message, "hint: build it again"]);
    let kernels = fs::read_dir(sandbox.cache().join("kernels")).unwrap();
    assert_eq!(kernels.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn modules_of_a_configuration_are_counted_and_asked_for_they_are_an_error() {
    let sandbox = sandbox();
    sandbox.write("old.config", "CONFIG_EXT4_FS=m\nCONFIG_BTRFS_FS=m\nCONFIG_SWAP=y\n");
    let warning = "warning: 2 symbols are modules, which are not built\n";
    // Also when it is there already.
    for _ in 0..2 {
        build(&sandbox, &["--config", "old.config"]).expect_code(0).expect_said(&[warning]);
    }
    let config = ["kernel", "config", "--source", "linux", "--config", "old.config"];
    sandbox.mote(config).run().expect_code(0).expect_said(&[warning]);

    sandbox.write("my.fragment", "# mine\nCONFIG_EXT4_FS=m\n");
    let failed = build(&sandbox, &["--fragment", "my.fragment"]).expect_code(125);
    failed.expect_said(&[
        "error: mote builds no modules\n  EXT4_FS: my.fragment:2 asks for m\n",
        "hint: ask for it to be built in:\n  CONFIG_EXT4_FS=y\n",
    ]);
}

/// Nobody could load it.
#[test]
fn a_run_takes_no_module_for_what_it_needs() {
    let mut sandbox = sandbox();
    sandbox.program("qemu-system-x86_64", "exit 1");
    sandbox
        .write("old.config", "CONFIG_VIRTIO_CONSOLE=m\nCONFIG_EROFS_FS=m\nCONFIG_VIRTIO_MMIO=y\n");
    let built = build(&sandbox, &["--config", "old.config"]).expect_code(0);
    sandbox.write("root/file", "");
    let run = sandbox.mote(["run", "--kernel", built.text().trim_end(), "dir:root", "true"]).run();
    run.expect_code(125)
        .expect_said(&["it lacks CONFIG_VIRTIO_CONSOLE: ", "it lacks CONFIG_EROFS_FS: "])
        .expect_unsaid(&["VIRTIO_MMIO"]);
    let test = sandbox.mote(["kernel", "test", built.text().trim_end()]).run();
    test.expect_code(125).expect_said(&["it lacks CONFIG_SERIAL_8250_CONSOLE: "]);
}

/// Found by where it is, by its key, and by the beginning of that.
#[test]
fn a_kernel_is_handed_over_listed_and_found() {
    let sandbox = sandbox();
    // Nothing in it tells of itself: that is looked at once it is found.
    let built = build(&sandbox, &["--feature", "base", "-o", "out"]).expect_code(0);
    assert_eq!(built.text(), "out\n");
    let mut files: Vec<_> = fs::read_dir(sandbox.home().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["System.map", "bzImage", "config", "kernel.json", "vmlinux"]);
    let listed = sandbox.mote(["kernel", "ls", "--format", "json"]).run().expect_code(0);
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let key = listed[0]["key"].as_str().unwrap();
    for name in ["out", key, &key[..8]] {
        let tested = sandbox.mote(["kernel", "test", name]).run().expect_code(125);
        tested.expect_said(&["it lacks CONFIG_BLK_DEV_INITRD: "]);
    }
    let failed = sandbox.mote(["kernel", "test", "0123456789"]).run().expect_code(125);
    failed.expect_said(&["0123456789", "hint: list them: mote kernel ls"]);
}

/// A recipe's kernel, and the accelerator that a probe finds or the user names.
#[test]
fn a_dry_run_has_the_kernel_and_the_accelerator() {
    let mut sandbox = sandbox();
    let run = |sandbox: &Sandbox, flags: &[&str]| {
        let run = sandbox.mote(["run", "--source", "linux", "--dry-run", "--feature", "tun"]);
        run.args(flags.iter().copied()).args(["recipe:busybox", "true"]).run()
    };
    let busybox = fs::read("/bin/busybox").expect("install Debian's package busybox-static");
    sandbox.program("busybox", "");
    fs::write(sandbox.home().join("../bin/busybox"), busybox).unwrap();
    // What the probe's guest ends QEMU with if all went well.
    for (kvm, found) in [(43, "-accel kvm"), (1, "-accel tcg")] {
        sandbox.program("qemu-system-x86_64", &format!("# {found}\nexit {kvm}"));
        let line = run(&sandbox, &["--cpus", "2"]).expect_code(0).text();
        assert!(line.contains(found) && line.contains("-smp 2"), "{line}");
        let line = run(&sandbox, &["--accel", "tcg"]).expect_code(0).text();
        assert!(line.contains("-accel tcg"), "{line}");
    }
    let kernels = sandbox.mote(["kernel", "ls", "--format", "json"]).run().expect_code(0);
    let kernels: Vec<Value> = serde_json::from_slice(&kernels.stdout).unwrap();
    let has = |features: &[&str]| {
        let all = |kernel: &Value| {
            let of_kernel = kernel["features"].as_array().unwrap();
            features.iter().all(|feature| of_kernel.contains(&(*feature).into()))
        };
        assert!(kernels.iter().any(all), "{kernels:?}");
    };
    has(&["busybox", "tun"]);
    has(&["busybox", "tun", "smp"]);
}

#[test]
fn the_kernel_of_a_run_has_what_image_and_flags_need() {
    let mut sandbox = sandbox();
    sandbox.program("qemu-system-x86_64", "exit 1");
    sandbox.write("root/file", "");
    let args = ["run", "--source", "linux", "--rootfs", "ext4", "--cpus", "2", "dir:root", "true"];
    // There is no such entry in what stands for the kernel.
    sandbox.mote(args).run().expect_code(125).expect_said(&["PVH"]);
    let kernels = sandbox.mote(["kernel", "ls", "--format", "json"]).run().expect_code(0);
    let kernels: Vec<Value> = serde_json::from_slice(&kernels.stdout).unwrap();
    let features = kernels[0]["features"].as_array().unwrap();
    for feature in ["image", "ext4", "smp"] {
        assert!(features.contains(&feature.into()), "{features:?}");
    }
}

/// Neither the guest's memory could hold it nor, perhaps, the host's.
#[test]
fn an_initramfs_that_is_too_large_is_refused_before_it_is_made() {
    let mut sandbox = sandbox();
    sandbox.program("qemu-system-x86_64", "exit 1");
    let file = sandbox.write("root/sparse", "");
    fs::File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap();
    let args = ["run", "--source", "linux", "--rootfs", "initramfs", "-m", "128m", "dir:root", "x"];
    let failed = sandbox.mote(args).run().expect_code(125);
    failed.expect_said(&["128 MiB of memory are too few", "hint: "]);
}

/// What the editor gave is a kernel's together with what it was started with.
#[test]
fn menuconfig_says_how_to_build_what_was_edited() {
    let mut sandbox = sandbox();
    sandbox.program("setsid", "exec /usr/bin/setsid \"$@\"");
    sandbox.write("my own.fragment", "CONFIG_NET=y\n");
    let args = ["--source", "linux", "--feature", "base", "--fragment", "my own.fragment"];
    let menuconfig = sandbox.mote(["kernel", "menuconfig"]).args(args);
    let mut editor = menuconfig.start_on_terminal(24, 80);
    editor.screen.wait_for(
        "wrote menuconfig.fragment; build with it: mote kernel build --source linux \
         --feature base --fragment 'my own.fragment' --fragment menuconfig.fragment",
    );
    assert_eq!(editor.finish().0.code(), Some(0));
    let written = fs::read_to_string(sandbox.home().join("menuconfig.fragment")).unwrap();
    assert_eq!(written, "CONFIG_SWAP=y\n");
}

/// With a kernel in the cache, some things go on without some tools.
#[test]
fn the_doctor_says_what_goes_on_without_build_tools() {
    let sandbox = sandbox();
    kernel(&sandbox);
    let tools = || {
        let json = sandbox.mote(["doctor", "--format", "json"]).run().stdout;
        let findings: Vec<Value> = serde_json::from_slice(&json).unwrap();
        let tools = findings.into_iter().find(|finding| finding["what"] == "kernel build tools");
        tools.unwrap()
    };
    assert_eq!(tools()["state"], "good");
    for (name, state, until_then) in [
        ("flex", "poor", "until then only kernels that are in the cache run"),
        ("gcc", "bad", "until then `mote run` needs --kernel KEY"),
    ] {
        fs::remove_file(sandbox.home().join("../bin").join(name)).unwrap();
        let finding = tools();
        assert_eq!(finding["state"], state, "{finding}");
        assert!(finding["fix"].as_str().unwrap().contains(until_then), "{finding}");
        let found = build(&sandbox, &["--feature", "base"]);
        found.expect_code(if state == "poor" { 0 } else { 125 });
    }
}
