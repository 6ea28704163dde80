//! `mote kernel build` with a `make` of the tests' own, which takes no time: what is kept, and what
//! is not.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
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
    cat /bin/true .config > vmlinux
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
        built.expect_said(&["warning: ", damage, "; it is ", " again"]);
        assert_eq!(fs::read(folder.join("vmlinux")).unwrap(), vmlinux);
    };
    fs::write(folder.join("vmlinux"), "").unwrap();
    again("vmlinux is damaged: it has 0 bytes instead of ");
    fs::remove_file(folder.join("bzImage")).unwrap();
    again("bzImage is damaged: it has no bytes instead of ");
    let json = fs::read_to_string(folder.join("kernel.json")).unwrap();
    fs::write(folder.join("kernel.json"), json.replace('{', "[")).unwrap();
    again("cannot understand ");

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

fn put_busybox(sandbox: &mut Sandbox) {
    let busybox = fs::read("/bin/busybox").expect("install Debian's package busybox-static");
    sandbox.program("busybox", "");
    fs::write(sandbox.home().join("../bin/busybox"), busybox).unwrap();
}

/// A recipe's kernel, and the accelerator that a probe finds or the user names.
#[test]
fn a_dry_run_has_the_kernel_and_the_accelerator() {
    let mut sandbox = sandbox();
    let run = |sandbox: &Sandbox, flags: &[&str]| {
        let run = sandbox.mote(["run", "--source", "linux", "--dry-run", "--feature", "tun"]);
        run.args(flags.iter().copied()).args(["recipe:busybox", "true"]).run()
    };
    put_busybox(&mut sandbox);
    // What the probe's guest ends QEMU with if all went well.
    for (kvm, found) in [(43, "-accel kvm"), (1, "-accel tcg")] {
        sandbox.program("qemu-system-x86_64", &format!("# {found}\nexit {kvm}"));
        let line = run(&sandbox, &["--cpus", "2"]).expect_code(0).text();
        assert!(line.contains(found) && line.contains("-smp 2"), "{line}");
        let line = run(&sandbox, &["--accel", "tcg"]).expect_code(0).text();
        assert!(line.contains("-accel tcg"), "{line}");
    }
    let wanted = ["busybox", "tun"].map(str::to_owned);
    assert!(
        kernels(&sandbox).values().any(|features| wanted.iter().all(|one| features.contains(one)))
    );
}

/// A machine that boots nothing, with something to run.
fn runner() -> Sandbox {
    let mut sandbox = sandbox();
    sandbox.program("qemu-system-x86_64", "exit 1");
    sandbox.write("root/file", "");
    sandbox
}

/// The features of each kernel in the cache, by key.
fn kernels(sandbox: &Sandbox) -> BTreeMap<String, Vec<String>> {
    let listed = sandbox.mote(["kernel", "ls", "--format", "json"]).run().expect_code(0);
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let features =
        |kernel: &Value| kernel["features"].as_array().unwrap().iter().map(text).collect();
    listed.iter().map(|kernel| (text(&kernel["key"]), features(kernel))).collect()
}

/// The key of the kernel that a run takes.
fn taken(sandbox: &Sandbox, flags: &[&str]) -> String {
    let run = sandbox.mote(["run", "--source", "linux", "--accel", "tcg", "--dry-run"]);
    let line =
        run.args(flags.iter().copied()).args(["dir:root", "true"]).run().expect_code(0).text();
    let (_, kernel) = line.split_once("/kernels/").unwrap_or_else(|| panic!("no kernel: {line}"));
    kernel.split('/').next().unwrap().to_owned()
}

/// The key of a kernel with these features.
fn built(sandbox: &Sandbox, features: &str) -> String {
    let built = build(sandbox, &["--feature", features]).expect_code(0).text();
    built.trim_end().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_kernel_that_is_built_for_a_run_serves_others_too() {
    let sandbox = runner();
    let first = taken(&sandbox, &[]);
    let has = |key: &str, feature: &str| kernels(&sandbox)[key].contains(&feature.to_owned());
    assert!(["busybox", "image", "ext4"].iter().all(|feature| has(&first, feature)));
    for flags in [&["--rootfs", "ext4"][..], &["--feature", "pty,ipv6"], &["--network", "none"]] {
        assert_eq!(taken(&sandbox, flags), first, "{flags:?}");
    }
    assert_eq!(kernels(&sandbox).len(), 1);
    let second = taken(&sandbox, &["--feature", "tun", "--cpus", "2"]);
    assert!(["image", "ext4", "smp", "tun"].iter().all(|feature| has(&second, feature)));
}

/// It may switch off what further features need.
#[test]
fn a_fragment_is_not_built_together_with_what_nobody_asked_for() {
    let mut sandbox = runner();
    put_busybox(&mut sandbox);
    let recipe = sandbox.mote(["recipe", "busybox"]).run().expect_code(0).text();
    let recipe = recipe.replace("\n[kernel]\n", "\n[kernel]\nfragments = [\"my.fragment\"]\n");
    sandbox.write("mote.toml", recipe);
    sandbox.write("my.fragment", "CONFIG_SYSVIPC=n\n");
    let args = ["run", "--source", "linux", "--accel", "tcg", "--dry-run", "./mote.toml", "true"];
    sandbox.mote(args).run().expect_code(0);
    let features = kernels(&sandbox).into_values().next().unwrap();
    assert!(!features.contains(&"image".to_owned()), "{features:?}");
}

#[test]
fn a_run_takes_the_smallest_kernel_that_has_all_it_needs() {
    let sandbox = runner();
    let large = built(&sandbox, "image,ext4,smp,tun,fuse");
    assert_eq!(taken(&sandbox, &[]), large);
    let middle = built(&sandbox, "image,smp");
    let small = built(&sandbox, "image");
    let too_small = built(&sandbox, "busybox");
    for (flags, key) in [
        (&[][..], &small),
        (&["--cpus", "2"], &middle),
        (&["--rootfs", "ext4"], &large),
        (&["--feature", "fuse"], &large),
    ] {
        assert_eq!(taken(&sandbox, flags), *key, "{flags:?}");
    }
    assert_eq!(kernels(&sandbox).len(), 4);

    // What is damaged is not taken, nor what is built from something else.
    fs::write(sandbox.cache().join("kernels").join(&small).join("vmlinux"), "").unwrap();
    assert_eq!(taken(&sandbox, &[]), middle);
    sandbox.write("linux/Kconfig", "# another source\n");
    let another = taken(&sandbox, &[]);
    assert!(![large, middle, small, too_small].contains(&another));
}

#[test]
fn an_exact_kernel_has_nothing_else() {
    let sandbox = runner();
    let serving = taken(&sandbox, &[]);
    let exact = taken(&sandbox, &["--exact"]);
    let features = &kernels(&sandbox)[&exact];
    assert!(exact != serving && !features.contains(&"ext4".to_owned()), "{features:?}");
    assert_eq!(exact, built(&sandbox, "image"));
    let both = sandbox.mote(["run", "--exact", "--kernel", &exact, "dir:root", "true"]).run();
    both.expect_code(125).expect_said(&["'--exact' cannot be used with '--kernel <DIR|KEY>'"]);
}

/// A machine that has the kernel, but no compiler.
#[test]
fn a_kernel_that_serves_is_found_without_a_compiler() {
    let sandbox = runner();
    let key = built(&sandbox, "image,ext4");
    for tool in ["gcc", "ld", "make"] {
        fs::remove_file(sandbox.home().join("../bin").join(tool)).unwrap();
    }
    assert_eq!(taken(&sandbox, &[]), key);
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
    for (name, code) in [("flex", 0), ("gcc", 125)] {
        fs::remove_file(sandbox.home().join("../bin").join(name)).unwrap();
        let finding = tools();
        assert_eq!(finding["state"], "poor", "{finding}");
        let until_then = "until then only kernels that are in the cache run";
        assert!(finding["fix"].as_str().unwrap().contains(until_then), "{finding}");
        build(&sandbox, &["--feature", "base"]).expect_code(code);
    }
}

#[test]
fn a_port_in_use_is_told_before_a_kernel_is_built() {
    let sandbox = runner();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let publish = format!("{}:80", taken.port());
    let run = sandbox.mote(["run", "--source", "linux", "-p", &publish, "dir:root", "true"]).run();
    run.expect_code(125).expect_said(&[&format!("error: port in use: {taken}/tcp\n")]);
    assert!(kernels(&sandbox).is_empty());
}

/// The doctor's answer is newer than what a run remembers.
#[test]
fn a_run_knows_what_the_doctor_has_found_of_kvm() {
    let mut sandbox = runner();
    let status = sandbox.write("status", "1");
    // What the probe's guest ends QEMU with; 43 if all went well.
    sandbox.program("qemu-system-x86_64", &format!("read s <{}; exit $s", status.display()));
    let accel = || {
        let run = sandbox.mote(["run", "--source", "linux", "--dry-run", "dir:root", "true"]);
        let line = run.run().expect_code(0).text();
        line.split_once("-accel ").unwrap().1[..3].to_owned()
    };
    assert_eq!(accel(), "tcg");
    sandbox.write("status", "43");
    assert_eq!(accel(), "tcg", "remembered for a while");
    sandbox.mote(["doctor"]).run();
    assert_eq!(accel(), "kvm");
}

#[test]
fn flags_win_over_recipes_and_recipes_over_the_configuration() {
    let mut sandbox = runner();
    put_busybox(&mut sandbox);
    // A path starts from the configuration's folder.
    let config = "memory = \"256m\"\naccel = \"tcg\"\nsource = \"../../home/linux\"\n";
    sandbox.write("../config/mote/config.toml", config);
    let recipe = sandbox.mote(["recipe", "busybox"]).run().expect_code(0).text();
    sandbox.write("own.toml", recipe.replace("#memory = \"128m\"", "memory = \"64m\""));
    for (args, memory) in [
        (&["recipe:busybox"][..], "-m 256M"),
        (&["dir:root"], "-m 256M"),
        (&["./own.toml"], "-m 64M"),
        (&["-m", "96m", "./own.toml"], "-m 96M"),
    ] {
        let run = sandbox.mote(["run", "--dry-run"]).args(args.to_vec()).arg("true");
        let line = run.run().expect_code(0).text();
        assert!(line.contains(memory) && line.contains("-accel tcg"), "{args:?}: {line}");
    }
    assert_eq!(kernels(&sandbox).len(), 1);
}
