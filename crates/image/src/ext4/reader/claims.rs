//! Which blocks belong to something.

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::FormatError;

/// Blocks that were read or given to a file: each may be so once. This bounds the work that an
/// image can cause by its real length, whatever it says of itself.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// First blocks, and the ends.
    ranges: BTreeMap<u64, u64>,
}

impl Claims {
    pub(super) fn claim(&mut self, blocks: Range<u64>) -> Result<(), FormatError> {
        let Range { mut start, mut end } = blocks;
        if let Some((&before, &before_end)) = self.ranges.range(..end).next_back() {
            if before_end > start {
                return Err(FormatError::Shared);
            }
            if before_end == start {
                start = before;
            }
        }
        if let Some(after_end) = self.ranges.remove(&end) {
            end = after_end;
        }
        self.ranges.insert(start, end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_claimed_once() {
        let mut claims = Claims::default();
        for free in [5..7, 9..10, 1..2, 7..9, 2..5] {
            claims.claim(free).unwrap();
        }
        assert_eq!(claims.ranges, BTreeMap::from([(1, 10)]));
        for taken in [1..2, 0..2, 9..11, 0..20, 4..5] {
            assert_eq!(claims.claim(taken.clone()), Err(FormatError::Shared), "{taken:?}");
        }
        claims.claim(0..1).unwrap();
        claims.claim(10..11).unwrap();
        assert_eq!(claims.ranges, BTreeMap::from([(0, 11)]));
    }
}
