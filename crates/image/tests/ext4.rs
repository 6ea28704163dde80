//! ext4 images against the tree that they were written from, and against e2fsprogs.

mod support;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use mote_image::ext4::{Ext4Options, Journal, WriteError, list_ext4, read_ext4, write_ext4};
use mote_rootfs::tree::{Content, DataRun, Inode, Node, Stretch, Tree};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use support::disk::{fitting, full_sample, full_trees, image_file, sparse};
use support::path;

/// Runs a program of e2fsprogs, which must succeed, and gives what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{:?}: {error}: apt-get install e2fsprogs", command.get_program())
    });
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// Checks an image; whatever there is to repair fails.
fn e2fsck(image: &Path) -> String {
    run(Command::new("e2fsck").arg("-fn").arg(image))
}

fn debugfs(image: &Path, request: &str) -> String {
    run(Command::new("debugfs").arg("-R").arg(request).arg(image))
}

fn write(tree: &Tree, options: &Ext4Options) -> tempfile::NamedTempFile {
    let image = tempfile::NamedTempFile::new().unwrap();
    let bytes = write_ext4(tree, image.as_file(), options, &mut |_| Ok(())).unwrap();
    assert_eq!(image.as_file().metadata().unwrap().len(), bytes);
    image
}

fn read(image: &Path) -> Tree {
    read_ext4(&Arc::new(File::open(image).unwrap())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_come_back(tree in full_trees()) {
        let tree = fitting(&tree);
        let image = image_file();
        write_ext4(&tree, &image, &Ext4Options::default(), &mut |_| Ok(())).unwrap();
        let read = read_ext4(&image).unwrap();
        prop_assert!(read == tree, "{}\n{}", tree.render_dump(), read.render_dump());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn e2fsck_finds_nothing_wrong_with_random_trees(tree in full_trees()) {
        e2fsck(write(&fitting(&tree), &Ext4Options::default()).path());
    }
}

#[test]
fn every_size_and_journal_is_clean() {
    let sample = fitting(&full_sample());
    for journal in [Journal::None, Journal::Internal] {
        for size_mib in [None, Some(9), Some(127), Some(129), Some(3 << 10)] {
            let size_bytes = size_mib.map(|mib: u64| mib << 20);
            let options = Ext4Options { journal, size_bytes, ..Ext4Options::default() };
            let image = write(&sample, &options);
            e2fsck(image.path());
            assert!(read(image.path()) == sample, "{options:?}");
            let mut entries = Vec::new();
            let summary = list_ext4(image.as_file(), &mut |entry| entries.push(entry.clone()));
            let summary = summary.unwrap();
            assert_eq!(summary.has_journal, journal == Journal::Internal);
            assert_eq!(entries.len() as u64, summary.entries);
            assert_eq!(entries.len(), sample.walk().count() + 1, "lost+found");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a file of a tree.
fn bytes_at(tree: &Tree, name: &str) -> Vec<u8> {
    let Node::File(content) = &tree.get(&path(name)).unwrap().node else {
        panic!("{name} is no file");
    };
    let mut bytes = Vec::new();
    content.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let pinned = [
        (Journal::None, "de69efd3e70b1417c5856be6ba4150e49f742014bf12270013fb226d3a0e1c29"),
        (Journal::Internal, "dd7c36db090be417a37970d1a18e496ec070873e7f06712289bb53a11d6a96dc"),
    ];
    for (journal, digest) in pinned {
        let options = Ext4Options { journal, label: "root".to_owned(), ..Ext4Options::default() };
        let image = write(&fitting(&full_sample()), &options);
        let bytes = std::fs::read(image.path()).unwrap();
        // Whoever changes the bytes counts the revision up, for disks that caches have by it.
        let written = (mote_image::ext4::REVISION, hex(&Sha256::digest(bytes)));
        assert_eq!(written, (1, digest.to_owned()), "{journal:?}");
    }
}

#[test]
fn an_image_takes_no_more_of_the_disk_than_it_holds() {
    let options = Ext4Options { size_bytes: Some(20 << 30), ..Ext4Options::default() };
    let metadata = write(&full_sample(), &options).as_file().metadata().unwrap();
    assert_eq!(metadata.len(), 20 << 30);
    let taken = 512 * metadata.blocks();
    assert!(taken < 8 << 20, "{taken} bytes");
}

#[test]
fn large_directories_are_indexed() {
    let mut tree = Tree::new();
    for index in 0..20_000 {
        tree.insert(&path(format!("many/name {index}")), Inode::file("", 0o644)).unwrap();
    }
    // Names so long that the index has two levels, below one with all subdirectories.
    for index in 0..7700 {
        let name = format!("deep/{index:0255}");
        tree.insert(&path(name), Inode::directory(0o755)).unwrap();
    }
    let image = write(&tree, &Ext4Options::default());
    e2fsck(image.path());
    assert!(read(image.path()) == tree);
    let root = debugfs(image.path(), "htree_dump /many");
    assert!(root.contains("Indirect levels: 0"), "{root}");
    let root = debugfs(image.path(), "htree_dump /deep");
    assert!(root.contains("Indirect levels: 1"), "{root}");
}

/// `dir_nlink`: the count of names ends where the kernel's does.
#[test]
fn more_subdirectories_than_can_be_counted_are_one() {
    let mut tree = Tree::new();
    for index in 0..65_000 {
        tree.insert(&path(format!("many/{index}")), Inode::directory(0o755)).unwrap();
    }
    let image = write(&tree, &Ext4Options::default());
    e2fsck(image.path());
    assert!(debugfs(image.path(), "stat /many").contains("Links: 1 "));
}

#[test]
fn a_sparse_file_of_a_tebibyte_takes_three_blocks() {
    let len = 1 << 40;
    let run = |at, offset, len| DataRun { at, offset, len };
    let data = [run(0, 0, 1), run(4096 * 1000 + 5, 1, 4096), run(len - 1, 5000, 1)];
    let mut tree = Tree::new();
    tree.insert(&path("sparse"), Inode::file(sparse(len, &data), 0o644)).unwrap();
    let image = write(&tree, &Ext4Options::default());
    e2fsck(image.path());
    assert!(image.as_file().metadata().unwrap().len() < 32 << 20);
    let read = read(image.path());
    let Node::File(content) = &read.get(&path("sparse")).unwrap().node else { panic!() };
    assert_eq!(content.len(), len);
    // Data in whole blocks, but for the last one.
    let blocks = [(0, 4096), (4096 * 1000, 4096 * 1002), (len - 4096, len)];
    let read: Vec<_> = content.data().map(|data| (data.start, data.end)).collect();
    assert_eq!(read, blocks);
    let Content::Sparse { file, data, .. } = content else { panic!("{content:?}") };
    for (run, (byte, index)) in data.iter().zip([(b'd', 0), (b'd', 5), (b'd', 4095)]) {
        let mut block = vec![0; run.len as usize];
        file.read_exact_at(&mut block, run.offset).unwrap();
        assert_eq!((block[index], block[(index + 1) % 4096] == 0), (byte, index != 5));
    }
}

#[test]
fn files_in_many_pieces_have_trees_of_extents() {
    let mut tree = Tree::new();
    // 5 extents need a node, and more than 4 nodes of 340 extents another level.
    for pieces in [4, 5, 341, 1361] {
        let run = |index| DataRun { at: index * 8192, offset: index * 4096, len: 4096 };
        let data: Vec<_> = (0..pieces).map(run).collect();
        let content = sparse(pieces * 8192, &data);
        tree.insert(&path(format!("{pieces}")), Inode::file(content, 0o644)).unwrap();
    }
    // Over the copies of the superblock in groups 1 and 3, and past the longest extent.
    let file = tempfile::tempfile().unwrap();
    let len = 400 << 20;
    file.set_len(len).unwrap();
    for place in (0..len).step_by(50 << 20) {
        file.write_all_at(&place.to_le_bytes(), place).unwrap();
    }
    let stretch = Content::Stretch(Stretch { file: Arc::new(file), offset: 0, len });
    tree.insert(&path("large"), Inode::file(stretch, 0o644)).unwrap();
    let image = write(&tree, &Ext4Options::default());
    e2fsck(image.path());
    assert!(read(image.path()) == tree);
    for (name, depth) in [("4", "0/ 0"), ("5", "0/ 1"), ("341", "0/ 1"), ("1361", "0/ 2")] {
        let extents = debugfs(image.path(), &format!("dump_extents /{name}"));
        assert!(extents.contains(&format!(" {depth} ")), "{name}: {extents}");
    }
}

#[test]
fn resize2fs_grows_an_image() {
    let sample = fitting(&full_sample());
    let image = write(&sample, &Ext4Options::default());
    let small = image.as_file().metadata().unwrap().len();
    for large in [2 * small, 300 << 20, 5 << 30] {
        image.as_file().set_len(large).unwrap();
        run(Command::new("resize2fs").arg(image.path()));
        e2fsck(image.path());
        assert!(read(image.path()) == sample, "{large}");
        let summary = list_ext4(image.as_file(), &mut |_| {}).unwrap();
        assert_eq!(summary.blocks * summary.block_bytes, large);
    }
}

#[test]
fn debugfs_sees_what_was_written() {
    let mut tree = full_sample();
    let mut odd = Inode::file("odd", 0o640).owned_by(1_000_000, 70_000);
    odd.metadata.mtime_s = 0x3_7fff_ffff;
    let acl = [&[2, 0, 0, 0][..], &[1, 0, 6, 0, 255, 255, 255, 255], &[2, 0, 4, 0, 232, 3, 0, 0]];
    let xattrs = [
        (&b"system.posix_acl_access"[..], acl.concat()),
        (b"user.long", vec![b'v'; 3000]),
        (b"user.short", b"value".to_vec()),
    ];
    for (name, value) in xattrs {
        odd.metadata.xattrs.insert(name.into(), value.into());
    }
    tree.insert(&path("odd"), odd).unwrap();
    tree.insert(&path("short"), Inode::symlink("s".repeat(59))).unwrap();
    tree.insert(&path("long"), Inode::symlink("l".repeat(60))).unwrap();
    let image = write(
        &tree,
        &Ext4Options { label: "sixteen bytes ok".to_owned(), ..Ext4Options::default() },
    );
    e2fsck(image.path());
    assert!(read(image.path()) == tree);

    let table = [
        ("stat odd", "User: 1000000   Group: 70000 "),
        ("stat odd", "mtime: 0x7fffffff:00000003"),
        ("stat etc/old", "mtime: 0xffffffff:00000000"),
        (
            "ea_list odd",
            "system.posix_acl_access (16) = 01 00 00 00 01 00 06 00 02 00 04 00 e8 03 00 00",
        ),
        ("ea_list odd", "user.short (5) = \"value\""),
        ("ea_list odd", "user.long (3000)"),
        ("stat short", "Fast link dest: \"sss"),
        ("stat long", "EXTENTS:\n(0)"),
        ("stat dev/console", "Device major/minor number: 05:01"),
        ("stat dev/far", "(New-style) Device major/minor number: 4095:1048575"),
        ("stat run/pipe", "Type: FIFO"),
        ("stat run/socket", "Type: socket"),
        ("stat bin/ash", "Links: 2 "),
        ("show_super_stats -h", "sixteen bytes ok"),
        ("show_super_stats -h", "Reserved block count:     0"),
    ];
    for (request, wanted) in table {
        let said = debugfs(image.path(), request);
        assert!(said.contains(wanted), "{request}: {said}");
    }
}

#[test]
fn a_size_that_is_too_small_is_told_with_one_that_fits() {
    let mut tree = full_sample();
    tree.insert(&path("large"), Inode::file("x".repeat(3 << 20), 0o644)).unwrap();
    for journal in [Journal::None, Journal::Internal] {
        let options =
            |size| Ext4Options { size_bytes: Some(size), journal, ..Ext4Options::default() };
        let out = image_file();
        let error = write_ext4(&tree, &out, &options(1 << 20), &mut |_| Ok(())).unwrap_err();
        let WriteError::TooSmall { needed_bytes, .. } = error else { panic!("{error}") };
        let message = format!("1048576 bytes are too few for the tree: it needs {needed_bytes}");
        assert_eq!(error.to_string(), message);
        let mib = needed_bytes.div_ceil(1 << 20);
        let hint = format!("give at least {mib} MiB, or no size for one that fits");
        assert_eq!(error.hint(), Some(hint));
        e2fsck(write(&tree, &options(needed_bytes)).path());
        assert!(write_ext4(&tree, &out, &options(needed_bytes - 4096), &mut |_| Ok(())).is_err());
    }
    let error = write_ext4(
        &tree,
        &image_file(),
        &Ext4Options { size_bytes: Some(1 << 44), ..Ext4Options::default() },
        &mut |_| Ok(()),
    );
    assert!(matches!(error, Err(WriteError::TooLarge { .. })));
}

#[test]
fn what_the_format_cannot_say_is_refused() {
    let with = |change: &dyn Fn(&mut Inode)| {
        let mut inode = Inode::file("x", 0o644);
        change(&mut inode);
        let mut tree = Tree::new();
        tree.insert(&path("file"), inode).unwrap();
        write_ext4(&tree, &image_file(), &Ext4Options::default(), &mut |_| Ok(()))
            .unwrap_err()
            .to_string()
    };
    let xattr = |name: &'static [u8], value: Vec<u8>| {
        with(&move |inode| {
            inode.metadata.xattrs.insert(name.into(), value.clone().into());
        })
    };
    let gone =
        Content::HostFile { path: std::path::PathBuf::from("/nowhere").into(), offset: 0, len: 9 };
    let table = [
        (
            with(&|inode| inode.node = Node::File(sparse((1 << 44) - 4095, &[]))),
            "/file has 17592186040321 bytes: ext4 takes files of less than 16 TiB",
        ),
        (
            with(&|inode| inode.node = Node::File(gone.clone())),
            "/file could not be copied into the image",
        ),
        (
            xattr(b"user.large", vec![0; 4041]),
            "the extended attributes of /file do not fit: they take 4068 bytes beyond its inode, and a block holds 4060",
        ),
        (
            xattr(b"system.posix_acl_access", b"no".to_vec()),
            "/file has a value of system.posix_acl_access that is no access control list",
        ),
        (
            xattr(b"user.\0", Vec::new()),
            "/file has an attribute whose name is too long or holds NUL: \"user.\\\\x00\"",
        ),
    ];
    for (got, wanted) in table {
        assert_eq!(got, wanted);
    }
    let options = Ext4Options { label: "seventeen bytes ..".to_owned(), ..Ext4Options::default() };
    let error = write_ext4(&Tree::new(), &image_file(), &options, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, WriteError::Label { .. }));
}

#[test]
fn times_end_where_the_format_does() {
    for (mtime_s, kept) in [(i64::MIN, i64::from(i32::MIN)), (1 << 34, 0x3_7fff_ffff)] {
        let mut tree = Tree::new();
        let mut inode = Inode::file("", 0o644);
        inode.metadata.mtime_s = mtime_s;
        tree.insert(&path("file"), inode).unwrap();
        let image = write(&tree, &Ext4Options::default());
        assert_eq!(read(image.path()).get(&path("file")).unwrap().metadata.mtime_s, kept);
    }
}

#[test]
fn a_tree_may_bring_its_own_lost_and_found() {
    let mut tree = Tree::new();
    for inode in [Inode::directory(0o755), Inode::directory(0o700)] {
        tree.insert(&path("lost+found"), inode).unwrap();
        let image = write(&tree, &Ext4Options::default());
        e2fsck(image.path());
        assert!(read(image.path()) == tree);
    }
    tree.insert(&path("lost+found/a"), Inode::file("x", 0o600)).unwrap();
    let image = write(&tree, &Ext4Options::default());
    e2fsck(image.path());
    assert!(read(image.path()) == tree);
}

/// What `mke2fs` writes from a directory, with blocks of all sizes, and with lists instead of
/// extents.
#[test]
fn images_of_mke2fs_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let large: Vec<u8> = (0..2_000_000u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(at("large"), &large).unwrap();
    std::fs::write(at("small"), "small").unwrap();
    std::fs::hard_link(at("small"), at("linked")).unwrap();
    std::fs::create_dir(at("many")).unwrap();
    for index in 0..500 {
        std::fs::write(at(&format!("many/{index}")), "").unwrap();
    }
    std::os::unix::fs::symlink("small", at("short")).unwrap();
    std::os::unix::fs::symlink("l".repeat(400), at("long")).unwrap();
    let holes = File::create(at("holes")).unwrap();
    holes.set_len(70 << 20).unwrap();
    holes.write_all_at(b"data", 69 << 20).unwrap();
    for words in
        ["-t ext4", "-t ext4 -b 1024", "-t ext4 -b 2048 -I 128", "-t ext3", "-t ext2 -b 1024"]
    {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(64 << 20).unwrap();
        let mut mke2fs = Command::new("mke2fs");
        run(mke2fs
            .args(["-q", "-F"])
            .args(words.split(' '))
            .arg("-d")
            .arg(dir.path())
            .arg(image.path()));
        let tree = read(image.path());
        assert_eq!(tree.walk().count(), 1 + 7 + 500, "{words}: {}", tree.render_dump());
        assert!(bytes_at(&tree, "large") == large, "{words}");
        let links = tree.walk().find(|entry| entry.path == path("linked")).unwrap().links;
        assert_eq!((bytes_at(&tree, "linked"), links), (b"small".to_vec(), 2));
        assert_eq!(tree.get(&path("short")).unwrap().node, Node::Symlink(b"small"[..].into()));
        assert_eq!(tree.get(&path("long")).unwrap().node, Node::Symlink([b'l'; 400][..].into()));
        let holes = bytes_at(&tree, "holes");
        assert_eq!((holes.len(), &holes[69 << 20..][..5]), (70 << 20, &b"data\0"[..]));
    }
}

/// The blocks of an image that hold something.
fn used_blocks(image: &File) -> Vec<u64> {
    let blocks = image.metadata().unwrap().len() / 4096;
    let mut block = [0; 4096];
    (0..blocks)
        .filter(|index| {
            image.read_exact_at(&mut block, index * 4096).unwrap();
            block != [0; 4096]
        })
        .collect()
}

/// Everything that a reader does with an image.
fn use_up(image: &Arc<File>) {
    let _ = list_ext4(image, &mut |_| {});
    if let Ok(tree) = read_ext4(image) {
        for entry in tree.walk() {
            if let Node::File(content) = &entry.inode.node {
                let most = content.open().unwrap().take(1 << 20);
                let _ = std::io::copy(&mut { most }, &mut std::io::sink());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// Every place of an image but the contents of files may say anything.
    #[test]
    fn damaged_images_are_errors_at_most(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0usize..4096, any::<u8>()), 200),
    ) {
        let image = image_file();
        let mut tree = full_sample();
        tree.remove(&path("bin/busybox"));
        let run = |index| DataRun { at: index * 8192, offset: index, len: 1 };
        let pieces: Vec<_> = (0..2000).map(run).collect();
        tree.insert(&path("pieces"), Inode::file(sparse(2000 * 8192, &pieces), 0o644)).unwrap();
        write_ext4(&tree, &image, &Ext4Options::default(), &mut |_| Ok(())).unwrap();
        let blocks = used_blocks(&image);
        for (block, at, value) in damage {
            // The first block has the superblock, where most of the numbers are.
            let block = *block.get(&blocks[..blocks.len().min(120)]);
            let at = block * 4096 + if block == 0 { 1024 + at as u64 % 1024 } else { at as u64 };
            let mut before = [0];
            image.read_exact_at(&mut before, at).unwrap();
            image.write_all_at(&[value], at).unwrap();
            use_up(&image);
            image.write_all_at(&before, at).unwrap();
        }
    }
}

#[test]
fn directories_in_themselves_are_refused() {
    let mut tree = Tree::new();
    tree.insert(&path("a/b"), Inode::file("", 0o644)).unwrap();
    let image = write(&tree, &Ext4Options::default());
    for (number, message) in [
        (12, "another name as well"),
        (2, "another name as well"),
        (0xff_ffff, "there is no inode"),
    ] {
        let mut bytes = std::fs::read(image.path()).unwrap();
        let entry = [13, 0, 0, 0, 0xe8, 0x0f, 1, 1, b'b'];
        let at = bytes.windows(entry.len()).position(|window| window == entry).unwrap();
        bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(number));
        let damaged = image_file();
        damaged.write_all_at(&bytes, 0).unwrap();
        let error = read_ext4(&damaged).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /a/b of the image");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(message), "{source}");
    }
}
