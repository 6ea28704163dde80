//! What is said of a machine that lacks things.

use serde_json::Value;

use super::sandbox;

#[test]
fn the_doctor_finds_a_bare_machine_unfit_and_says_how_to_mend_it() {
    let sandbox = sandbox().without_programs();
    let text = sandbox.mote(["doctor"]).run().expect_code(1).text();
    for fix in [
        "fix: apt install qemu-system-x86\n",
        "fix: apt install busybox-static",
        "fix: apt install make gcc binutils flex bison bc",
    ] {
        assert!(text.contains(fix), "no {fix:?} in:\n{text}");
    }

    let json = sandbox.mote(["doctor", "--format", "json"]).run().expect_code(1);
    let findings: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    for finding in &findings {
        let is_good = finding["state"] == "good";
        assert_eq!(finding["fix"].is_null(), is_good, "{finding}");
    }
    let bad = findings.iter().filter(|finding| finding["state"] == "bad");
    let bad: Vec<_> = bad.map(|finding| finding["what"].as_str().unwrap()).collect();
    assert_eq!(bad[..2], ["qemu", "kernel build tools"], "{findings:?}");
}

#[test]
fn a_qemu_that_does_not_work_is_found_out() {
    let mut sandbox = sandbox().without_programs();
    sandbox.program("qemu-system-x86_64", "echo 'no libpixman' >&2; exit 127");
    let text = sandbox.mote(["doctor"]).run().expect_code(1).text();
    assert!(text.contains("FAILS  qemu") && text.contains("no libpixman"), "{text}");
}

#[test]
fn without_qemu_nothing_runs() {
    let sandbox = sandbox().without_programs();
    let failed = sandbox.mote(["run", "recipe:busybox", "true"]).run().expect_code(125);
    failed.expect_said(&[
        "error: qemu not found (qemu-system-x86_64)\n",
        "hint: apt install qemu-system-x86\n",
    ]);
}

#[test]
fn without_busybox_there_is_no_system() {
    let sandbox = sandbox().without_programs();
    let failed = sandbox.mote(["image", "build", "recipe:busybox"]).run().expect_code(125);
    failed.expect_said(&[
        "error: busybox is not installed\n",
        "hint: on Debian: apt install busybox-static",
    ]);
}

#[test]
fn without_a_compiler_no_kernel_is_built() {
    let sandbox = sandbox().without_programs();
    sandbox.write("linux/Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n");
    for name in [
        "linux/Kconfig",
        "linux/Kbuild",
        "linux/scripts/kconfig/Makefile",
        "linux/arch/x86/Makefile",
    ] {
        sandbox.write(name, "");
    }
    let build = sandbox.mote(["kernel", "build", "--source", "linux"]).run();
    build.expect_code(125).expect_said(&["error: ", "gcc", "hint: "]);
}

/// A machine whose KVM works has no need of TCG. 43 is what the guest of the probe ends with.
#[test]
fn one_accelerator_is_enough() {
    let mut sandbox = sandbox().without_programs();
    for (kvm, tcg, states) in [(43, 1, ["good", "poor"]), (1, 1, ["poor", "bad"])] {
        let qemu = format!("case \"$*\" in *kvm*) exit {kvm} ;; *tcg*) exit {tcg} ;; esac\necho 1");
        sandbox.program("qemu-system-x86_64", &qemu);
        let json = sandbox.mote(["doctor", "--format", "json"]).run().stdout;
        let findings: Vec<Value> = serde_json::from_slice(&json).unwrap();
        let state = |what: &str| {
            findings.iter().find(|finding| finding["what"] == what).unwrap()["state"].clone()
        };
        assert_eq!([state("kvm"), state("tcg")], states, "{findings:?}");
    }
}
