//! Walking a tree in its one order.

use std::collections::btree_map;

use super::{Inode, Tree, TreePath};

/// Identity of an inode within its tree: two entries with the same one are hard links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(pub(super) usize);

/// One name of the tree.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Where it is.
    pub path: TreePath,
    /// Which inode it names.
    pub id: InodeId,
    /// The inode.
    pub inode: &'a Inode,
    /// How many names the inode has in all; 1 for every directory.
    pub links: u32,
}

/// The entries of a directory that are still to come.
type Names<'a> = btree_map::Iter<'a, Box<[u8]>, InodeId>;

/// All names: the root first, each directory before its entries, the entries of a directory
/// sorted by the bytes of their names.
#[derive(Debug)]
pub struct Walk<'a> {
    tree: &'a Tree,
    root: Option<InodeId>,
    open: Vec<(TreePath, Names<'a>)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree, root: InodeId) -> Self {
        Self { tree, root: Some(root), open: Vec::new() }
    }

    fn enter(&mut self, path: TreePath, id: InodeId) -> Entry<'a> {
        let slot = self.tree.slot(id);
        if slot.inode.is_directory() {
            self.open.push((path.clone(), slot.children.iter()));
        }
        Entry { path, id, inode: &slot.inode, links: slot.links }
    }
}

impl Tree {
    /// The first path of an inode of this tree in the order of the walk. For messages: it walks,
    /// and whoever has many inodes need not hold a path of each, which links make up to 4,095 bytes
    /// long.
    ///
    /// # Panics
    ///
    /// When the inode is of another tree.
    pub fn path_of(&self, id: InodeId) -> TreePath {
        self.walk().find(|entry| entry.id == id).expect("a named inode exists").path
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        if let Some(root) = self.root.take() {
            return Some(self.enter(TreePath::root(), root));
        }
        loop {
            let (parent, entries) = self.open.last_mut()?;
            match entries.next() {
                Some((name, &id)) => {
                    let path = parent.child(name);
                    return Some(self.enter(path, id));
                }
                None => {
                    self.open.pop();
                }
            }
        }
    }
}
