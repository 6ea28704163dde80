//! EROFS images out of arbitrary bytes.
#![no_main]

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mote_image::erofs::{list_erofs, read_erofs};
use mote_rootfs::tree::Node;

/// Where a superblock says whether it has a checksum, which no fuzzer would find.
const COMPAT: usize = 1032;

fuzz_target!(|input: &[u8]| {
    let mut bytes = input.to_vec();
    if let Some(compat) = bytes.get_mut(COMPAT) {
        *compat &= !1;
    }
    let file = Arc::new(tempfile::tempfile_in("/dev/shm").expect("there is memory"));
    file.write_all_at(&bytes, 0).expect("there is memory");
    let mut names = 0;
    let listed = list_erofs(&file, &mut |_| names += 1);
    let Ok(tree) = read_erofs(&file) else { return };
    let listed = listed.expect("what is read is listed");
    assert_eq!((listed.entries, names), (names, tree.walk().count() as u64));
    for entry in tree.walk() {
        if let Node::File(content) = &entry.inode.node {
            let mut read = content.open().expect("the image is open").take(1 << 20);
            std::io::copy(&mut read, &mut std::io::sink()).expect("it lies in the image");
        }
    }
});
