//! Compression in the dialects that the kernel unpacks.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use flate2::write::GzEncoder;
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;

use crate::lz4_legacy::Lz4LegacyWriter;

/// How an image is compressed. All of it is deterministic: no names, no times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: the kernel only copies, which boots fastest.
    #[default]
    None,
    /// gzip at level 9.
    Gzip,
    /// Zstandard at level 19 with a window of 1 MiB: the kernel allocates the window, and the
    /// machine may be small.
    Zstd,
    /// LZ4's legacy frame (`lz4 -l`), the only one the kernel knows; it allocates 8 MiB for it.
    Lz4,
    /// xz at level 9 with CRC32, which is the check the kernel knows, and a dictionary of 1 MiB, as
    /// `scripts/Makefile.lib` of Linux has it; no filter for jumps.
    Xz,
}

/// A word that names no compression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression {word:?}: known are none, gzip, zstd, lz4 and xz")]
pub struct UnknownCompression {
    /// The word as given.
    pub word: String,
}

const ZSTD_LEVEL: i32 = 19;
const ZSTD_WINDOW_LOG: u32 = 20;
const XZ_PRESET: u32 = 9;
const XZ_DICT_BYTES: u32 = 1 << 20;

impl Compression {
    /// All of them, in the order of their documentation.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Zstd, Self::Lz4, Self::Xz];

    /// The word for it in recipes and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }

    /// A writer that compresses into `out`; nothing is complete before [`Encoder::finish`].
    ///
    /// # Errors
    ///
    /// When `out` takes no header.
    pub fn encoder<W: Write>(self, out: W) -> io::Result<Encoder<W>> {
        Ok(Encoder(match self {
            Self::None => Inner::None(out),
            Self::Gzip => Inner::Gzip(GzEncoder::new(out, flate2::Compression::best())),
            Self::Zstd => {
                let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW_LOG)?;
                Inner::Zstd(encoder)
            }
            Self::Lz4 => Inner::Lz4(Lz4LegacyWriter::new(out)?),
            Self::Xz => {
                let mut options = LzmaOptions::new_preset(XZ_PRESET)?;
                options.dict_size(XZ_DICT_BYTES);
                let mut filters = Filters::new();
                filters.lzma2(&options);
                let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
                Inner::Xz(XzEncoder::new_stream(out, stream))
            }
        }))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(word: &str) -> Result<Self, UnknownCompression> {
        let known = Self::ALL.into_iter().find(|compression| compression.as_str() == word);
        known.ok_or_else(|| UnknownCompression { word: word.to_owned() })
    }
}

/// Compresses what is written; see [`Compression::encoder`].
pub struct Encoder<W: Write>(Inner<W>);

enum Inner<W: Write> {
    None(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
    Lz4(Lz4LegacyWriter<W>),
    Xz(XzEncoder<W>),
}

impl<W: Write> Encoder<W> {
    /// Writes what is outstanding and hands the inner writer back.
    ///
    /// # Errors
    ///
    /// Those of the inner writer.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Inner::None(out) => Ok(out),
            Inner::Gzip(encoder) => encoder.finish(),
            Inner::Zstd(encoder) => encoder.finish(),
            Inner::Lz4(encoder) => encoder.finish(),
            Inner::Xz(encoder) => encoder.finish(),
        }
    }

    fn inner(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            Inner::None(out) => out,
            Inner::Gzip(encoder) => encoder,
            Inner::Zstd(encoder) => encoder,
            Inner::Lz4(encoder) => encoder,
            Inner::Xz(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        for compression in Compression::ALL {
            assert_eq!(compression.to_string().parse(), Ok(compression));
        }
        assert_eq!(
            "bzip2".parse::<Compression>().unwrap_err().to_string(),
            "unknown compression \"bzip2\": known are none, gzip, zstd, lz4 and xz"
        );
    }
}
