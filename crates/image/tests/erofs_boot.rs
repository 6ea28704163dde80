//! EROFS images in a real kernel.
//!
//! `MOTE_TEST_KERNEL` names a vmlinux with the feature `image`.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mote_image::erofs::write_erofs;
use mote_image::{Compression, write_initramfs};
use mote_process::Program;
use mote_rootfs::tree::{Content, Inode, Node, Tree, TreePath};
use sha2::{Digest, Sha256};

/// Under TCG, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(180);

fn path(text: impl AsRef<[u8]>) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn busybox() -> Content {
    let path = match std::env::var_os("MOTE_TEST_BUSYBOX") {
        Some(path) => path.into(),
        None => {
            let found = Program::find("busybox", &std::env::var_os("PATH").unwrap());
            found.expect("busybox: apt-get install busybox-static").path().to_owned()
        }
    };
    std::fs::read(path).unwrap().into()
}

/// What `script` prints with the image mounted at `/mnt`.
fn run(image: &File, script: &str) -> String {
    let mut system = Tree::new();
    let init = format!(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t proc proc /proc\n\
         mount -t devtmpfs dev /dev\nmount -t erofs -o ro /dev/vda /mnt && echo BEGIN && \
         (\n{script}\n) 2>&1 && echo END\nreboot -f\n"
    );
    for (name, inode) in [
        ("bin/busybox", Inode::file(busybox(), 0o755)),
        ("init", Inode::file(init, 0o755)),
        ("etc/passwd", Inode::file("root::0:0::/:/bin/sh\nuser::1000:1000::/:/bin/sh\n", 0o644)),
        ("dev", Inode::directory(0o755)),
        ("mnt", Inode::directory(0o755)),
        ("proc", Inode::directory(0o755)),
    ] {
        system.insert(&path(name), inode).unwrap();
    }
    let mut initrd = tempfile::NamedTempFile::new().unwrap();
    write_initramfs(&system, Compression::None, &mut initrd, &mut |_| Ok(())).unwrap();
    let disk = tempfile::NamedTempFile::new().unwrap();
    std::io::copy(&mut &*image, &mut disk.as_file()).unwrap();
    boot(initrd.path(), disk.path())
}

fn boot(initrd: &std::path::Path, disk: &std::path::Path) -> String {
    let kernel = std::env::var("MOTE_TEST_KERNEL").expect("MOTE_TEST_KERNEL: no vmlinux");
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut qemu = Command::new("qemu-system-x86_64")
        .args("-M microvm,acpi=off -accel tcg -cpu max,-pku -m 256 -nodefaults".split(' '))
        .args("-no-user-config -display none -no-reboot -serial stdio".split(' '))
        .args("-device virtio-blk-device,drive=disk -kernel".split(' '))
        .arg(kernel)
        .arg("-drive")
        .arg(format!("id=disk,if=none,format=raw,readonly=on,file={}", disk.display()))
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", "console=ttyS0 quiet reboot=t panic=-1 no_timer_check nolapic_timer"])
        .stdin(Stdio::null())
        .stdout(log.reopen().unwrap())
        .spawn()
        .expect("qemu-system-x86_64: apt-get install qemu-system-x86");
    let end = Instant::now() + PATIENCE;
    while qemu.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            let _ = qemu.kill();
            let _ = qemu.wait();
            panic!("it still runs: {}", shown(&log));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let shown = shown(&log);
    let output = shown.split_once("BEGIN\n").and_then(|(_, rest)| rest.rsplit_once("END\n"));
    output.unwrap_or_else(|| panic!("it did not end well: {shown}")).0.to_owned()
}

fn shown(log: &tempfile::NamedTempFile) -> String {
    let bytes = std::fs::read(log.path()).unwrap();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

/// Bytes that do not repeat, so that no block can stand for another.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 32);
    let mut block = [0; 32];
    while bytes.len() < len {
        block = Sha256::digest(block).into();
        bytes.extend_from_slice(&block);
    }
    bytes.truncate(len);
    bytes
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn the_kernel_sees_the_tree_that_was_written() {
    let mut tree = Tree::new();
    let mut put = |name: &[u8], inode| tree.insert(&path(name), inode).unwrap();
    let mut wanted = String::new();
    for len in [0, 1, 1984, 2016, 2017, 4096, 4097, 100_000, 3_000_000] {
        let bytes = noise(len);
        let digest: String =
            Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        wanted += &format!("{digest}  /mnt/files/{len:07}\n");
        put(format!("files/{len:07}").as_bytes(), Inode::file(bytes, 0o644));
    }
    for index in 0..3000 {
        put(format!("many/{index:0>120}").as_bytes(), Inode::file("x", 0o644));
    }
    put(b"many/!first", Inode::file("", 0o644));
    put(b"many/\xff\xfe", Inode::file("", 0o644));
    put(b"odd", Inode::file("odd", 0o4751).owned_by(70_000, 5));
    put(b"fifo", Inode::new(Node::Fifo, 0o600));
    put(b"null", Inode::char_device(1, 3, 0o666));
    put(b"far", Inode::char_device(300, 70_000, 0o600));
    put(b"short", Inode::symlink("files/0000001"));
    put(b"long", Inode::symlink("./".repeat(1500) + "files/0000001"));
    let mut old = Inode::file("old", 0o644);
    old.metadata.mtime_s = 1_000_000_000;
    put(b"old", old);
    let mut capable = Inode::file(busybox(), 0o755);
    // cap_net_raw, permitted and effective.
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    capable.metadata.xattrs.insert(b"security.capability"[..].into(), capability[..].into());
    put(b"busybox", capable);
    tree.link(&path("again"), &path("files/0004097")).unwrap();

    let image = tempfile::NamedTempFile::new().unwrap();
    write_erofs(&tree, image.as_file(), &mut |_| Ok(())).unwrap();
    let script = "cd /mnt\nsha256sum /mnt/files/*\nls many | wc -l\n\
                  for name in 0 1 1500 2998 2999; do cat many/$(printf %0120d $name); done; echo\n\
                  stat -c %n many/!first many/$(printf '\\377\\376') | wc -l\n\
                  stat -c '%n %a %u:%g' odd\nstat -c '%n %F %t:%T' fifo null far\n\
                  stat -c '%n %h %s' again\nstat -c '%n %Y' old odd\n\
                  readlink short; readlink long | wc -c; cmp long short && echo same\n\
                  su user -c '/mnt/busybox grep CapEff /proc/self/status'\n\
                  cd /; umount /mnt; dmesg | grep -i erofs | sed 's/.*erofs/erofs/'";
    wanted += "3002\nxxxxx\n2\nodd 4751 70000:5\nfifo fifo 0:0\nnull character special file 1:3\n\
               far character special file 12c:11170\nagain 2 4097\nold 1000000000\n\
               odd 1577836800\nfiles/0000001\n3014\nsame\nCapEff:\t0000000000002000\n\
               erofs: (device vda): mounted with root inode @ nid 36.\n";
    let said = run(&image.reopen().unwrap(), script);
    assert_eq!(said, wanted);
}
