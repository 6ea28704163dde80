//! The bytes of a layer, on their way from the thread that inflates to the one that digests and
//! reads the archive. Inflating takes longest.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest, Sha256};

use super::place::Places;

/// Length of one chunk: fits a processor's cache, and is worth a system call.
const CHUNK: usize = 256 << 10;

/// Chunks of one stream. Two are filled and one read while the others wait for their turn.
const CHUNKS: usize = 5;

enum Chunk {
    /// As the blob has it: for the digest only.
    Blob(Vec<u8>),
    /// Inflated.
    Archive(Vec<u8>),
}

/// Where chunks are put in. Dropping it ends the stream.
pub(super) struct Inlet {
    full: SyncSender<Chunk>,
    empty: Receiver<Vec<u8>>,
}

/// Where the archive comes out, read in place. Every byte goes into the digest before it is seen, and
/// afterwards where it is wanted.
pub(super) struct Outlet<'a> {
    full: Receiver<Chunk>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    used: usize,
    pub(super) places: Places<'a>,
    digests: Digests<Sha256>,
}

/// Of those that are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digests<D> {
    pub(super) blob: Option<D>,
    pub(super) archive: Option<D>,
}

/// A stream that digests itself, and writes itself where it is wanted.
pub(super) fn stream(places: Places<'_>, digests: Digests<Sha256>) -> (Inlet, Outlet<'_>) {
    let (full, full_outlet) = sync_channel(CHUNKS);
    let (empty_outlet, empty) = channel();
    for _ in 0..CHUNKS {
        empty_outlet.send(vec![0; CHUNK]).expect("the other end is at hand");
    }
    let outlet = Outlet {
        full: full_outlet,
        empty: empty_outlet,
        chunk: Vec::new(),
        used: 0,
        places,
        digests,
    };
    (Inlet { full, empty }, outlet)
}

impl Inlet {
    /// Reads one chunk and sends it on; says how many bytes it has. Nothing, if there is no more
    /// to read or nobody who listens.
    pub(super) fn pump(&self, reader: &mut dyn Read) -> io::Result<Option<u64>> {
        let Ok(mut chunk) = self.empty.recv() else {
            return Ok(None);
        };
        chunk.resize(CHUNK, 0);
        let count = read_full(reader, &mut chunk)?;
        chunk.truncate(count);
        if count == 0 || self.full.send(Chunk::Archive(chunk)).is_err() {
            return Ok(None);
        }
        Ok(Some(count as u64))
    }

    /// Has bytes of the blob digested, unless nobody listens.
    pub(super) fn digest(&self, bytes: &[u8]) {
        for bytes in bytes.chunks(CHUNK) {
            let Ok(mut chunk) = self.empty.recv() else { return };
            chunk.clear();
            chunk.extend_from_slice(bytes);
            let _ = self.full.send(Chunk::Blob(chunk));
        }
    }
}

fn read_full(reader: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match reader.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Outlet<'_> {
    /// Reads what is left, and gives the digests of all.
    pub(super) fn finish(&mut self) -> io::Result<Digests<[u8; 32]>> {
        loop {
            match self.fill_buf()?.len() {
                0 => break,
                count => self.consume(count),
            }
        }
        let Digests { blob, archive } = std::mem::take(&mut self.digests);
        let finish = |digest: Sha256| digest.finalize().into();
        Ok(Digests { blob: blob.map(finish), archive: archive.map(finish) })
    }

    /// The next chunk of the archive; empty at its end.
    fn next(&mut self) -> Vec<u8> {
        loop {
            match self.full.recv() {
                Ok(Chunk::Blob(chunk)) => {
                    if let Some(digest) = &mut self.digests.blob {
                        digest.update(&chunk);
                    }
                    self.give_back(chunk);
                }
                Ok(Chunk::Archive(chunk)) => {
                    if let Some(digest) = &mut self.digests.archive {
                        digest.update(&chunk);
                    }
                    return chunk;
                }
                Err(_) => return Vec::new(),
            }
        }
    }

    fn give_back(&self, chunk: Vec<u8>) {
        // Nobody fills chunks any more once the end was sent.
        let _ = self.empty.send(chunk);
    }
}

impl BufRead for Outlet<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.len() {
            self.used = 0;
            self.places.write(&self.chunk)?;
            let read = std::mem::take(&mut self.chunk);
            if read.capacity() > 0 {
                self.give_back(read);
            }
            self.chunk = self.next();
        }
        Ok(&self.chunk[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
    }
}

impl Read for Outlet<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}
