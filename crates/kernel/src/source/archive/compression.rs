//! Which compression a tarball has, by its first bytes.

use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::thread;

use liblzma::stream::MtStreamBuilder;

use crate::source::SourceError;

/// Where `ustar` stands in a tar header (POSIX.1-2017, pax, "ustar Interchange Format").
const USTAR_OFFSET: usize = 257;

/// How much is read from the file at once.
const CHUNK: usize = 128 << 10;

/// What xz may use for decoding with several threads; with more it uses fewer.
const XZ_THREADING_BYTES: u64 = 512 << 20;

/// What xz may use at all: its largest preset needs 65 MiB.
const XZ_LIMIT_BYTES: u64 = 1 << 30;

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
    let has = |offset: usize, magic: &[u8]| {
        head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    };
    let (xz, gzip, zstd, bzip2, tar) = (
        has(0, b"\xfd7zXZ\0"),
        has(0, b"\x1f\x8b"),
        has(0, b"\x28\xb5\x2f\xfd"),
        has(0, b"BZh"),
        has(USTAR_OFFSET, b"ustar"),
    );
    let whole = BufReader::with_capacity(CHUNK, Cursor::new(head).chain(file));
    if xz {
        let stream = xz_decoder()?;
        Ok(Box::new(liblzma::bufread::XzDecoder::new_stream(whole, stream)))
    } else if gzip {
        Ok(Box::new(flate2::bufread::MultiGzDecoder::new(whole)))
    } else if zstd {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(whole)?))
    } else if bzip2 {
        Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(whole)))
    } else if tar {
        Ok(Box::new(whole))
    } else {
        Err(io::Error::other(Unknown))
    }
}

/// Several threads decode an archive that was compressed in blocks, as Debian's are.
fn xz_decoder() -> io::Result<liblzma::stream::Stream> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(64));
    let mut builder = MtStreamBuilder::new();
    builder.threads(u32::try_from(threads).unwrap_or(1));
    builder.memlimit_threading(XZ_THREADING_BYTES).memlimit_stop(XZ_LIMIT_BYTES);
    Ok(builder.decoder()?)
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
