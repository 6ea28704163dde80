//! A tree as a tar stream, for programs that take nothing else: ustar with pax headers
//! (POSIX.1-2017, `pax`), and extended attributes as `SCHILY.xattr` records.

use std::collections::HashMap;
use std::io::{self, Write};

use mote_rootfs::tree::{Content, Device, Entry, InodeId, Metadata, Node, Tree, TreePath};

const BLOCK: usize = 512;

/// Why a tree could not be written as tar.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The format has no place for it.
    #[error("no tar can hold {what} {path}")]
    Unsayable {
        /// What it is.
        what: &'static str,
        /// Its path.
        path: TreePath,
    },
    /// The bytes of a file of the tree could not be read.
    #[error("{path} could not be read")]
    Content {
        /// The file, in the tree.
        path: TreePath,
        /// Why.
        source: io::Error,
    },
    /// The stream could not be written.
    #[error("the tar stream could not be written")]
    Output(#[source] io::Error),
}

/// Writes a tree as tar: names in the order of the tree's walk, hard links to the first name of an
/// inode. The same tree gives the same bytes.
///
/// # Errors
///
/// See [`TarError`].
pub fn write_tar(tree: &Tree, out: &mut dyn Write) -> Result<(), TarError> {
    let mut firsts: HashMap<InodeId, TreePath> = HashMap::new();
    for entry in tree.walk() {
        let mut member = Member::new(&entry)?;
        let mut content = None;
        if entry.links > 1 {
            let first = firsts.entry(entry.id).or_insert_with(|| entry.path.clone());
            if *first != entry.path {
                member.kind = b'1';
                member.target = first.as_bytes();
            }
        }
        if let (Node::File(bytes), b'0') = (&entry.inode.node, member.kind) {
            member.size = bytes.len();
            content = Some(bytes);
        }
        member.write(&entry, out).map_err(TarError::Output)?;
        if let Some(content) = content {
            copy(content, &entry.path, out)?;
        }
    }
    out.write_all(&[0; 2 * BLOCK]).map_err(TarError::Output)
}

fn copy(content: &Content, path: &TreePath, out: &mut dyn Write) -> Result<(), TarError> {
    let failed = |source| TarError::Content { path: path.clone(), source };
    let mut reader = content.open().map_err(failed)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match io::Read::read(&mut reader, &mut buffer) {
            Ok(0) => return pad(content.len(), out).map_err(TarError::Output),
            Ok(count) => out.write_all(&buffer[..count]).map_err(TarError::Output)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn pad(len: u64, out: &mut dyn Write) -> io::Result<()> {
    let padding = len.next_multiple_of(BLOCK as u64) - len;
    out.write_all(&[0; BLOCK][..padding as usize])
}

/// One name, as its header says it.
struct Member<'a> {
    name: Vec<u8>,
    kind: u8,
    size: u64,
    target: &'a [u8],
    device: Device,
}

impl<'a> Member<'a> {
    fn new(entry: &Entry<'a>) -> Result<Self, TarError> {
        let unsayable = |what| TarError::Unsayable { what, path: entry.path.clone() };
        if entry.inode.metadata.xattrs.keys().any(|name| name.contains(&b'=')) {
            return Err(unsayable("an extended attribute with `=` in its name, as has"));
        }
        let mut name = [b"./", entry.path.as_bytes()].concat();
        let (mut target, mut device) = (&b""[..], Device { major: 0, minor: 0 });
        let kind = match &entry.inode.node {
            Node::File(_) => b'0',
            Node::Symlink(to) => {
                target = to;
                b'2'
            }
            Node::CharDevice(number) => {
                device = *number;
                b'3'
            }
            Node::BlockDevice(number) => {
                device = *number;
                b'4'
            }
            Node::Directory => {
                if !entry.path.is_root() {
                    name.push(b'/');
                }
                b'5'
            }
            Node::Fifo => b'6',
            Node::Socket => return Err(unsayable("the socket")),
        };
        Ok(Self { name, kind, size: 0, target, device })
    }

    /// Writes the header, and before it one with what does not fit there.
    fn write(&self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let meta = &entry.inode.metadata;
        // A field of n bytes has n - 1 octal digits, or is left to the pax header.
        let mut records = Vec::new();
        let mut record = |key: &[u8], value: &[u8]| append_record(&mut records, key, value);
        for (key, text) in [("path", &self.name[..]), ("linkpath", self.target)] {
            if text.len() > 100 {
                record(key.as_bytes(), text);
            }
        }
        let numbers = [("uid", meta.uid.into(), 7), ("gid", meta.gid.into(), 7)];
        for (key, number, digits) in numbers.into_iter().chain([("size", self.size, 11)]) {
            if octal(number, digits).is_none() {
                record(key.as_bytes(), number.to_string().as_bytes());
            }
        }
        let mtime = u64::try_from(meta.mtime_s).ok().and_then(|mtime| octal(mtime, 11));
        if mtime.is_none() || meta.mtime_ns != 0 {
            record(b"mtime", time(meta).as_bytes());
        }
        for (name, value) in &meta.xattrs {
            record(&[b"SCHILY.xattr.", &name[..]].concat(), value);
        }
        if !records.is_empty() {
            let len = records.len() as u64;
            out.write_all(&Header::new(b"././@PaxHeader", b'x').number(124, 11, len).seal())?;
            out.write_all(&records)?;
            pad(len, out)?;
        }
        let header = Header::new(&self.name, self.kind)
            .number(100, 7, meta.mode.into())
            .number(108, 7, meta.uid.into())
            .number(116, 7, meta.gid.into())
            .number(124, 11, self.size)
            .number(136, 11, u64::try_from(meta.mtime_s).unwrap_or(0))
            .text(157, self.target)
            .number(329, 7, self.device.major.into())
            .number(337, 7, self.device.minor.into());
        out.write_all(&header.seal())
    }
}

/// `LEN KEY=VALUE\n`, where the length counts its own digits.
fn append_record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    records.extend_from_slice(len.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

fn octal(number: u64, digits: usize) -> Option<String> {
    let text = format!("{number:0>digits$o}");
    (text.len() == digits).then_some(text)
}

/// A block that says what follows.
struct Header([u8; BLOCK]);

impl Header {
    fn new(name: &[u8], kind: u8) -> Self {
        let mut header = Self([0; BLOCK]);
        header.0[156] = kind;
        header.0[257..265].copy_from_slice(b"ustar\x0000");
        header.text(0, name)
    }

    /// As much of a text as the 100 bytes of its field take.
    fn text(mut self, at: usize, text: &[u8]) -> Self {
        let len = text.len().min(100);
        self.0[at..at + len].copy_from_slice(&text[..len]);
        self
    }

    /// A number, or zeros where it is too large.
    fn number(mut self, at: usize, digits: usize, number: u64) -> Self {
        let text = octal(number, digits).unwrap_or_else(|| "0".repeat(digits));
        self.0[at..at + digits].copy_from_slice(text.as_bytes());
        self
    }

    fn seal(mut self) -> [u8; BLOCK] {
        self.0[148..156].fill(b' ');
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        self.0[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0
    }
}

/// A time as extended headers have it: seconds with their sign, and a fraction where there is one.
fn time(meta: &Metadata) -> String {
    match (meta.mtime_s, meta.mtime_ns) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., ns) => format!("{seconds}.{ns:09}"),
        // The fraction counts towards the past here.
        (seconds, ns) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - ns),
    }
}
