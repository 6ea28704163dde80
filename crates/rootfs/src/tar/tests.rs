//! What is read from archives of all kinds, and what is refused.

use super::testing::{Member, archive};
use super::{Archive, ArchiveError, Entry, Kind};
use crate::tree::Device;

fn read(bytes: &[u8]) -> Result<Vec<Entry>, ArchiveError> {
    let mut archive = Archive::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = archive.next()? {
        entry.path()?;
        entries.push(entry);
    }
    Ok(entries)
}

fn read_one(members: &[Member]) -> Entry {
    let mut entries = read(&archive(members)).unwrap();
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

/// A line for each entry: type, mode, owner, time, path, and what belongs to the type.
fn list(bytes: &[u8]) -> String {
    let line = |entry: Entry| {
        let meta = &entry.metadata;
        let (letter, rest) = match &entry.kind {
            Kind::Directory => ('d', String::new()),
            Kind::File(data) => {
                let content = match &data.data_runs {
                    None => {
                        let start = data.offset as usize;
                        bytes[start..start + data.len as usize].escape_ascii().to_string()
                    }
                    Some(runs) => format!(
                        "{:?} of {}",
                        runs.iter().map(|run| (run.at, run.len)).collect::<Vec<_>>(),
                        data.len
                    ),
                };
                ('-', format!(" {content}"))
            }
            Kind::Symlink(target) => ('l', format!(" -> {}", target.escape_ascii())),
            Kind::HardLink(target) => ('h', format!(" = {target}")),
            Kind::CharDevice(Device { major, minor }) => ('c', format!(" {major}:{minor}")),
            Kind::BlockDevice(Device { major, minor }) => ('b', format!(" {major}:{minor}")),
            Kind::Fifo => ('p', String::new()),
        };
        let (mode, uid, gid, mtime) = (meta.mode, meta.uid, meta.gid, meta.mtime_s);
        let path = entry.path().unwrap();
        format!("{letter}{mode:04o} {uid}:{gid} @{mtime} {path}{rest}")
    };
    let lines: Vec<_> = read(bytes).unwrap().into_iter().map(line).collect();
    lines.join("\n")
}

#[test]
fn every_kind_of_entry_is_read() {
    let device = |typeflag, name| {
        Member::new(typeflag, name, b"").field(329, b"0000010\0").field(337, b"0000377\0")
    };
    let bytes = archive(&[
        Member::directory("./"),
        Member::directory("./a/").field(100, b"0041777"),
        Member::file("/a/file", b"content"),
        Member::new(0, "a/old", b"before 1988").field(257, &[0; 8]),
        Member::new(0, "a/old-directory/", b"").field(257, &[0; 8]),
        Member::new(b'7', "a/contiguous", b"in one piece"),
        Member::link(b'1', "a/hard", "./a/file"),
        Member::link(b'2', "a/soft", "../x"),
        device(b'3', "char"),
        device(b'4', "block"),
        Member::new(b'6', "fifo", b""),
        Member::new(b'V', "a label", b"passed over").gnu(),
        Member::new(b'g', "global", b"13 uid=12345\n"),
        Member::new(b'D', "dumped/", b"Yfile\0\0").gnu(),
        Member::file(b"not \xff text", b""),
    ]);
    assert_eq!(
        list(&bytes),
        "d0755 1:2 @3 /\n\
         d1777 1:2 @3 /a\n\
         -0644 1:2 @3 /a/file content\n\
         -0644 1:2 @3 /a/old before 1988\n\
         d0644 1:2 @3 /a/old-directory\n\
         -0644 1:2 @3 /a/contiguous in one piece\n\
         h0644 1:2 @3 /a/hard = /a/file\n\
         l0644 1:2 @3 /a/soft -> ../x\n\
         c0644 1:2 @3 /char 8:255\n\
         b0644 1:2 @3 /block 8:255\n\
         p0644 1:2 @3 /fifo\n\
         d0644 1:2 @3 /dumped\n\
         -0644 1:2 @3 /not \\xff text "
    );
}

#[test]
fn long_names_come_in_four_ways() {
    let long = "d/".repeat(60) + "file";
    let prefixed = Member::file("file", b"").field(345, b"some/directory");
    let star =
        Member::file("file", b"").field(345, b"star").field(476, b"777").field(508, b"tar\0");
    let entries = [
        read_one(&[prefixed]),
        read_one(&[star]),
        read_one(&[
            Member::new(b'L', "", (long.clone() + "\0").as_bytes()).gnu(),
            Member::file("d", b"").gnu(),
        ]),
        read_one(&[Member::pax(&[(b"path", long.as_bytes())]), Member::file("d", b"")]),
    ];
    let paths = entries.map(|entry| entry.path().unwrap().to_string());
    let long = format!("/{long}");
    assert_eq!(paths, ["/some/directory/file", "/star/file", &*long, &*long]);

    let both = [
        Member::new(b'L', "", b"gnu\0").gnu(),
        Member::new(b'K', "", b"gnu target\0").gnu(),
        Member::pax(&[(b"path", b"pax\n"), (b"linkpath", b"pax target")]),
        Member::link(b'2', "header", "header target"),
    ];
    assert_eq!(list(&archive(&both)), "l0644 1:2 @3 /pax\\n -> pax target");
    assert_eq!(
        list(&archive(&[both[0].clone(), both[1].clone(), both[3].clone()])),
        "l0644 1:2 @3 /gnu -> gnu target"
    );
}

#[test]
fn gnu_headers_of_old_go_have_a_prefix() {
    let (long, long_path) = ("d/".repeat(70), format!("/{}f", "d/".repeat(70)));
    let table: [(&[u8], &str); 6] = [
        (b"some/directory", "/some/directory/f"),
        // Digits, and only the second field is no number.
        (b"000000000000/directory", "/000000000000/directory/f"),
        (long.trim_end_matches('/').as_bytes(), &long_path),
        (b"00000000003\x0000000000003\0", "/f"),
        (b"\x80\0\0\0\0\0\0\0\0\0\0\x03", "/f"),
        (b"n\xc3\xb6/directory", "/f"),
    ];
    for (bytes, path) in table {
        let entry = read_one(&[Member::file("f", b"").gnu().field(345, bytes)]);
        assert_eq!(entry.path().unwrap().to_string(), path);
    }
}

#[test]
fn pax_records_outdo_the_header() {
    let records: &[(&[u8], &[u8])] = &[
        (b"uid", b"4000000000"),
        (b"gid", b"3000000"),
        (b"mtime", b"-1.25"),
        (b"size", b"5"),
        (b"SCHILY.xattr.security.capability", b"\x01\n\0"),
    ];
    let entry =
        read_one(&[Member::pax(records), Member::file("f", b"12345").field(124, b"00000000000")]);
    let meta = &entry.metadata;
    assert_eq!((meta.uid, meta.gid, meta.mtime_s), (4_000_000_000, 3_000_000, -2));
    assert_eq!(meta.xattrs[&b"security.capability"[..]][..], *b"\x01\n\0");
    assert!(matches!(entry.kind, Kind::File(data) if data.len == 5));
}

#[test]
fn numbers_may_be_base_256() {
    let entry = read_one(&[Member::file("f", b"")
        .gnu()
        .field(108, b"\x80\0\0\0\xff\xff\xff\xfe")
        .field(136, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")]);
    assert_eq!((entry.metadata.uid, entry.metadata.mtime_s), (u32::MAX - 1, -1));
}

#[test]
fn sparse_files_come_in_four_ways() {
    let old = Member::new(b'S', "s", b"abcdef")
        .gnu()
        .field(386, b"00000000002\x0000000000004\0")
        .field(410, b"00000000010\x0000000000002\0")
        .field(483, b"00000000024");
    let v00: &[(&[u8], &[u8])] = &[
        (b"GNU.sparse.size", b"20"),
        (b"GNU.sparse.numblocks", b"2"),
        (b"GNU.sparse.offset", b"2"),
        (b"GNU.sparse.numbytes", b"4"),
        (b"GNU.sparse.offset", b"8"),
        (b"GNU.sparse.numbytes", b"2"),
    ];
    let v01: &[(&[u8], &[u8])] = &[
        (b"GNU.sparse.size", b"20"),
        (b"GNU.sparse.numblocks", b"2"),
        (b"GNU.sparse.name", b"s"),
        (b"GNU.sparse.map", b"2,4,8,2"),
    ];
    let v10: &[(&[u8], &[u8])] = &[
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"s"),
        (b"GNU.sparse.realsize", b"20"),
    ];
    let mut map = b"3\n2\n4\n8\n2\n20\n0\n".to_vec();
    map.resize(512, 0);
    map.extend_from_slice(b"abcdef");
    let archives = [
        archive(&[old, Member::file("next", b"x")]),
        archive(&[Member::pax(v00), Member::file("s", b"abcdef"), Member::file("next", b"x")]),
        archive(&[
            Member::pax(v01),
            Member::file("GNUSparseFile.1/s", b"abcdef"),
            Member::file("next", b"x"),
        ]),
        archive(&[
            Member::pax(v10),
            Member::file("GNUSparseFile.1/s", &map),
            Member::file("next", b"x"),
        ]),
    ];
    for bytes in archives {
        assert_eq!(list(&bytes), "-0644 1:2 @3 /s [(2, 4), (8, 2)] of 20\n-0644 1:2 @3 /next x");
        let entries = read(&bytes).unwrap();
        let Kind::File(data) = &entries[0].kind else { panic!() };
        let runs = data.data_runs.as_ref().unwrap();
        let at = |at: u64, len: u64| &bytes[at as usize..][..len as usize];
        assert_eq!((at(runs[0].offset, 4), at(runs[1].offset, 2)), (&b"abcd"[..], &b"ef"[..]));
    }
}

#[test]
fn old_sparse_maps_go_on_behind_the_header() {
    let descriptor = |at: u64, len: u64| format!("{at:011o}\0{len:011o}\0").into_bytes();
    let mut head =
        Member::new(b'S', "s", &[b'x'; 30]).gnu().field(482, b"\x01").field(483, b"00000000200");
    for index in 0..4 {
        head = head.field(386 + 24 * index, &descriptor(4 * index as u64, 1));
    }
    let more = |from: u64, to: u64, is_extended: u8| {
        let mut block: Vec<u8> = (from..to).flat_map(|index| descriptor(4 * index, 1)).collect();
        block.resize(504, 0);
        block.push(is_extended);
        block.resize(512, 0);
        block
    };
    head.content = [more(4, 25, 1), more(25, 30, 0), vec![b'x'; 30]].concat();
    let entry = read_one(&[head]);
    let Kind::File(data) = entry.kind else { panic!() };
    let runs = data.data_runs.unwrap();
    assert_eq!((runs.len(), runs[29].at, runs[29].offset, data.len), (30, 116, 1565, 128));
}

#[test]
fn the_end_may_be_sloppy() {
    let whole = archive(&[Member::file("f", b"123")]);
    for end in [whole.len(), whole.len() - 512, whole.len() - 1024, 512 + 3, 512 + 100] {
        assert_eq!(read(&whole[..end]).unwrap().len(), 1, "{end}");
    }
    for end in [1, 511, 513, 512 + 2, 1024 + 1, 1024 + 512 + 7] {
        let error = read(&whole[..end]).unwrap_err().to_string();
        assert_eq!(error, format!("it is cut off after {end} bytes"));
    }
    assert!(read(b"").unwrap().is_empty());
    let announced = archive(&[Member::pax(&[(b"path", b"x")])]);
    assert!(matches!(read(&announced).unwrap_err(), ArchiveError::Truncated { .. }));
}

#[test]
fn refusals_say_what_and_where() {
    let file =
        |records: &[(&[u8], &[u8])]| archive(&[Member::pax(records), Member::file("f", b"12345")]);
    let sparse =
        |map: &[u8], size: &[u8]| file(&[(b"GNU.sparse.size", size), (b"GNU.sparse.map", map)]);
    let v10 = |map: &[u8]| {
        let records: &[(&[u8], &[u8])] =
            &[(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9")];
        archive(&[Member::pax(records), Member::file("f", map)])
    };
    let first = Member::file("f", b"").bytes();
    let mut bent = archive(&[Member::file("f", b""), Member::file("g", b"")]);
    bent[512] = b'h';
    let long_name = vec![b'n'; 300];
    let table: Vec<(Vec<u8>, &str)> = vec![
        (vec![b'x'; 2048], "it is not a tar archive"),
        (bent, "the header at byte 512 has a wrong checksum"),
        (
            [&first, &[0; 512][..], &first].concat(),
            "the zero block at byte 512 is followed by more",
        ),
        (
            archive(&[Member::file("f", b"").field(124, b"0000000000x")]),
            "the header at byte 0 has no valid size",
        ),
        (
            archive(&[Member::file("f", b"")
                .field(124, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")]),
            "the header at byte 0 has no valid size",
        ),
        (
            archive(&[
                Member::file("f", b"").field(124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff")
            ]),
            "the header at byte 0 has no valid size",
        ),
        (
            archive(&[Member::file("f", b"").field(108, b"\xff\xff\xff\xff\xff\xff\xff\xfe")]),
            "the header at byte 0 has no valid owner",
        ),
        (archive(&[Member::file("../f", b"")]), "the entry at byte 0 has a name that cannot be"),
        (archive(&[Member::file("", b"")]), "the entry at byte 0 has a name that cannot be"),
        (file(&[(b"path", &long_name)]), "the entry at byte 1024 has a name that cannot be"),
        (
            archive(&[Member::link(b'1', "l", "/../f")]),
            "the hard link l has a target that cannot be",
        ),
        (archive(&[Member::new(b'Z', "f", b"")]), "f is of the unknown type 'Z'"),
        (
            archive(&[Member::new(b'L', "", b"").gnu().field(124, b"77777777777")]),
            "the extended headers at byte 0 have 8589934591 bytes; the most is 4194304",
        ),
        (
            file(&[(b"SCHILY.xattr.", b"")]),
            "f has an extended attribute that cannot be: its name is empty",
        ),
        (
            file(&[(b"SCHILY.xattr.a\0b", b"")]),
            "f has an extended attribute that cannot be: its name holds a NUL byte",
        ),
        (
            file(&[(&[&b"SCHILY.xattr."[..], &long_name].concat(), b"")]),
            "f has an extended attribute that cannot be: its name has more than 255 bytes",
        ),
        (
            file(&[(b"SCHILY.xattr.a", &vec![0; 65_537])]),
            "f has an extended attribute that cannot be: its value has more than 65536 bytes",
        ),
        (
            sparse(b"0,5,4,0", b"9"),
            "the sparse file at byte 1024 has a map that cannot be: it is not in order",
        ),
        (
            sparse(b"5,5", b"9"),
            "the sparse file at byte 1024 has a map that cannot be: it goes beyond the file's end",
        ),
        (
            sparse(b"18446744073709551615,5", b"9"),
            "the sparse file at byte 1024 has a map that cannot be: it goes beyond the file's end",
        ),
        (
            sparse(b"0,4", b"9"),
            "the sparse file at byte 1024 has a map that cannot be: it does not fit the content",
        ),
        (
            sparse(b"0,6", b"9"),
            "the sparse file at byte 1024 has a map that cannot be: it does not fit the content",
        ),
        (sparse(b"0,4,6", b"9"), "the header at byte 0 has no valid sparse map"),
        (file(&[(b"GNU.sparse.map", b"0,5")]), "the header at byte 1024 has no valid sparse size"),
        (file(&[(b"GNU.sparse.numbytes", b"5")]), "the header at byte 0 has no valid sparse map"),
        (v10(b"1\n0\n9\n"), "the header at byte 1024 has no valid sparse map"),
        (v10(&[b'1'; 1024]), "the header at byte 1024 has no valid sparse map"),
        (
            v10(&[b"99999999\n".to_vec(), vec![b'x'; 503]].concat()),
            "the header at byte 1024 has no valid sparse map",
        ),
    ];
    for (bytes, message) in table {
        assert_eq!(read(&bytes).unwrap_err().to_string(), message);
    }
}
