//! The bytes of a layer, on their way from the thread that inflates to the one that digests and
//! reads the archive. Inflating takes longest.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest, Sha256};

use super::deflate::WINDOW;
use super::inflate::Decoder;
use super::place::Places;

/// Length of one chunk: fits a processor's cache, and is worth a system call.
pub(super) const CHUNK: usize = 256 << 10;

/// Length of a buffer: room for a chunk, what a decoder has to have before it, and a bit behind it.
const BUFFER: usize = CHUNK + WINDOW + 4096;

/// Buffers of one stream. The thread that inflates has three in its hands and the other one, and one
/// waits for its turn.
const BUFFERS: usize = 5;

/// Bytes of a stream, in a part of a buffer.
#[derive(Default)]
pub(super) struct Part {
    /// As many as all buffers have; none, if there is no buffer.
    pub(super) buffer: Vec<u8>,
    pub(super) range: Range<usize>,
}

impl Part {
    /// A buffer of the stream without any bytes; one of its own where there is no stream, or nobody
    /// listens any more.
    pub(super) fn empty(inlet: Option<&Inlet>) -> Self {
        let buffer = inlet.and_then(|inlet| inlet.empty.recv().ok());
        Self { buffer: buffer.unwrap_or_else(|| vec![0; BUFFER]), range: 0..0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }
}

enum Chunk {
    /// As the blob has it: for the digest only.
    Blob(Part),
    /// Inflated.
    Archive(Part),
}

/// Where chunks are put in. Dropping it ends the stream.
pub(super) struct Inlet {
    full: SyncSender<Chunk>,
    empty: Receiver<Vec<u8>>,
}

/// What became of a chunk.
pub(super) enum Pumped {
    /// So many bytes were sent on.
    Bytes(u64),
    /// There was none any more.
    End,
    /// Nobody listens.
    Unheard,
}

/// Where the archive comes out, read in place. Every byte goes into the digest before it is seen, and
/// afterwards where it is wanted.
pub(super) struct Outlet<'a> {
    full: Receiver<Chunk>,
    empty: Sender<Vec<u8>>,
    chunk: Part,
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
    let (full, full_outlet) = sync_channel(BUFFERS);
    let (empty_outlet, empty) = channel();
    for _ in 0..BUFFERS {
        empty_outlet.send(vec![0; BUFFER]).expect("the other end is at hand");
    }
    let outlet = Outlet {
        full: full_outlet,
        empty: empty_outlet,
        chunk: Part::default(),
        used: 0,
        places,
        digests,
    };
    (Inlet { full, empty }, outlet)
}

impl Inlet {
    /// Decodes one chunk and sends it on.
    pub(super) fn pump(&self, decoder: &mut dyn Decoder) -> io::Result<Pumped> {
        let Ok(mut buffer) = self.empty.recv() else {
            return Ok(Pumped::Unheard);
        };
        let range = decoder.decode(&mut buffer)?;
        let count = range.len() as u64;
        if count == 0 {
            return Ok(Pumped::End);
        }
        match self.full.send(Chunk::Archive(Part { buffer, range })) {
            Ok(()) => Ok(Pumped::Bytes(count)),
            Err(_) => Ok(Pumped::Unheard),
        }
    }

    /// Has bytes of the blob digested, unless nobody listens.
    pub(super) fn digest(&self, part: Part) {
        let _ = self.full.send(Chunk::Blob(part));
    }

    /// The same of a copy.
    pub(super) fn digest_copy(&self, bytes: &[u8]) {
        for bytes in bytes.chunks(BUFFER) {
            let Ok(mut buffer) = self.empty.recv() else { return };
            buffer[..bytes.len()].copy_from_slice(bytes);
            self.digest(Part { buffer, range: 0..bytes.len() });
        }
    }
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
    fn next(&mut self) -> Part {
        loop {
            match self.full.recv() {
                Ok(Chunk::Blob(part)) => {
                    if let Some(digest) = &mut self.digests.blob {
                        digest.update(part.bytes());
                    }
                    self.give_back(part);
                }
                Ok(Chunk::Archive(part)) => {
                    if let Some(digest) = &mut self.digests.archive {
                        digest.update(part.bytes());
                    }
                    return part;
                }
                Err(_) => return Part::default(),
            }
        }
    }

    fn give_back(&self, part: Part) {
        if !part.buffer.is_empty() {
            // Nobody fills buffers any more once the end was sent.
            let _ = self.empty.send(part.buffer);
        }
    }
}

impl BufRead for Outlet<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.range.len() {
            self.used = 0;
            self.places.write(self.chunk.bytes())?;
            let read = std::mem::take(&mut self.chunk);
            self.give_back(read);
            self.chunk = self.next();
        }
        Ok(&self.chunk.bytes()[self.used..])
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
