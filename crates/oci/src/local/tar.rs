//! Where the files of a tar archive lie in it, without reading them.

use std::collections::HashMap;
use std::io;

use tar_core::EntryType;
use tar_core::parse::{Limits, ParseEvent, Parser};

use crate::image::{BlobReader, BlobRef};
use crate::stop::{Stop, Stopped};

/// The most entries that an archive of images may have: a thousand layers with all that docker
/// writes beside them are far fewer.
const ENTRIES_MAX: usize = 100_000;

/// What contents are padded to (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK: u64 = 512;

/// How much is read to find the next header, at first and at most: names may be long.
const HEADER_BYTES: usize = 4 << 10;
const HEADER_MAX_BYTES: usize = 4 << 20;

/// How many links are followed.
const LINKS_MAX: usize = 8;

/// The files of an archive by their paths.
#[derive(Debug)]
pub(super) struct TarIndex {
    archive: BlobRef,
    entries: HashMap<String, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    File {
        offset: u64,
        len: u64,
    },
    /// To a path in the archive.
    Link(String),
}

impl TarIndex {
    /// Goes through the headers of the archive.
    pub(super) fn read(archive: BlobRef, stop: &Stop<'_>) -> io::Result<Self> {
        let mut entries = HashMap::new();
        let mut headers = Headers::new(&archive)?;
        for count in 0.. {
            stop.check().map_err(io::Error::other::<Stopped>)?;
            let Some((path, entry)) = headers.next()? else { break };
            if count >= ENTRIES_MAX {
                return Err(io::Error::other(format!("more than {ENTRIES_MAX} entries")));
            }
            if let (Some(path), Some(entry)) = (normal(&path, ""), entry) {
                entries.insert(path, entry);
            }
        }
        Ok(Self { archive, entries })
    }

    /// The file of that path; links are followed as long as they stay in the archive.
    pub(super) fn find(&self, path: &str) -> Option<BlobRef> {
        let mut path = normal(path.as_bytes(), "")?;
        for _ in 0..LINKS_MAX {
            match self.entries.get(&path)? {
                Entry::Link(target) => path = target.clone(),
                Entry::File { offset, len } => {
                    let file = self.archive.file.clone();
                    return Some(BlobRef { file, offset: *offset, len: *len });
                }
            }
        }
        None
    }
}

/// A path without `.` and `..`, if it is text and stays below the archive's root; relative to
/// `folder`.
fn normal(path: &[u8], folder: &str) -> Option<String> {
    let path = str::from_utf8(path).ok()?;
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The headers of an archive, one after the other.
struct Headers<'a> {
    archive: &'a BlobRef,
    reader: BlobReader,
    parser: Parser,
    /// Where in the archive the next header is.
    position: u64,
}

impl<'a> Headers<'a> {
    fn new(archive: &'a BlobRef) -> io::Result<Self> {
        let reader = archive.open()?;
        Ok(Self { archive, reader, parser: Parser::new(Limits::default()), position: 0 })
    }

    /// The path of the next entry, and what it is if it matters.
    fn next(&mut self) -> io::Result<Option<(Vec<u8>, Option<Entry>)>> {
        let mut wanted = HEADER_BYTES;
        loop {
            let buffer = self.reader.peek(self.position, wanted)?;
            // Some end without the blocks of zeros.
            if buffer.is_empty() {
                return Ok(None);
            }
            let (consumed, found, size) =
                match self.parser.parse(&buffer).map_err(io::Error::other)? {
                    ParseEvent::NeedData { min_bytes } => {
                        if buffer.len() < wanted {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                        wanted = min_bytes.max(wanted.saturating_mul(2));
                        if wanted > HEADER_MAX_BYTES {
                            return Err(io::Error::other("a header without end"));
                        }
                        continue;
                    }
                    ParseEvent::GlobalExtensions { consumed, .. } => (consumed, None, 0),
                    ParseEvent::Entry { consumed, entry } => {
                        let path = entry.path.to_vec();
                        let folder = String::from_utf8_lossy(&path).into_owned();
                        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
                        let target = entry.link_target.as_deref().unwrap_or_default();
                        let offset = self.archive.offset + self.position + consumed as u64;
                        let kind = match entry.entry_type {
                            EntryType::Regular | EntryType::Continuous => {
                                Some(Entry::File { offset, len: entry.size })
                            }
                            EntryType::Symlink => normal(target, folder).map(Entry::Link),
                            EntryType::Link => normal(target, "").map(Entry::Link),
                            _ => None,
                        };
                        (consumed, Some((path, kind)), entry.size)
                    }
                    ParseEvent::SparseEntry { .. } => {
                        return Err(io::Error::other(
                            "a file with holes, which archives of images do not have",
                        ));
                    }
                    ParseEvent::End { .. } => return Ok(None),
                };
            let end = self
                .position
                .checked_add(consumed as u64)
                .and_then(|start| start.checked_add(size));
            let end = end.filter(|end| *end <= self.archive.len);
            let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.position = end.next_multiple_of(BLOCK);
            if found.is_some() {
                return Ok(found);
            }
            wanted = HEADER_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::sync::Arc;

    use mote_process::{Cancel, Command, Program};

    use super::*;
    use crate::image::BlobFile;

    fn index(bytes: &[u8]) -> io::Result<TarIndex> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let file = BlobFile::Unnamed(Arc::new(file));
        let cancel = Cancel::default();
        TarIndex::read(BlobRef { file, offset: 0, len: bytes.len() as u64 }, &Stop::new(&cancel))
    }

    /// What GNU tar makes of a folder with files, links and a long name.
    fn archive(dir: &Path, format: &str) -> Vec<u8> {
        let script = format!(
            "mkdir -p a/{long} && printf one >a/one && printf long >a/{long}/file && ln -s ../a/one a/soft \
             && ln a/one a/hard && ln -s ../../etc/passwd a/out && ln -s loop a/loop && ln -s soft a/chain \
             && : >a/empty && head -c 100000 /dev/zero >a/big \
             && tar --format={format} -cf - ./a",
            long = "n".repeat(200)
        );
        let shell = Program::find("sh", "/bin:/usr/bin".as_ref()).unwrap();
        let mut command = Command::new(&shell);
        command.args(["-c", &script]).current_dir(dir);
        command.output(&Cancel::default()).unwrap().stdout
    }

    #[test]
    fn files_are_found_through_links_within() {
        for format in ["gnu", "pax"] {
            let sandbox = tempfile::tempdir().unwrap();
            let index = index(&archive(sandbox.path(), format)).unwrap();
            let read = |path: &str| {
                index.find(path).map(|blob| io::read_to_string(blob.open().unwrap()).unwrap())
            };
            let long = format!("a/{}/file", "n".repeat(200));
            for (path, wanted) in [
                ("a/one", Some("one")),
                ("./a//one", Some("one")),
                ("a/soft", Some("one")),
                ("a/hard", Some("one")),
                ("a/chain", Some("one")),
                ("a/empty", Some("")),
                (long.as_str(), Some("long")),
                ("a/out", None),
                ("a/loop", None),
                ("a", None),
                ("b", None),
                ("../a/one", None),
            ] {
                assert_eq!(read(path).as_deref(), wanted, "{path} ({format})");
            }
        }
    }

    #[test]
    fn damaged_archives_are_refused_without_panic() {
        let sandbox = tempfile::tempdir().unwrap();
        let whole = archive(sandbox.path(), "pax");
        assert!(index(b"").unwrap().find("a").is_none());
        assert!(index(&[b'x'; 600]).is_err());
        assert!(index(&whole[..100]).is_err());
        // In the middle of the large file.
        let cut = whole.len() - 30_000;
        assert_eq!(index(&whole[..cut]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        for position in (0..8192).step_by(7) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x55;
            let _ = index(&damaged);
        }
    }
}
