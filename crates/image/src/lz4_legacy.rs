//! The legacy frame of LZ4 (`lz4 -l`), the only one that the kernel reads: a magic number, then
//! blocks of 8 MiB, each behind its compressed length (`lib/decompress_unlz4.c` of Linux 6.12).

use std::io::{self, BufRead, Read, Write};

use lz4_flex::block;

/// The first four bytes, little endian.
pub(crate) const MAGIC: u32 = 0x184c_2102;

/// Bytes of a block before compression; only the last one may have fewer.
const BLOCK_LEN: usize = 8 << 20;

/// Compresses what is written into blocks.
pub(crate) struct Lz4LegacyWriter<W> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> Lz4LegacyWriter<W> {
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC.to_le_bytes())?;
        Ok(Self { out, block: Vec::new() })
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.write_block()?;
        Ok(self.out)
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = block::compress(&self.block);
        self.out.write_all(&(packed.len() as u32).to_le_bytes())?;
        self.out.write_all(&packed)?;
        self.block.clear();
        Ok(())
    }
}

impl<W: Write> Write for Lz4LegacyWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = buf.len().min(BLOCK_LEN - self.block.len());
        self.block.extend_from_slice(&buf[..count]);
        if self.block.len() == BLOCK_LEN {
            self.write_block()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Decompresses the blocks after a magic number that was read already.
///
/// Ends where the kernel does: at the end of the input, or at a length of 0.
pub(crate) struct Lz4LegacyReader<R> {
    input: R,
    packed: Vec<u8>,
    block: Vec<u8>,
    /// The bytes of the block that are still to be read.
    filled: std::ops::Range<usize>,
}

impl<R: BufRead> Lz4LegacyReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, packed: Vec::new(), block: Vec::new(), filled: 0..0 }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let len = loop {
            match self.length()? {
                Some(MAGIC) => {}
                Some(len) => break len as usize,
                None => return Ok(()),
            }
        };
        if len > block::get_maximum_output_size(BLOCK_LEN) {
            return Err(invalid(format!("an LZ4 block is said to have {len} bytes")));
        }
        self.packed.clear();
        self.input.by_ref().take(len as u64).read_to_end(&mut self.packed)?;
        if self.packed.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.block.resize(BLOCK_LEN, 0);
        let count = block::decompress_into(&self.packed, &mut self.block).map_err(invalid)?;
        self.filled = 0..count;
        Ok(())
    }

    fn length(&mut self) -> io::Result<Option<u32>> {
        let mut bytes = [0; 4];
        let mut have = 0;
        while have < bytes.len() {
            match self.input.read(&mut bytes[have..])? {
                0 => break,
                count => have += count,
            }
        }
        match u32::from_le_bytes(bytes) {
            0 => Ok(None),
            length if have == bytes.len() => Ok(Some(length)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<R: BufRead> Read for Lz4LegacyReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.filled.is_empty() {
            self.next_block()?;
        }
        let count = buf.len().min(self.filled.len());
        let start = self.filled.start;
        buf[..count].copy_from_slice(&self.block[start..start + count]);
        self.filled.start += count;
        Ok(count)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut writer = Lz4LegacyWriter::new(Vec::new()).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn unpack(packed: &[u8]) -> io::Result<(Vec<u8>, usize)> {
        let mut rest = &packed[4..];
        let mut bytes = Vec::new();
        Lz4LegacyReader::new(&mut rest).read_to_end(&mut bytes)?;
        Ok((bytes, rest.len()))
    }

    #[test]
    fn blocks_of_eight_mebibytes_come_back() {
        for len in [0, 1, BLOCK_LEN - 1, BLOCK_LEN, BLOCK_LEN + 1, 2 * BLOCK_LEN] {
            let bytes: Vec<u8> = (0..len).map(|at| (at / 7 % 251) as u8).collect();
            assert!(unpack(&pack(&bytes)).unwrap() == (bytes, 0), "{len} bytes");
        }
    }

    #[test]
    fn a_length_of_zero_ends_the_frame() {
        let mut packed = pack(b"cpio");
        packed.extend(b"\0\0\0\x00070701");
        assert_eq!(unpack(&packed).unwrap(), (b"cpio".to_vec(), 6));
    }

    #[test]
    fn hostile_lengths_allocate_nothing() {
        let mut packed = MAGIC.to_le_bytes().to_vec();
        packed.extend(0xffff_ff00u32.to_le_bytes());
        let error = unpack(&packed).unwrap_err().to_string();
        assert_eq!(error, "an LZ4 block is said to have 4294967040 bytes");
        let cut = pack(&[7; 1000]);
        let error = unpack(&cut[..cut.len() - 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
