//! The header block of an entry.

use super::ArchiveError;
use super::number::parse_field;

/// Everything in an archive lies in blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// One header block, at its place in the archive.
///
/// The layouts agree in all fields up to the magic; behind it, `ustar` and GNU have theirs.
pub(super) struct Header {
    pub(super) bytes: [u8; BLOCK],
    pub(super) offset: u64,
}

/// Which layout the bytes behind the magic have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// None: V7 archives end with the link name.
    Old,
    Ustar,
    /// Jörg Schilling's, which marks its shorter prefix at the end of the block.
    Star,
    Gnu,
}

impl Header {
    pub(super) fn is_zero(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == 0)
    }

    /// Checks the sum of all bytes, the checksum's own taken as blanks; some old writers summed
    /// signed bytes.
    pub(super) fn check(&self) -> Result<(), ArchiveError> {
        let wrong = if self.offset == 0 {
            ArchiveError::NotTar
        } else {
            ArchiveError::Checksum { offset: self.offset }
        };
        let blanks = 8 * i64::from(b' ');
        let (before, after) = (&self.bytes[..148], &self.bytes[156..]);
        let all = || before.iter().chain(after);
        let unsigned = all().map(|&byte| i64::from(byte)).sum::<i64>() + blanks;
        let signed = all().map(|&byte| i64::from(byte as i8)).sum::<i64>() + blanks;
        match parse_field(&self.bytes[148..156]) {
            Some(sum) if sum == unsigned || sum == signed => Ok(()),
            _ => Err(wrong),
        }
    }

    pub(super) fn typeflag(&self) -> u8 {
        self.bytes[156]
    }

    /// The name, with the prefix that `ustar` has before it.
    pub(super) fn name(&self) -> Vec<u8> {
        let prefix = match self.layout() {
            Layout::Ustar => text(&self.bytes[345..500]),
            Layout::Star => text(&self.bytes[345..476]),
            Layout::Gnu => self.prefix_of_old_go(),
            Layout::Old => b"",
        };
        let name = text(&self.bytes[..100]);
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The prefix that Go before 1.8 wrote into GNU's headers, over the times of access and change
    /// (golang issues 12594 and 21005): ASCII where these are no numbers.
    fn prefix_of_old_go(&self) -> &[u8] {
        let times = [&self.bytes[345..357], &self.bytes[357..369]];
        let prefix = text(&self.bytes[345..500]);
        let is_number = |time: &[u8]| time[0] == 0 || parse_field(time).is_some();
        if times.into_iter().all(is_number) || !prefix.is_ascii() { b"" } else { prefix }
    }

    pub(super) fn link_name(&self) -> &[u8] {
        text(&self.bytes[157..257])
    }

    /// Permissions; old GNU archives have the file type's bits there too.
    pub(super) fn mode(&self) -> Result<u16, ArchiveError> {
        let mode = self.number(100..108, "mode")?;
        Ok((mode & 0o7777) as u16)
    }

    pub(super) fn uid(&self) -> Result<u32, ArchiveError> {
        self.number(108..116, "owner").and_then(|uid| self.narrow(uid, "owner"))
    }

    pub(super) fn gid(&self) -> Result<u32, ArchiveError> {
        self.number(116..124, "group").and_then(|gid| self.narrow(gid, "group"))
    }

    pub(super) fn size(&self) -> Result<u64, ArchiveError> {
        self.length(124..136, "size")
    }

    pub(super) fn mtime_s(&self) -> Result<i64, ArchiveError> {
        self.number(136..148, "time")
    }

    pub(super) fn device(&self) -> Result<(u32, u32), ArchiveError> {
        if self.layout() == Layout::Old {
            return Ok((0, 0));
        }
        let number =
            |range| self.number(range, "device").and_then(|number| self.narrow(number, "device"));
        Ok((number(329..337)?, number(337..345)?))
    }

    /// Whether the fields of GNU's sparse files are there.
    pub(super) fn is_gnu(&self) -> bool {
        self.layout() == Layout::Gnu
    }

    /// A length that a field gives.
    pub(super) fn length(
        &self,
        range: std::ops::Range<usize>,
        field: &'static str,
    ) -> Result<u64, ArchiveError> {
        self.number(range, field).and_then(|number| self.narrow(number, field))
    }

    fn layout(&self) -> Layout {
        match (&self.bytes[257..265], &self.bytes[508..512]) {
            (b"ustar  \0", _) => Layout::Gnu,
            ([b'u', b's', b't', b'a', b'r', 0, ..], b"tar\0") => Layout::Star,
            ([b'u', b's', b't', b'a', b'r', 0, ..], _) => Layout::Ustar,
            _ => Layout::Old,
        }
    }

    fn number(
        &self,
        range: std::ops::Range<usize>,
        field: &'static str,
    ) -> Result<i64, ArchiveError> {
        parse_field(&self.bytes[range]).ok_or_else(|| self.invalid(field))
    }

    fn narrow<T: TryFrom<i64>>(&self, number: i64, field: &'static str) -> Result<T, ArchiveError> {
        T::try_from(number).map_err(|_| self.invalid(field))
    }

    /// The error for a field of this header, or one that replaces it.
    pub(super) fn invalid(&self, field: &'static str) -> ArchiveError {
        ArchiveError::Field { offset: self.offset, field }
    }
}

/// The bytes of a text field, which ends at a NUL or with the field.
fn text(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&byte| byte == 0).unwrap_or(field.len())]
}
