//! Which blocks of the image the blocks of a file are: by extents, or by the lists of ext2.

use super::error::{Cause, FormatError};
use super::image::{Found, Image};
use crate::ext4::format::extent::{self, DEPTH_MAX, Extent, Node};
use crate::ext4::format::get32;
use crate::ext4::format::inode::flags;

/// Numbers of blocks in an inode, of which the last three are of lists.
const DIRECT: usize = 12;
const LISTS: usize = 3;

impl Image<'_> {
    /// The blocks of an inode that hold data, ascending; each is claimed.
    pub(super) fn extents(&mut self, found: &Found) -> Result<Vec<Extent>, Cause> {
        if found.record.flags & (flags::INLINE_DATA | flags::ENCRYPT) != 0 {
            return Err(FormatError::Flags.into());
        }
        let mut extents = Vec::new();
        if found.record.flags & flags::EXTENTS != 0 {
            let mut next = 0;
            self.node(&found.record.block, None, &mut next, &mut extents)?;
        } else {
            let mut logical = 0;
            for (place, pointer) in found.record.block.chunks_exact(4).enumerate() {
                let levels = (place + 1).saturating_sub(DIRECT).min(LISTS) as u32;
                self.pointer(get32(pointer, 0), levels, &mut logical, &mut extents)?;
            }
        }
        Ok(extents)
    }

    /// Adds the extents of a node, which should have `depth` nodes below it. `next` is the first
    /// block of the file that may come now.
    fn node(
        &mut self,
        node: &[u8],
        depth: Option<u16>,
        next: &mut u64,
        extents: &mut Vec<Extent>,
    ) -> Result<(), Cause> {
        let node = extent::decode(node).ok_or(FormatError::Extents)?;
        match node {
            Node::Leaf(leaf) if depth.unwrap_or(0) == 0 => {
                for extent in leaf {
                    if extent.len == 0 || u64::from(extent.logical) < *next {
                        return Err(FormatError::Extents.into());
                    }
                    *next = u64::from(extent.logical) + u64::from(extent.len);
                    self.claim(extent.physical..extent.physical + u64::from(extent.len))?;
                    if extent.is_written {
                        extents.push(extent);
                    }
                }
                Ok(())
            }
            Node::Index { depth: has, children } if has <= depth.unwrap_or(DEPTH_MAX) => {
                if depth.is_some_and(|depth| depth != has) {
                    return Err(FormatError::Extents.into());
                }
                for child in children {
                    self.claim(child.block..child.block + 1)?;
                    let block = self.block(child.block)?;
                    self.node(&block, Some(has - 1), next, extents)?;
                }
                Ok(())
            }
            _ => Err(FormatError::Extents.into()),
        }
    }

    /// Adds a block, or those of a list of lists of so many levels; 0 stands for a hole.
    fn pointer(
        &mut self,
        block: u32,
        levels: u32,
        logical: &mut u64,
        extents: &mut Vec<Extent>,
    ) -> Result<(), Cause> {
        if block == 0 {
            *logical += (self.block_bytes() / 4).pow(levels);
            return Ok(());
        }
        self.claim(block.into()..u64::from(block) + 1)?;
        if levels > 0 {
            let list = self.block(block.into())?;
            return list.chunks_exact(4).try_for_each(|pointer| {
                self.pointer(get32(pointer, 0), levels - 1, logical, extents)
            });
        }
        let at = u32::try_from(*logical).map_err(|_| FormatError::Extents)?;
        *logical += 1;
        match extents.last_mut() {
            Some(last)
                if last.logical + last.len == at
                    && last.physical + u64::from(last.len) == block.into() =>
            {
                last.len += 1;
            }
            _ => extents.push(Extent {
                logical: at,
                physical: block.into(),
                len: 1,
                is_written: true,
            }),
        }
        Ok(())
    }
}
