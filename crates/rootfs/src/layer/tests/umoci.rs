//! Layers applied by umoci, the OCI project's own tool, against ours.

use std::fs;
use std::path::Path;

use super::tools::run;
use super::{Member, archive, dir, file, gzip, hard_link, layer, read, sha256, symlink};
use crate::directory::{Owners, read_directory};
use crate::layer::job::hex;

/// Writes an image layout with one image, `image`.
fn write_layout(path: &Path, layers: &[Vec<u8>]) {
    fs::create_dir_all(path.join("blobs/sha256")).unwrap();
    let blob = |bytes: &[u8]| {
        let digest = hex(&sha256(bytes));
        fs::write(path.join("blobs/sha256").join(&digest), bytes).unwrap();
        format!(r#""digest":"sha256:{digest}","size":{}"#, bytes.len())
    };
    let diff_ids: Vec<_> =
        layers.iter().map(|layer| format!(r#""sha256:{}""#, hex(&sha256(layer)))).collect();
    let config = blob(
        format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{}},
            "rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids.join(",")
        )
        .as_bytes(),
    );
    let media_type = "application/vnd.oci.image";
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| {
            let blob = blob(&gzip(layer));
            format!(r#"{{"mediaType":"{media_type}.layer.v1.tar+gzip",{blob}}}"#)
        })
        .collect();
    let manifest = blob(
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{media_type}.manifest.v1+json",
            "config":{{"mediaType":"{media_type}.config.v1+json",{config}}},"layers":[{}]}}"#,
            layers.join(",")
        )
        .as_bytes(),
    );
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{media_type}.manifest.v1+json",{manifest},
        "annotations":{{"org.opencontainers.image.ref.name":"image"}}}}]}}"#
    );
    fs::write(path.join("index.json"), index).unwrap();
    fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// As root's, which an ordinary user's umoci makes of everybody's.
fn of_root(layers: &[&[Member]]) -> Vec<Vec<u8>> {
    let of_root = |member: &Member| member.clone().field(108, b"0000000").field(116, b"0000000");
    let owned = |members: &&[Member]| members.iter().map(of_root).collect::<Vec<_>>();
    layers.iter().map(owned).map(|members| archive(&members)).collect()
}

fn assert_same_as_umoci(layers: &[&[Member]]) {
    let layers = of_root(layers);
    let dir = tempfile::tempdir().unwrap();
    write_layout(&dir.path().join("layout"), &layers);
    let args = ["unpack", "--rootless", "--image", "layout:image", "bundle"];
    run("umoci", "umoci", &args, dir.path());
    let want = read_directory(&dir.path().join("bundle/rootfs"), Owners::Root).unwrap();
    let sources: Vec<_> = layers.into_iter().map(|bytes| layer("l", bytes)).collect();
    let got = read(&sources).unwrap();
    assert_eq!(got.render_dump(), want.render_dump());
    assert!(got == want, "contents differ");
}

#[test]
fn layers_are_applied_as_umoci_does_it() {
    let base = [
        dir("./"),
        dir("usr/"),
        dir("usr/lib/"),
        file("usr/lib/a.so", "a"),
        file("usr/lib/b.so", "b"),
        symlink("lib", "usr/lib"),
        symlink("abs", "/usr"),
        symlink("out", "../../../usr/lib"),
        dir("etc/").field(100, b"0000700"),
        file("etc/passwd", "root").field(100, b"0004755"),
        hard_link("etc/passwd-", "etc/passwd"),
        dir("becomes-file/"),
        file("becomes-file/x", "x"),
        file("becomes-directory", "x"),
        symlink("link-becomes-directory", "usr/lib"),
        dir("opaque/"),
        file("opaque/old", "old"),
        dir("opaque/sub/"),
        file("opaque/sub/old", "old"),
        dir("merged/"),
        file("merged/kept", "kept"),
        dir("gone/"),
        file("gone/x", "x"),
        Member::new(b'6', "pipe", b""),
    ];
    let upper = [
        dir("./").field(100, b"0000711"),
        file("lib/c.so", "through a link"),
        file("abs/d", "through an absolute link"),
        file("out/e.so", "through one that points out"),
        file("lib/.wh.a.so", ""),
        file("becomes-file", "file"),
        dir("becomes-directory/"),
        file("becomes-directory/y", "y"),
        dir("link-becomes-directory/"),
        file("link-becomes-directory/own", "own"),
        dir("opaque/"),
        file("opaque/new", "new"),
        file("opaque/.wh..wh..opq", ""),
        dir("opaque/sub/"),
        file("opaque/sub/new", "new"),
        dir("merged/").field(100, b"0001777"),
        file("merged/more", "more"),
        file(".wh.gone", ""),
        file(".wh.never-was", ""),
        hard_link("etc/link", "etc/passwd-"),
        hard_link("link-to-link", "abs"),
        file("etc/passwd", "changed"),
    ];
    let top = [
        file("etc/.wh.passwd-", ""),
        dir("gone/"),
        file("gone/again", "again"),
        file("usr/lib/b.so", "second"),
        file("usr/lib/b.so", "and last"),
        symlink("merged", "etc"),
    ];
    assert_same_as_umoci(&[&base]);
    assert_same_as_umoci(&[&base, &upper]);
    assert_same_as_umoci(&[&base, &upper, &top]);
}
