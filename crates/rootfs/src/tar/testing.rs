//! Archives for tests, byte by byte, so that they can be as odd as anybody's.

use super::header::BLOCK;

/// One header with its content, both of which a test may bend.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) header: [u8; BLOCK],
    pub(crate) content: Vec<u8>,
}

impl Member {
    /// A member of a ustar archive: 0644, of user 1 and group 2, at second 3.
    pub(crate) fn new(typeflag: u8, name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let member = Self { header: [0; BLOCK], content: content.to_vec() };
        member
            .field(0, name.as_ref())
            .field(100, b"0000644")
            .field(108, b"0000001")
            .field(116, b"0000002")
            .field(124, format!("{:011o}", content.len()).as_bytes())
            .field(136, b"00000000003")
            .field(156, &[typeflag])
            .field(257, b"ustar\x0000")
    }

    pub(crate) fn file(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        Self::new(b'0', name, content)
    }

    pub(crate) fn directory(name: impl AsRef<[u8]>) -> Self {
        Self::new(b'5', name, b"").field(100, b"0000755")
    }

    /// A symbolic (`2`) or a hard link (`1`).
    pub(crate) fn link(typeflag: u8, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(typeflag, name, b"").field(157, target.as_ref())
    }

    /// A pax extended header for the member that follows.
    pub(crate) fn pax(records: &[(&[u8], &[u8])]) -> Self {
        let records: Vec<_> = records.iter().map(|(key, value)| record(key, value)).collect();
        Self::new(b'x', "pax", &records.concat())
    }

    /// With the GNU magic.
    pub(crate) fn gnu(self) -> Self {
        self.field(257, b"ustar  \0")
    }

    /// Puts bytes into the header.
    pub(crate) fn field(mut self, at: usize, bytes: &[u8]) -> Self {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The header, its checksum made right, and the content, padded.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut header = self.header;
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut bytes = [&header[..], &self.content].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

/// A whole archive.
pub(crate) fn archive(members: &[Member]) -> Vec<u8> {
    let mut bytes = members.iter().flat_map(Member::bytes).collect::<Vec<_>>();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

/// A record of a pax extended header.
pub(crate) fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    // Blank, equals sign and newline count, and so do the digits of the length.
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [len.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}
