//! Following symbolic links within a tree.

use std::collections::VecDeque;

use super::arena::ROOT;
use super::{Node, PATH_MAX, PathError, Tree, TreePath};

/// Most symbolic links that one path may lead through (`MAXSYMLINKS` of `include/linux/namei.h`).
const LINKS_MAX: usize = 40;

/// Why a path cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// More symbolic links than Linux follows, most likely a cycle.
    #[error("{path} leads through more than {LINKS_MAX} symbolic links")]
    TooManyLinks {
        /// The path as given.
        path: TreePath,
    },
    /// Links led to what cannot be a path.
    #[error("{path} leads to what cannot be a path")]
    Path {
        /// The path as given.
        path: TreePath,
        /// What is wrong with it.
        source: PathError,
    },
}

/// Whether a symbolic link at the very end of a path is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    Follow,
    Keep,
}

impl Tree {
    /// Where a path leads: the same path without symbolic links.
    ///
    /// Links are followed as in a system whose root this tree is: an absolute target begins at the
    /// tree's root, and `..` does not climb above it. Names that do not exist stay as they are, so
    /// that the result is where a file would be made; whether there is one, [`get`](Self::get)
    /// tells.
    ///
    /// # Errors
    ///
    /// See [`ResolveError`].
    pub fn resolve(&self, path: &TreePath) -> Result<TreePath, ResolveError> {
        self.follow(path, AtEnd::Follow)
    }

    /// As [`resolve`](Self::resolve), but what the path itself names is not followed if it is a
    /// symbolic link: where an entry of that name is to be put or removed.
    ///
    /// # Errors
    ///
    /// See [`ResolveError`].
    pub fn resolve_parent(&self, path: &TreePath) -> Result<TreePath, ResolveError> {
        self.follow(path, AtEnd::Keep)
    }

    fn follow(&self, path: &TreePath, at_end: AtEnd) -> Result<TreePath, ResolveError> {
        if !self.leads_through_links(path, at_end) {
            return Ok(path.clone());
        }
        let failed = |source| ResolveError::Path { path: path.clone(), source };
        let mut names: VecDeque<&[u8]> = path.components().collect();
        let mut at = TreePath::root();
        // What the names of `at` stand for, where there is something, and where they end in it.
        let mut above = vec![(Some(ROOT), 0)];
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            if name == b".." {
                above.truncate((above.len() - 1).max(1));
                at.truncate(above[above.len() - 1].1);
                continue;
            }
            let here = above[above.len() - 1].0;
            let next = here.and_then(|id| self.slot(id).children.get(name).copied());
            let is_end = names.is_empty() && at_end == AtEnd::Keep;
            match next.map(|id| &self.slot(id).inode.node) {
                Some(Node::Symlink(target)) if !is_end => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(ResolveError::TooManyLinks { path: path.clone() });
                    }
                    if target.starts_with(b"/") {
                        above.truncate(1);
                        at = TreePath::root();
                    }
                    let waiting: usize = names.iter().map(|name| name.len() + 1).sum();
                    if target.len() + waiting > 2 * PATH_MAX {
                        return Err(failed(PathError::TooLong { len: target.len() + waiting }));
                    }
                    let targets = target.split(|&byte| byte == b'/');
                    let targets = targets.filter(|name| !matches!(*name, b"" | b"."));
                    targets.rev().for_each(|name| names.push_front(name));
                }
                _ => {
                    at.push(name).map_err(failed)?;
                    above.push((next, at.as_bytes().len()));
                }
            }
        }
        Ok(at)
    }

    /// Most paths do not, and need no new one.
    fn leads_through_links(&self, path: &TreePath, at_end: AtEnd) -> bool {
        let mut at = ROOT;
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            let Some(&id) = self.slot(at).children.get(name) else {
                return false;
            };
            let is_end = names.peek().is_none() && at_end == AtEnd::Keep;
            if matches!(self.slot(id).inode.node, Node::Symlink(_)) && !is_end {
                return true;
            }
            at = id;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::tree::{Inode, Tree, TreePath};

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn tree(links: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        tree.insert(&path("usr/lib/x"), Inode::file("x", 0o644)).unwrap();
        for (name, target) in links {
            tree.insert(&path(name), Inode::symlink(target)).unwrap();
        }
        tree
    }

    #[test]
    fn links_are_followed_within_the_root() {
        let tree = tree(&[
            ("lib", "usr/lib"),
            ("abs", "/usr/lib"),
            ("out", "../../../usr/./lib/"),
            ("two", "lib/../lib"),
            ("gone", "no/such"),
            ("usr/lib/up", "../../lib/x"),
            ("top", "/"),
        ]);
        let table = [
            ("usr/lib/x", "/usr/lib/x"),
            ("lib", "/usr/lib"),
            ("lib/x", "/usr/lib/x"),
            ("abs/x", "/usr/lib/x"),
            ("out/x", "/usr/lib/x"),
            ("two/new", "/usr/lib/new"),
            ("gone/file", "/no/such/file"),
            ("lib/up", "/usr/lib/x"),
            ("top", "/"),
            ("top/lib/x", "/usr/lib/x"),
            ("usr/lib/x/below", "/usr/lib/x/below"),
        ];
        for (from, to) in table {
            assert_eq!(tree.resolve(&path(from)).unwrap().to_string(), to, "{from}");
        }
    }

    #[test]
    fn the_last_link_may_be_kept() {
        let tree = tree(&[("lib", "usr/lib"), ("usr/lib/up", "..")]);
        for (from, to) in [("lib", "/lib"), ("lib/up", "/usr/lib/up"), ("lib/up/up", "/usr/up")] {
            assert_eq!(tree.resolve_parent(&path(from)).unwrap().to_string(), to, "{from}");
        }
    }

    #[test]
    fn cycles_and_impossible_targets_are_refused() {
        let long = "n".repeat(300);
        let tree = tree(&[("a", "b"), ("b", "a"), ("self", "self/self"), ("long", &long)]);
        let table = [
            ("a", "/a leads through more than 40 symbolic links"),
            ("self/x", "/self/x leads through more than 40 symbolic links"),
            ("long", "/long leads to what cannot be a path"),
        ];
        for (from, message) in table {
            assert_eq!(tree.resolve(&path(from)).unwrap_err().to_string(), message);
        }
    }

    /// If the way were gone from the root for each name, this would take half a minute.
    #[test]
    fn the_way_through_long_links_is_found() {
        let (down, up) = ("d/".repeat(800), "../".repeat(800));
        let mut tree = tree(&[("39", &down)]);
        tree.insert(&path(&down), Inode::directory(0o755)).unwrap();
        for link in 0..39 {
            let target = format!("{down}{up}{}", link + 1);
            tree.insert(&path(&link.to_string()), Inode::symlink(target)).unwrap();
        }
        for _ in 0..20 {
            assert_eq!(tree.resolve(&path("0")).unwrap(), path(&down));
        }
    }

    #[test]
    fn links_that_grow_are_bounded() {
        let growing = format!("grow/{}", "a/".repeat(2000));
        let tree = tree(&[("grow", &growing)]);
        assert!(tree.resolve(&path("grow/x")).is_err());
    }
}
