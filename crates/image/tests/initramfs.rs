//! Files of several archives, and files that want to do harm.

mod support;

use std::error::Error;
use std::io;
use std::sync::LazyLock;

use mote_image::{Compression, ReadError, join_padding, read_initramfs};
use mote_rootfs::tree::{Inode, Tree};
use proptest::prelude::*;
use support::{list, path, read_back, sample, write};

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for part in parts {
        if !bytes.is_empty() {
            bytes.resize(bytes.len() + join_padding(bytes.len() as u64), 0);
        }
        bytes.extend(part);
    }
    bytes
}

#[test]
fn archives_of_all_compressions_follow_one_another() {
    let mut more = Tree::new();
    more.insert(&path("more"), Inode::file("more", 0o644)).unwrap();
    for first in Compression::ALL {
        for second in Compression::ALL {
            let parts = [write(&sample(), first), write(&more, second)];
            let bytes = joined(&parts);
            let (_, summary) = list(&bytes).unwrap();
            let seen: Vec<_> = summary.segments.iter().map(|part| part.compression).collect();
            assert_eq!(seen, [first, second]);
            let lens: Vec<_> = summary.segments.iter().map(|part| part.bytes as usize).collect();
            // The four zeros that end an LZ4 frame are read as part of it.
            let end = if first == Compression::Lz4 { 4 } else { 0 };
            let tail = if second == Compression::None { trailer_padding(&parts[1]) } else { 0 };
            let head = if first == Compression::None { trailer_padding(&parts[0]) } else { 0 };
            assert_eq!(lens, [parts[0].len() + end - head, parts[1].len() - tail]);
            assert_eq!(summary.bytes, bytes.len() as u64);

            let mut wanted = sample();
            wanted.insert(&path("more"), Inode::file("more", 0o644)).unwrap();
            assert!(read_back(&bytes) == wanted, "{first}, {second}");
        }
    }
}

/// The zeros that follow the last entry belong to no segment.
fn trailer_padding(archive: &[u8]) -> usize {
    archive.iter().rev().take_while(|&&byte| byte == 0).count() - 1
}

#[test]
fn inode_numbers_of_different_archives_are_told_apart() {
    let bytes = joined(&[write(&sample(), Compression::None), write(&sample(), Compression::Gzip)]);
    let (entries, _) = list(&bytes).unwrap();
    assert_eq!(entries.first().unwrap().0.archive, 0);
    assert_eq!(entries.last().unwrap().0.archive, 1);
    assert!(read_back(&bytes) == sample());
}

#[test]
fn several_archives_in_one_stream_are_read() {
    use std::io::Write;
    let plain = write(&sample(), Compression::None);
    let mut encoder = Compression::Gzip.encoder(Vec::new()).unwrap();
    encoder.write_all(&joined(&[plain.clone(), plain])).unwrap();
    let (entries, summary) = list(&encoder.finish().unwrap()).unwrap();
    assert_eq!((summary.segments.len(), entries.len()), (1, 2 * 17));
}

#[test]
fn an_empty_file_is_an_empty_initramfs() {
    let (entries, summary) = list(&[]).unwrap();
    assert!(entries.is_empty() && summary.segments.is_empty());
    assert_eq!(summary.sha256[..4], [0xe3, 0xb0, 0xc4, 0x42]);
}

/// An archive of one file `f` with `edit` applied to its header.
fn edited(field: usize, value: &str) -> Vec<u8> {
    let mut tree = Tree::new();
    tree.insert(&path("f"), Inode::file("data", 0o644)).unwrap();
    let mut bytes = write(&tree, Compression::None);
    let start = 112 + 6 + 8 * field;
    bytes[start..start + 8].copy_from_slice(value.as_bytes());
    bytes
}

#[test]
fn damage_is_named_with_its_place() {
    let plain = write(&sample(), Compression::None);
    let mut junk = write(&sample(), Compression::None);
    junk.extend(b"abcd");
    let mut sum = edited(12, "00000001");
    sum[112..118].copy_from_slice(b"070702");
    let mut nul = edited(11, "00000002");
    nul[112 + 110] = 0;
    let no_trailer = plain[..plain.len() - 124].to_vec();
    let table: [(Vec<u8>, &str); 14] = [
        (plain[..plain.len() - 60].to_vec(), "the archive ends in the middle of an entry"),
        (plain[..300].to_vec(), "the archive ends in the middle of an entry"),
        (no_trailer, "the archive has no trailer: its end is missing"),
        (junk, "there is neither a cpio archive nor a compressed one"),
        (b"070707".repeat(40), "this is the odc form of cpio, and the kernel reads only newc"),
        (b"0hello".repeat(40), "there is no cpio header"),
        (edited(0, "0000 001"), "a field of the header is not a hexadecimal number"),
        (edited(6, "ffffffff"), "the archive ends in the middle of an entry"),
        (edited(11, "ffffffff"), "the name is said to have 4294967295 bytes"),
        (edited(11, "00000000"), "the name is said to have 0 bytes"),
        (nul, "the name does not end with its only NUL byte"),
        (sum, "the sum of the file's bytes is 0x19a, and the header says 0x1"),
        (b"BZh9".to_vec(), "is compressed with bzip2, which mote does not read"),
        (b"\x1f".to_vec(), "at byte 0 there is neither a cpio archive nor a compressed one"),
    ];
    for (bytes, message) in table {
        let error = list(&bytes).unwrap_err();
        let said =
            format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
        assert!(said.contains(message), "{said}");
    }
    let link = {
        let mut bytes = edited(1, "0000a1ff");
        bytes[112 + 6 + 48..112 + 6 + 56].copy_from_slice(b"00001001");
        bytes
    };
    let error = list(&link).unwrap_err();
    assert_eq!(error.to_string(), "in the none segment at byte 0, byte 112 of its contents");
    let cause = error.source().unwrap().to_string();
    assert_eq!(cause, "the link target is said to have 4097 bytes; the most is 4096");
}

#[test]
fn a_cut_stream_is_an_error_in_every_compression() {
    for compression in Compression::ALL {
        let packed = write(&sample(), compression);
        for len in [packed.len() / 2, packed.len() - 5] {
            list(&packed[..len]).expect_err(compression.as_str());
        }
    }
}

#[test]
fn a_bomb_of_zeros_costs_no_memory() {
    use std::io::Write;
    let mut encoder = Compression::Gzip.encoder(Vec::new()).unwrap();
    for _ in 0..4 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
    }
    let (entries, summary) = list(&encoder.finish().unwrap()).unwrap();
    assert!(entries.is_empty());
    assert_eq!(summary.segments[0].unpacked_bytes, 4 << 20);
}

#[test]
fn the_visitor_can_stop_and_need_not_read() {
    let bytes = write(&sample(), Compression::None);
    let mut seen = 0;
    let summary = read_initramfs(&bytes[..], &mut |_, _| {
        seen += 1;
        Ok(())
    });
    assert_eq!((seen, summary.unwrap().segments[0].entries), (17, 17));
    let stopped = read_initramfs(&bytes[..], &mut |entry, _| match entry.name.as_slice() {
        b"a" => Err(io::Error::other("enough")),
        _ => Ok(()),
    });
    let error = stopped.unwrap_err();
    assert!(matches!(&error, ReadError::Visit { name, .. } if name == "a"));
    assert_eq!(error.source().unwrap().to_string(), "enough");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(
        which in 0..5usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        static IMAGES: LazyLock<[Vec<u8>; 5]> =
            LazyLock::new(|| Compression::ALL.map(|compression| write(&sample(), compression)));
        let mut bytes = IMAGES[which].clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = list(&bytes);
    }
}
