//! Layers out of arbitrary bytes, applied to one another.
#![no_main]

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mote_process::Cancel;
use mote_rootfs::layer::{Compression, Disk, LayerSource, Limits, Spool, read_layers};
use mote_rootfs::tree::{Content, Node, Tree};

/// What parts layers in an input: a block that begins so.
const SEPARATOR: &[u8] = b"next layer";

const BLOCK: usize = 512;

/// Small, so that a limit is found quickly; what does not fit is an error and no crash.
const LIMITS: Limits = Limits { bytes: 8 << 20, entries: 10_000, metadata_bytes: 1 << 20 };

fuzz_target!(|input: &[u8]| {
    let layers = layers(input);
    let read = |disk| {
        let spool = Spool { dir: Path::new("/dev/shm"), disk };
        read_layers(&layers, spool, &LIMITS, 1, &Cancel::default(), &|_| {})
    };
    if let Ok(tree) = read(None) {
        check(&tree);
        let file = Arc::new(tempfile::tempfile_in("/dev/shm").expect("there is room"));
        let reserved = vec![0..4096, 1 << 16..1 << 17];
        let disk = Disk { file, reserved, end: 1 << 20, tail_max: 1000 };
        let onto_disk = read(Some(&disk)).expect("the same bytes are the same tree");
        check(&onto_disk);
        assert_eq!(onto_disk, tree);
    }
});

fn layers(input: &[u8]) -> Vec<LayerSource> {
    let blocks: Vec<&[u8]> = input.chunks(BLOCK).collect();
    blocks
        .split(|block| block.starts_with(SEPARATOR))
        .map(|blocks| LayerSource {
            name: "layer".to_owned(),
            blob: Content::from(blocks.iter().flat_map(|block| checked(block)).collect::<Vec<_>>()),
            compression: Compression::Auto,
            digest: None,
            diff_id: None,
        })
        .collect()
}

/// A block that looks like a header gets the right checksum, which no fuzzer would find.
fn checked(block: &[u8]) -> Vec<u8> {
    let mut block = block.to_vec();
    if block.len() == BLOCK && block[257..].starts_with(b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
    block
}

/// What has to hold for every tree, whatever it was made of.
fn check(tree: &Tree) {
    let mut rest = LIMITS.bytes;
    for entry in tree.walk() {
        assert_eq!(tree.get(&entry.path), Some(entry.inode));
        let _ = tree.resolve(&entry.path);
        let Node::File(content) = &entry.inode.node else { continue };
        assert!(content.len() <= LIMITS.bytes);
        let mut end = 0;
        for data in content.data() {
            assert!(end <= data.start && data.start < data.end && data.end <= content.len());
            end = data.end;
        }
        // Sparse files may seem to be large, and there may be many.
        if content.len() <= rest {
            rest -= content.len();
            let mut reader = content.open().expect("the spool is open");
            let read = std::io::copy(&mut reader.by_ref(), &mut std::io::sink());
            assert_eq!(read.expect("all of it is there"), content.len());
        }
    }
}
