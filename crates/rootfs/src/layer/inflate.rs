//! From the bytes of a blob to those of the archive.

use std::io::{self, BufReader, Read};
use std::ops::Range;

use liblzma::stream::{CONCATENATED, Stream};

use super::Compression;
use super::gzip::Gzip;
use super::input::Blob;
use super::stream::CHUNK;

/// How much is read from the blob at once.
const READ: usize = 128 << 10;

/// Most memory that xz may take. `xz -9` takes 65 MiB; larger dictionaries are made on purpose.
const XZ_MEMORY: u64 = 128 << 20;

/// Gives the bytes of the archive.
pub(super) trait Decoder {
    /// Puts the next bytes into a part of a buffer, which is empty at their end.
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<Range<usize>>;
}

/// The inflated bytes of a blob. `is_digested`: whether these are compared with a digest, beside
/// which the checks of gzip say nothing.
pub(super) fn inflated<'b>(
    blob: &'b mut Blob<'_>,
    compression: Compression,
    is_digested: bool,
) -> io::Result<Box<dyn Decoder + 'b>> {
    let buffered = |blob| BufReader::with_capacity(READ, blob);
    Ok(match compression {
        Compression::Auto | Compression::None => Box::new(Reader(blob)),
        Compression::Gzip => Box::new(Gzip::new(blob, !is_digested)),
        // Takes windows of at most 128 MiB (ZSTD_WINDOWLOG_LIMIT_DEFAULT).
        Compression::Zstd => Box::new(Reader(zstd::Decoder::with_buffer(buffered(blob))?)),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
            Box::new(Reader(liblzma::bufread::XzDecoder::new_stream(buffered(blob), stream)))
        }
    })
}

struct Reader<R>(R);

impl<R: Read> Decoder for Reader<R> {
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<Range<usize>> {
        let mut filled = 0;
        while filled < CHUNK {
            match self.0.read(&mut buffer[filled..CHUNK]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(0..filled)
    }
}
