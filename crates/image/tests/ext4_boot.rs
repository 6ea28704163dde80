//! ext4 images as the root of a real kernel, and what it leaves behind.
//!
//! `MOTE_TEST_KERNEL` names a vmlinux with the features `image` and `ext4`.

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mote_image::ext4::{Ext4Options, Journal, read_ext4, write_ext4};
use mote_process::Program;
use mote_rootfs::tree::{Content, DataRun, Inode, Node, Tree, TreePath};
use sha2::{Digest, Sha256};

/// Under TCG, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is done in the guest as PID 1; the host reads what it prints, and what it leaves.
const INIT: &str = r#"#!/bin/sh
echo "file: $(stat -c '%a %u:%g %h %Y %s' /data/file)"
echo "far: $(stat -c '%t:%T' /data/far)"
echo "link: $(readlink /data/link | wc -c)"
echo "holes: $(stat -c '%s %b' /data/holes) $(tail -c 5 /data/holes)"
echo "large: $(sha256sum < /data/large)"
echo "names: $(ls /many | wc -l)"
for i in 0 77 8191 17899; do test -e "/many/name $i" || echo "no name $i"; done
i=0
while [ $i -lt 500 ]; do
    echo $i > "/many/new $i"
    rm "/many/name $i"
    i=$((i + 1))
done
mkdir -p /new/a/b
cp /data/large /new/large
mv /data/file /new/file
ln /new/file /new/a/linked
echo "grown" >> /data/holes
sync
"#;

fn path(text: impl AsRef<[u8]>) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// A root with BusyBox, a directory of 17,900 names, and a file over several groups of blocks.
fn tree(last_words: &str) -> Tree {
    let busybox = Program::find("busybox", &std::env::var_os("PATH").unwrap());
    let busybox = busybox.expect("busybox: apt-get install busybox-static").path().to_owned();
    let len = busybox.metadata().unwrap().len();
    let mut tree = Tree::new();
    let mut put = |name: &str, inode| tree.insert(&path(name), inode).unwrap();
    let content = Content::HostFile { path: busybox.into(), offset: 0, len };
    put("bin/busybox", Inode::file(content, 0o755));
    let applets = "sh stat readlink wc tail sha256sum ls test rm mkdir cp mv ln sync mount reboot";
    for applet in applets.split(' ') {
        put(&format!("bin/{applet}"), Inode::symlink("busybox"));
    }
    put("init", Inode::file(format!("{INIT}{last_words}\nexec reboot -f\n"), 0o755));
    put("dev", Inode::directory(0o755));
    put("proc", Inode::directory(0o555));
    put("data/far", Inode::char_device(4095, 1_048_575, 0o600));
    let mut file = Inode::file("a file", 0o4751).owned_by(1_000_000, 70_000);
    file.metadata.mtime_s = 0x1_0000_0000;
    put("data/file", file);
    put("data/link", Inode::symlink("t".repeat(4095)));
    let file = Arc::new(tempfile::tempfile().unwrap());
    file.write_all_at(b"begin...end\n", 0).unwrap();
    let run = |at, offset, len| DataRun { at, offset, len };
    let data = [run(0, 0, 5), run((1 << 40) - 4, 8, 4)].into();
    put("data/holes", Inode::file(Content::Sparse { file, len: 1 << 40, data }, 0o644));
    put("data/large", Inode::file(large(), 0o644));
    for index in 0..17_900 {
        put(&format!("many/name {index}"), Inode::file("", 0o644));
    }
    tree
}

fn large() -> Vec<u8> {
    (0..5_000_000u32).flat_map(u32::to_le_bytes).collect()
}

fn boot(image: &Path) -> String {
    let kernel = std::env::var("MOTE_TEST_KERNEL").expect("MOTE_TEST_KERNEL names no vmlinux");
    let mut qemu = Command::new("qemu-system-x86_64")
        .args("-M microvm,acpi=off -accel tcg -cpu max,-pku -m 256 -nodefaults".split(' '))
        .args("-no-user-config -display none -no-reboot -serial stdio -kernel".split(' '))
        .arg(kernel)
        .arg("-drive")
        .arg(format!("if=none,id=root,format=raw,file={}", image.display()))
        .args("-device virtio-blk-device,drive=root -append".split(' '))
        .arg("console=ttyS0 quiet reboot=t panic=-1 no_timer_check nolapic_timer root=/dev/vda rw rootfstype=ext4 init=/init")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("qemu-system-x86_64: apt-get install qemu-system-x86");
    let mut output = qemu.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        output.read_to_end(&mut shown).map(|_| shown)
    });
    let end = Instant::now() + PATIENCE;
    while qemu.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            qemu.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    String::from_utf8_lossy(&reader.join().unwrap().unwrap()).replace('\r', "")
}

/// Checks an image; the status says what was found: 0 nothing, 1 something that was repaired.
fn e2fsck(image: &Path, mode: &str) -> Option<i32> {
    let output = Command::new("e2fsck").arg(mode).arg(image).output();
    let output = output.expect("e2fsck: apt-get install e2fsprogs");
    println!("e2fsck {mode}: {}", String::from_utf8_lossy(&output.stdout));
    output.status.code()
}

/// Boots a tree, and gives the one that it became.
fn become_in_guest(tree: &Tree, journal: Journal) -> Tree {
    let image = tempfile::NamedTempFile::new().unwrap();
    let size_bytes = Some(160 << 20);
    let options = Ext4Options { journal, size_bytes, ..Ext4Options::default() };
    write_ext4(tree, image.as_file(), &options, &mut |_| Ok(())).unwrap();
    assert_eq!(e2fsck(image.path(), "-fn"), Some(0));
    let shown = boot(image.path());
    let digest =
        Sha256::digest(large()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let wanted = format!(
        "file: 4751 1000000:70000 1 4294967296 6\n\
         far: fff:fffff\n\
         link: 4096\n\
         holes: 1099511627776 16 end\n\
         large: {digest}  -\n\
         names: 17900\n"
    );
    assert!(shown.contains(&wanted), "{shown}");
    for trouble in ["EXT4-fs error", "EXT4-fs warning", "Kernel panic", "no name", "can't"] {
        assert!(!shown.contains(trouble), "{shown}");
    }
    if journal == Journal::Internal {
        // What a boot would do: replay the journal, and count what is free.
        assert_eq!(e2fsck(image.path(), "-fp"), Some(1));
    }
    assert_eq!(e2fsck(image.path(), "-fn"), Some(0));
    read_ext4(&Arc::new(image.reopen().unwrap())).unwrap()
}

fn check(tree: &Tree, changed: &Tree) {
    let changed_content = |name: &str| match &changed.get(&path(name)).unwrap().node {
        Node::File(content) => content.clone(),
        other => panic!("{name} is {other:?}"),
    };
    assert_eq!(changed_content("many/new 499"), Content::from("499\n"));
    assert_eq!(changed.get(&path("many/name 499")), None);
    assert!(changed_content("new/large") == Content::from(large()));
    assert_eq!(changed.get(&path("new/file")), tree.get(&path("data/file")));
    let linked = changed.walk().find(|entry| entry.path == path("new/a/linked")).unwrap();
    assert_eq!(linked.links, 2);
    assert_eq!(changed_content("data/holes").len(), (1 << 40) + 6);
    let names = |tree: &Tree| tree.walk().filter(|entry| entry.path != path("new")).count();
    assert_eq!(names(changed), names(tree) + 4, "a, b, large and one of two names");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_guest_writes_to_its_root() {
    let tree = tree("mount -t proc proc /proc && mount -o remount,ro /");
    check(&tree, &become_in_guest(&tree, Journal::None));
}

/// Here the guest ends without unmounting: what it wrote is in the journal.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_journal_brings_back_what_was_synced() {
    let tree = tree("");
    check(&tree, &become_in_guest(&tree, Journal::Internal));
}
