//! Trees for images that can hold whatever a tree can.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use mote_rootfs::tree::{Content, DataRun, Device, Entry, Inode, Metadata, Node, Tree};
use proptest::prelude::*;

use super::{nodes, path, trees_of};

/// Random trees with extended attributes, any times, sparse files, and contents, directories and
/// link targets around the sizes of blocks.
pub fn full_trees() -> impl Strategy<Value = Tree> {
    (trees_of(inodes()), prop_oneof![4 => Just(0), 1 => 100usize..600]).prop_map(
        |(mut tree, names)| {
            for index in 0..names {
                let name = format!("many/{index:0>len$}", len = 1 + index % 60);
                tree.insert(&path(name), Inode::file("", 0o644)).unwrap();
            }
            tree
        },
    )
}

fn inodes() -> impl Strategy<Value = Inode> {
    let node = prop_oneof![
        4 => nodes(),
        2 => around_blocks().prop_map(|len| Node::File(vec![7; len as usize].into())),
        1 => sparse_contents().prop_map(Node::File),
        1 => (1usize..=4095).prop_map(|len| Node::Symlink("t".repeat(len).into_bytes().into())),
    ];
    let mtime_s = prop_oneof![4 => Just(1_600_000_000), 1 => any::<i64>(), 1 => -10i64..10];
    let mtime_ns = prop_oneof![4 => Just(0), 1 => 1u32..1_000_000_000];
    let id = || prop_oneof![4 => 0u32..2000, 1 => any::<u32>()];
    (node, 0u16..=0o7777, id(), id(), (mtime_s, mtime_ns), xattrs()).prop_map(
        |(node, mode, uid, gid, (mtime_s, mtime_ns), xattrs)| Inode {
            node,
            metadata: Metadata { mode, uid, gid, mtime_s, mtime_ns, xattrs },
        },
    )
}

fn around_blocks() -> impl Strategy<Value = u64> {
    (0u64..4, prop_oneof![Just(0), 1u64..80, 1900u64..2100, 4000u64..4096])
        .prop_map(|(blocks, rest)| 4096 * blocks + rest)
}

type Xattrs = std::collections::BTreeMap<Box<[u8]>, Box<[u8]>>;

fn xattrs() -> impl Strategy<Value = Xattrs> {
    let names = prop_oneof![
        Just(b"security.capability".to_vec()),
        Just(b"system.posix_acl_access".to_vec()),
        Just(b"system.posix_acl_default".to_vec()),
        Just(b"user.".iter().copied().chain([b'n'; 200]).collect()),
        "(user|trusted|security|com)\\.[a-z.]{1,8}".prop_map(String::into_bytes),
    ];
    let values = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..30),
        1 => prop::collection::vec(any::<u8>(), 1900..2100),
    ];
    let some = prop::collection::btree_map(
        names.prop_map(Vec::into_boxed_slice),
        values.prop_map(Vec::into_boxed_slice),
        1..4,
    );
    prop_oneof![3 => Just(Xattrs::new()), 1 => some]
}

/// Files of up to 64 KiB that begin or end with a hole, or have some inside.
fn sparse_contents() -> impl Strategy<Value = Content> {
    prop::collection::vec((0u64..9000, 1u64..5000), 0..4).prop_flat_map(|runs| {
        (Just(runs), 0u64..9000).prop_map(|(runs, end)| {
            let mut data = Vec::new();
            let mut at = 0;
            for (hole, len) in runs {
                // Runs stand apart.
                at += hole + 1;
                data.push(DataRun { at, offset: at, len });
                at += len;
            }
            sparse(at + end, &data)
        })
    })
}

/// A sparse content whose data is not zeros.
pub fn sparse(len: u64, data: &[DataRun]) -> Content {
    let file = tempfile::tempfile().unwrap();
    for run in data {
        file.write_all_at(&vec![b'd'; run.len as usize], run.offset).unwrap();
    }
    Content::Sparse { file: Arc::new(file), len, data: data.into() }
}

/// Something of everything, small enough to read.
pub fn full_sample() -> Tree {
    let mut tree = super::sample();
    let mut put = |name: &[u8], inode| tree.insert(&path(name), inode).unwrap();
    let mut ping = Inode::file("ping", 0o755);
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    ping.metadata.xattrs.insert(b"security.capability"[..].into(), capability[..].into());
    ping.metadata.xattrs.insert(b"user.note"[..].into(), b"line\n\xff"[..].into());
    put(b"bin/ping", ping);
    put(b"etc/block", Inode::file("b".repeat(4096), 0o644));
    put(b"etc/block-and-tail", Inode::file("b".repeat(4100), 0o644));
    put(b"etc/half-a-block", Inode::file("h".repeat(2100), 0o644));
    put(b"etc/large-owner", Inode::file("x", 0o644).owned_by(1_000_000, 70_000));
    let mut old = Inode::file("old", 0o640);
    old.metadata.mtime_s = -1;
    put(b"etc/old", old);
    put(b"etc/\xff\n", Inode::file("odd name", 0o644));
    put(b"lib", Inode::symlink("usr/".repeat(700)));
    put(b"dev/far", Inode::new(Node::CharDevice(Device { major: 4095, minor: 1_048_575 }), 0o600));
    let runs = [DataRun { at: 8192, offset: 0, len: 3 }, DataRun { at: 20_480, offset: 3, len: 5 }];
    put(b"var/sparse", Inode::file(sparse(24_000, &runs), 0o644));
    for index in 0..300 {
        put(format!("many/-name {index}").as_bytes(), Inode::file("", 0o644));
    }
    tree
}

/// The same tree without what ext4 has no place for.
pub fn fitting(tree: &Tree) -> Tree {
    let mut fitting = tree.clone();
    for entry in tree.walk() {
        let mut inode = entry.inode.clone();
        let metadata = &mut inode.metadata;
        metadata.mtime_s = metadata.mtime_s.clamp(i32::MIN.into(), 0x3_7fff_ffff);
        let mut room = 3800usize;
        metadata.xattrs.retain(|name, value| {
            let is_acl = name.starts_with(b"system.posix_acl");
            let is_foreign = name.starts_with(b"com.");
            let fits = room.checked_sub(name.len() + value.len() + 20);
            room = fits.unwrap_or(room);
            fits.is_some() && !is_acl && !is_foreign
        });
        if inode != *entry.inode {
            fitting.replace(&entry, inode);
        }
    }
    fitting
}

trait Replace {
    fn replace(&mut self, entry: &Entry<'_>, inode: Inode);
}

impl Replace for Tree {
    /// Another inode for all names of the entry's.
    fn replace(&mut self, entry: &Entry<'_>, inode: Inode) {
        let others: Vec<_> = match entry.links {
            1 => Vec::new(),
            _ => {
                let of_entry = self.walk().find(|other| other.path == entry.path).unwrap().id;
                let names = self.walk().filter(|other| other.id == of_entry);
                names.map(|other| other.path).filter(|path| *path != entry.path).collect()
            }
        };
        self.insert(&entry.path, inode).unwrap();
        for other in others {
            self.remove(&other);
            self.link(&other, &entry.path).unwrap();
        }
    }
}

/// An empty file to write an image into.
pub fn image_file() -> Arc<File> {
    Arc::new(tempfile::tempfile().unwrap())
}
