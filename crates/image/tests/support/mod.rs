//! Trees to write, and reading them back.
#![allow(dead_code)] // each test file uses its own part

pub mod disk;

use std::collections::HashMap;

use mote_image::cpio::Entry;
use mote_image::{Compression, ReadError, Summary, read_initramfs, write_initramfs};
use mote_rootfs::tree::{Device, Inode, Metadata, Node, Tree, TreePath};
use proptest::prelude::*;

pub fn path(text: impl AsRef<[u8]>) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// A bit of everything.
pub fn sample() -> Tree {
    let mut tree = Tree::new();
    let mut put = |name: &str, inode| tree.insert(&path(name), inode).unwrap();
    put("bin/busybox", Inode::file("x".repeat(70_001), 0o4755));
    put("bin/sh", Inode::symlink("busybox"));
    put("dev/console", Inode::char_device(5, 1, 0o600));
    put("dev/vda", Inode::new(Node::BlockDevice(Device { major: 254, minor: 0 }), 0o660));
    put("etc/empty", Inode::file("", 0o600).owned_by(1000, 100));
    put("run/pipe", Inode::new(Node::Fifo, 0o622));
    put("run/socket", Inode::new(Node::Socket, 0o755));
    put("tmp", Inode::directory(0o1777));
    put("TRAILER!!!", Inode::file("not the end", 0o644));
    for (name, target) in [("bin/ash", "bin/busybox"), ("a", "etc/empty"), ("z", "bin/sh")] {
        tree.link(&path(name), &path(target)).unwrap();
    }
    tree
}

pub fn write(tree: &Tree, compression: Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_initramfs(tree, compression, &mut bytes, &mut |_| Ok(())).unwrap();
    bytes
}

/// Entries with the bytes of their files.
pub type Listed = Vec<(Entry, Vec<u8>)>;

pub fn list(bytes: &[u8]) -> Result<(Listed, Summary), ReadError> {
    let mut entries = Vec::new();
    let summary = read_initramfs(bytes, &mut |entry, data| {
        let mut read = Vec::new();
        data.read_to_end(&mut read)?;
        entries.push((entry.clone(), read));
        Ok(())
    })?;
    Ok((entries, summary))
}

/// What the kernel would unpack.
pub fn read_back(bytes: &[u8]) -> Tree {
    let mut tree = Tree::new();
    let mut links: HashMap<(u32, u32), TreePath> = HashMap::new();
    for (entry, data) in list(bytes).unwrap().0 {
        let path = path(&entry.name);
        let node = match entry.mode & 0o170_000 {
            0o010_000 => Node::Fifo,
            0o020_000 => Node::CharDevice(entry.rdevice),
            0o040_000 => Node::Directory,
            0o060_000 => Node::BlockDevice(entry.rdevice),
            0o100_000 => Node::File(data.into()),
            0o120_000 => Node::Symlink(entry.target.unwrap().into()),
            0o140_000 => Node::Socket,
            other => panic!("type {other:#o}"),
        };
        let metadata = Metadata {
            mode: (entry.mode & 0o7777) as u16,
            uid: entry.uid,
            gid: entry.gid,
            mtime_s: entry.mtime_s.into(),
            mtime_ns: 0,
            xattrs: Default::default(),
        };
        let inode = Inode { node, metadata };
        if entry.nlink >= 2 && !inode.is_directory() {
            let first = links.entry((entry.archive, entry.ino)).or_insert_with(|| path.clone());
            if *first != path {
                tree.link(&path, first).unwrap();
                // The bytes come with the last name.
                let names: Vec<_> = names_of(&tree, first);
                tree.insert(&path, inode).unwrap();
                for name in names.iter().filter(|&name| *name != path) {
                    tree.link(name, &path).unwrap();
                }
                continue;
            }
        }
        tree.insert(&path, inode).unwrap();
    }
    tree
}

fn names_of(tree: &Tree, path: &TreePath) -> Vec<TreePath> {
    let id = tree.walk().find(|entry| entry.path == *path).unwrap().id;
    tree.walk().filter(|entry| entry.id == id).map(|entry| entry.path).collect()
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'a'), Just(b'-'), Just(b'\n'), Just(0xff), 1u8..=255];
    let short = prop::collection::vec(byte.clone(), 1..4);
    let long = prop::collection::vec(byte, 250..=255);
    prop_oneof![8 => short, 1 => long, 1 => Just(b"TRAILER!!!".to_vec())].prop_map(|mut name| {
        name.iter_mut().filter(|byte| **byte == b'/').for_each(|byte| *byte = b'_');
        if name == b"." || name == b".." { b"dots".to_vec() } else { name }
    })
}

fn nodes() -> impl Strategy<Value = Node> {
    let bytes = |len| prop::collection::vec(any::<u8>(), len);
    let target = prop::collection::vec(1u8..=255, 1..20);
    let device = (0u32..4096, 0u32..1 << 20).prop_map(|(major, minor)| Device { major, minor });
    prop_oneof![
        2 => Just(Node::Directory),
        4 => bytes(0..40).prop_map(|data| Node::File(data.into())),
        1 => bytes(70_000..70_004).prop_map(|data| Node::File(data.into())),
        2 => target.prop_map(|target| Node::Symlink(target.into())),
        1 => device.clone().prop_map(Node::CharDevice),
        1 => device.prop_map(Node::BlockDevice),
        1 => Just(Node::Fifo),
        1 => Just(Node::Socket),
    ]
}

/// What cpio can say: no extended attributes, and no time before 1970.
fn inodes() -> impl Strategy<Value = Inode> {
    (nodes(), 0u16..=0o7777, any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(node, mode, uid, gid, mtime)| {
            let mtime_s = mtime.into();
            Inode {
                node,
                metadata: Metadata {
                    mode,
                    uid,
                    gid,
                    mtime_s,
                    mtime_ns: 0,
                    xattrs: Default::default(),
                },
            }
        },
    )
}

/// Random trees: deep and flat, any bytes in names, hard links, devices.
pub fn trees() -> impl Strategy<Value = Tree> {
    trees_of(inodes())
}

/// Random trees of such inodes.
pub fn trees_of(inodes: impl Strategy<Value = Inode>) -> impl Strategy<Value = Tree> {
    let put = (prop::collection::vec(names(), 1..5), inodes);
    let links = prop::collection::vec((any::<prop::sample::Index>(), names()), 0..4);
    (prop::collection::vec(put, 0..12), links).prop_map(|(puts, links)| {
        let mut tree = Tree::new();
        for (names, inode) in puts {
            // What is in the way of a path stays: that is no tree to make.
            let _ = tree.insert(&path(names.join(&b'/')), inode);
        }
        for (target, name) in links {
            let files: Vec<_> = tree.walk().filter(|entry| !entry.inode.is_directory()).collect();
            if !files.is_empty() {
                let target = files[target.index(files.len())].path.clone();
                tree.link(&path(name), &target).unwrap();
            }
        }
        tree
    })
}

/// Most memory that this process ever had resident (`proc_pid_status(5)`).
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
