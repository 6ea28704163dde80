//! The real init in real guests: root disks, identities, streams, and what goes wrong.
//!
//! `MOTE_TEST_KERNEL` names a vmlinux with the features `image` and `ext4`. The disks are made by `mkfs.erofs` and
//! `mke2fs`, the programs on them are BusyBox's.

mod disk;
mod guest;

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use mote_contract::{Failure, Filesystem, HostEntry, Network, Outcome, Root, Tmpfs, Writes};
use mote_vmm::{Awaited, DriveAccess, End};
use sha2::{Digest, Sha256};

use disk::{Disk, Tree};
use guest::Guest;

fn erofs(writes: Writes) -> Root {
    Root::Disk { device: "/dev/vda".into(), filesystem: Filesystem::Erofs, writes }
}

fn exit(code: u8) -> End {
    End::Session(Outcome::Exit(code))
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn an_image_below_memory() {
    let mut guest = Guest::new(&[&Disk::erofs(&Tree::new())], erofs(Writes::Memory));
    guest.config.hostname = Some("box".into());
    guest.config.hosts = vec![HostEntry { name: "db".into(), address: [10, 0, 0, 9].into() }];
    guest.config.session.cwd = "/made/for/it".into();
    let seen = guest.sh(
        "pwd; umask; ulimit -n; hostname; cat /etc/hostname /etc/hosts /tmp/kept /run/kept
         echo $HOME $(id)
         echo new > /etc/new && mv /etc /etc.moved && cat /etc.moved/new
         for link in fd stdin stdout stderr; do readlink /dev/$link; done
         grep -cE '^(overlay / overlay rw|devtmpfs /dev |proc /proc |sysfs /sys |devpts /dev/pts |tmpfs /dev/shm |mqueue /dev/mqueue )' /proc/mounts
         stat -c '%a %n' /dev/shm /dev/ptmx /dev/null
         ls -a / | tr '\\n' ' '",
    );
    let expected = "/made/for/it\n0022\n1024\nbox\nbox\n\
        127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\tbox\n10.0.0.9\tdb\ntmp\nrun\n\
        /root uid=0(root) gid=0(root)\nnew\n\
        /proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\n7\n\
        1777 /dev/shm\n666 /dev/ptmx\n666 /dev/null\n\
        . .. bin dev etc.moved made proc run sys tmp ";
    assert_eq!((seen.stdout(), seen.stderr()), (expected, ""));
    assert_eq!(seen.outcome.end, exit(0));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_user_with_groups_can_use_its_streams() {
    let mut guest = Guest::new(&[&Disk::erofs(&Tree::new())], erofs(Writes::Memory));
    guest.config.session.user = Some("web".into());
    let script =
        "id; echo $HOME; echo to stdout > /dev/stdout; echo to stderr > /dev/stderr; touch /etc/x";
    let seen = guest.sh(script);
    let expected = "uid=33(web) gid=34(www) groups=50(log)\n/var/www\nto stdout\n";
    assert_eq!(seen.stdout(), expected);
    assert_eq!(seen.stderr(), "to stderr\ntouch: /etc/x: Permission denied\n");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_root_that_refuses_writing() {
    let mut guest = Guest::new(&[&Disk::erofs(&Tree::new())], erofs(Writes::Refused));
    guest.config.hostname = Some("box".into());
    guest.config.tmpfs =
        vec![Tmpfs { path: "/scratch".into(), flags: 0, options: "size=1m".into() }];
    let seen =
        guest.sh("touch /x; cat /etc/hostname; touch /scratch/x && df -k /scratch | tail -1");
    assert_eq!(seen.stderr(), "touch: /x: Read-only file system\n");
    assert!(seen.stdout().starts_with("box\ntmpfs                     1024 "), "{}", seen.stdout());
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_disk_that_is_written_to_is_left_clean() {
    let disk = Disk::ext4(&Tree::new());
    let root = Root::Disk {
        device: "/dev/vda".into(),
        filesystem: Filesystem::Ext4,
        writes: Writes::Disk,
    };
    let write = "head -c 5000000 /dev/urandom > /big; sha256sum < /big > /digest
        (while :; do echo more; done > /endless) & exit 3";
    for (script, code) in [(write, 3), ("sha256sum < /big | cmp - /digest", 0)] {
        let mut guest = Guest::new(&[&disk], root.clone());
        guest.config.hostname = Some("box".into());
        let seen = guest.sh(script);
        assert_eq!(seen.outcome.end, exit(code), "{}", seen.stderr());
        let check = Command::new("/sbin/e2fsck").arg("-fn").arg(disk.path()).output();
        let check = check.expect("e2fsck: apt-get install e2fsprogs");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    }
    let seen = Guest::new(&[&disk], root).sh("cat /etc/hosts");
    assert_eq!(seen.stdout().matches("box").count(), 1, "{}", seen.stdout());
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn disks_have_the_order_of_the_machine() {
    let first = Disk::erofs(&Tree::new().with("which", "first", 0o644));
    let second = Disk::erofs(&Tree::new().with("which", "second", 0o644));
    let script = "cat /which; mkdir /m; mount -t erofs -o ro /dev/vdb /m && cat /m/which";
    let seen = Guest::new(&[&first, &second], erofs(Writes::Memory)).sh(script);
    assert_eq!(seen.stdout(), "firstsecond");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn what_goes_wrong_is_told() {
    let tree = Tree::new()
        .with("bin/lost", "#!/usr/bin/python3\n", 0o755)
        .with("bin/text", "echo\n", 0o755)
        .with("bin/foreign", "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0", 0o755);
    let disk = Disk::erofs(&tree);
    let root =
        |device: &str, filesystem, writes| Root::Disk { device: device.into(), filesystem, writes };
    let good = erofs(Writes::Memory);
    let (mote, not_found, no_program) = (Failure::Mote, Failure::NotFound, Failure::NotExecutable);
    let cases: [(Root, Option<&str>, &str, Failure, &str); 9] = [
        (
            root("/dev/vda", Filesystem::Ext4, Writes::Memory),
            None,
            "sh",
            mote,
            "the disk does not hold this file system",
        ),
        (
            root("/dev/vdb", Filesystem::Erofs, Writes::Memory),
            None,
            "sh",
            mote,
            "there is no such disk",
        ),
        (good.clone(), Some("ghost"), "sh", mote, "no user ghost in the guest's /etc/passwd"),
        (good.clone(), Some("web:ghosts"), "sh", mote, "no group ghosts in the guest's /etc/group"),
        (good.clone(), None, "ghost", not_found, "ghost: not found in /bin"),
        (
            good.clone(),
            None,
            "/ghost",
            not_found,
            "cannot run /ghost: no such file or directory (execve: ENOENT)",
        ),
        (
            good.clone(),
            None,
            "lost",
            not_found,
            "cannot run /bin/lost: its interpreter /usr/bin/python3 is not there",
        ),
        (
            good.clone(),
            None,
            "/etc/passwd",
            no_program,
            "cannot run /etc/passwd: permission denied (execve: EACCES)",
        ),
        (
            good,
            None,
            "foreign",
            no_program,
            "cannot run /bin/foreign: it is a program for arm, and the guest is x86-64",
        ),
    ];
    for (root, user, program, failure, message) in cases {
        let mut guest = Guest::new(&[&disk], root);
        guest.config.session.user = user.map(str::to_owned);
        let seen = guest.run(&[program]);
        let End::Session(Outcome::Failed { failure: told, message: said }) = &seen.outcome.end
        else {
            panic!("{message}: {:?}\n{}", seen.outcome.end, seen.outcome.console_tail);
        };
        assert_eq!(*told, failure, "{said}");
        assert!(said.contains(message), "{said}");
    }
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_machine_ends_with_its_program() {
    let script = "(sleep 600 &) ; (trap '' TERM; sleep 600) & echo done; exit 4";
    let seen = Guest::new(&[&Disk::erofs(&Tree::new())], erofs(Writes::Memory)).sh(script);
    assert_eq!((seen.stdout(), &seen.outcome.end), ("done\n", &exit(4)));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_user_may_listen_on_any_port() {
    let mut guest = Guest::new(&[&Disk::erofs(&Tree::new())], erofs(Writes::Memory));
    guest.config.session.user = Some("33".into());
    guest.config.network = Network::None;
    let script =
        "nc -l -p 80 > /tmp/got & sleep 1; echo hello | nc -w 5 127.0.0.1 80; wait; cat /tmp/got";
    let seen = guest.sh(script);
    assert_eq!((seen.stdout(), seen.stderr()), ("hello\n", ""));
}

const STREAM_BYTES: usize = 10_000_000;

/// Other bytes in each, at once; prints the rate.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn outputs_leave_unaltered() {
    let data = noise(STREAM_BYTES);
    let swapped: Vec<u8> = data.iter().map(|byte| !byte).collect();
    let tree = Tree::new().with_bytes("out", &data).with_bytes("err", &swapped);
    let begun = Instant::now();
    let mut guest = Guest::new(&[&Disk::erofs(&tree)], erofs(Writes::Memory));
    guest.memory_mib = 256;
    let seen = guest.sh("cat /err >&2 & cat /out; wait");
    let [hello, ended] = [seen.outcome.timeline.started, seen.outcome.timeline.ended];
    let took = ended.unwrap().seen - hello.unwrap().seen;
    let rate = 2.0 * STREAM_BYTES as f64 / 1e6 / took.as_secs_f64();
    println!("20 MB of output in {took:?}, {rate:.0} MB/s; all in {:?}", begun.elapsed());
    assert_eq!(digest(&seen.stdout), digest(&data));
    assert_eq!(digest(&seen.stderr), digest(&swapped));
    assert_eq!(seen.outcome.end, exit(0));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn input_arrives_whole() {
    let disk = Disk::erofs(&Tree::new());
    let data = noise(STREAM_BYTES);
    let mut guest = Guest::new(&[&disk], erofs(Writes::Memory));
    guest.stdin = data.clone();
    let seen = guest.run(&["sha256sum"]);
    let took =
        seen.outcome.timeline.ended.unwrap().seen - seen.outcome.timeline.started.unwrap().seen;
    println!(
        "10 MB of input in {took:?}, {:.0} MB/s",
        STREAM_BYTES as f64 / 1e6 / took.as_secs_f64()
    );
    assert_eq!(seen.stdout(), format!("{}  -\n", digest(&data)));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn input_that_nobody_reads_holds_nothing_up() {
    let data = noise(1_000_000);
    let mut guest = Guest::new(&[&Disk::erofs(&Tree::new())], erofs(Writes::Memory));
    guest.stdin = data.clone();
    let seen = guest.sh("head -c 1000 | sha256sum; exec <&-; sleep 1; echo still here");
    let expected = format!("{}  -\nstill here\n", digest(&data[..1000]));
    assert_eq!((seen.stdout(), &seen.outcome.end), (expected.as_str(), &exit(0)));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn another_init_is_not_waited_for_without_limit() {
    let mut guest = Guest::new(&[&Disk::erofs(&Tree::new())], Root::Initramfs);
    // A kernel that finds nothing to run would panic; this one runs something that says nothing.
    guest.append = vec!["rdinit=/bin/busybox".into(), "sleep".into(), "600".into()];
    guest.silence_limit = Duration::from_secs(15);
    guest.busybox_in_initramfs = true;
    let seen = guest.run(&["true"]);
    let End::Silent { awaited: Awaited::Init, cause: Some(cause), .. } = seen.outcome.end else {
        panic!("{:?}\n{}", seen.outcome.end, seen.outcome.console_tail);
    };
    assert!(cause.what.contains("rdinit="), "{cause:?}");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn drives_can_be_shared_and_are_not_written_to() {
    let disk = Disk::erofs(&Tree::new());
    let before = digest(&std::fs::read(disk.path()).unwrap());
    let mut writer = Guest::new(&[&disk], erofs(Writes::Memory));
    writer.access = DriveAccess::ReadOnly;
    let other = std::thread::spawn({
        let second = disk.clone();
        move || Guest::new(&[&second], erofs(Writes::Memory)).sh("sleep 1; echo other").stdout
    });
    let seen = writer.sh("dd if=/dev/zero of=/dev/vda count=1 2>&1 | head -1; sleep 1; echo one");
    assert!(
        seen.stdout().ends_with("one\n") && seen.stdout().contains("dd: "),
        "{}",
        seen.stdout()
    );
    assert_eq!(other.join().unwrap(), b"other\n");
    assert_eq!(digest(&std::fs::read(disk.path()).unwrap()), before);
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let random = File::open("/dev/urandom").unwrap();
    random.take(len as u64).read_to_end(&mut bytes).unwrap();
    bytes
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Writes all of `bytes` from another thread, as far as they are read.
fn feed(bytes: Vec<u8>) -> std::io::PipeReader {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::thread::spawn(move || {
        let _ = writer.write_all(&bytes);
    });
    reader
}
