//! A whole initramfs: archives, compressed or not, one after the other, as the kernel's
//! `unpack_to_rootfs` takes them (`init/initramfs.c` of Linux 6.12).

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;

use crate::cpio::{
    Cause, Entry, FormatError, Reader, Stop, WriteError, Written, skip_zeros, stop, write_archive,
};
use crate::lz4_legacy::{self, Lz4LegacyReader};
use crate::tally::Tally;
use crate::{Compression, OnProgress};

/// Writes a tree as an initramfs.
///
/// # Errors
///
/// See [`WriteError`].
pub fn write_initramfs(
    tree: &mote_rootfs::tree::Tree,
    compression: Compression,
    out: &mut dyn Write,
    on_progress: OnProgress<'_>,
) -> Result<Written, WriteError> {
    let mut encoder = compression.encoder(out).map_err(WriteError::Output)?;
    let written = write_archive(tree, &mut encoder, on_progress)?;
    let out = encoder.finish().map_err(WriteError::Output)?;
    out.flush().map_err(WriteError::Output)?;
    Ok(written)
}

/// How many zero bytes to put after an initramfs of `len` bytes before appending another.
///
/// A plain archive must start at a multiple of 4, and the kernel takes whatever follows an LZ4
/// frame for its next block unless four zeros end it.
pub fn join_padding(len: u64) -> usize {
    4 + (len.next_multiple_of(4) - len) as usize
}

/// What a whole initramfs holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The archives, or for compressed ones the streams with one or more archives in them.
    pub segments: Vec<Segment>,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

/// A plain archive, or one compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it starts in the file.
    pub offset: u64,
    /// Bytes in the file.
    pub bytes: u64,
    /// How it is compressed.
    pub compression: Compression,
    /// Bytes after decompression.
    pub unpacked_bytes: u64,
    /// Names, without trailers.
    pub entries: u64,
}

/// Why an initramfs could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what they should be.
    #[error("in the {compression} segment at byte {segment}, byte {offset} of its contents")]
    Format {
        /// Where the segment starts in the file.
        segment: u64,
        /// How the segment is compressed.
        compression: Compression,
        /// Where the entry starts in the segment, after decompression.
        offset: u64,
        /// What is wrong.
        source: FormatError,
    },
    /// The compressed bytes are damaged.
    #[error("the {compression} segment at byte {segment} does not decompress")]
    Decompress {
        /// Where the segment starts in the file.
        segment: u64,
        /// How the segment is compressed.
        compression: Compression,
        /// What the decompressor said.
        source: io::Error,
    },
    /// A compression that the kernel knows and mote does not.
    #[error("the segment at byte {segment} is compressed with {name}, which mote does not read")]
    Unsupported {
        /// Where the segment starts in the file.
        segment: u64,
        /// Name of the compression.
        name: &'static str,
    },
    /// Neither an archive nor a compressed one.
    #[error("at byte {segment} there is neither a cpio archive nor a compressed one")]
    Unknown {
        /// Where the unknown bytes start in the file.
        segment: u64,
    },
    /// The file could not be read.
    #[error("the file could not be read")]
    Input(#[source] io::Error),
    /// The caller's visitor gave up.
    #[error("the entry {name:?} was not taken")]
    Visit {
        /// Name of the entry, made printable.
        name: String,
        /// What the visitor said.
        source: io::Error,
    },
}

/// Reads an initramfs, compressed or not, and shows every entry to `visit`, with the bytes of its
/// file, of which the visitor may read as many as it likes.
///
/// The input may be hostile: no more memory is used than the longest name, and what the
/// decompressors need (8 MiB for LZ4, the window or dictionary for the others).
///
/// # Errors
///
/// See [`ReadError`].
pub fn read_initramfs<'a>(
    input: impl BufRead,
    visit: &'a mut (dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()> + 'a),
) -> Result<Summary, ReadError> {
    let mut input = Tally::hashing(input);
    let mut reader = Reader { visit, archives: 0, entries: 0 };
    let mut segments = Vec::new();
    while let Some(first) = skip_zeros(&mut input).map_err(ReadError::Input)? {
        segments.push(read_segment(&mut input, first, &mut reader)?);
    }
    let bytes = input.consumed();
    Ok(Summary { segments, bytes, sha256: input.sha256() })
}

fn read_segment(
    input: &mut Tally<impl BufRead>,
    first: u8,
    reader: &mut Reader<'_>,
) -> Result<Segment, ReadError> {
    let offset = input.consumed();
    let entries = reader.entries;
    let (compression, unpacked_bytes) = if first == b'0' && offset.is_multiple_of(4) {
        let read = reader.archive(input);
        // Offsets in errors count from the start of the segment, compressed or not.
        read.map_err(|stop| {
            let stop = Stop { offset: stop.offset - offset, ..stop };
            explain(stop, offset, Compression::None)
        })?;
        (Compression::None, input.consumed() - offset)
    } else {
        let mut magic = [0; 2];
        input.read_exact(&mut magic).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Unknown { segment: offset },
            _ => ReadError::Input(error),
        })?;
        let compression = detect(magic, offset)?;
        (compression, decompress(input, magic, compression, offset, reader)?)
    };
    Ok(Segment {
        offset,
        bytes: input.consumed() - offset,
        compression,
        unpacked_bytes,
        entries: reader.entries - entries,
    })
}

/// By the first two bytes, as `lib/decompress.c` of Linux 6.12 does it.
fn detect(magic: [u8; 2], segment: u64) -> Result<Compression, ReadError> {
    let name = match magic {
        [0x1f, 0x8b | 0x9e] => return Ok(Compression::Gzip),
        [0x28, 0xb5] => return Ok(Compression::Zstd),
        [0x02, 0x21] => return Ok(Compression::Lz4),
        [0xfd, 0x37] => return Ok(Compression::Xz),
        [0x42, 0x5a] => "bzip2",
        [0x5d, 0x00] => "lzma",
        [0x89, 0x4c] => "lzo",
        _ => return Err(ReadError::Unknown { segment }),
    };
    Err(ReadError::Unsupported { segment, name })
}

/// Reads the archives of one compressed stream, and returns how many bytes they had.
fn decompress(
    input: &mut Tally<impl BufRead>,
    magic: [u8; 2],
    compression: Compression,
    segment: u64,
    reader: &mut Reader<'_>,
) -> Result<u64, ReadError> {
    let failed = |source| ReadError::Decompress { segment, compression, source };
    let mut packed = magic.as_slice().chain(input);
    let stream: &mut dyn Read = match compression {
        Compression::None => &mut packed,
        Compression::Gzip => &mut GzDecoder::new(packed),
        Compression::Zstd => {
            &mut zstd::Decoder::with_buffer(packed).map_err(failed)?.single_frame()
        }
        Compression::Xz => &mut XzDecoder::new(packed),
        Compression::Lz4 => {
            let mut start = [0; 4];
            packed.read_exact(&mut start).map_err(failed)?;
            if u32::from_le_bytes(start) != lz4_legacy::MAGIC {
                return Err(ReadError::Unknown { segment });
            }
            &mut Lz4LegacyReader::new(packed)
        }
    };
    let mut unpacked = Tally::counting(BufReader::new(stream));
    read_archives(&mut unpacked, reader).map_err(|stop| explain(stop, segment, compression))?;
    Ok(unpacked.consumed())
}

/// All archives of a decompressed stream: only zeros may stand between and after them.
fn read_archives(input: &mut Tally<impl BufRead>, reader: &mut Reader<'_>) -> Result<(), Stop> {
    loop {
        match skip_zeros(input) {
            Ok(None) => return Ok(()),
            Ok(Some(b'0')) => reader.archive(input)?,
            Ok(Some(_)) => return Err(stop(input, FormatError::Junk)),
            Err(error) => return Err(stop(input, Cause::Input(error))),
        }
    }
}

fn explain(stop: Stop, segment: u64, compression: Compression) -> ReadError {
    match stop.cause {
        Cause::Format(source) => {
            ReadError::Format { segment, compression, offset: stop.offset, source }
        }
        Cause::Input(source) if compression == Compression::None => ReadError::Input(source),
        Cause::Input(source) => ReadError::Decompress { segment, compression, source },
        Cause::Visit { name, source } => {
            ReadError::Visit { name: name.escape_ascii().to_string(), source }
        }
    }
}
