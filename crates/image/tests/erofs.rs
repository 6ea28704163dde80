//! EROFS images against the tree that they were written from, and against erofs-utils.

mod support;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use mote_image::Entry;
use mote_image::erofs::{list_erofs, read_erofs, write_erofs};
use mote_rootfs::tree::{Content, DataRun, Inode, Node, Stretch, Tree};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use support::disk::{full_sample, full_trees, image_file, sparse};
use support::path;

/// Runs a program of erofs-utils, which must find nothing to say; gives what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{:?}: {error}: apt-get install erofs-utils", command.get_program())
    });
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    assert!(!said.contains("<W>") && !said.contains("<E>"), "{command:?}: {said}");
    said
}

/// Checks all metadata and contents.
fn fsck(image: &Path) {
    run(Command::new("fsck.erofs").arg("--extract").arg(image));
}

/// An image with a name, and its size.
fn write(tree: &Tree) -> (tempfile::NamedTempFile, u64) {
    let image = tempfile::NamedTempFile::new().unwrap();
    let bytes = write_erofs(tree, image.as_file(), &mut |_| Ok(())).unwrap();
    (image, bytes)
}

fn list(image: &File) -> Vec<Entry> {
    let mut entries = Vec::new();
    list_erofs(image, &mut |entry| entries.push(entry.clone())).unwrap();
    entries
}

fn sha256(image: &Path) -> String {
    let digest = Sha256::digest(std::fs::read(image).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_back(tree in full_trees()) {
        let image = image_file();
        let bytes = write_erofs(&tree, &image, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(bytes % 4096, 0);
        prop_assert_eq!(image.metadata().unwrap().len(), bytes);
        let read = read_erofs(&image).unwrap();
        prop_assert!(read == tree, "{}\n{}", tree.render_dump(), read.render_dump());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn fsck_finds_nothing_wrong_with_random_trees(tree in full_trees()) {
        fsck(write(&tree).0.path());
    }
}

#[test]
fn everything_comes_back() {
    let (image, bytes) = write(&full_sample());
    fsck(image.path());
    let read = read_erofs(&image.reopen().unwrap().into()).unwrap();
    assert_eq!(read.render_dump(), full_sample().render_dump());
    assert!(read == full_sample());
    // Whoever changes the bytes counts the revision up, for disks that caches have by it.
    let pinned = "075c7dc48b4818acca6421fae4386eb541bbe73afc80f8e3725d009a7a065c9f";
    let written = (mote_image::erofs::REVISION, bytes, sha256(image.path()));
    assert_eq!(written, (1, 135_168, pinned.to_owned()));
}

/// The whole of an image as its reader sees it: what changes here changes every image.
#[test]
fn the_list_of_a_small_image_is_known() {
    let mut tree = support::sample();
    let mut old = Inode::file("old", 0o640).owned_by(1, 2);
    old.metadata.mtime_s = -1;
    tree.insert(&path("old"), old).unwrap();
    let (image, _) = write(&tree);
    let lines: Vec<String> = list(image.as_file())
        .iter()
        .map(|entry| {
            let Entry { ino, mode, nlink, uid, gid, size, mtime_s, .. } = entry;
            let device = (entry.rdevice.major, entry.rdevice.minor);
            let device = if device == (0, 0) { String::new() } else { format!(" {device:?}") };
            let target =
                entry.target.as_ref().map(|target| format!(" -> {}", target.escape_ascii()));
            let name = entry.name.escape_ascii();
            let rest = format!("{name}{device}{}", target.unwrap_or_default());
            format!("{ino} {mode:o} {nlink} {uid}:{gid} {size} @{mtime_s} {rest}")
        })
        .collect();
    let wanted = [
        "36 40755 7 0:0 165 @1577836800 .",
        "43 100644 1 0:0 11 @1577836800 TRAILER!!!",
        "45 100600 2 1000:100 0 @1577836800 a",
        "46 40755 2 0:0 75 @1577836800 bin",
        "50 104755 2 0:0 70001 @1577836800 bin/ash",
        "50 104755 2 0:0 70001 @1577836800 bin/busybox",
        "63 120777 2 0:0 7 @1577836800 bin/sh -> busybox",
        "65 40755 2 0:0 61 @1577836800 dev",
        "68 20600 1 0:0 0 @1577836800 dev/console (5, 1)",
        "69 60660 1 0:0 0 @1577836800 dev/vda (254, 0)",
        "70 40755 2 0:0 44 @1577836800 etc",
        "45 100600 2 1000:100 0 @1577836800 etc/empty",
        "73 100640 1 1:2 3 @-1 old",
        "76 40755 2 0:0 61 @1577836800 run",
        "79 10622 1 0:0 0 @1577836800 run/pipe",
        "80 140755 1 0:0 0 @1577836800 run/socket",
        "81 41777 2 0:0 27 @1577836800 tmp",
        "63 120777 2 0:0 7 @1577836800 z -> busybox",
    ];
    assert_eq!(lines, wanted);
    let summary = list_erofs(image.as_file(), &mut |_| ()).unwrap();
    assert_eq!((summary.entries, summary.inodes), (18, 15));
    assert_eq!((summary.blocks, summary.block_bytes), (18, 4096));
    assert_eq!((summary.bytes, summary.build_time_s), (18 * 4096, 1_577_836_800));
}

#[test]
fn erofs_utils_extract_what_was_written() {
    let mut tree = Tree::new();
    let mut put = |name: &str, inode| tree.insert(&path(name), inode).unwrap();
    for (index, len) in [0, 1, 2000, 2100, 4095, 4096, 4097, 12_288, 70_001].into_iter().enumerate()
    {
        let mut file = Inode::file("0123456789".repeat(7001)[..len].to_owned(), 0o600);
        file.metadata.mtime_s = 1_700_000_000 + index as i64;
        put(&format!("files/{len}"), file);
    }
    for index in 0..2000 {
        put(&format!("many/{index:0>100}"), Inode::file("same", 0o644));
    }
    put("link", Inode::symlink("files/1"));
    put("long", Inode::symlink("l".repeat(3000)));
    tree.link(&path("files/again"), &path("files/2000")).unwrap();
    let (image, _) = write(&tree);
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("root");
    let extract = format!("--extract={}", to.display());
    run(Command::new("fsck.erofs").arg(extract).arg("--no-preserve-owner").arg(image.path()));
    for entry in tree.walk() {
        let at = to.join(entry.path.to_string().trim_start_matches('/'));
        let metadata = at.symlink_metadata().unwrap();
        match &entry.inode.node {
            Node::File(content) => {
                let path = Arc::new(at.clone());
                let extracted = Content::HostFile { path, offset: 0, len: metadata.len() };
                assert!(extracted == *content, "{}", entry.path);
                assert_eq!(metadata.mtime(), entry.inode.metadata.mtime_s);
            }
            Node::Symlink(target) => {
                let extracted = at.read_link().unwrap();
                assert_eq!(extracted.as_os_str().as_encoded_bytes(), &target[..]);
            }
            _ => assert!(metadata.is_dir()),
        }
    }
}

#[test]
fn images_of_mkfs_are_read() {
    let mut tree = Tree::new();
    let from = tempfile::tempdir().unwrap();
    std::fs::create_dir(from.path().join("d")).unwrap();
    for (name, len) in [("a", 3), ("d/b", 5000), ("d/c", 20_000)] {
        std::fs::write(from.path().join(name), "x".repeat(len)).unwrap();
        tree.insert(&path(name), Inode::file("x".repeat(len), 0o644)).unwrap();
    }
    let made = |args: &[&str]| {
        let image = tempfile::NamedTempFile::new().unwrap();
        run(Command::new("mkfs.erofs").args(args).arg(image.path()).arg(from.path()));
        image.reopen().unwrap()
    };
    let read = read_erofs(&made(&["--all-root", "-T1577836800"]).into()).unwrap();
    let contents = |tree: &Tree| {
        let entries = tree.walk().map(|entry| (entry.path, entry.inode.node.clone()));
        entries.collect::<Vec<_>>()
    };
    assert_eq!(contents(&read), contents(&tree));

    let compressed = made(&["-zlz4"]);
    let names: Vec<_> = list(&compressed).into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [&b"."[..], b"a", b"d", b"d/b", b"d/c"]);
    let error = read_erofs(&compressed.into()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /d/b of the image");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "its contents are compressed or in chunks, which mote does not read");
}

#[test]
fn it_does_not_matter_where_the_bytes_lie() {
    let dir = tempfile::tempdir().unwrap();
    let host = dir.path().join("layer");
    let holes = [DataRun { at: 4096, offset: 0, len: 4 }];
    let mut bytes = vec![0; 10_000];
    bytes[4096..4100].copy_from_slice(b"dddd");
    std::fs::write(&host, &bytes).unwrap();
    let file = Arc::new(File::open(&host).unwrap());
    let len = bytes.len() as u64;
    let contents = [
        bytes.into(),
        Content::HostFile { path: host.into(), offset: 0, len },
        Content::Stretch(Stretch { file, offset: 0, len }),
        sparse(len, &holes),
    ];
    let digests = contents.map(|content| {
        let mut tree = Tree::new();
        tree.insert(&path("file"), Inode::file(content, 0o644)).unwrap();
        sha256(write(&tree).0.path())
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn holes_stay_holes_and_files_may_be_large() {
    const LEN: u64 = (5 << 30) + 10;
    let last = DataRun { at: LEN - 5000, offset: 0, len: 5000 };
    let mut tree = Tree::new();
    tree.insert(&path("large"), Inode::file(sparse(LEN, &[last]), 0o644)).unwrap();
    tree.insert(&path("later"), Inode::file("y".repeat(4096), 0o644)).unwrap();
    let (image, bytes) = write(&tree);
    assert_eq!(bytes, LEN.next_multiple_of(4096) - 4096 + 2 * 4096);
    let metadata = image.as_file().metadata().unwrap();
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks of 512 bytes", metadata.blocks());
    let read = read_erofs(&image.reopen().unwrap().into()).unwrap();
    let Node::File(content) = &read.get(&path("large")).unwrap().node else { panic!() };
    let end = tempfile::NamedTempFile::new().unwrap();
    content.copy_range_to(LEN - 5001..LEN, end.as_file(), 0).unwrap();
    assert_eq!(std::fs::read(end.path()).unwrap(), [b"\0".to_vec(), vec![b'd'; 5000]].concat());
    assert_eq!(read.get(&path("later")), tree.get(&path("later")));
    run(Command::new("fsck.erofs").arg(image.path()));
}

#[test]
fn what_the_format_cannot_say_is_refused() {
    let refused = |inode: Inode| {
        let mut tree = Tree::new();
        tree.insert(&path("file"), inode).unwrap();
        write_erofs(&tree, &image_file(), &mut |_| Ok(())).unwrap_err().to_string()
    };
    let with = |name: &str, values: &[usize]| {
        let mut inode = Inode::file("", 0o644);
        for (index, len) in values.iter().enumerate() {
            let name = format!("user.{name}{index}").into_bytes();
            inode.metadata.xattrs.insert(name.into(), vec![0; *len].into());
        }
        inode
    };
    let huge = Content::HostFile { path: Arc::new("/dev/zero".into()), offset: 0, len: 1 << 44 };
    assert_eq!(
        refused(Inode::file(huge, 0o644)),
        "/file with its 17592186044416 bytes does not fit: an EROFS image ends at 16 TiB"
    );
    assert_eq!(
        refused(with("x", &[65_536])),
        "/file has the extended attribute \"user.x0\" of 65536 bytes: EROFS takes 65535, and names \
         of 255 bytes after their prefix"
    );
    assert!(refused(with(&"n".repeat(255), &[1])).contains("of 1 bytes: EROFS takes 65535, and"));
    assert_eq!(
        refused(with("x", &[65_000; 5])),
        "/file has 325052 bytes of extended attributes: EROFS takes 262148"
    );
    let mut tree = Tree::new();
    tree.insert(&path("file"), with(&"n".repeat(254), &[65_535; 3])).unwrap();
    let (image, _) = write(&tree);
    assert!(read_erofs(&image.reopen().unwrap().into()).unwrap() == tree);
    fsck(image.path());
}

#[test]
fn a_host_file_that_shrank_is_named() {
    let host = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(host.path(), "short").unwrap();
    for len in [6, 6000] {
        let content = Content::HostFile { path: Arc::new(host.path().into()), offset: 0, len };
        let mut tree = Tree::new();
        tree.insert(&path("file"), Inode::file(content, 0o644)).unwrap();
        let error = write_erofs(&tree, &image_file(), &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "/file could not be copied into the image");
    }
}
