//! Putting a layer on top of those below it.

use mote_process::{Cancel, Cancelled};

use super::Limit;
use super::changes::{AUFS_LINKS, Change, Changes, Whiteout};
use super::limits::Budget;
use crate::tree::{Inode, Node, Tree, TreeError, TreePath};

/// Why a layer cannot be applied.
pub(super) enum Failure {
    Tree(TreeError),
    Limit(Limit),
    Cancelled(Cancelled),
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

/// Applies a layer.
///
/// Whiteouts come first, so that they hide nothing of their own layer. Symbolic links whose names
/// the layer has for directories go before that: what the layer has below them, and hides below
/// them, is in its own directory and not where the link leads.
pub(super) fn apply(
    tree: &mut Tree,
    changes: Changes,
    budget: &Budget,
    cancel: &Cancel,
) -> Result<(), Failure> {
    for change in &changes.entries {
        cancel.check()?;
        if let Change::Put(path, inode) = change
            && inode.is_directory()
        {
            let path = tree.place_of(path)?;
            if tree.get(&path).is_some_and(is_symlink) {
                tree.remove(&path);
            }
        }
    }
    for whiteout in &changes.whiteouts {
        cancel.check()?;
        hide(tree, whiteout)?;
    }
    for change in changes.entries {
        cancel.check()?;
        match change {
            Change::Put(path, inode) => tree.insert(&tree.place_of(&path)?, inode)?,
            Change::Link(path, target) => {
                tree.link(&tree.place_of(&path)?, &tree.place_of(&target)?)?;
            }
        }
        budget.check(Limit::Entries, tree.inodes_made()).map_err(Failure::Limit)?;
    }
    // What has got another name keeps it.
    tree.remove(&TreePath::parse(AUFS_LINKS).expect("a path"));
    Ok(())
}

fn hide(tree: &mut Tree, whiteout: &Whiteout) -> Result<(), TreeError> {
    match whiteout {
        Whiteout::Name(path) => {
            tree.remove(&tree.place_of(path)?);
        }
        Whiteout::Below(directory) => {
            let directory = tree.place_of(directory)?;
            // What is not a directory is about to become one.
            if !tree.clear(&directory) {
                tree.remove(&directory);
            }
        }
    }
    Ok(())
}

fn is_symlink(inode: &Inode) -> bool {
    matches!(inode.node, Node::Symlink(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Limits;

    #[test]
    fn a_wish_to_stop_ends_each_part() {
        let path = || TreePath::parse("d").unwrap();
        let parts = [
            Changes {
                entries: vec![Change::Put(path(), Inode::directory(0o755))],
                ..Changes::default()
            },
            Changes { whiteouts: vec![Whiteout::Name(path())], ..Changes::default() },
        ];
        let cancel = Cancel::default();
        cancel.cancel(2);
        for changes in parts {
            let mut tree = Tree::new();
            let applied = apply(&mut tree, changes, &Budget::new(Limits::default()), &cancel);
            assert!(matches!(applied, Err(Failure::Cancelled(_))));
            assert_eq!(tree, Tree::new());
        }
    }
}
