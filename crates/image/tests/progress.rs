//! Whoever writes an image is told how far it is, and can stop it.

use std::fs::File;

use mote_image::cpio::{self, write_archive};
use mote_image::erofs::{self, write_erofs};
use mote_image::ext4::{self, Ext4Options, write_ext4};
use mote_image::{OnProgress, contents_bytes};
use mote_process::Cancelled;
use mote_rootfs::tree::{Inode, Tree, TreePath};

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// Files of 5,000, 70,000 and 10 bytes; the second has two names.
fn tree() -> Tree {
    let mut tree = Tree::new();
    for (name, len) in [("a", 5_000), ("b", 70_000), ("c", 10)] {
        tree.insert(&path(name), Inode::file(vec![7; len], 0o644)).unwrap();
    }
    tree.link(&path("d"), &path("b")).unwrap();
    tree
}

/// Writes the tree in one format, and gives what was wrong if it was stopped.
type Write = fn(&Tree, &File, OnProgress<'_>) -> Result<(), Option<Cancelled>>;

const FORMATS: [(&str, Write); 3] = [
    ("erofs", |tree, out, on_progress| match write_erofs(tree, out, on_progress) {
        Ok(_) => Ok(()),
        Err(erofs::WriteError::Cancelled(cancelled)) => Err(Some(cancelled)),
        Err(_) => Err(None),
    }),
    ("ext4", |tree, out, on_progress| {
        match write_ext4(tree, out, &Ext4Options::default(), on_progress) {
            Ok(_) => Ok(()),
            Err(ext4::WriteError::Cancelled(cancelled)) => Err(Some(cancelled)),
            Err(_) => Err(None),
        }
    }),
    ("cpio", |tree, mut out, on_progress| match write_archive(tree, &mut out, on_progress) {
        Ok(_) => Ok(()),
        Err(cpio::WriteError::Cancelled(cancelled)) => Err(Some(cancelled)),
        Err(_) => Err(None),
    }),
];

#[test]
fn progress_ends_with_all_contents() {
    let tree = tree();
    assert_eq!(contents_bytes(&tree), 75_010);
    for (format, write) in FORMATS {
        let mut told = Vec::new();
        let out = tempfile::tempfile().unwrap();
        write(&tree, &out, &mut |done| {
            told.push(done);
            Ok(())
        })
        .unwrap();
        assert!(told.is_sorted() && told.len() >= 3, "{format}: {told:?}");
        assert_eq!(told.last(), Some(&75_010), "{format}");
    }
}

#[test]
fn whoever_is_told_can_stop_it() {
    for (format, write) in FORMATS {
        let mut calls = 0;
        let out = tempfile::tempfile().unwrap();
        let stopped = write(&tree(), &out, &mut |_| {
            calls += 1;
            if calls == 2 { Err(Cancelled { signal: 2 }) } else { Ok(()) }
        });
        assert_eq!(stopped.unwrap_err().map(|cancelled| cancelled.signal), Some(2), "{format}");
        assert_eq!(calls, 2, "{format}");
    }
}
