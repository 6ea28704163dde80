//! A pipe between two threads that also carries the error that ended it.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};

/// How much is handed over at once, and how often until the reader has to catch up.
const CHUNK: usize = 256 << 10;
const CHUNKS: usize = 16;

type Chunk = io::Result<Vec<u8>>;

pub(super) fn new() -> (SyncSender<Chunk>, PipeReader) {
    let (sender, receiver) = mpsc::sync_channel(CHUNKS);
    (sender, PipeReader { receiver, chunk: Vec::new(), position: 0 })
}

/// Sends all that `from` gives, until its end, an error, or the reader's end.
pub(super) fn feed(mut from: impl Read, sender: &SyncSender<Chunk>) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let result = from.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
        let last = chunk.len() < CHUNK;
        if !chunk.is_empty() && sender.send(Ok(chunk)).is_err() {
            return;
        }
        if let Err(error) = result {
            // If nobody listens any more, there is nobody to tell.
            let _ = sender.send(Err(error));
            return;
        }
        if last {
            return;
        }
    }
}

/// The end that is read from.
pub(super) struct PipeReader {
    receiver: Receiver<Chunk>,
    chunk: Vec<u8>,
    position: usize,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.chunk.len() {
            // A sender that is gone has sent everything.
            let Ok(chunk) = self.receiver.recv() else { return Ok(0) };
            self.chunk = chunk?;
            self.position = 0;
        }
        let length = (&self.chunk[self.position..]).read(buffer)?;
        self.position += length;
        Ok(length)
    }
}
