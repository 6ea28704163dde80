//! That the contents of an image are never in memory. A program of its own, since the peak is that
//! of the whole process.

mod support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mote_image::{erofs, ext4};
use mote_process::Cancel;
use mote_rootfs::layer::{Compression, Disk, LayerSource, Limits, Spool, read_layers};
use mote_rootfs::tree::{Content, Tree};
use support::peak_kib;

const LAYERS: usize = 2;
const FILES: usize = 16_000;
const FILE_LEN: usize = 32 << 10;

/// Most memory for [`LAYERS`] layers at once: buffers, the tree, and the program itself.
const PEAK_KIB: u64 = 32 << 10;

/// The same with an ext4 image of the tree, whose places take about 500 bytes an entry.
const EXT4_PEAK_KIB: u64 = 48 << 10;

#[test]
#[ignore = "writes 4 GB: run by ./test"]
fn an_image_of_a_gigabyte_takes_few_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    let read = |compress: fn(&[u8]) -> Vec<u8>, disk: Option<&Disk>| {
        let write = |layer| write_layer(dir.path(), layer, compress);
        let layers: Vec<_> = (0..LAYERS).map(write).collect();
        let spool = Spool { dir: dir.path(), disk };
        let (limits, cancel) = (Limits::default(), Cancel::default());
        let tree = read_layers(&layers, spool, &limits, 2, &cancel, &|_| {}).unwrap();
        assert_eq!(tree.walk().count(), 1 + LAYERS * (1 + FILES));
        tree
    };
    measured("read into a spool", PEAK_KIB, || drop(read(gzip, None)));
    let onto_disk = |reserved, tail_max, write: &dyn Fn(&Tree, &File)| {
        let file = Arc::new(tempfile::tempfile_in(dir.path()).unwrap());
        let disk = Disk { file: file.clone(), reserved, end: 1 << 40, tail_max };
        let tree = read(<[u8]>::to_vec, Some(&disk));
        write(&tree, &file);
        assert!(file.metadata().unwrap().len() >= (LAYERS * FILES * FILE_LEN) as u64);
    };
    measured("as EROFS", PEAK_KIB, || {
        onto_disk(erofs::reserved(), erofs::TAIL_MAX, &|tree, file| {
            erofs::write_erofs(tree, file, &mut |_| Ok(())).unwrap();
        });
    });
    measured("as ext4", EXT4_PEAK_KIB, || {
        onto_disk(ext4::reserved(), 0, &|tree, file| {
            let options = ext4::Ext4Options::default();
            ext4::write_ext4(tree, file, &options, &mut |_| Ok(())).unwrap();
        });
    });
}

fn measured(what: &str, most_kib: u64, run: impl FnOnce()) {
    let begun = Instant::now();
    run();
    let peak = peak_kib();
    eprintln!("{what}: {:?}, peak {peak} KiB", begun.elapsed());
    assert!(peak < most_kib, "{what}: the peak is {peak} KiB");
}

/// 512 MB of files that compress about as programs do, of pieces that are compressed only once.
fn write_layer(dir: &Path, layer: usize, compress: fn(&[u8]) -> Vec<u8>) -> LayerSource {
    let path = dir.join(layer.to_string());
    let mut out = File::create(&path).unwrap();
    let content = compress(&half_random());
    for file in 0..FILES {
        let name = format!("layer{layer}/file{file}");
        out.write_all(&compress(&header(&name))).unwrap();
        out.write_all(&content).unwrap();
    }
    let len = out.metadata().unwrap().len();
    LayerSource {
        name: format!("layer {layer}"),
        blob: Content::HostFile { path: path.into(), offset: 0, len },
        compression: Compression::Auto,
        digest: None,
        diff_id: None,
    }
}

fn half_random() -> Vec<u8> {
    let mut state = 1_u32;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    random
        .take(FILE_LEN / 8)
        .flat_map(|byte| [byte, 0, byte & 7, b'a', byte & 3, 0, 0, 1])
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(name: &str) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut field = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    field(0, name);
    field(100, "0000644\x000000000\x000000000");
    field(124, &format!("{FILE_LEN:011o} 00000000000 "));
    field(148, "        0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}
