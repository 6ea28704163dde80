//! Which blocks are free.

use std::ops::Range;

/// The free blocks, as ranges in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// Descending, so that the first blocks are taken at the end of the vector.
    free: Vec<Range<u32>>,
}

impl Space {
    /// Everything between the ranges in use, which ascend.
    pub(crate) fn between(used: impl Iterator<Item = Range<u32>>, end: u32) -> Self {
        let mut free = Vec::new();
        let mut at = 0;
        for range in used.chain(std::iter::once(end..end)) {
            if at < range.start {
                free.push(at..range.start);
            }
            at = range.end;
        }
        free.reverse();
        Self { free }
    }

    /// The free ranges, ascending.
    pub(crate) fn free(&self) -> impl Iterator<Item = Range<u32>> {
        self.free.iter().rev().cloned()
    }

    /// Number of free blocks.
    pub(crate) fn blocks(&self) -> u32 {
        self.free.iter().map(|range| range.end - range.start).sum()
    }

    /// Takes `len` blocks in one piece, the first there are at or after `from`.
    pub(crate) fn take_whole(&mut self, from: u32, len: u32) -> Option<u32> {
        let start = |range: &Range<u32>| range.start.max(from);
        let fits = |range: &Range<u32>| {
            range.end.checked_sub(start(range)).is_some_and(|room| room >= len)
        };
        // The ranges before `from` are at the end of the vector: few, as they are taken up first.
        let index = self.free.iter().rposition(fits)?;
        let range = self.free[index].clone();
        let taken = start(&range);
        let rest = [taken + len..range.end, range.start..taken];
        self.free.splice(index..=index, rest.into_iter().filter(|range| !range.is_empty()));
        Some(taken)
    }

    /// Takes `len` blocks in one piece, the first there are behind what was taken so before; free
    /// ranges that are too short are given up.
    pub(crate) fn take_next_whole(&mut self, len: u32) -> Option<u32> {
        loop {
            let range = self.free.last_mut()?;
            if range.end - range.start >= len {
                range.start += len;
                return Some(range.start - len);
            }
            self.free.pop();
        }
    }

    /// Takes `len` blocks behind all that is in use.
    pub(crate) fn take_last(&mut self, len: u32) -> Option<u32> {
        let range = self.free.first_mut().filter(|range| range.end - range.start >= len)?;
        range.start += len;
        Some(range.start - len)
    }

    /// Takes up to `len` blocks in one piece, the first that are free; `None` when none are.
    pub(crate) fn take_some(&mut self, len: u32) -> Option<Range<u32>> {
        let range = self.free.last_mut()?;
        let taken = range.start..range.start + len.min(range.end - range.start);
        range.start = taken.end;
        if range.start == range.end {
            self.free.pop();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_in_order_around_what_is_used() {
        let mut space = Space::between([0..2, 10..12].into_iter(), 20);
        assert_eq!(space.blocks(), 16);
        assert_eq!(space.take_whole(0, 9), None);
        assert_eq!(space.take_whole(4, 3), Some(4));
        assert_eq!(space.take_whole(0, 4), Some(12));
        assert_eq!(space.free().collect::<Vec<_>>(), [2..4, 7..10, 16..20]);
        assert_eq!(space.take_some(3), Some(2..4));
        assert_eq!(space.take_some(1), Some(7..8));
        assert_eq!(space.take_some(9), Some(8..10));
        assert_eq!(space.take_some(9), Some(16..20));
        assert_eq!(space.take_some(1), None);
    }

    #[test]
    fn whole_pieces_are_taken_in_one_direction_or_from_the_end() {
        let mut space = Space::between([0..2, 4..10, 16..20].into_iter(), 100);
        assert_eq!(space.take_last(5), Some(20));
        assert_eq!(space.take_next_whole(1), Some(2));
        assert_eq!(space.take_next_whole(2), Some(10), "3 is given up");
        assert_eq!(space.take_next_whole(1), Some(12));
        assert_eq!(space.free().collect::<Vec<_>>(), [13..16, 25..100]);
        assert_eq!(space.take_last(76), None);
        assert_eq!(space.take_next_whole(75), Some(25));
        assert_eq!(space.take_next_whole(1), None);
    }
}
