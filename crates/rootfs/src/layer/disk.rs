//! A disk in the making, on which contents lie from the beginning.
//!
//! What fills no block has to wait until the whole tree is known. Everything else is written once,
//! where it stays: what an image costs is then hardly more than to inflate its layers and to write
//! the result.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use super::LayerSource;

/// Contents lie at multiples of this, the block size of all formats.
pub(super) const BLOCK_BYTES: u64 = 4096;

/// Longer than any file system has files, and far from what a number can hold.
const FILE_BYTES_MAX: u64 = 1 << 60;

/// A disk in the making.
///
/// Each layer that says how long it is inflated has a region of its own, in the order of the
/// layers, so that the places do not depend on which one is read first. It is as long as the layer:
/// in most layers, headers and small contents make up for the ends of blocks. Contents that find no
/// room in it are treated like small ones.
#[derive(Debug)]
pub struct Disk {
    /// The image, still empty.
    pub file: Arc<File>,
    /// Bytes that the format has need of, ascending, apart, and multiples of 4096.
    pub reserved: Vec<Range<u64>>,
    /// Where contents may lie at most.
    pub end: u64,
    /// The most bytes that the format keeps with an inode without extended attributes, if they are
    /// the end of its contents and fill no block.
    pub tail_max: u64,
}

/// Where the contents of one layer may lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region<'a> {
    disk: &'a Disk,
    at: u64,
    end: u64,
}

impl Disk {
    /// A region for each layer that has one; none if together they would break a limit.
    pub(super) fn regions(
        &self,
        layers: &[LayerSource],
        limit_bytes: u64,
    ) -> Vec<Option<Region<'_>>> {
        let lens: Vec<_> = layers.iter().map(LayerSource::inflated_len).collect();
        let sum = lens.iter().flatten().try_fold(0_u64, |sum, &len| sum.checked_add(len));
        if sum.is_none_or(|sum| sum > limit_bytes.min(FILE_BYTES_MAX)) {
            return vec![None; layers.len()];
        }
        let mut at = 0;
        let region = |len: Option<u64>| {
            let end = self.end_of(at, len?.next_multiple_of(BLOCK_BYTES));
            let region = Region { disk: self, at, end: end.min(self.end) };
            at = region.end;
            Some(region)
        };
        lens.into_iter().map(region).collect()
    }

    /// Where `len` bytes from `begin` on end that are not reserved.
    fn end_of(&self, begin: u64, len: u64) -> u64 {
        self.reserved.iter().fold(begin + len, |end, reserved| {
            let is_between = reserved.start < end && reserved.end > begin;
            end + if is_between { reserved.end - reserved.start.max(begin) } else { 0 }
        })
    }
}

impl<'a> Region<'a> {
    /// The disk that it is part of.
    pub(super) fn disk(&self) -> &'a Disk {
        self.disk
    }

    /// A place for `len` bytes in one piece, if there is still one.
    pub(super) fn take(&mut self, len: u64) -> Option<u64> {
        let mut begin = self.at;
        for reserved in &self.disk.reserved {
            if reserved.end > begin && reserved.start < begin.checked_add(len)? {
                begin = reserved.end;
            }
        }
        let end = begin.checked_add(len).filter(|&end| end <= self.end)?;
        self.at = end.next_multiple_of(BLOCK_BYTES);
        Some(begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Compression;
    use crate::tree::Content;

    fn layer(len: usize) -> LayerSource {
        LayerSource {
            name: String::new(),
            blob: Content::from(vec![0; len]),
            compression: Compression::None,
            digest: None,
            diff_id: None,
        }
    }

    fn disk(reserved: &[Range<u64>], end: u64) -> Disk {
        let file = Arc::new(tempfile::tempfile().unwrap());
        Disk { file, reserved: reserved.to_vec(), end, tail_max: 0 }
    }

    #[test]
    fn contents_lie_in_the_region_of_their_layer_around_what_is_reserved() {
        let reserved = [0..4096, 40_960..49_152];
        let disk = disk(&reserved, u64::MAX);
        let mut regions = disk.regions(&[layer(60_000), layer(8192)], u64::MAX);
        let [Some(one), Some(other)] = &mut regions[..] else { panic!("{regions:?}") };
        assert_eq!(one.take(30_000), Some(4096));
        assert_eq!(one.take(5000), Some(49_152), "not across what is reserved");
        assert_eq!(one.take(4096), Some(57_344));
        assert_eq!(one.take(12_289), None);
        assert_eq!(one.take(12_288), Some(61_440), "to the end: 61,440 bytes and 12,288 reserved");
        assert_eq!(one.take(1), None);
        assert_eq!(other.take(8192), Some(73_728));
    }

    #[test]
    fn nothing_lies_behind_the_end() {
        let disk = disk(&[], 10_000);
        let mut regions = disk.regions(&[layer(20_000), layer(1)], u64::MAX);
        let [Some(one), Some(other)] = &mut regions[..] else { panic!("{regions:?}") };
        assert_eq!(one.take(10_001), None);
        assert_eq!(one.take(10_000), Some(0));
        assert_eq!(other.take(1), None);
        assert!(disk.regions(&[layer(5), layer(6)], 10).iter().all(Option::is_none));
    }
}
