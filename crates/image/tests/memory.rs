//! That no disk is planned with a path of each inode in memory. A program of its own, since the
//! peak is that of the whole process.

mod support;

use mote_image::erofs::write_erofs;
use mote_image::ext4::{Ext4Options, write_ext4};
use mote_rootfs::tree::{Inode, Tree, TreePath};
use support::peak_kib;

const FILES: usize = 20_000;

/// Most memory for [`FILES`] files below a path of 4,000 bytes, and the program itself.
const PEAK_KIB: u64 = 48 << 10;

#[test]
fn long_paths_are_not_held() {
    let directory = format!("{}/", "d".repeat(249)).repeat(16);
    let mut tree = Tree::new();
    for file in 0..FILES {
        let path = TreePath::parse(format!("{directory}{file}")).unwrap();
        tree.insert(&path, Inode::file("", 0o644)).unwrap();
    }
    let out = || tempfile::tempfile().unwrap();
    let before = peak_kib();
    write_erofs(&tree, &out(), &mut |_| Ok(())).unwrap();
    write_ext4(&tree, &out(), &Ext4Options::default(), &mut |_| Ok(())).unwrap();
    let peak = peak_kib();
    eprintln!("peak before {before} KiB, after {peak} KiB");
    assert!(peak < PEAK_KIB, "the peak is {peak} KiB");
}
