//! A tree as text, one line a name: for people, and for snapshots in tests.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Node, Tree};

impl Tree {
    /// Renders the tree as text, one line a name in the order of the walk: type and permissions,
    /// owner, size (device numbers for devices), path, and the target of a link.
    ///
    /// Times appear only where they differ from [`SOURCE_DATE_EPOCH`](super::SOURCE_DATE_EPOCH);
    /// a further name of an inode says `= PATH` with its first name.
    pub fn render_dump(&self) -> String {
        let mut out = String::new();
        let mut first_names = HashMap::new();
        for entry in self.walk() {
            let meta = &entry.inode.metadata;
            let (letter, size) = match &entry.inode.node {
                Node::Directory => ('d', "-".to_owned()),
                Node::File(content) => ('-', content.len().to_string()),
                Node::Symlink(_) => ('l', "-".to_owned()),
                Node::CharDevice(device) => ('c', format!("{}:{}", device.major, device.minor)),
                Node::BlockDevice(device) => ('b', format!("{}:{}", device.major, device.minor)),
                Node::Fifo => ('p', "-".to_owned()),
                Node::Socket => ('s', "-".to_owned()),
            };
            let (mode, uid, gid) = (meta.mode, meta.uid, meta.gid);
            write!(out, "{letter}{mode:04o} {uid}:{gid} {size} {}", entry.path).unwrap();
            if let Node::Symlink(target) = &entry.inode.node {
                write!(out, " -> {}", target.escape_ascii()).unwrap();
            }
            if (meta.mtime_s, meta.mtime_ns) != (super::SOURCE_DATE_EPOCH, 0) {
                write!(out, " @{}", meta.mtime_s).unwrap();
            }
            if meta.mtime_ns != 0 {
                write!(out, ".{:09}", meta.mtime_ns).unwrap();
            }
            for (name, value) in &meta.xattrs {
                write!(out, " {}={}", name.escape_ascii(), value.escape_ascii()).unwrap();
            }
            if entry.links > 1 {
                let first = first_names.entry(entry.id).or_insert_with(|| entry.path.clone());
                if *first != entry.path {
                    write!(out, " = {first}").unwrap();
                }
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::tree::{Inode, Node, Tree, TreePath};

    #[test]
    fn every_kind_has_its_line() {
        let mut tree = Tree::new();
        let mut put = |path: &str, inode| tree.insert(&TreePath::parse(path).unwrap(), inode);
        put("bin/sh", Inode::file("#!", 0o4755)).unwrap();
        put("dev/null", Inode::char_device(1, 3, 0o666)).unwrap();
        put("lib", Inode::symlink("usr/lib")).unwrap();
        put("pipe", Inode::new(Node::Fifo, 0o600).owned_by(1000, 100)).unwrap();
        let mut old = Inode::file("", 0o644);
        old.metadata.mtime_s = -1;
        old.metadata.xattrs.insert(b"user.a"[..].into(), b"\n"[..].into());
        put("z\n", old).unwrap();
        let link = (TreePath::parse("zz").unwrap(), TreePath::parse("bin/sh").unwrap());
        tree.link(&link.0, &link.1).unwrap();
        assert_eq!(
            tree.render_dump(),
            "d0755 0:0 - /\n\
             d0755 0:0 - /bin\n\
             -4755 0:0 2 /bin/sh\n\
             d0755 0:0 - /dev\n\
             c0666 0:0 1:3 /dev/null\n\
             l0777 0:0 - /lib -> usr/lib\n\
             p0600 1000:100 - /pipe\n\
             -0644 0:0 0 /z\\n @-1 user.a=\\n\n\
             -4755 0:0 2 /zz = /bin/sh\n"
        );
    }
}
