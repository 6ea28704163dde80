//! The inflated bytes of a layer, on their way from the thread that inflates to the one that reads
//! the archive.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest, Sha256};

/// Length of one chunk: fits a processor's cache, and is worth a system call.
const CHUNK: usize = 256 << 10;

/// Chunks of one stream. One is filled and one read while the others wait for their turn.
const CHUNKS: usize = 4;

/// Where chunks are put in. Dropping it ends the stream.
pub(super) struct Inlet {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

/// Where the stream comes out, read in place. Every byte goes into the digest and into the spool
/// before it is seen.
pub(super) struct Outlet {
    full: Receiver<Vec<u8>>,
    empty: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    used: usize,
    spool: Option<Arc<File>>,
    digest: Option<Sha256>,
    /// Bytes that came so far.
    position: u64,
}

/// A stream that writes itself into `spool` and digests itself, where that is wanted.
pub(super) fn stream(spool: Option<Arc<File>>, digest: Option<Sha256>) -> (Inlet, Outlet) {
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
        digest,
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
        if count == 0 || self.full.send(chunk).is_err() {
            return Ok(None);
        }
        Ok(Some(count as u64))
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
    /// Reads what is left, and gives the digest of all.
    pub(super) fn finish(mut self) -> io::Result<Option<[u8; 32]>> {
        loop {
            match self.fill_buf()?.len() {
                0 => return Ok(self.digest.map(|digest| digest.finalize().into())),
                count => self.consume(count),
            }
        }
    }
}

impl BufRead for Outlet {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.len() {
            self.used = 0;
            let read = std::mem::take(&mut self.chunk);
            if read.capacity() > 0 {
                // Nobody fills chunks any more once the end was sent.
                let _ = self.empty.send(read);
            }
            self.chunk = self.full.recv().unwrap_or_default();
            if let Some(digest) = &mut self.digest {
                digest.update(&self.chunk);
            }
            if let Some(spool) = &self.spool {
                spool.write_all_at(&self.chunk, self.position)?;
            }
            self.position += self.chunk.len() as u64;
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
