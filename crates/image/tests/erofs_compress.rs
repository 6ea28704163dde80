//! Compressed EROFS images by `mkfs.erofs`.
//!
//! `MOTE_TEST_MKFS_EROFS` names one of erofs-utils 1.8 or later: that of Debian 12 is too old.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use mote_image::erofs::{Compressor, check_mkfs, list_erofs, write_compressed_erofs};
use mote_process::{Cancel, Program};
use mote_rootfs::tree::{Inode, Node, Tree};
use support::path;

fn tree() -> Tree {
    let mut tree = support::sample();
    tree.remove(&path("run/socket"));
    let mut old = Inode::file("compress ".repeat(10_000), 0o640).owned_by(70_000, 5);
    old.metadata.mtime_s = 1_000_000_000;
    old.metadata.xattrs.insert(b"user.note"[..].into(), b"\xff\n"[..].into());
    tree.insert(&path("etc/old"), old).unwrap();
    tree
}

#[test]
#[ignore = "needs mkfs.erofs of erofs-utils 1.8 or later: MOTE_TEST_MKFS_EROFS"]
fn mkfs_compresses_the_tree() {
    let mkfs = std::env::var_os("MOTE_TEST_MKFS_EROFS").expect("MOTE_TEST_MKFS_EROFS is not set");
    let mkfs = Program::at(mkfs);
    for compressor in [Compressor::Lz4, Compressor::Zstd] {
        let write = || {
            let image = tempfile::NamedTempFile::new().unwrap();
            let cancel = Cancel::default();
            let bytes =
                write_compressed_erofs(&tree(), compressor, &mkfs, image.as_file(), &cancel)
                    .unwrap();
            assert!((4096..100_000).contains(&bytes) && bytes.is_multiple_of(4096), "{bytes}");
            image
        };
        let image = write();
        assert!(std::fs::read(image.path()).unwrap() == std::fs::read(write().path()).unwrap());
        let mut listed = Vec::new();
        list_erofs(image.as_file(), &mut |entry| listed.push(entry.clone())).unwrap();
        let tree = tree();
        let wanted: Vec<_> = tree.walk().collect();
        assert_eq!(listed.len(), wanted.len());
        for (entry, wanted) in listed.iter().zip(&wanted) {
            let (inode, metadata) = (wanted.inode, &wanted.inode.metadata);
            let mode = inode.node.type_bits() | u32::from(metadata.mode);
            let name = wanted.path.as_bytes();
            assert_eq!(entry.name, if name.is_empty() { b"." } else { name });
            assert_eq!((entry.mode, entry.uid, entry.gid), (mode, metadata.uid, metadata.gid));
            assert_eq!(entry.mtime_s, metadata.mtime_s, "{}", wanted.path);
            if let Node::File(content) = &inode.node {
                assert_eq!((entry.size, entry.nlink), (content.len(), wanted.links));
            }
        }
        if compressor == Compressor::Lz4 {
            let checked = Command::new("fsck.erofs").arg("--extract").arg(image.path()).output();
            let checked = checked.expect("fsck.erofs: apt-get install erofs-utils");
            assert!(checked.status.success(), "{checked:?}");
        }
    }
}

#[test]
fn programs_that_cannot_do_it_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |name: &str, script: &str, compressor| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let image = tempfile::tempfile().unwrap();
        let mkfs = Program::at(path);
        let cancel = Cancel::default();
        let checked = check_mkfs(&mkfs, compressor, &cancel);
        let write = |()| write_compressed_erofs(&tree(), compressor, &mkfs, &image, &cancel);
        let error = checked.and_then(write).unwrap_err();
        let text = error.to_string().replace(&format!("{}/", dir.path().display()), "");
        (text, error.hint())
    };
    let (error, hint) =
        refused("old", "echo 'Available compressors are: lz4hc, lz4' >&2", Compressor::Lz4);
    assert_eq!(error, "old is too old: it makes no image of a tar stream");
    let wanted = "install erofs-utils 1.8 or later, or leave the image uncompressed";
    assert_eq!(hint.as_deref(), Some(wanted));

    let help = "echo '--tar=X --mkfs-time lz4 lz4hc'; [ $1 = --help ] && exit 0";
    let (error, hint) = refused("plain", help, Compressor::Zstd);
    assert_eq!(error, "plain does not compress with zstd");
    assert!(hint.unwrap().ends_with("built with that compressor"));

    // It reads nothing of what is sent, and its words are the reason.
    let (error, _) =
        refused("failing", &format!("{help}\necho no space >&2; exit 3"), Compressor::Lz4);
    assert!(error.starts_with("a program failed with exit status 3"), "{error}");
    assert!(error.contains("no space"), "{error}");
}
