//! The tree itself: an arena of inodes, and directories that name them.

use std::collections::HashMap;
use std::collections::btree_map::{self, BTreeMap};
use std::fmt;

use super::{Inode, InodeId, Node, PATH_MAX, ResolveError, TreePath, Walk};

/// Mode of directories that are made because something is put below them.
const IMPLIED_DIRECTORY_MODE: u16 = 0o755;

/// A root file system in memory. It always has a root directory.
///
/// Putting something where something else is replaces it, as unpacking an archive would: a
/// directory put on a directory takes over its metadata and keeps the entries; everything else
/// takes the name, and what had it loses that name (with all below it, if it was a directory).
#[derive(Clone)]
pub struct Tree {
    /// Inodes by number; `None` where the last name of one was removed.
    slots: Vec<Option<Slot>>,
}

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) inode: Inode,
    /// Number of names; the root counts as having one.
    pub(super) links: u32,
    /// Entries, of a directory only.
    pub(super) children: BTreeMap<Box<[u8]>, InodeId>,
    /// Whether this is a directory that nobody put here: something was put below it.
    pub(super) implied: bool,
}

/// Why something cannot be put into a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A path leads through something that is not a directory.
    #[error("{path} cannot be made: {ancestor} is not a directory")]
    NotDirectory {
        /// What was to be made.
        path: TreePath,
        /// What stands in its way.
        ancestor: TreePath,
    },
    /// The root can only be a directory, and keeps its name.
    #[error("the root can only be a directory")]
    Root,
    /// A hard link to a name that does not exist.
    #[error("{path} cannot be a hard link: there is no {target}")]
    NoLinkTarget {
        /// The link to be made.
        path: TreePath,
        /// The missing target.
        target: TreePath,
    },
    /// A hard link to a directory.
    #[error("{path} cannot be a hard link: {target} is a directory")]
    LinkToDirectory {
        /// The link to be made.
        path: TreePath,
        /// The directory.
        target: TreePath,
    },
    /// Mode bits beyond the permissions.
    #[error("{path}: the mode {mode:#o} has more than permission bits")]
    Mode {
        /// What was to be made.
        path: TreePath,
        /// The mode as given.
        mode: u16,
    },
    /// A device number beyond 12 bits of major and 20 of minor.
    #[error("{path}: there is no device {major}:{minor}")]
    Device {
        /// What was to be made.
        path: TreePath,
        /// Major number as given.
        major: u32,
        /// Minor number as given.
        minor: u32,
    },
    /// Symbolic links above a path lead nowhere.
    #[error("{path} cannot be made")]
    Unresolved {
        /// What was to be made.
        path: TreePath,
        /// What is wrong with the links.
        source: ResolveError,
    },
    /// A link target that is empty, holds a NUL byte or is too long.
    #[error("{path}: a symbolic link needs a target of 1 to {PATH_MAX} bytes without NUL")]
    SymlinkTarget {
        /// What was to be made.
        path: TreePath,
    },
}

pub(super) const ROOT: InodeId = InodeId(0);

impl Tree {
    /// A tree with nothing but a root directory (0755, root's).
    pub fn new() -> Self {
        let mut tree = Self { slots: Vec::new() };
        tree.add_implied();
        tree
    }

    /// Puts an inode at a path, making the directories above it (0755, root's) where they are
    /// missing.
    ///
    /// # Errors
    ///
    /// See [`TreeError`]; the tree is then as it was, but for directories made above the path.
    pub fn insert(&mut self, path: &TreePath, inode: Inode) -> Result<(), TreeError> {
        check(path, &inode)?;
        let Some((directory, name)) = self.make_parent(path)? else {
            if !inode.is_directory() {
                return Err(TreeError::Root);
            }
            self.set_inode(ROOT, inode);
            return Ok(());
        };
        match self.slot(directory).children.get(name) {
            Some(&id) if inode.is_directory() && self.slot(id).inode.is_directory() => {
                self.set_inode(id, inode);
            }
            _ => {
                let id = self.add(inode);
                self.set_entry(directory, name, id);
            }
        }
        Ok(())
    }

    /// Gives the inode at `target` a further name (a hard link).
    ///
    /// # Errors
    ///
    /// When `target` does not exist or is a directory, and as for [`insert`](Self::insert).
    pub fn link(&mut self, path: &TreePath, target: &TreePath) -> Result<(), TreeError> {
        let Some(id) = self.find(target) else {
            return Err(TreeError::NoLinkTarget { path: path.clone(), target: target.clone() });
        };
        if self.slot(id).inode.is_directory() {
            return Err(TreeError::LinkToDirectory { path: path.clone(), target: target.clone() });
        }
        if self.find(path) == Some(id) {
            return Ok(());
        }
        let (directory, name) = self.make_parent(path)?.ok_or(TreeError::Root)?;
        // Counted first: the old owner of the name may be a directory that holds the target.
        self.slot_mut(id).links += 1;
        self.set_entry(directory, name, id);
        Ok(())
    }

    /// Removes a name, with all below it; says whether it was there. The root stays.
    pub fn remove(&mut self, path: &TreePath) -> bool {
        let Some((parent, name)) = path.split_last() else {
            return false;
        };
        let Some(parent) = self.find(&parent) else {
            return false;
        };
        match self.slot_mut(parent).children.remove(name) {
            Some(id) => {
                self.drop_link(id);
                true
            }
            None => false,
        }
    }

    /// Removes all that is below a directory; says whether there is a directory.
    pub fn clear(&mut self, directory: &TreePath) -> bool {
        let Some(id) = self.find(directory).filter(|&id| self.slot(id).inode.is_directory()) else {
            return false;
        };
        let children = std::mem::take(&mut self.slot_mut(id).children);
        children.into_values().for_each(|id| self.drop_link(id));
        true
    }

    /// How many inodes were ever made, those that are gone included: each took memory.
    pub(crate) fn inodes_made(&self) -> u64 {
        self.slots.len() as u64
    }

    /// The inode at a path. Symbolic links are not followed.
    pub fn get(&self, path: &TreePath) -> Option<&Inode> {
        self.find(path).map(|id| &self.slot(id).inode)
    }

    /// All names in the tree's one order; see [`Walk`].
    pub fn walk(&self) -> Walk<'_> {
        Walk::new(self, ROOT)
    }

    pub(super) fn find(&self, path: &TreePath) -> Option<InodeId> {
        path.components()
            .try_fold(ROOT, |directory, name| self.slot(directory).children.get(name).copied())
    }

    pub(super) fn add(&mut self, inode: Inode) -> InodeId {
        self.slots.push(Some(Slot { inode, links: 1, children: BTreeMap::new(), implied: false }));
        InodeId(self.slots.len() - 1)
    }

    fn add_implied(&mut self) -> InodeId {
        let id = self.add(Inode::directory(IMPLIED_DIRECTORY_MODE));
        self.slot_mut(id).implied = true;
        id
    }

    pub(super) fn set_inode(&mut self, id: InodeId, inode: Inode) {
        let slot = self.slot_mut(id);
        slot.inode = inode;
        slot.implied = false;
    }

    pub(super) fn set_entry(&mut self, directory: InodeId, name: &[u8], id: InodeId) {
        match self.slot_mut(directory).children.entry(name.into()) {
            btree_map::Entry::Vacant(entry) => {
                entry.insert(id);
            }
            btree_map::Entry::Occupied(mut entry) => {
                let old = entry.insert(id);
                self.drop_link(old);
            }
        }
    }

    /// The directory that is to hold a path, made where it is missing, and the name there; nothing
    /// for the root.
    fn make_parent<'a>(
        &mut self,
        path: &'a TreePath,
    ) -> Result<Option<(InodeId, &'a [u8])>, TreeError> {
        let mut names = path.components();
        let Some(mut name) = names.next() else {
            return Ok(None);
        };
        let mut at = ROOT;
        for (depth, next) in names.enumerate() {
            at = match self.slot(at).children.get(name) {
                Some(&id) if self.slot(id).inode.is_directory() => id,
                Some(_) => {
                    let ancestor = path.ancestor(depth + 1);
                    return Err(TreeError::NotDirectory { path: path.clone(), ancestor });
                }
                None => {
                    let id = self.add_implied();
                    self.set_entry(at, name, id);
                    id
                }
            };
            name = next;
        }
        Ok(Some((at, name)))
    }

    fn drop_link(&mut self, id: InodeId) {
        let mut dropped = vec![id];
        while let Some(id) = dropped.pop() {
            let slot = self.slot_mut(id);
            slot.links -= 1;
            if slot.links == 0 {
                dropped.extend(std::mem::take(&mut slot.children).into_values());
                self.slots[id.0] = None;
            }
        }
    }

    pub(super) fn slot(&self, id: InodeId) -> &Slot {
        self.slots[id.0].as_ref().expect("a named inode exists")
    }

    pub(super) fn slot_mut(&mut self, id: InodeId) -> &mut Slot {
        self.slots[id.0].as_mut().expect("a named inode exists")
    }
}

/// As [`Tree::render_dump`] has it.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.render_dump())
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

/// The same names for equal inodes, and the same names for one inode. How the trees came about
/// does not matter.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = HashMap::new();
        let mut entries = self.walk();
        let mut others = other.walk();
        loop {
            match (entries.next(), others.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) => {
                    let same = a.path == b.path
                        && a.links == b.links
                        && *pairs.entry(a.id).or_insert(b.id) == b.id
                        && a.inode == b.inode;
                    if !same {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

impl Eq for Tree {}

fn check(path: &TreePath, inode: &Inode) -> Result<(), TreeError> {
    let path = || path.clone();
    let mode = inode.metadata.mode;
    if mode > 0o7777 {
        return Err(TreeError::Mode { path: path(), mode });
    }
    match &inode.node {
        Node::CharDevice(device) | Node::BlockDevice(device)
            if device.major >= 1 << 12 || device.minor >= 1 << 20 =>
        {
            Err(TreeError::Device { path: path(), major: device.major, minor: device.minor })
        }
        Node::Symlink(target)
            if target.is_empty() || target.len() > PATH_MAX || target.contains(&0) =>
        {
            Err(TreeError::SymlinkTarget { path: path() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn file(text: &str) -> Inode {
        Inode::file(text, 0o644)
    }

    fn names(tree: &Tree) -> Vec<String> {
        tree.walk().map(|entry| entry.path.to_string()).collect()
    }

    #[test]
    fn parents_are_made_and_the_walk_is_sorted() {
        let mut tree = Tree::new();
        for name in ["b/x", "a/y/z", "a-b", "a/x"] {
            tree.insert(&path(name), file(name)).unwrap();
        }
        assert_eq!(names(&tree), ["/", "/a", "/a/x", "/a/y", "/a/y/z", "/a-b", "/b", "/b/x"]);
        assert_eq!(tree.get(&path("a/y")), Some(&Inode::directory(0o755)));
    }

    #[test]
    fn a_directory_on_a_directory_keeps_the_entries() {
        let mut tree = Tree::new();
        tree.insert(&path("a/x"), file("x")).unwrap();
        tree.insert(&path("a"), Inode::directory(0o700).owned_by(7, 8)).unwrap();
        tree.insert(&TreePath::root(), Inode::directory(0o711)).unwrap();
        assert_eq!(names(&tree), ["/", "/a", "/a/x"]);
        assert_eq!(tree.get(&path("a")).unwrap().metadata.uid, 7);
        assert_eq!(tree.get(&TreePath::root()).unwrap().metadata.mode, 0o711);
    }

    #[test]
    fn other_things_are_replaced_whole() {
        let mut tree = Tree::new();
        tree.insert(&path("a/x"), file("x")).unwrap();
        tree.insert(&path("a"), file("a")).unwrap();
        assert_eq!(names(&tree), ["/", "/a"]);
        tree.insert(&path("a"), Inode::directory(0o755)).unwrap();
        assert_eq!(tree.get(&path("a")), Some(&Inode::directory(0o755)));
    }

    #[test]
    fn hard_links_share_an_inode_until_the_last_name_goes() {
        let mut tree = Tree::new();
        tree.insert(&path("d/one"), file("x")).unwrap();
        tree.link(&path("two"), &path("d/one")).unwrap();
        let links: Vec<_> = tree.walk().map(|entry| (entry.id, entry.links)).collect();
        assert_eq!((links[2], links[2].1), (links[3], 2));
        assert!(tree.remove(&path("d")));
        assert_eq!(names(&tree), ["/", "/two"]);
        assert_eq!(tree.walk().last().unwrap().links, 1);
        assert_eq!(tree.get(&path("two")), Some(&file("x")));
    }

    #[test]
    fn a_link_may_replace_the_directory_of_its_target() {
        let mut tree = Tree::new();
        tree.insert(&path("d/one"), file("x")).unwrap();
        tree.link(&path("d"), &path("d/one")).unwrap();
        assert_eq!(tree.get(&path("d")), Some(&file("x")));
        assert_eq!(tree.walk().last().unwrap().links, 1);
    }

    #[test]
    fn equality_sees_names_inodes_and_sharing() {
        let mut linked = Tree::new();
        linked.insert(&path("a"), file("x")).unwrap();
        linked.link(&path("b"), &path("a")).unwrap();
        let mut other_way = Tree::new();
        other_way.insert(&path("b"), file("x")).unwrap();
        other_way.link(&path("a"), &path("b")).unwrap();
        assert_eq!(linked, other_way);
        let mut copied = Tree::new();
        copied.insert(&path("a"), file("x")).unwrap();
        copied.insert(&path("b"), file("x")).unwrap();
        assert_ne!(linked, copied);
    }

    #[test]
    fn a_cleared_directory_stays() {
        let mut tree = Tree::new();
        for name in ["a/b/x", "a/c", "d"] {
            tree.insert(&path(name), file(name)).unwrap();
        }
        tree.link(&path("linked"), &path("a/b/x")).unwrap();
        assert!(tree.clear(&path("a")));
        assert_eq!(names(&tree), ["/", "/a", "/d", "/linked"]);
        assert_eq!(tree.walk().last().unwrap().links, 1);
        assert!(!tree.clear(&path("no")) && !tree.clear(&path("d")));
        assert!(tree.clear(&TreePath::root()));
        assert_eq!(names(&tree), ["/"]);
    }

    #[test]
    fn refusals_say_what_is_in_the_way() {
        let mut tree = Tree::new();
        tree.insert(&path("f"), file("x")).unwrap();
        tree.insert(&path("d"), Inode::directory(0o755)).unwrap();
        let device = |major, minor| Inode::char_device(major, minor, 0o600);
        let table = [
            (tree.insert(&path("f/x"), file("")), "/f/x cannot be made: /f is not a directory"),
            (tree.insert(&TreePath::root(), file("")), "the root can only be a directory"),
            (tree.link(&path("l"), &path("no")), "/l cannot be a hard link: there is no /no"),
            (tree.link(&path("l"), &path("d")), "/l cannot be a hard link: /d is a directory"),
            (tree.insert(&path("m"), Inode::directory(0o10_000)), "/m: the mode 0o10000 has"),
            (tree.insert(&path("c"), device(4096, 0)), "/c: there is no device 4096:0"),
            (tree.insert(&path("c"), device(0, 1 << 20)), "/c: there is no device 0:1048576"),
            (tree.insert(&path("s"), Inode::symlink("")), "/s: a symbolic link needs a target"),
        ];
        for (result, message) in table {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert!(!tree.remove(&TreePath::root()));
        assert!(!tree.remove(&path("no/such")));
    }
}
