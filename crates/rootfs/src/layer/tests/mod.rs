//! What layers become, and what is refused.

mod gzip;
mod random;
mod tools;
mod umoci;

use std::io::{Read, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use mote_process::Cancel;
use sha2::{Digest, Sha256};

use super::{Compression, Disk, LayerError, LayerSource, Limits, Progress, Spool, read_layers};
use crate::tar::testing::{Member, archive};
use crate::tree::{Content, Node, Stretch, Tree, TreePath};

fn layer(name: &str, bytes: Vec<u8>) -> LayerSource {
    LayerSource {
        name: name.to_owned(),
        blob: Content::from(bytes),
        compression: Compression::Auto,
        digest: None,
        diff_id: None,
    }
}

fn read_within(layers: &[LayerSource], limits: &Limits) -> Result<Tree, LayerError> {
    let dir = tempfile::tempdir().unwrap();
    let read = |disk| {
        let spool = Spool { dir: dir.path(), disk };
        read_layers(layers, spool, limits, 2, &Cancel::default(), &|_| {})
    };
    let tree = read(None);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the spool has no name");
    let disk = disk();
    match (&tree, &read(Some(&disk))) {
        (Ok(tree), Ok(onto_disk)) => assert_eq!(tree, onto_disk),
        // Of several errors at once, either may be the first.
        (Err(_), Err(_)) => {}
        (_, other) => panic!("{other:?} onto a disk"),
    }
    tree
}

fn disk() -> Disk {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let reserved = vec![0..8192, 1 << 20..(1 << 20) + 4096];
    Disk { file, reserved, end: u64::MAX, tail_max: 100 }
}

fn read(layers: &[LayerSource]) -> Result<Tree, LayerError> {
    read_within(layers, &Limits::default())
}

fn apply(layers: &[&[Member]]) -> Result<Tree, LayerError> {
    let layers = layers.iter().enumerate();
    let layers: Vec<_> =
        layers.map(|(index, members)| layer(&format!("layer {index}"), archive(members))).collect();
    read(&layers)
}

/// The tree as text without what all members of tests have in common.
fn dump(layers: &[&[Member]]) -> String {
    apply(layers).unwrap().render_dump().replace(" 1:2", "").replace(" @3", "")
}

fn file(name: &str, content: &str) -> Member {
    Member::file(name, content.as_bytes())
}

fn dir(name: &str) -> Member {
    Member::directory(name)
}

fn symlink(name: &str, target: &str) -> Member {
    Member::link(b'2', name, target)
}

fn hard_link(name: &str, target: &str) -> Member {
    Member::link(b'1', name, target)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn content(tree: &Tree, path: &str) -> Vec<u8> {
    let Some(Node::File(content)) =
        tree.get(&TreePath::parse(path).unwrap()).map(|inode| &inode.node)
    else {
        panic!("{path} is no file");
    };
    let mut bytes = Vec::new();
    content.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn whiteouts_hide_what_lies_below() {
    let lower =
        [dir("a/"), file("a/x", "1"), file("a/d/y", "2"), file("a/d/z", "3"), symlink("l", "a")];
    let table: [(&[Member], &str); 8] = [
        (&[file("a/.wh.d", "")], "/a /a/x /l"),
        (&[file(".wh.a", "")], "/l"),
        (&[file("a/.wh.no", ""), file("no/.wh.such", "")], "/a /a/d /a/d/y /a/d/z /a/x /l"),
        (&[file("a/.wh..wh..opq", "")], "/a /l"),
        (&[dir("a/.wh..wh..opq/")], "/a /l"),
        (&[file(".wh..wh..opq", "")], ""),
        (&[file("l/.wh.d", "")], "/a /a/x /l"),
        (&[file(".wh.l", "")], "/a /a/d /a/d/y /a/d/z /a/x"),
    ];
    for (upper, paths) in table {
        let tree = apply(&[&lower, upper]).unwrap();
        let got: Vec<_> = tree.walk().skip(1).map(|entry| entry.path.to_string()).collect();
        assert_eq!(got.join(" "), paths);
    }
}

#[test]
fn whiteouts_hide_nothing_of_their_own_layer() {
    let lower = [file("a/old", "1"), file("b", "1"), file("c/old", "1")];
    let upper = [
        file("a/new", "22"),
        file("a/.wh..wh..opq", ""),
        file("b", "22"),
        file(".wh.b", ""),
        file("c/new", "22"),
        file(".wh.c", ""),
    ];
    let got = dump(&[&lower, &upper]);
    let names: Vec<_> = got.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(names, ["/", "/a", "/a/new", "/b", "/c", "/c/new"]);
    assert_eq!(content(&apply(&[&lower, &upper]).unwrap(), "b"), b"22");
}

#[test]
fn a_whiteout_may_hide_the_longest_name() {
    let name = "n".repeat(255);
    let long =
        |path: String| [Member::pax(&[(b"path", path.as_bytes())]), Member::new(b'0', "x", b"")];
    let lower = long(format!("d/{name}"));
    assert_eq!(apply(&[&lower]).unwrap().walk().count(), 3);
    let upper = long(format!("./d/.wh.{name}"));
    assert_eq!(apply(&[&lower, &upper]).unwrap().walk().count(), 2);
}

#[test]
fn leftovers_of_aufs_are_passed_over() {
    let lower = [file("x", "1")];
    let upper = [dir(".wh..wh.plnk/"), file(".wh..wh.plnk/1.2", "1"), file(".wh..wh.aufs", "")];
    assert_eq!(dump(&[&lower, &upper]), "d0755 0:0 - /\n-0644 1 /x\n");
}

#[test]
fn hard_links_to_leftovers_of_aufs_are_made() {
    let large = "x".repeat(70_000);
    let lower = [
        dir(".wh..wh.plnk/"),
        file(".wh..wh.plnk/1.2", "1"),
        file(".wh..wh.plnk/3.4", &large),
        file(".wh..wh.plnk/unused", "1"),
        hard_link("a", ".wh..wh.plnk/1.2"),
        hard_link("d/b", "/.wh..wh.plnk/1.2"),
        hard_link("large", ".wh..wh.plnk/3.4"),
    ];
    let lines =
        "d0755 0:0 - /\n-0644 1 /a\nd0755 0:0 - /d\n-0644 1 /d/b = /a\n-0644 70000 /large\n";
    assert_eq!(dump(&[&lower]), lines);
    // They are those of the layer alone.
    let upper = hard_link("c", ".wh..wh.plnk/1.2");
    let error = apply(&[&lower, &[upper]]).unwrap_err();
    assert_eq!(error.to_string(), "layer 1 cannot be applied");
}

#[test]
fn marks_of_overlayfs_are_passed_over() {
    let marked = Member::pax(&[
        (b"SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        (b"SCHILY.xattr.trusted.overlay.opaque", b"y"),
        (b"SCHILY.xattr.trusted.md5", b"d41d"),
    ]);
    let tree = apply(&[&[marked, dir("d/")]]).unwrap();
    let inode = tree.walk().find(|entry| entry.path.as_bytes() == b"d").unwrap().inode;
    let names: Vec<_> = inode.metadata.xattrs.keys().map(|name| &**name).collect();
    assert_eq!(names, [b"trusted.md5"]);
}

#[test]
fn times_are_kept_unless_nobody_knows_them() {
    let table = [
        ("-1", (-1, 0)),
        ("-1.25", (-2, 750_000_000)),
        ("0", (0, 0)),
        ("1600000000.987654321", (1_600_000_000, 987_654_321)),
        ("9223372036", (9_223_372_036, 0)),
        ("9223372037.5", (0, 0)),
        ("-9223372037", (0, 0)),
        ("17179869184", (0, 0)),
        ("9223372036854775807", (0, 0)),
    ];
    for (text, time) in table {
        let tree = apply(&[&[Member::pax(&[(b"mtime", text.as_bytes())]), file("f", "")]]).unwrap();
        let inode = tree.get(&TreePath::parse("f").unwrap()).unwrap();
        let metadata = &inode.metadata;
        assert_eq!((metadata.mtime_s, metadata.mtime_ns), time, "{text}");
    }
}

#[test]
fn files_and_directories_replace_each_other() {
    let lower = [file("f", "1"), file("d/x", "1"), file("m/x", "1"), symlink("l", "d")];
    let upper = [dir("f/"), file("f/y", "22"), file("d", "22"), dir("m/"), file("l", "22")];
    assert_eq!(
        dump(&[&lower, &upper]),
        "d0755 0:0 - /\n-0644 2 /d\nd0755 - /f\n-0644 2 /f/y\n-0644 2 /l\nd0755 - /m\n-0644 1 /m/x\n"
    );
}

#[test]
fn hard_links_reach_into_lower_layers() {
    let lower = [file("a", "1"), hard_link("b", "a"), symlink("s", "a"), file("d/x", "1")];
    let upper = [
        hard_link("c", "./b"),
        hard_link("t", "/s"),
        symlink("to-d", "d"),
        hard_link("y", "to-d/x"),
        file("a", "22"),
    ];
    assert_eq!(
        dump(&[&lower, &upper]),
        "d0755 0:0 - /\n-0644 2 /a\n-0644 1 /b\n-0644 1 /c = /b\nd0755 0:0 - /d\n-0644 1 /d/x\n\
         l0777 /s -> a\nl0777 /t -> a = /s\nl0777 /to-d -> d\n-0644 1 /y = /d/x\n"
            .replace("l0777 /", "l0777 - /")
    );
}

#[test]
fn links_of_lower_layers_are_followed_but_not_out() {
    let lower = [
        dir("usr/lib/"),
        symlink("lib", "usr/lib"),
        symlink("out", "../../../../etc"),
        symlink("host", "/etc"),
    ];
    let upper = [file("lib/x", "1"), file("out/y", "1"), file("host/z", "1")];
    let tree = apply(&[&lower, &upper]).unwrap();
    for path in ["usr/lib/x", "etc/y", "etc/z"] {
        assert_eq!(content(&tree, path), b"1");
    }
}

#[test]
fn a_directory_replaces_the_link_of_a_lower_layer() {
    let lower = [file("usr/lib/old", "1"), symlink("lib", "usr/lib")];
    let members =
        [dir("lib/"), file("lib/.wh..wh..opq", ""), file("lib/.wh.old", ""), file("lib/x", "1")];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]];
    for order in orders {
        let upper = order.map(|index: usize| members[index].clone());
        let tree = apply(&[&lower, &upper]).unwrap();
        assert_eq!(content(&tree, "lib/x"), b"1");
        assert_eq!(content(&tree, "usr/lib/old"), b"1");
        assert_eq!(tree.walk().count(), 6);
    }
}

#[test]
fn metadata_comes_from_the_last_layer_that_has_it() {
    let lower = [dir("./").field(100, b"0000700"), dir("d/"), file("d/x", "1")];
    let upper =
        [dir("d/").field(100, b"0001777"), file("e/x", "1"), dir("e/").field(100, b"0000711")];
    let got = dump(&[&lower, &upper]);
    assert_eq!(got, "d0700 - /\nd1777 - /d\n-0644 1 /d/x\nd0711 - /e\n-0644 1 /e/x\n");
}

#[test]
fn every_compression_is_read_in_several_pieces() {
    let bytes = archive(&[file("f", &"content ".repeat(100_000))]);
    let halves = || bytes.split_at(bytes.len() / 3);
    let zstd = |part: &[u8]| zstd::encode_all(part, 1).unwrap();
    let xz = |part: &[u8]| {
        let mut out = Vec::new();
        liblzma::read::XzEncoder::new(part, 1).read_to_end(&mut out).unwrap();
        out
    };
    let (one, two) = halves();
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    let table = [
        (bytes.clone(), Compression::None),
        ([gzip(one), gzip(two)].concat(), Compression::Gzip),
        ([skippable, zstd(one), zstd(two)].concat(), Compression::Zstd),
        ([xz(one), xz(two)].concat(), Compression::Xz),
    ];
    for (blob, compression) in table {
        for compression in [compression, Compression::Auto] {
            let (digest, diff_id) = (Some(sha256(&blob)), Some(sha256(&bytes)));
            let source = LayerSource { compression, digest, diff_id, ..layer("l", blob.clone()) };
            let tree = read(&[source]).unwrap();
            assert_eq!(content(&tree, "f"), "content ".repeat(100_000).as_bytes());
        }
    }
}

#[test]
fn contents_of_a_plain_file_stay_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blob");
    let bytes = archive(&[file("f", "content")]);
    std::fs::write(&path, [b"12345", &bytes[..], b"after"].concat()).unwrap();
    let blob = Content::HostFile { path: path.into(), offset: 5, len: bytes.len() as u64 };
    let digest = Some(sha256(&bytes));
    let source = LayerSource { blob, digest, diff_id: digest, ..layer("l", Vec::new()) };
    let tree = read(&[source]).unwrap();
    let inode = tree.get(&TreePath::parse("f").unwrap()).unwrap();
    assert!(matches!(
        inode.node,
        Node::File(Content::Stretch(Stretch { offset: 517, len: 7, .. }))
    ));
    assert_eq!(content(&tree, "f"), b"content");
}

#[test]
fn digests_are_those_of_whole_streams() {
    // The bytes behind the archive's end and behind the last member count.
    let inflated = [archive(&[file("f", "1")]), vec![0; 9216], b"trailer".to_vec()].concat();
    let blob = gzip(&inflated);
    let good = LayerSource {
        digest: Some(sha256(&blob)),
        diff_id: Some(sha256(&inflated)),
        ..layer("l", blob)
    };
    assert!(read(std::slice::from_ref(&good)).is_ok());
    let other = Some(sha256(b""));
    let error = read(&[LayerSource { digest: other, ..good.clone() }]).unwrap_err().to_string();
    assert!(error.starts_with("l has the digest sha256:"), "{error}");
    assert!(error.ends_with(
        "should have sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    ));
    let error = read(&[LayerSource { diff_id: other, ..good.clone() }]).unwrap_err().to_string();
    assert!(error.starts_with("l has the diff ID sha256:"), "{error}");
    // Also when the archive makes no sense, compressed or not.
    for blob in [gzip(b"no archive"), b"no archive".to_vec()] {
        let error = read(&[LayerSource { digest: other, ..layer("l", blob) }]).unwrap_err();
        assert!(matches!(error, LayerError::Digest { .. }), "{error}");
    }
}

#[test]
fn limits_are_for_all_layers_together() {
    let layers =
        [layer("one", archive(&[file("a", "1")])), layer("two", archive(&[file("b", "1")]))];
    let wide = Limits { bytes: 4096, entries: 2, metadata_bytes: 2 };
    let implied = layer("deep", archive(&[file("a/b/c/d", "1")]));
    let sparse: &[(&[u8], &[u8])] =
        &[(b"GNU.sparse.size", b"5000"), (b"GNU.sparse.map", b"0,1"), (b"size", b"1")];
    let sparse = [Member::pax(sparse), file("s", "1")];
    let sparse_layer = |count| layer("sparse", archive(&vec![sparse.clone(); count].concat()));
    let sparse_wide = Limits { bytes: 20_000, entries: 9, metadata_bytes: 99 };
    // The root takes one.
    assert!(read_within(&layers, &Limits { entries: 3, ..wide }).is_ok());
    let table = [
        (Limits { bytes: 4095, ..wide }, &layers[..], "4095 inflated bytes"),
        (Limits { entries: 1, ..wide }, &layers[..], "1 entries"),
        (Limits { metadata_bytes: 1, ..wide }, &layers[..], "1 bytes of names and attributes"),
        (Limits { entries: 4, metadata_bytes: 9, ..wide }, &[implied], "4 entries"),
        (Limits { metadata_bytes: 99, ..wide }, &[sparse_layer(1)], "4096 inflated bytes"),
        (sparse_wide, &[sparse_layer(3)], "20000 inflated bytes"),
    ];
    // 4,999 bytes of holes in each, four blocks, and two at the end.
    assert!(read_within(&[sparse_layer(2)], &sparse_wide).is_ok());
    for (limits, layers, message) in table {
        let error = read_within(layers, &limits).unwrap_err().to_string();
        assert!(error.ends_with(&format!("brings the image to more than {message}")), "{error}");
    }
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let mut zeros = gzip(&vec![0; 1 << 20]);
    zeros = zeros.repeat(100);
    let bytes = archive(&[file("f", "").field(124, b"77777777777")]);
    let bomb = layer("bomb", [gzip(&bytes[..512]), zeros].concat());
    let limits = Limits { bytes: 10 << 20, ..Limits::default() };
    let error = read_within(&[bomb], &limits).unwrap_err().to_string();
    assert_eq!(error, "bomb brings the image to more than 10485760 inflated bytes");
}

#[test]
fn refusals_name_the_layer() {
    let whole = gzip(&archive(&[file("f", &"x".repeat(5000))]));
    let cut = whole[..whole.len() - 9].to_vec();
    let mut bent = whole.clone();
    let crc = bent.len() - 8;
    bent[crc] ^= 1;
    let garbage = [whole.clone(), b"garbage".to_vec()].concat();
    let huge_window = b"\x28\xb5\x2f\xfd\x00\xb8\x01\0\0".to_vec();
    let missing =
        Content::HostFile { path: std::path::PathBuf::from("/no/such").into(), offset: 0, len: 1 };
    let one = |member: Member| layer("l", archive(&[member]));
    let table = [
        (layer("l", cut), "l cannot be inflated"),
        (layer("l", bent), "l cannot be inflated"),
        (layer("l", garbage), "l cannot be inflated"),
        (layer("l", huge_window), "l cannot be inflated"),
        (layer("l", b"BZh91AY&SY".repeat(100)), "l cannot be unpacked"),
        (LayerSource { blob: missing, ..layer("l", Vec::new()) }, "l cannot be read"),
        (one(file(".wh.", "")), "l has a whiteout that hides nothing: .wh."),
        (one(file("d/.wh...", "")), "l has a whiteout that hides nothing: d/.wh..."),
        (one(file("../.wh.f", "")), "l has a whiteout that hides nothing: ../.wh.f"),
        (one(file("../f", "")), "l cannot be unpacked"),
        (one(hard_link("f", "no")), "l cannot be applied"),
        (one(hard_link("f", "../../etc/passwd")), "l cannot be unpacked"),
        (one(Member::new(b'6', "/", b"")), "l cannot be applied"),
        (one(symlink("s", "")), "l cannot be applied"),
    ];
    for (source, message) in table {
        assert_eq!(read(&[layer("fine", archive(&[])), source]).unwrap_err().to_string(), message);
    }
}

#[test]
fn cycles_and_files_in_the_way_are_refused() {
    let lower = [symlink("a", "b"), symlink("b", "a"), file("f", "")];
    for (upper, message) in [
        (file("a/x", ""), "/a/x cannot be made"),
        (file("a/.wh.x", ""), "/a/x cannot be made"),
        (file("f/x", ""), "/f/x cannot be made: /f is not a directory"),
    ] {
        let Err(LayerError::Apply { layer, source }) = apply(&[&lower, &[upper]]) else { panic!() };
        assert_eq!((layer.as_str(), source.to_string().as_str()), ("layer 1", message));
    }
}

#[test]
fn progress_ends_with_the_blob_and_a_wish_to_stop_counts() {
    let layers = [layer("a", archive(&[file("a", "1")])), layer("b", gzip(&archive(&[])))];
    let seen = Mutex::new([0; 2]);
    let on_progress = |Progress { layer, read }: Progress| seen.lock().unwrap()[layer] = read;
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool { dir: dir.path(), disk: None };
    let limits = Limits::default();
    let cancel = Cancel::default();
    read_layers(&layers, spool, &limits, 1, &cancel, &on_progress).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1].map(|index: usize| layers[index].blob.len()));
    cancel.cancel(2);
    let error = read_layers(&layers, spool, &limits, 1, &cancel, &on_progress).unwrap_err();
    assert_eq!(error.to_string(), "stopped by SIGINT");
}

/// Members without contents give nothing to send on, and there may be millions of them.
#[test]
fn a_wish_to_stop_counts_before_there_is_anything() {
    let empty = gzip(b"");
    let blob = empty.repeat(4 << 20 >> 4);
    let (limits, cancel) = (Limits::default(), Cancel::default());
    let read = Mutex::new(0);
    let on_progress = |now: Progress| {
        *read.lock().unwrap() = now.read;
        cancel.cancel(2);
    };
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool { dir: dir.path(), disk: None };
    let layers = [layer("l", blob.clone())];
    let error = read_layers(&layers, spool, &limits, 1, &cancel, &on_progress).unwrap_err();
    assert_eq!(error.to_string(), "stopped by SIGINT");
    let read = read.into_inner().unwrap();
    assert!(read < blob.len() as u64 / 8, "{read} of {}", blob.len());
}

#[test]
fn a_spool_that_cannot_be_made_is_an_error() {
    let source = layer("l", gzip(&archive(&[])));
    let nowhere = Spool { dir: std::path::Path::new("/no/such"), disk: None };
    let (limits, cancel) = (Limits::default(), Cancel::default());
    let error = read_layers(&[source], nowhere, &limits, 1, &cancel, &|_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the work file for l cannot be written");
}

/// Bytes that no two stretches of have in common.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// The places of contents on the disk, and that they are there.
fn places(layers: &[LayerSource], disk: &Disk) -> Vec<(String, Option<Range<u64>>)> {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool { dir: dir.path(), disk: Some(disk) };
    let tree = read_layers(layers, spool, &Limits::default(), 2, &Cancel::default(), &|_| {});
    let tree = tree.unwrap();
    assert_eq!(tree, read(layers).unwrap());
    let place = |entry: crate::tree::Entry<'_>| match &entry.inode.node {
        Node::File(content) => Some((entry.path.to_string(), content.place_in(&disk.file))),
        _ => None,
    };
    tree.walk().filter_map(place).collect()
}

#[test]
fn what_fills_blocks_lies_where_it_stays() {
    let member = |name: &str, len, seed| Member::file(name, &noise(len, seed));
    let lower = archive(&[
        member("big", 300_000, 1),
        member("gone", 70_000, 2),
        member("small", 4095, 3),
        member("split", 8192 + 100, 4),
        member("whole", 8192 + 101, 5),
        member("least", 4096, 6),
        // Attributes take the room behind an inode.
        Member::pax(&[(b"SCHILY.xattr.user.a", b"1")]),
        member("marked", 8192 + 100, 8),
    ]);
    let upper = archive(&[file(".wh.gone", ""), member("sub/upper", 100_000, 7)]);
    let at = |block: u64, len| Some(block * 4096..block * 4096 + len);
    let expect = |places: &[(&str, Option<Range<u64>>)]| {
        places.iter().map(|(path, place)| ((*path).to_owned(), place.clone())).collect::<Vec<_>>()
    };
    let upper_block = 2 + (lower.len() as u64).div_ceil(4096);
    // 300,000 bytes take 74 blocks, and 70,000 take 18.
    let expected = expect(&[
        ("/big", at(2, 300_000)),
        ("/least", at(2 + 74 + 18 + 2 + 3, 4096)),
        ("/marked", at(2 + 74 + 18 + 2 + 3 + 1, 8292)),
        ("/small", None),
        ("/split", at(2 + 74 + 18, 8192)),
        ("/sub/upper", at(upper_block, 100_000)),
        ("/whole", at(2 + 74 + 18 + 2, 8293)),
    ]);
    let whole = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap();
    for compress in [<[u8]>::to_vec, gzip, whole] {
        let layers = [layer("lower", compress(&lower)), layer("upper", compress(&upper))];
        assert_eq!(places(&layers, &disk()), expected);
    }
    // What does not say how long it is has no place of its own.
    let streamed = zstd::stream::encode_all(&*lower, 1).unwrap();
    let layers = [layer("lower", streamed), layer("upper", gzip(&upper))];
    let [lower @ .., (upper, place), whole] = &places(&layers, &disk())[..] else { panic!() };
    assert!(lower.iter().chain([whole]).all(|(_, place)| place.is_none()), "{lower:?}");
    assert_eq!((upper.as_str(), place), ("/sub/upper", &at(2, 100_000)));
}

#[test]
fn what_does_not_lie_on_the_disk_lies_in_the_spool_without_gaps() {
    let members: Vec<_> = (0..2000)
        .map(|index: usize| Member::file(format!("f{index}"), &noise(index, index as u64)))
        .collect();
    let bytes = archive(&members);
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool { dir: dir.path(), disk: None };
    let (limits, cancel) = (Limits::default(), Cancel::default());
    let tree = read_layers(&[layer("l", gzip(&bytes))], spool, &limits, 1, &cancel, &|_| {});
    let tree = tree.unwrap();
    let Node::File(Content::Stretch(last)) =
        &tree.get(&TreePath::parse("f1999").unwrap()).unwrap().node
    else {
        panic!()
    };
    assert_eq!(last.file.metadata().unwrap().len(), (0..2000).sum::<u64>());
    assert_eq!(content(&tree, "f1234"), noise(1234, 1234));
}
