//! Random trees, through archives and back.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Member, archive, layer, read};
use crate::tree::{
    Content, DataRun, Device, Inode, InodeId, Metadata, Node, Tree, TreePath, Xattrs,
};

/// What a random tree is made of: later ones may replace earlier ones, or have no place.
#[derive(Clone, Debug)]
enum Step {
    Put(TreePath, Inode),
    Link(TreePath, TreePath),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[a-c]".prop_map(String::into_bytes),
        1 => prop::collection::vec(prop::num::u8::ANY, 252..=255),
    ]
    .prop_map(|mut name| {
        name.iter_mut().filter(|byte| matches!(byte, 0 | b'/')).for_each(|byte| *byte = b'_');
        match &*name {
            b"." | b".." => b"dots".to_vec(),
            [b'.', b'w', b'h', b'.', ..] => b"whiteout".to_vec(),
            _ => name,
        }
    })
}

fn path() -> impl Strategy<Value = TreePath> {
    prop::collection::vec(name(), 1..4)
        .prop_map(|names| TreePath::parse(names.join(&b'/')).unwrap())
}

fn content() -> impl Strategy<Value = Content> {
    let run = (1..2000_u64, 1..2000_u64);
    let sparse = (prop::collection::vec(run, 0..30), 0..2000_u64).prop_map(|(runs, rest)| {
        let file = tempfile::tempfile().unwrap();
        let (mut at, mut offset, mut data) = (0, 0, Vec::new());
        for (hole, len) in runs {
            data.push(DataRun { at: at + hole, offset, len });
            file.write_all_at(&vec![(at % 251) as u8; len as usize], offset).unwrap();
            (at, offset) = (at + hole + len, offset + len);
        }
        Content::Sparse { file: Arc::<File>::new(file), len: at + rest, data: data.into() }
    });
    let bytes = prop::collection::vec(prop::num::u8::ANY, 0..1500).prop_map(Content::from);
    prop_oneof![3 => bytes, 1 => sparse]
}

fn node() -> impl Strategy<Value = Node> {
    let device = (0..4096_u32, 0..(1_u32 << 20)).prop_map(|(major, minor)| Device { major, minor });
    let target = prop::collection::vec(1..=255_u8, 1..300).prop_map(Vec::into_boxed_slice);
    prop_oneof![
        3 => Just(Node::Directory),
        4 => content().prop_map(Node::File),
        1 => target.prop_map(Node::Symlink),
        1 => "[a-c](/[a-c])?".prop_map(|target| Node::Symlink(target.into_bytes().into())),
        1 => device.clone().prop_map(Node::CharDevice),
        1 => device.prop_map(Node::BlockDevice),
        1 => Just(Node::Fifo),
    ]
}

fn inode() -> impl Strategy<Value = Inode> {
    let value = prop::collection::vec(prop::num::u8::ANY, 0..100);
    let xattrs = prop::collection::btree_map("user\\.[^=\\x00]{1,20}", value, 0..3);
    let ids = (0..0o10000_u16, prop::num::u32::ANY, prop::num::u32::ANY);
    let time = 0..=i64::MAX / 1_000_000_000;
    (node(), ids, time, xattrs).prop_map(|(node, (mode, uid, gid), time, xattrs)| {
        let mode = if matches!(node, Node::Symlink(_)) { 0o777 } else { mode };
        let boxed = |(name, value): (String, Vec<u8>)| (name.into_bytes().into(), value.into());
        let xattrs: Xattrs = xattrs.into_iter().map(boxed).collect();
        Inode { node, metadata: Metadata { mode, uid, gid, mtime_s: time, mtime_ns: 0, xattrs } }
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let step = prop_oneof![
        5 => (path(), inode()).prop_map(|(path, inode)| Step::Put(path, inode)),
        1 => (path(), path()).prop_map(|(path, target)| Step::Link(path, target)),
    ];
    prop::collection::vec(step, 0..25).prop_map(|steps| {
        let mut tree = Tree::new();
        for step in steps {
            // What has no place is left out.
            let _ = match step {
                Step::Put(path, inode) => tree.insert(&path, inode),
                Step::Link(path, target) => tree.link(&path, &target),
            };
        }
        tree
    })
}

/// All names of a tree as members, each with a pax header that says everything.
fn members(tree: &Tree) -> Vec<Member> {
    let mut first_names: HashMap<InodeId, TreePath> = HashMap::new();
    let mut members = Vec::new();
    for entry in tree.walk() {
        let name = [b"./", entry.path.as_bytes()].concat();
        if let Some(first) = first_names.get(&entry.id) {
            let records: [(&[u8], &[u8]); 2] = [(b"path", &name), (b"linkpath", first.as_bytes())];
            members.extend([Member::pax(&records), Member::link(b'1', "x", "y")]);
            continue;
        }
        first_names.insert(entry.id, entry.path.clone());
        members.extend(member(&name, entry.inode));
    }
    members
}

fn member(name: &[u8], inode: &Inode) -> [Member; 2] {
    let meta = &inode.metadata;
    let mut records: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (b"uid".to_vec(), meta.uid.to_string().into_bytes()),
        (b"gid".to_vec(), meta.gid.to_string().into_bytes()),
        (b"mtime".to_vec(), meta.mtime_s.to_string().into_bytes()),
    ];
    for (name, value) in &meta.xattrs {
        records.push(([b"SCHILY.xattr.", &**name].concat(), value.to_vec()));
    }
    let device = |typeflag, device: &Device| {
        Member::new(typeflag, "x", b"")
            .field(329, format!("{:07o}", device.major).as_bytes())
            .field(337, format!("{:07o}", device.minor).as_bytes())
    };
    let mut name_key = &b"path"[..];
    let member = match &inode.node {
        Node::Directory => Member::directory("x"),
        Node::File(Content::Sparse { file, len, data }) => {
            name_key = b"GNU.sparse.name";
            records.push((b"GNU.sparse.major".to_vec(), b"1".to_vec()));
            records.push((b"GNU.sparse.minor".to_vec(), b"0".to_vec()));
            records.push((b"GNU.sparse.realsize".to_vec(), len.to_string().into_bytes()));
            Member::file("x", &sparse(file, *len, data))
        }
        Node::File(Content::Bytes(bytes)) => Member::file("x", bytes),
        Node::File(_) => unreachable!("no tree of this module has one"),
        Node::Symlink(target) => {
            records.push((b"linkpath".to_vec(), target.to_vec()));
            Member::link(b'2', "x", "y")
        }
        Node::CharDevice(number) => device(b'3', number),
        Node::BlockDevice(number) => device(b'4', number),
        Node::Fifo | Node::Socket => Member::new(b'6', "x", b""),
    };
    records.push((name_key.to_vec(), name.to_vec()));
    let records: Vec<(&[u8], &[u8])> =
        records.iter().map(|(key, value)| (&**key, &**value)).collect();
    [Member::pax(&records), member.field(100, format!("{:07o}", meta.mode).as_bytes())]
}

/// The content of a sparse member, version 1.0, with the closing run of no length that GNU writes.
fn sparse(file: &File, len: u64, data: &[DataRun]) -> Vec<u8> {
    let mut map = format!("{}\n", data.len() + 1);
    data.iter().for_each(|run| map += &format!("{}\n{}\n", run.at, run.len));
    let mut bytes = (map + &format!("{len}\n0\n")).into_bytes();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    for run in data {
        let start = bytes.len();
        bytes.resize(start + run.len as usize, 0);
        file.read_exact_at(&mut bytes[start..], run.offset).unwrap();
    }
    bytes
}

/// Whiteouts for all that `upper` does not have.
fn whiteouts(lower: &Tree, upper: &Tree) -> Vec<Member> {
    let is_directory = |path: &TreePath| upper.get(path).is_some_and(Inode::is_directory);
    let mut members = Vec::new();
    for entry in lower.walk() {
        let Some((parent, name)) = entry.path.split_last() else { continue };
        if upper.get(&entry.path).is_none() && is_directory(&parent) {
            let hidden = [parent.as_bytes(), b"/.wh.", name].concat();
            members.extend([Member::pax(&[(b"path", &hidden)]), Member::file("x", b"")]);
        }
    }
    members
}

fn opaque(upper: &Tree) -> Vec<Member> {
    let directories = upper.walk().filter(|entry| entry.inode.is_directory());
    let marker = |path: TreePath| {
        let path = [path.as_bytes(), b"/.wh..wh..opq"].concat();
        [Member::pax(&[(b"path", &path)]), Member::file("x", b"")]
    };
    directories.flat_map(|entry| marker(entry.path)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_comes_back_from_its_archive(tree in tree()) {
        let got = read(&[layer("l", archive(&members(&tree)))]).unwrap();
        prop_assert_eq!(got.render_dump(), tree.render_dump());
        prop_assert!(got == tree);
    }

    #[test]
    fn a_layer_makes_any_tree_of_any_other(lower in tree(), upper in tree()) {
        let hidden = whiteouts(&lower, &upper);
        let base = layer("base", archive(&members(&lower)));
        // Wherever the whiteouts stand: those of the lower layer are hidden, no others.
        let all = members(&upper);
        let orders = [
            [hidden.clone(), all.clone()].concat(),
            [all.clone(), hidden].concat(),
            [opaque(&upper), all.clone()].concat(),
            [all.clone(), opaque(&upper)].concat(),
        ];
        for members in orders {
            let got = read(&[base.clone(), layer("top", archive(&members))]).unwrap();
            prop_assert_eq!(got.render_dump(), upper.render_dump());
            prop_assert!(got == upper);
        }
    }
}
