//! Keeping what the guest's console says.

use std::fs::File;
use std::io::Write;

use mote_contract::Verdict;
use mote_process::{Tail, printable};

/// Enough for a panic with its call trace and what led to it.
const TAIL_LINES: usize = 60;
const TAIL_BYTES: usize = 16 << 10;
/// Longer lines are passed on in pieces.
const LINE_BYTES: usize = 4 << 10;
/// A guest that says more than this is not to fill the host's disk.
const LOG_BYTES: u64 = 64 << 20;

/// The console's bytes: the first 64 MiB in a file, the last in memory, and line by line to whoever listens.
pub(super) struct ConsoleRecord {
    log: Option<File>,
    /// Bytes that the log may still take.
    log_left: u64,
    tail: Tail,
    line: Vec<u8>,
    verdict: Option<Verdict>,
}

impl ConsoleRecord {
    pub(super) fn new(log: Option<File>) -> Self {
        Self {
            log,
            log_left: LOG_BYTES,
            tail: Tail::new(TAIL_LINES, TAIL_BYTES),
            line: Vec::new(),
            verdict: None,
        }
    }

    /// Takes what came. A log that cannot be written is given up: the run is worth more than its log.
    pub(super) fn push(&mut self, bytes: &[u8], on_line: &mut dyn FnMut(String)) {
        self.tail.push(bytes);
        let kept = bytes.len().min(usize::try_from(self.log_left).unwrap_or(usize::MAX));
        if let Some(log) = &mut self.log {
            self.log_left -= kept as u64;
            if log.write_all(&bytes[..kept]).is_err() {
                self.log = None;
            }
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.ends_with(b"\n") || self.line.len() >= LINE_BYTES {
                self.finish_line(on_line);
            }
        }
    }

    /// Passes on the line that has begun, when no more will come.
    pub(super) fn finish(&mut self, on_line: &mut dyn FnMut(String)) {
        if !self.line.is_empty() {
            self.finish_line(on_line);
        }
    }

    /// The last verdict line that init, or someone in its name, has written.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// The last lines, fit for a terminal.
    pub(super) fn tail(&self) -> String {
        self.tail.to_text()
    }

    fn finish_line(&mut self, on_line: &mut dyn FnMut(String)) {
        let end =
            self.line.iter().rposition(|byte| !b"\r\n".contains(byte)).map_or(0, |last| last + 1);
        let line = printable(&self.line[..end]);
        self.line.clear();
        self.verdict = Verdict::parse(&line).or(self.verdict.take());
        on_line(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mote_contract::{Outcome, Stop};
    use std::io::Seek;

    #[test]
    fn the_log_ends_where_it_would_fill_the_disk() {
        let mut file = tempfile::tempfile().unwrap();
        let mut record = ConsoleRecord::new(Some(file.try_clone().unwrap()));
        record.log_left = 5;
        for bytes in [b"abc", b"def", b"ghi"] {
            record.push(bytes, &mut |_| ());
        }
        file.rewind().unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap(), "abcde");
        assert_eq!(record.tail(), "abcdefghi");
    }

    #[test]
    fn lines_and_the_last_verdict_survive_any_cutting() {
        let console = b"one\r\n\x1b[2Jtwo\r\nmote: verdict exit=3\r\nmote: verdict stopping=halt\r\nmote: verdict exit=4\r\r\nend";
        for size in [1, 2, 5, 1000] {
            let (mut record, mut lines) = (ConsoleRecord::new(None), Vec::new());
            console.chunks(size).for_each(|chunk| record.push(chunk, &mut |line| lines.push(line)));
            record.finish(&mut |line| lines.push(line));
            assert_eq!(lines[..2], ["one", "\\x1b[2Jtwo"]);
            assert_eq!(lines[5..], ["end"]);
            assert_eq!(record.verdict(), Some(&Verdict::Ended(Outcome::Exit(4))));
            assert!(record.tail().ends_with("exit=4\\x0d\nend"), "{}", record.tail());
        }
        let mut record = ConsoleRecord::new(None);
        record.push(b"mote: verdict stopping=reboot\n", &mut drop);
        assert_eq!(record.verdict(), Some(&Verdict::Stopping(Stop::Reboot)));
    }
}
