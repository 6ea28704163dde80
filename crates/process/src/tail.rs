//! The last lines of a stream of output, in bounded memory.

use std::collections::VecDeque;

use crate::printable;

/// Keeps the last lines of what is pushed, at most so many lines and so many bytes.
#[derive(Debug, Clone)]
pub struct Tail {
    max_lines: usize,
    max_bytes: usize,
    bytes: VecDeque<u8>,
    /// Line feeds among `bytes`.
    line_feeds: usize,
}

impl Tail {
    /// An empty tail of at most `max_lines` lines and `max_bytes` bytes.
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self { max_lines, max_bytes, bytes: VecDeque::new(), line_feeds: 0 }
    }

    /// Appends output; chunks may end anywhere.
    pub fn push(&mut self, chunk: &[u8]) {
        let chunk = &chunk[chunk.len().saturating_sub(self.max_bytes)..];
        self.bytes.extend(chunk);
        self.line_feeds += chunk.iter().filter(|byte| **byte == b'\n').count();
        while self.bytes.len() > self.max_bytes || self.lines_held() > self.max_lines {
            if self.bytes.pop_front() == Some(b'\n') {
                self.line_feeds -= 1;
            }
        }
    }

    /// The bytes kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.iter().copied().collect()
    }

    /// The lines kept, fit for a terminal (see [`printable`]), without the last line feed.
    pub fn to_text(&self) -> String {
        printable(&self.to_bytes()).trim_end_matches('\n').to_owned()
    }

    /// Whole lines, and the one that has begun.
    fn lines_held(&self) -> usize {
        let begun = self.bytes.back().is_some_and(|byte| *byte != b'\n');
        self.line_feeds + usize::from(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn the_last_lines_stay_however_they_come() {
        let text: String = (0..100).map(|number| format!("line {number}\n")).collect();
        for size in [1, 3, 7, 64, 4096] {
            let mut tail = Tail::new(3, 1000);
            text.as_bytes().chunks(size).for_each(|chunk| tail.push(chunk));
            assert_eq!(tail.to_text(), "line 97\nline 98\nline 99", "chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_end_stays_within_its_bytes() {
        let mut tail = Tail::new(3, 10);
        tail.push(&[b'x'; 10_000]);
        tail.push(b"\nend");
        assert_eq!(tail.to_bytes(), b"xxxxxx\nend");
    }
}
