//! The bytes of a layer, on their way from the thread that inflates to the one that digests and
//! reads the archive. Inflating takes longest.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest, Sha256};

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
/// into a file afterwards: the spool, or another one that was named in time.
pub(super) struct Outlet {
    full: Receiver<Chunk>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    used: usize,
    spool: Option<Arc<File>>,
    diversions: VecDeque<Diversion>,
    /// Set when such another file could not be written to.
    pub(super) diversion_failed: bool,
    digests: Digests<Sha256>,
    /// Where the chunk begins in the archive.
    position: u64,
}

/// Of those that are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digests<D> {
    pub(super) blob: Option<D>,
    pub(super) archive: Option<D>,
}

/// Bytes of the stream that go into another file than the spool.
struct Diversion {
    range: Range<u64>,
    file: Arc<File>,
    at: u64,
}

/// A stream that writes itself into `spool` and digests itself, where that is wanted.
pub(super) fn stream(spool: Option<Arc<File>>, digests: Digests<Sha256>) -> (Inlet, Outlet) {
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
        spool,
        diversions: VecDeque::new(),
        diversion_failed: false,
        digests,
        position: 0,
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

impl Outlet {
    /// Has bytes that come next, or later, written to `at` of another file. Ranges ascend from call
    /// to call.
    pub(super) fn divert(&mut self, range: Range<u64>, file: Arc<File>, at: u64) {
        self.diversions.push_back(Diversion { range, file, at });
    }

    /// Writes the chunk.
    fn write(&mut self) -> io::Result<()> {
        let end = self.position + self.chunk.len() as u64;
        while self.position < end {
            let from = self.chunk.len() - (end - self.position) as usize;
            let bytes = |to: u64| &self.chunk[from..from + (to - self.position) as usize];
            match self.diversions.front() {
                Some(next) if next.range.start <= self.position => {
                    let to = next.range.end.min(end);
                    let at = next.at + (self.position - next.range.start);
                    let written = next.file.write_all_at(bytes(to), at);
                    written.inspect_err(|_| self.diversion_failed = true)?;
                    if to == next.range.end {
                        self.diversions.pop_front();
                    }
                    self.position = to;
                }
                next => {
                    let to = next.map_or(end, |next| next.range.start.min(end));
                    if let Some(spool) = &self.spool {
                        spool.write_all_at(bytes(to), self.position)?;
                    }
                    self.position = to;
                }
            }
        }
        Ok(())
    }

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

impl BufRead for Outlet {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.len() {
            self.used = 0;
            self.write()?;
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

impl Read for Outlet {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}
