//! Tar streams against the tree that they were written from, and against GNU tar.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use mote_image::write_tar;
use mote_process::Cancel;
use mote_rootfs::layer::{Compression, LayerSource, Limits, Spool, read_layers};
use mote_rootfs::tree::{Inode, Node, Tree, TreePath};
use proptest::prelude::*;
use support::disk::{full_sample, full_trees};
use support::path;

/// The tree without its sockets, with links in the only mode that Linux has for them, and its tar.
fn write(mut tree: Tree) -> (Tree, Vec<u8>) {
    let sockets: Vec<TreePath> = tree
        .walk()
        .filter(|entry| matches!(entry.inode.node, Node::Socket))
        .map(|entry| entry.path)
        .collect();
    sockets.iter().for_each(|path| assert!(tree.remove(path)));
    let tree = with_inodes(&tree, |inode| {
        if matches!(inode.node, Node::Symlink(_)) {
            inode.metadata.mode = 0o777;
        }
    });
    let mut bytes = Vec::new();
    write_tar(&tree, &mut bytes).unwrap();
    (tree, bytes)
}

/// The tree with inodes that are changed a little.
fn with_inodes(tree: &Tree, change: impl Fn(&mut Inode)) -> Tree {
    let mut changed = Tree::new();
    let mut firsts = std::collections::HashMap::new();
    for entry in tree.walk() {
        let first = firsts.entry(entry.id).or_insert_with(|| entry.path.clone());
        if *first != entry.path {
            changed.link(&entry.path, first).unwrap();
            continue;
        }
        let mut inode = entry.inode.clone();
        change(&mut inode);
        changed.insert(&entry.path, inode).unwrap();
    }
    changed
}

fn read(tar: Vec<u8>) -> Tree {
    let spool = tempfile::tempdir().unwrap();
    let layer = LayerSource {
        name: "tar".to_owned(),
        blob: tar.into(),
        compression: Compression::None,
        digest: None,
        diff_id: None,
    };
    let limits = Limits::default();
    let spool = Spool { dir: spool.path(), disk: None };
    read_layers(&[layer], spool, &limits, 1, &Cancel::default(), &|_| ()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_back(tree in full_trees()) {
        let (tree, tar) = write(tree);
        prop_assert_eq!(tar.len() % 512, 0);
        let read = read(tar);
        // The times that layers have.
        let tree = with_inodes(&tree, |Inode { metadata, .. }| {
            let last = i64::MAX / 1_000_000_000;
            if !(-last..=last).contains(&metadata.mtime_s) {
                (metadata.mtime_s, metadata.mtime_ns) = (0, 0);
            }
        });
        prop_assert!(read == tree, "{}\n{}", tree.render_dump(), read.render_dump());
    }
}

#[test]
fn gnu_tar_reads_it() {
    let (tree, tar) = write(full_sample());
    let pipe = |args: &[&str]| {
        let mut child = Command::new("tar")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tar: apt-get install tar");
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(|| stdin.write_all(&tar).map(|()| drop(stdin)));
            child.wait_with_output().unwrap()
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
        output.stdout
    };
    let listed = pipe(&["-t", "--quoting-style=literal", "--null"]);
    let lines = listed.split(|byte| *byte == b'\n').count();
    // One name holds a line feed.
    assert_eq!(lines, tree.walk().count() + 2);
    let long = pipe(&["-tv", "--numeric-owner", "--utc", "--full-time"]);
    let long = String::from_utf8_lossy(&long);
    // In columns as wide as it needs.
    let long = long.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    for line in [
        "-rw-r--r-- 1000000/70000 1 2020-01-01 00:00:00 ./etc/large-owner",
        "-rw-r----- 0/0 3 1969-12-31 23:59:59 ./etc/old",
        "crw------- 0/0 4095,1048575 2020-01-01 00:00:00 ./dev/far",
        "hrwsr-xr-x 0/0 0 2020-01-01 00:00:00 ./bin/busybox link to bin/ash",
        "lrwxrwxrwx 0/0 0 2020-01-01 00:00:00 ./bin/sh -> busybox",
    ] {
        assert!(long.contains(line), "{line} is not in\n{long}");
    }
}

#[test]
fn what_tar_cannot_say_is_refused() {
    let mut tree = Tree::new();
    tree.insert(&path("run/socket"), Inode::new(Node::Socket, 0o755)).unwrap();
    let error = write_tar(&tree, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "no tar can hold the socket /run/socket");
}
