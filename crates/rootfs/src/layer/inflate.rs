//! From the bytes of a blob to those of the archive.

use std::io::{self, BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};

use super::Compression;
use super::stream::Inlet;
use crate::tree::{Content, ContentReader};

/// How much is read from the blob at once.
const READ: usize = 128 << 10;

/// Most memory that xz may take. `xz -9` takes 65 MiB; larger dictionaries are made on purpose.
const XZ_MEMORY: u64 = 128 << 20;

/// The inflated bytes of a blob.
pub(super) fn inflated<'a>(
    blob: &'a mut Blob<'_>,
    compression: Compression,
) -> io::Result<Box<dyn Read + 'a>> {
    let buffered = |blob| BufReader::with_capacity(READ, blob);
    Ok(match compression {
        Compression::Auto | Compression::None => Box::new(blob),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(blob))),
        // Takes windows of at most 128 MiB (ZSTD_WINDOWLOG_LIMIT_DEFAULT).
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(buffered(blob))?),
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(buffered(blob), stream))
        }
    })
}

/// Reads a blob, has it digested on the way, and tells how far it has come.
pub(super) struct Blob<'a> {
    reader: ContentReader,
    digest: Option<&'a Inlet>,
    read: u64,
    on_read: &'a dyn Fn(u64),
    /// Set when the blob itself could not be read, to tell that from damaged contents.
    pub(super) failed: bool,
}

impl<'a> Blob<'a> {
    pub(super) fn open(
        content: &Content,
        digest: Option<&'a Inlet>,
        on_read: &'a dyn Fn(u64),
    ) -> io::Result<Self> {
        Ok(Self { reader: content.open()?, digest, read: 0, on_read, failed: false })
    }

    /// Reads what no decoder wanted.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(drop)
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buf).inspect_err(|error| {
            self.failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        if let Some(inlet) = self.digest {
            inlet.digest(&buf[..count]);
        }
        self.read += count as u64;
        (self.on_read)(self.read);
        Ok(count)
    }
}
