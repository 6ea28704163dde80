//! Which compression a tarball has, by its first bytes.

use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use crate::source::SourceError;

/// Where `ustar` stands in a tar header (POSIX.1-2017, pax, "ustar Interchange Format").
const USTAR_OFFSET: usize = 257;

/// How much is read from the file at once.
const CHUNK: usize = 128 << 10;

/// How a tarball is compressed.
#[derive(Clone, Copy)]
enum Compression {
    None,
    Xz,
    Gzip,
    Zstd,
    Bzip2,
}

/// None of the compressions that are known.
#[derive(Debug, thiserror::Error)]
#[error("unknown compression")]
struct Unknown;

/// The tar archive in `file`.
///
/// # Errors
/// Those of reading, and one that [`error`] knows when the compression is not known.
pub(super) fn decode<'a>(mut file: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head)?;
    let compression = detect(&head).ok_or_else(|| io::Error::other(Unknown))?;
    let whole = BufReader::with_capacity(CHUNK, Cursor::new(head).chain(file));
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(whole)),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(whole)),
    })
}

fn detect(head: &[u8]) -> Option<Compression> {
    let magics: [(usize, &[u8], Compression); 5] = [
        (0, b"\xfd7zXZ\0", Compression::Xz),
        (0, b"\x1f\x8b", Compression::Gzip),
        (0, b"\x28\xb5\x2f\xfd", Compression::Zstd),
        (0, b"BZh", Compression::Bzip2),
        (USTAR_OFFSET, b"ustar", Compression::None),
    ];
    let has = |offset, magic| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let found = magics.into_iter().find(|(offset, magic, _)| has(*offset, magic));
    found.map(|(_, _, compression)| compression)
}

/// What an error of [`decode`] means.
pub(super) fn error(tarball: &Path, error: io::Error) -> SourceError {
    match error.downcast::<Unknown>() {
        Ok(Unknown) => SourceError::UnknownCompression { path: tarball.to_owned() },
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            SourceError::WrongKind { wanted: "file", path: tarball.to_owned() }
        }
        Err(source) => SourceError::Io { action: "read", path: tarball.to_owned(), source },
    }
}
