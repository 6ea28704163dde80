//! Archives from a stream of bytes that may be hostile.

use std::io::{self, BufRead, Read};

use super::entry::{Entry, FormatError};
use super::format::{
    ALIGN, HEADER_LEN, Header, MAGIC, MAGIC_WITH_SUM, NAME_MAX_WITH_NUL, S_IFLNK, S_IFMT, S_IFREG,
    TRAILER, padding,
};
use crate::tally::Tally;

/// What is called for each entry, with the bytes of its file: it need not read them.
pub(crate) type Visit<'a> = dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()> + 'a;

/// Why reading stopped, in the entry that starts at `offset`.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) offset: u64,
    pub(crate) cause: Cause,
}

#[derive(Debug)]
pub(crate) enum Cause {
    /// The bytes are wrong.
    Format(FormatError),
    /// No bytes could be had.
    Input(io::Error),
    /// The visitor did not want to go on.
    Visit { name: Vec<u8>, source: io::Error },
}

impl From<FormatError> for Cause {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Format(FormatError::Truncated),
            _ => Self::Input(error),
        }
    }
}

/// Reads archives entry by entry; holds no more than a name and a link target at a time.
pub(crate) struct Reader<'a> {
    pub(crate) visit: &'a mut Visit<'a>,
    /// Trailers seen.
    pub(crate) archives: u32,
    /// Entries seen, without trailers.
    pub(crate) entries: u64,
}

enum Seen {
    Entry,
    Trailer,
}

impl Reader<'_> {
    /// Reads one archive, from a header to its trailer. Between entries the kernel skips zeros.
    pub(crate) fn archive(&mut self, input: &mut Tally<impl BufRead>) -> Result<(), Stop> {
        loop {
            let seen = match skip_zeros(input) {
                Ok(Some(b'0')) if input.consumed().is_multiple_of(ALIGN) => {
                    let offset = input.consumed();
                    self.entry(input).map_err(|cause| Stop { offset, cause })?
                }
                Ok(Some(_)) => return Err(stop(input, FormatError::NoMagic)),
                Ok(None) => return Err(stop(input, FormatError::NoTrailer)),
                Err(error) => return Err(stop(input, error)),
            };
            if matches!(seen, Seen::Trailer) {
                self.archives = self.archives.saturating_add(1);
                return Ok(());
            }
        }
    }

    fn entry(&mut self, input: &mut Tally<impl BufRead>) -> Result<Seen, Cause> {
        let mut bytes = [0; HEADER_LEN];
        input.read_exact(&mut bytes)?;
        let has_sum = match &bytes[..6] {
            magic if magic == MAGIC => false,
            magic if magic == MAGIC_WITH_SUM => true,
            b"070707" => return Err(FormatError::OldCpio.into()),
            _ => return Err(FormatError::NoMagic.into()),
        };
        let header = Header::decode(&bytes).ok_or(FormatError::Number)?;
        let name = read_name(input, header.namesize)?;
        if name == TRAILER {
            return Ok(Seen::Trailer);
        }
        skip_padding(input)?;

        self.entries += 1;
        let mut entry = Entry::new(self.archives, name, &header);
        if header.mode & S_IFMT == S_IFLNK {
            if header.filesize > NAME_MAX_WITH_NUL {
                return Err(FormatError::TargetLength { len: header.filesize }.into());
            }
            let mut target = vec![0; header.filesize as usize];
            input.read_exact(&mut target)?;
            entry.target = Some(target);
            self.call(&entry, &mut io::empty())?;
        } else {
            let got = self.data(input, &entry)?;
            if has_sum && header.mode & S_IFMT == S_IFREG && got != header.check {
                return Err(FormatError::Sum { wanted: header.check, got }.into());
            }
        }
        skip_padding(input)?;
        Ok(Seen::Entry)
    }

    /// Lets the visitor have the data, reads what it left, and returns their sum.
    fn data(&mut self, input: &mut Tally<impl BufRead>, entry: &Entry) -> Result<u32, Cause> {
        let mut data = Data { input, left: entry.size, sum: 0, failed: None };
        let called = self.call(entry, &mut data);
        if let Some(kind) = data.failed {
            // The visitor only handed on what the input told it.
            return Err(io::Error::from(kind).into());
        }
        called?;
        io::copy(&mut data, &mut io::sink())?;
        Ok(data.sum)
    }

    fn call(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), Cause> {
        let name = || entry.name.clone();
        (self.visit)(entry, data).map_err(|source| Cause::Visit { name: name(), source })
    }
}

/// The data of one file.
struct Data<'a, R> {
    input: &'a mut Tally<R>,
    left: u32,
    sum: u32,
    failed: Option<io::ErrorKind>,
}

impl<R: BufRead> Read for Data<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = buf.len().min(self.left as usize);
        if wanted == 0 {
            return Ok(0);
        }
        let result = match self.input.read(&mut buf[..wanted]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        match &result {
            Ok(count) => {
                self.left -= *count as u32;
                let sum = |sum: u32, byte: &u8| sum.wrapping_add(u32::from(*byte));
                self.sum = buf[..*count].iter().fold(self.sum, sum);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.failed = Some(error.kind()),
        }
        result
    }
}

/// Skips zeros; the first other byte is left where it is.
pub(crate) fn skip_zeros(input: &mut Tally<impl BufRead>) -> io::Result<Option<u8>> {
    loop {
        let filled = input.fill_buf()?;
        let zeros = filled.iter().take_while(|&&byte| byte == 0).count();
        match filled.get(zeros).copied() {
            None if filled.is_empty() => return Ok(None),
            next => {
                input.consume(zeros);
                if next.is_some() {
                    return Ok(next);
                }
            }
        }
    }
}

pub(crate) fn stop(input: &Tally<impl BufRead>, cause: impl Into<Cause>) -> Stop {
    Stop { offset: input.consumed(), cause: cause.into() }
}

fn read_name(input: &mut Tally<impl BufRead>, len: u32) -> Result<Vec<u8>, Cause> {
    if !(1..=NAME_MAX_WITH_NUL).contains(&len) {
        return Err(FormatError::NameLength { len }.into());
    }
    let mut name = vec![0; len as usize];
    input.read_exact(&mut name)?;
    match name.iter().position(|&byte| byte == 0) {
        Some(nul) if nul + 1 == name.len() => {
            name.pop();
            Ok(name)
        }
        _ => Err(FormatError::Name.into()),
    }
}

fn skip_padding(input: &mut Tally<impl BufRead>) -> io::Result<()> {
    let mut skipped = [0; ALIGN as usize];
    let count = padding(input.consumed());
    input.read_exact(&mut skipped[..count])
}
