//! EROFS images against the tree that they were written from, and against erofs-utils.

mod support;

use std::path::Path;
use std::process::Command;

use mote_image::erofs::{read_erofs, write_erofs};
use mote_rootfs::tree::Tree;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use support::disk::{full_sample, full_trees, image_file};

/// Checks an image as `fsck.erofs` does, which must find nothing to say; gives what it prints.
fn fsck(image: &Path, args: &[&str]) -> String {
    run(Command::new("fsck.erofs").args(args).arg(image))
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{:?}: {error}: apt-get install erofs-utils", command.get_program())
    });
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    assert!(!said.contains("<W>") && !said.contains("<E>"), "{command:?}: {said}");
    said
}

/// An image of a tree, by name, and its bytes.
fn write(tree: &Tree) -> (tempfile::NamedTempFile, u64) {
    let image = tempfile::NamedTempFile::new().unwrap();
    let bytes = write_erofs(tree, image.as_file()).unwrap();
    (image, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_back(tree in full_trees()) {
        let image = image_file();
        let bytes = write_erofs(&tree, &image).unwrap();
        prop_assert_eq!(bytes % 4096, 0);
        prop_assert_eq!(image.metadata().unwrap().len(), bytes);
        let read = read_erofs(&image).unwrap();
        prop_assert!(read == tree, "{}\n{}", tree.render_dump(), read.render_dump());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn fsck_finds_nothing_wrong_with_random_trees(tree in full_trees()) {
        fsck(write(&tree).0.path(), &["--extract"]);
    }
}

#[test]
fn everything_comes_back() {
    let (image, bytes) = write(&full_sample());
    let read = read_erofs(&image.reopen().unwrap().into()).unwrap();
    assert_eq!(read.render_dump(), full_sample().render_dump());
    assert!(read == full_sample());
    fsck(image.path(), &["--extract"]);
    let sha256 = Sha256::digest(std::fs::read(image.path()).unwrap());
    let sha256: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let pinned = "075c7dc48b4818acca6421fae4386eb541bbe73afc80f8e3725d009a7a065c9f";
    assert_eq!((bytes, sha256.as_str()), (135_168, pinned));
}
