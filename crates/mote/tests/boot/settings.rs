//! What the flags of `mote run` make of a guest.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{run, sandbox};

/// The host's clock, in seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The value of `key` in the lines `key=value` that a guest printed.
fn value<'t>(text: &'t str, key: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key} in:\n{text}"))
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_guest_is_as_the_flags_say() {
    let sandbox = sandbox();
    sandbox.write("variables", "# none\n\nGIVEN=by file\nREAD= as \"it\" is\nPASSED\n");
    let flags = "--rm --env-file variables -e GIVEN=by=flag -e MISSING -w /var/log --hostname ann.example \
                 --memory 64m --append mote.test=1";
    let script = r#"
        echo "given=$GIVEN"; echo "passed=$PASSED"; echo "missing=${MISSING-unset}"
        echo "read=$READ"
        echo "pwd=$(pwd)"; echo "hostname=$(hostname)"; echo "address=$(hostname -i)"
        echo "user=$(id -un)"; echo "hosts=$(grep -c ann.example /etc/hosts)"
        echo "clock=$(date +%s)"; echo "processors=$(nproc)"
        echo "total=$(sed -n 's/MemTotal: *//p' /proc/meminfo)"
        echo "cmdline=$(cat /proc/cmdline)"; echo "init=$(tr -d '\0' </proc/1/cmdline)"
    "#;
    let before = now();
    let done = run(&sandbox, flags, &["sh", "-c", script]).env("PASSED", "on").run();
    let after = now();
    let text = done.expect_code(0).text();
    for (key, expected) in [
        ("given", "by=flag"),
        ("passed", "on"),
        ("read", " as \"it\" is"),
        ("missing", "unset"),
        ("pwd", "/var/log"),
        ("hostname", "ann.example"),
        ("address", "10.0.2.15"),
        ("hosts", "1"),
        ("user", "root"),
        ("processors", "1"),
        ("init", "init"),
    ] {
        assert_eq!(value(&text, key), expected, "{key}");
    }
    let clock: u64 = value(&text, "clock").parse().unwrap();
    assert!((before.saturating_sub(2)..=after + 2).contains(&clock), "{before} {clock} {after}");
    let total_kib: u32 = value(&text, "total").trim_end_matches(" kB").parse().unwrap();
    assert!((40 << 10..64 << 10).contains(&total_kib), "{total_kib}");
    assert!(value(&text, "cmdline").contains(" rdinit=/.mote/init mote.test=1"), "{text}");
}

/// What the blog post does by hand: the name on the kernel's command line, the address by DHCP.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_name_can_come_from_the_kernel_and_the_address_from_dhcp() {
    let sandbox = sandbox();
    let script = r#"
        echo "hostname=$(hostname) $(hostname -i)"
        echo "address=$(ip -4 -o addr show dev eth0 | sed 's/.*inet \([^ ]*\).*/\1/')"
        echo "route=$(ip route | sed -n 's/^default via \([^ ]*\).*/\1/p')"
        echo "dns=$(cat /etc/resolv.conf)"
    "#;
    let flags = "--network user:dhcp --append hostname=appended";
    let text = run(&sandbox, flags, &["sh", "-c", script]).run().expect_code(0).text();
    assert_eq!(value(&text, "hostname"), "appended 127.0.1.1");
    assert_eq!(value(&text, "address"), "10.0.2.15/24");
    assert_eq!(value(&text, "route"), "10.0.2.2");
    assert_eq!(value(&text, "dns"), "nameserver 10.0.2.3");
}
