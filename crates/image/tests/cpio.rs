//! Archives against the tree that they were written from, and against GNU cpio.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use mote_image::Compression;
use mote_image::cpio::{WriteError, write_archive};
use mote_rootfs::tree::{Content, Inode, Tree};
use proptest::prelude::*;
use support::{list, path, read_back, sample, trees, write};

/// Runs a host program on some bytes.
fn pipe(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}: apt-get install {program}"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} failed: {}", output.status);
    output.stdout
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_back(tree in trees()) {
        let bytes = write(&tree, Compression::None);
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert!(read_back(&bytes) == tree, "{}", tree.render_dump());
    }

    #[test]
    fn gnu_cpio_lists_the_names_of_random_trees(tree in trees()) {
        let listed = pipe("cpio", &["-it", "--null", "--quiet"], &write(&tree, Compression::None));
        let mut wanted = Vec::new();
        for entry in tree.walk() {
            let name = entry.path.as_bytes();
            wanted.extend_from_slice(match name {
                b"" => b".",
                b"TRAILER!!!" => b"./TRAILER!!!",
                _ => name,
            });
            wanted.push(0);
        }
        prop_assert!(listed == wanted);
    }
}

#[test]
fn gnu_cpio_agrees_on_everything_it_shows() {
    let listed = pipe(
        "cpio",
        &["-itv", "--numeric-uid-gid", "--quiet"],
        &write(&sample(), Compression::None),
    );
    let listed = String::from_utf8(listed).unwrap();
    // Mode, links, owner, group and size or device numbers; then the name.
    let lines: Vec<String> = listed
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let date = words.iter().position(|word| *word == "Jan").unwrap();
            assert_eq!(words[date..date + 3], ["Jan", "1", "2020"]);
            [&words[..date], &words[date + 3..]].concat().join(" ")
        })
        .collect();
    let wanted = [
        "drwxr-xr-x 1 0 0 0 .",
        "-rw-r--r-- 1 0 0 11 ./TRAILER!!!",
        "-rw------- 2 1000 100 0 a",
        "drwxr-xr-x 1 0 0 0 bin",
        "-rwsr-xr-x 2 0 0 0 bin/ash",
        "-rwsr-xr-x 2 0 0 70001 bin/busybox",
        "lrwxrwxrwx 2 0 0 7 bin/sh -> busybox",
        "drwxr-xr-x 1 0 0 0 dev",
        "crw------- 1 0 0 5, 1 dev/console",
        "brw-rw---- 1 0 0 254, 0 dev/vda",
        "drwxr-xr-x 1 0 0 0 etc",
        "-rw------- 2 1000 100 0 etc/empty",
        "drwxr-xr-x 1 0 0 0 run",
        "prw--w--w- 1 0 0 0 run/pipe",
        "srwxr-xr-x 1 0 0 0 run/socket",
        "drwxrwxrwt 1 0 0 0 tmp",
        "lrwxrwxrwx 2 0 0 7 z -> busybox",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let pinned = [
        (Compression::None, "a11407644125857ad871ff33c07e79709d40a273f5093f3c9563a030c7d92154"),
        (Compression::Gzip, "f385d3accc91c589d0fd24f5ebf33b2d798fe283311280078d9203f769b208ed"),
        (Compression::Zstd, "8af283fa62cf5f1c34350cb96bfce72e8d2e42e8b228fe8e9b51442e47760450"),
        (Compression::Lz4, "f4564a8cf9650a9c2d4401cef07ee4f08ed4af65f9543da46ab514c85f241898"),
        (Compression::Xz, "7f6a27a3cc136c00d0b2ed6af099aa6bd9310ab2d3fcf7f72681207234e295c1"),
    ];
    for (compression, digest) in pinned {
        let (_, summary) = list(&write(&sample(), compression)).unwrap();
        assert_eq!(hex(&summary.sha256), digest, "{compression}");
    }
}

#[test]
fn host_tools_decompress_to_the_same_bytes() {
    let plain = write(&sample(), Compression::None);
    let table = [
        (Compression::Gzip, "gzip"),
        (Compression::Zstd, "zstd"),
        (Compression::Lz4, "lz4"),
        (Compression::Xz, "xz"),
    ];
    for (compression, program) in table {
        let packed = write(&sample(), compression);
        assert!(packed.len() < plain.len(), "{compression}");
        assert!(pipe(program, &["-dc"], &packed) == plain, "{compression}");
    }
}

#[test]
fn host_tools_compress_to_what_is_read_back() {
    let plain = write(&sample(), Compression::None);
    let table = [
        ("gzip", &["-c"][..], Compression::Gzip),
        ("zstd", &["-c"][..], Compression::Zstd),
        ("lz4", &["-lc"][..], Compression::Lz4),
        ("xz", &["-c"][..], Compression::Xz),
    ];
    for (program, args, compression) in table {
        let packed = pipe(program, args, &plain);
        assert!(read_back(&packed) == sample(), "{compression}");
        let segment = list(&packed).unwrap().1.segments[0];
        assert_eq!(segment.compression, compression);
        assert_eq!(segment.unpacked_bytes, plain.len() as u64);
        assert_eq!(segment.bytes, packed.len() as u64);
    }
}

#[test]
fn a_stretch_of_a_host_file_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("layer");
    std::fs::write(&file, "0123456789").unwrap();
    let host = |len| Content::HostFile { path: file.clone().into(), offset: 3, len };
    let mut tree = Tree::new();
    tree.insert(&path("file"), Inode::file(host(4), 0o644)).unwrap();
    let (entries, _) = list(&write(&tree, Compression::None)).unwrap();
    assert_eq!(entries[1].1, b"3456");

    tree.insert(&path("file"), Inode::file(host(8), 0o644)).unwrap();
    let error = write_archive(&tree, &mut Vec::new(), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), "/file could not be read");
}

#[test]
fn what_the_format_cannot_say_is_refused() {
    let mut tree = Tree::new();
    let len = u64::from(u32::MAX) + 1;
    let huge =
        Content::HostFile { path: std::path::PathBuf::from("/dev/zero").into(), offset: 0, len };
    tree.insert(&path("huge"), Inode::file(huge, 0o644)).unwrap();
    let error = write_archive(&tree, &mut Vec::new(), &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, WriteError::TooLarge { .. }));
    assert_eq!(
        error.to_string(),
        "/huge has 4294967296 bytes: cpio takes files of less than 4 GiB"
    );
}

#[test]
fn times_end_where_the_format_does() {
    for (mtime_s, kept) in [(-1, 0), (1 << 32, u32::MAX)] {
        let mut tree = Tree::new();
        let mut inode = Inode::file("", 0o644);
        inode.metadata.mtime_s = mtime_s;
        tree.insert(&path("file"), inode).unwrap();
        let (entries, _) = list(&write(&tree, Compression::None)).unwrap();
        assert_eq!(entries[1].0.mtime_s, kept);
    }
}

#[test]
fn extended_attributes_are_counted_as_left_out() {
    let mut tree = sample();
    let mut ping = Inode::file("", 0o755);
    ping.metadata.xattrs.insert(b"security.capability"[..].into(), b"\x01"[..].into());
    tree.insert(&path("bin/ping"), ping).unwrap();
    let mut bytes = Vec::new();
    let written = write_archive(&tree, &mut bytes, &mut |_| Ok(())).unwrap();
    assert_eq!((written.entries, written.without_xattrs), (18, 1));
    assert_eq!(written.bytes, bytes.len() as u64);
}
