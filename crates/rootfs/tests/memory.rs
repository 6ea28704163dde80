//! That the contents of an image are never in memory. A program of its own, since the peak is that
//! of the whole process.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use mote_process::Cancel;
use mote_rootfs::layer::{Compression, LayerSource, Limits, Spool, read_layers};
use mote_rootfs::tree::Content;

const LAYERS: usize = 2;
const FILES: usize = 16_000;
const FILE_LEN: usize = 32 << 10;

/// Most memory for [`LAYERS`] layers at once: buffers, the tree, and the program itself.
const PEAK_KIB: u64 = 32 << 10;

#[test]
#[ignore = "writes 1 GB: run by ./test"]
fn an_image_of_a_gigabyte_takes_few_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    let layers: Vec<_> = (0..LAYERS).map(|layer| write_layer(dir.path(), layer)).collect();
    let before = peak_kib();
    let start = Instant::now();
    let spool = Spool { dir: dir.path(), disk: None };
    let tree =
        read_layers(&layers, spool, &Limits::default(), 2, &Cancel::default(), &|_| {}).unwrap();
    let (took, peak) = (start.elapsed(), peak_kib());
    assert_eq!(tree.walk().count(), 1 + LAYERS * (1 + FILES));
    eprintln!("{took:?}; peak before {before} KiB, after {peak} KiB");
    assert!(peak < PEAK_KIB, "the peak is {peak} KiB");
}

/// 512 MB of files that compress about as programs do, of gzip members that are made only once.
fn write_layer(dir: &Path, layer: usize) -> LayerSource {
    let path = dir.join(layer.to_string());
    let mut out = File::create(&path).unwrap();
    let content = gzip(&half_random());
    for file in 0..FILES {
        let name = format!("layer{layer}/file{file}");
        out.write_all(&gzip(&header(&name))).unwrap();
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

/// Most memory that this process ever had resident (`proc_pid_status(5)`).
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
