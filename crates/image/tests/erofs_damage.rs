//! EROFS images that want to do harm.

mod support;

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, LazyLock};

use mote_image::erofs::{list_erofs, read_erofs, write_erofs};
use mote_rootfs::tree::{Inode, Node, Tree};
use proptest::prelude::*;
use support::disk::{full_sample, image_file};
use support::path;

/// Where the fields of a superblock lie.
const CHECKSUM: u64 = 1028;
const COMPAT: u64 = 1032;

fn bytes_of(tree: &Tree) -> Vec<u8> {
    let image = image_file();
    let len = write_erofs(tree, &image, &mut |_| Ok(())).unwrap();
    let mut bytes = vec![0; len as usize];
    image.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// An image whose checksum nobody looks at.
fn unsealed(tree: &Tree) -> Vec<u8> {
    let mut bytes = bytes_of(tree);
    bytes[COMPAT as usize] &= !1;
    bytes
}

fn file_of(bytes: &[u8]) -> Arc<File> {
    let image = image_file();
    image.write_all_at(bytes, 0).unwrap();
    image
}

/// Where the inode of a name lies.
fn inode_of(bytes: &[u8], name: &str) -> usize {
    let mut found = None;
    list_erofs(&file_of(bytes), &mut |entry| {
        if entry.name == name.as_bytes() {
            found = Some(entry.ino as usize * 32);
        }
    })
    .unwrap();
    found.unwrap()
}

fn error_of(bytes: &[u8]) -> String {
    let Err(error) = read_erofs(&file_of(bytes)) else { return "it is read".to_owned() };
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

/// Two directories in one another, a file and a link.
fn small() -> Tree {
    let mut tree = Tree::new();
    tree.insert(&path("one/two/file"), Inode::file("0123456789", 0o644)).unwrap();
    tree.insert(&path("one/link"), Inode::symlink("two")).unwrap();
    let mut with = Inode::file("", 0o644);
    with.metadata.xattrs.insert(b"user.a"[..].into(), b"1"[..].into());
    tree.insert(&path("with"), with).unwrap();
    tree
}

#[test]
fn damage_is_named_with_its_place() {
    let plain = unsealed(&small());
    let at = |name| inode_of(&plain, name);
    let (one, two, file, link, with) =
        (at("one"), at("one/two"), at("one/two/file"), at("one/link"), at("with"));
    let root = at(".");
    let edited = |edits: &[(usize, &[u8])]| {
        let mut bytes = plain.clone();
        for (at, edit) in edits {
            bytes[*at..at + edit.len()].copy_from_slice(edit);
        }
        bytes
    };
    // The entries of a directory follow its inode: 12 bytes each, `.` and `..` first.
    let third = 32 + 2 * 12;
    let nid = |at: usize| (at as u64 / 32).to_le_bytes();
    let mut sealed = bytes_of(&small());
    sealed[4000] ^= 1;
    let names = one + 32 + 4 * 12;
    let table: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "the superblock is not one that mote can read: there is no EROFS superblock"),
        (edited(&[(1024, b"\0")]), "there is no EROFS superblock"),
        (plain[..2048].to_vec(), "the file system has 4096 bytes, and the file only 2048"),
        (sealed, "the checksum of the first block is 0x"),
        (edited(&[(1036, &[16])]), "a block is said to have 2^16 bytes; it can have 2^9 to 2^12"),
        (edited(&[(1024 + 80, &[0, 1])]), "has features that mote does not know: 0x100"),
        (edited(&[(1038, &[0xff, 0xff])]), "cannot read / of the image: it lies outside"),
        (edited(&[(root, &[0x20])]), "cannot read / of the image: inode 36 has no known format"),
        (
            edited(&[(root + 4, &[0xed, 0x81])]),
            "cannot read / of the image: the root is not a directory",
        ),
        (
            edited(&[(two + third, &nid(one))]),
            "cannot read /one/two/file of the image: the directory has a \"..\" that",
        ),
        (
            edited(&[(one + third, &nid(root))]),
            "cannot read /one/link of the image: the directory has a \"..\" that",
        ),
        (
            edited(&[(one + 32, &nid(two))]),
            "cannot read /one of the image: the directory has a \".\" that leads elsewhere",
        ),
        (edited(&[(one + 32 + 12, &nid(two))]), "the directory has a \"..\" that leads elsewhere"),
        (edited(&[(names + 3, b"l/nk")]), "the directory has the impossible name \"l/nk\""),
        (edited(&[(names + 3, b"l\0nk")]), "the directory has the impossible name \"l\\x00nk\""),
        (edited(&[(names + 3, b"zink")]), "has its names in a wrong order at \"two\""),
        (
            edited(&[(one + 32 + 8, &[13])]),
            "cannot read /one of the image: block 0 of the directory is damaged",
        ),
        (edited(&[(one + 8, &[0, 0, 0, 1])]), "cannot read /one of the image: "),
        (
            edited(&[(two + third, &[0xff; 8])]),
            "cannot read /one/two/file of the image: it lies outside",
        ),
        (
            edited(&[(file, &[0]), (file + 16, &[9])]),
            "cannot read /one/two/file of the image: it lies",
        ),
        (edited(&[(file, &[2])]), "its contents are compressed or in chunks"),
        (edited(&[(file + 8, &[0xff, 0x0f])]), "the end of its contents does not lie in one block"),
        (edited(&[(link + 8, &[0])]), "the link target is said to have 0 bytes"),
        (edited(&[(link + 8, &[0, 0x10])]), "the link target is said to have 4096 bytes"),
        (edited(&[(link + 32, b"\0")]), "the link target is said to have 3 bytes"),
        (edited(&[(file + 5, &[0x71])]), "cannot read /one/two/file of the image: inode"),
        (edited(&[(with + 2, &[0xff, 0xff])]), "cannot read /with of the image: it lies outside"),
        (
            edited(&[(with + 36, &[9])]),
            "cannot read /with of the image: its extended attributes are",
        ),
        (
            edited(&[(with + 44, &[200])]),
            "cannot read /with of the image: its extended attributes are",
        ),
        (
            edited(&[(with + 45, &[0x81])]),
            "cannot read /with of the image: its extended attributes are",
        ),
    ];
    assert!(read_erofs(&file_of(&plain)).unwrap() == small());
    let said = table.iter().map(|(bytes, message)| (error_of(bytes), message));
    let wrong: Vec<_> = said.filter(|(said, message)| !said.contains(**message)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each directory names the next one many times: without a limit, an image of 200 KB would have
/// more names than there are atoms.
#[test]
fn directories_that_multiply_end() {
    let mut tree = Tree::new();
    let mut deep = String::new();
    for level in 0..20 {
        deep += "d/";
        for twin in 0..100 {
            tree.insert(&path(format!("{deep}t{level}-{twin:03}")), Inode::directory(0o755))
                .unwrap();
        }
    }
    let mut bytes = unsealed(&tree);
    // All twins become the directory next to them, whose `..` is right.
    let mut inodes = Vec::new();
    list_erofs(&file_of(&bytes), &mut |entry| {
        inodes.push((entry.name.clone(), entry.ino));
    })
    .unwrap();
    for (name, ino) in &inodes {
        let text = String::from_utf8_lossy(name);
        let Some((parent, _)) = text.split_once("/t") else { continue };
        let next = format!("{parent}/d");
        let Some((_, next)) = inodes.iter().find(|(name, _)| name == next.as_bytes()) else {
            continue;
        };
        let (old, new) = (ino.to_le_bytes(), next.to_le_bytes());
        for at in (1152..bytes.len() - 12).step_by(4) {
            // An entry, not the directory's own `.`.
            if bytes[at..at + 8] == old && bytes[at + 10] == 2 && at != *ino as usize * 32 + 32 {
                bytes[at..at + 8].copy_from_slice(&new);
            }
        }
    }
    let said = error_of(&bytes);
    assert!(said.contains("the image names more than it can hold"), "{said}");
    list_erofs(&file_of(&bytes), &mut |_| ()).unwrap_err();
}

#[test]
fn every_cut_is_noticed() {
    let bytes = bytes_of(&full_sample());
    for len in (0..bytes.len()).step_by(1000) {
        read_erofs(&file_of(&bytes[..len])).unwrap_err();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        // Where the superblock and the inodes lie.
        const METADATA: usize = 20 << 10;
        static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| unsealed(&full_sample()));
        let mut bytes = IMAGE.clone();
        for (at, byte) in edits {
            bytes[1024 + at.index(METADATA)] = byte;
        }
        let image = file_of(&bytes);
        let _ = list_erofs(&image, &mut |_| ());
        if let Ok(tree) = read_erofs(&image) {
            for entry in tree.walk() {
                if let Node::File(content) = &entry.inode.node {
                    let mut start = Vec::new();
                    content.open().unwrap().take(1 << 20).read_to_end(&mut start).unwrap();
                }
            }
        }
    }
}

#[test]
fn the_checksum_covers_the_first_block() {
    let bytes = bytes_of(&small());
    for at in [CHECKSUM as usize, 1100, 1500, 4095] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        let said = error_of(&bytes);
        assert!(said.contains("the checksum of the first block is"), "{at}: {said}");
    }
}
