//! Images in which contents lie before they are written.

mod support;

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;
use std::sync::Arc;

use mote_image::erofs::{self, read_erofs, write_erofs};
use mote_image::ext4::{self, Ext4Options, Journal, read_ext4, write_ext4};
use mote_rootfs::tree::{Content, Inode, Node, Stretch, Tree};
use proptest::prelude::*;
use support::disk::{fitting, full_trees};
use support::path;

/// What contents leave that are not in the tree any more.
const LEFT: u8 = 0xa5;

/// Whether a format keeps what fills no block apart from the blocks.
#[derive(PartialEq)]
enum Tails {
    Apart,
    InBlocks,
}

/// Puts contents of a tree into a file, around what is reserved, and something else between them.
/// Of some, tails that fill no block are left elsewhere.
fn put(tree: &Tree, reserved: &[Range<u64>], tails: Tails, choice: &[u8], out: &Arc<File>) -> Tree {
    let mut tree = tree.clone();
    let mut choice = choice.iter().copied().cycle();
    let mut at = 0;
    for entry in tree.clone().walk() {
        let Node::File(content @ (Content::Bytes(_) | Content::Stretch(Stretch { .. }))) =
            &entry.inode.node
        else {
            continue;
        };
        let chosen = choice.next().unwrap();
        if entry.links > 1 || content.is_empty() || chosen % 4 == 0 {
            continue;
        }
        let end = content.len() % 4096;
        let is_apart = tails == Tails::Apart
            && end <= erofs::TAIL_MAX
            && entry.inode.metadata.xattrs.is_empty();
        let tail = if is_apart && chosen % 8 > 3 { end } else { 0 };
        let len = content.len() - tail;
        if len == 0 {
            continue;
        }
        let taken = |at: u64| {
            let is_there = |range: &&Range<u64>| range.start < at + len && range.end > at;
            reserved.iter().find(is_there).map(|range| range.end)
        };
        while let Some(end) = taken(at) {
            at = end;
        }
        content.copy_range_to(0..len, out, at).unwrap();
        let head = Stretch { file: out.clone(), offset: at, len };
        let place = match tail {
            0 => Content::Stretch(head),
            _ => {
                let elsewhere = tempfile::tempfile().unwrap();
                content.copy_range_to(len..content.len(), &elsewhere, 0).unwrap();
                let tail = Stretch { file: elsewhere.into(), offset: 0, len: tail };
                Content::Split { head, tail }
            }
        };
        let inode = Inode { node: Node::File(place), ..entry.inode.clone() };
        tree.insert(&entry.path, inode).unwrap();
        at = (at + len).next_multiple_of(4096);
        let left = u64::from(chosen % 3) * 4096;
        out.write_all_at(&vec![LEFT; left as usize], at).unwrap();
        at += left;
    }
    tree
}

fn is_left(image: &File) -> bool {
    let len = image.metadata().unwrap().len();
    let mut block = [0; 4096];
    (0..len / 4096).any(|index| {
        image.read_exact_at(&mut block, index * 4096).unwrap();
        block == [LEFT; 4096]
    })
}

fn check(program: &str, args: &[&str], image: &tempfile::NamedTempFile) {
    let output = Command::new(program).args(args).arg(image.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && !said.contains("<E>"), "{program}: {said}");
}

fn image() -> (tempfile::NamedTempFile, Arc<File>) {
    let image = tempfile::NamedTempFile::new().unwrap();
    let file = image.reopen().unwrap().into();
    (image, file)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn erofs_comes_back(
        tree in full_trees(),
        choice in prop::collection::vec(any::<u8>(), 16),
        first in prop_oneof![Just(4096_u64), Just(1 << 20)],
    ) {
        let (image, out) = image();
        let placed = put(&tree, &[0..first, 1 << 21..(1 << 21) + 4096], Tails::Apart, &choice, &out);
        let bytes = write_erofs(&placed, &out, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(image.as_file().metadata().unwrap().len(), bytes);
        prop_assert!(!is_left(&out));
        let read = read_erofs(&out).unwrap();
        prop_assert!(read == tree, "{}\n{}", tree.render_dump(), read.render_dump());
        check("fsck.erofs", &["--extract"], &image);
    }

    #[test]
    fn ext4_comes_back(
        tree in full_trees(),
        choice in prop::collection::vec(any::<u8>(), 16),
        journal in prop_oneof![Just(Journal::None), Just(Journal::Internal)],
    ) {
        let options = Ext4Options { journal, ..Ext4Options::default() };
        let tree = fitting(&tree);
        let (image, out) = image();
        let placed = put(&tree, &ext4::reserved(), Tails::InBlocks, &choice, &out);
        let bytes = write_ext4(&placed, &out, &options, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(image.as_file().metadata().unwrap().len(), bytes);
        prop_assert!(!is_left(&out));
        let read = read_ext4(&out).unwrap();
        prop_assert!(read == tree, "{}\n{}", tree.render_dump(), read.render_dump());
        check("e2fsck", &["-fn"], &image);
    }
}

/// What is in place is not written again, and the rest fills the gaps.
#[test]
fn the_image_is_hardly_larger_than_its_contents() {
    const MIB: usize = 1 << 20;
    let mut tree = Tree::new();
    for name in ["a", "b", "c"] {
        tree.insert(&path(name), Inode::file(vec![1; 40 * MIB], 0o644)).unwrap();
    }
    let (_image, out) = image();
    let mut placed = put(&tree, &erofs::reserved(), Tails::Apart, &[1, 2, 3], &out);
    for index in 0..200 {
        let small = Inode::file(vec![2; 20_000], 0o644);
        for tree in [&mut tree, &mut placed] {
            tree.insert(&path(format!("small/{index}")), small.clone()).unwrap();
        }
    }
    let bytes = write_erofs(&placed, &out, &mut |_| Ok(())).unwrap();
    assert!(read_erofs(&out).unwrap() == tree);
    // 200 files of five blocks each, of which those that fit lie before all others.
    assert!(bytes < 124 * MIB as u64, "{bytes}");
    assert!(out.metadata().unwrap().blocks() * 512 <= bytes);
}
