//! What a program says, while it says it.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use crate::PATIENCE;

/// Everything that comes from a stream, read as soon as it comes so that its writer never waits.
#[derive(Debug)]
pub struct Transcript {
    arriving: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// How much of it was waited for already.
    past: usize,
}

impl Transcript {
    /// Begins to read `stream`.
    pub fn of(mut stream: impl Read + Send + 'static) -> Self {
        let (sender, arriving) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            // A terminal whose other side is gone gives an error instead of an end.
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { arriving, seen: Vec::new(), past: 0 }
    }

    /// Waits for `text` and returns what came before it, since the last text that was waited for.
    ///
    /// # Panics
    ///
    /// With all that was seen, if the stream ends or the time is over without it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let new = &self.seen[self.past..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                let before = String::from_utf8_lossy(&new[..at]).into_owned();
                self.past += at + text.len();
                return before;
            }
            match self.arriving.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(error) => {
                    let seen = String::from_utf8_lossy(&self.seen);
                    let why = match error {
                        RecvTimeoutError::Timeout => "the time was over",
                        RecvTimeoutError::Disconnected => "the stream ended",
                    };
                    panic!("{why} before {text:?} was seen in:\n{seen}");
                }
            }
        }
    }

    /// Waits for the end of the stream and returns everything.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[track_caller]
    pub fn finish(mut self) -> Vec<u8> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.arriving.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => return self.seen,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no end of:\n{}", String::from_utf8_lossy(&self.seen))
                }
            }
        }
    }
}
