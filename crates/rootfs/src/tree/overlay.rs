//! One tree on top of another.

use std::collections::HashMap;

use super::{Entry, Inode, InodeId, Tree, TreeError, TreePath};

impl Tree {
    /// Puts another tree on top of this one.
    ///
    /// A directory on a directory takes over its metadata and keeps the entries; everything else
    /// replaces what has its name. Names have no special meaning: there are no whiteouts. Two rules
    /// make that fit for the tree of a few files that is put over a whole system:
    ///
    /// - a directory on a symbolic link that leads to a directory goes there, as with `tar
    ///   --keep-directory-symlink`: `bin/x` does not replace the `bin -> usr/bin` of a system;
    /// - the root, and directories that the upper tree has only because something is below them,
    ///   give no metadata.
    ///
    /// # Errors
    ///
    /// When the upper tree replaces a symbolic link that it also goes through. This tree then holds
    /// a part of the upper one.
    pub fn overlay(&mut self, upper: &Tree) -> Result<(), TreeError> {
        let mut placed = HashMap::new();
        for entry in upper.walk().filter(|entry| !entry.path.is_root()) {
            if entry.inode.is_directory() {
                self.overlay_directory(&entry, upper.slot(entry.id).implied)?;
            } else {
                self.overlay_other(&entry, &mut placed)?;
            }
        }
        Ok(())
    }

    fn overlay_directory(&mut self, entry: &Entry<'_>, implied: bool) -> Result<(), TreeError> {
        match self.directory_behind(&entry.path) {
            Some(_) if implied => Ok(()),
            Some(path) => self.insert(&path, entry.inode.clone()),
            None => {
                let path = self.place_of(&entry.path)?;
                self.insert(&path, entry.inode.clone())?;
                let id = self.find(&path).expect("was inserted");
                self.slot_mut(id).implied = implied;
                Ok(())
            }
        }
    }

    /// Names of one inode stay names of one inode; `placed` knows it by that of the upper tree.
    fn overlay_other(
        &mut self,
        entry: &Entry<'_>,
        placed: &mut HashMap<InodeId, TreePath>,
    ) -> Result<(), TreeError> {
        let path = self.place_of(&entry.path)?;
        match placed.get(&entry.id) {
            Some(first) => self.link(&path, first),
            None => {
                self.insert(&path, entry.inode.clone())?;
                placed.insert(entry.id, path);
                Ok(())
            }
        }
    }

    /// The directory that a name stands for, be it through symbolic links.
    fn directory_behind(&self, path: &TreePath) -> Option<TreePath> {
        let target = self.resolve(path).ok()?;
        self.get(&target).is_some_and(Inode::is_directory).then_some(target)
    }

    /// Where an entry of this path is to be put.
    pub(crate) fn place_of(&self, path: &TreePath) -> Result<TreePath, TreeError> {
        self.resolve_parent(path)
            .map_err(|source| TreeError::Unresolved { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use crate::tree::{Inode, Tree, TreePath};

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn tree(entries: &[(&str, Inode)]) -> Tree {
        let mut tree = Tree::new();
        for (name, inode) in entries {
            tree.insert(&path(name), inode.clone()).unwrap();
        }
        tree
    }

    fn file(text: &str) -> Inode {
        Inode::file(text, 0o644)
    }

    #[test]
    fn directories_merge_and_the_rest_is_replaced() {
        let mut lower = tree(&[
            ("/", Inode::directory(0o711)),
            ("root", Inode::directory(0o700)),
            ("root/kept", file("kept")),
            ("etc", Inode::directory(0o750)),
            ("etc/file", file("old")),
            ("etc/becomes-file/x", file("x")),
            ("etc/becomes-directory", file("x")),
        ]);
        let mut upper = tree(&[
            ("/", Inode::directory(0o777)),
            ("root/.profile", file("new")),
            ("etc", Inode::directory(0o755).owned_by(1, 2)),
            ("etc/file", file("new!")),
            ("etc/becomes-file", file("")),
            ("etc/becomes-directory/.wh.file", file("")),
        ]);
        upper.link(&path("etc/same"), &path("etc/file")).unwrap();
        lower.overlay(&upper).unwrap();
        assert_eq!(
            lower.render_dump(),
            "d0711 0:0 - /\n\
             d0755 1:2 - /etc\n\
             d0755 0:0 - /etc/becomes-directory\n\
             -0644 0:0 0 /etc/becomes-directory/.wh.file\n\
             -0644 0:0 0 /etc/becomes-file\n\
             -0644 0:0 4 /etc/file\n\
             -0644 0:0 4 /etc/same = /etc/file\n\
             d0700 0:0 - /root\n\
             -0644 0:0 3 /root/.profile\n\
             -0644 0:0 4 /root/kept\n"
        );
    }

    #[test]
    fn directories_go_through_links_to_directories() {
        let mut lower = tree(&[
            ("usr/bin/sh", file("sh")),
            ("bin", Inode::symlink("usr/bin")),
            ("dangling", Inode::symlink("nowhere")),
        ]);
        lower.overlay(&tree(&[("bin/x", file("")), ("dangling/x", file(""))])).unwrap();
        assert_eq!(
            lower.render_dump(),
            "d0755 0:0 - /\n\
             l0777 0:0 - /bin -> usr/bin\n\
             d0755 0:0 - /dangling\n\
             -0644 0:0 0 /dangling/x\n\
             d0755 0:0 - /usr\n\
             d0755 0:0 - /usr/bin\n\
             -0644 0:0 2 /usr/bin/sh\n\
             -0644 0:0 0 /usr/bin/x\n"
        );
    }

    #[test]
    fn what_the_upper_tree_says_twice_is_no_panic() {
        let lower = tree(&[("usr/bin/sh", file("sh")), ("z", Inode::symlink("usr/bin"))]);
        let mut twice = tree(&[("usr/bin/a", file("1")), ("z/a", file("22"))]);
        twice.link(&path("z/b"), &path("usr/bin/a")).unwrap();
        let mut both = lower.clone();
        both.overlay(&twice).unwrap();
        assert_eq!(both.get(&path("usr/bin/a")), Some(&file("22")));

        let mut both = lower.clone();
        both.overlay(&tree(&[("usr", file("")), ("z/a", file(""))])).unwrap();
        assert_eq!(both.get(&path("z")), Some(&Inode::directory(0o755)));

        let mut cut_off = tree(&[("top", Inode::symlink("/"))]);
        let error = cut_off.overlay(&tree(&[("top/top", file("")), ("top/x", file(""))]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "/top/x cannot be made: /top is not a directory"
        );
    }
}
