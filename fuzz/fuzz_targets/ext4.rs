//! ext4 images out of arbitrary bytes.
#![no_main]

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mote_image::ext4::{list_ext4, read_ext4};
use mote_rootfs::tree::Node;

/// How much of each file is read: a sparse one may say that it has terabytes.
const READ_MAX: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let image = Arc::new(memory_file(input));
    let mut names = 0;
    let listed = list_ext4(&image, &mut |_| names += 1);
    if let Ok(summary) = listed {
        assert_eq!(summary.entries, names);
    }
    let Ok(tree) = read_ext4(&image) else { return };
    for entry in tree.walk() {
        if let Node::File(content) = &entry.inode.node {
            let mut read = Vec::new();
            let mut reader = content.open().expect("the image is open").take(READ_MAX);
            reader.read_to_end(&mut read).expect("all of it lies in the image");
            assert_eq!(read.len() as u64, content.len().min(READ_MAX));
        }
    }
});

fn memory_file(bytes: &[u8]) -> File {
    let path = format!("/dev/shm/mote-fuzz-{}", std::process::id());
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    let file = file.expect("/dev/shm can be written to");
    std::fs::remove_file(&path).expect("it was just made");
    file.write_all_at(bytes, 0).expect("/dev/shm has room");
    file
}
