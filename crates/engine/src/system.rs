//! From a recipe to the tree of its system.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mote_kernel::Compiler;
use mote_kernel::source::{Digest, digest_tarball};
use mote_manifest::{self as manifest, FileEntry, FileKind, Recipe, ScriptBody};
use mote_process::Program;
use mote_rootfs::busybox::{
    self, BuildEvent, BuildSpec, Busybox, BusyboxBinary, BusyboxSpec, ExtraFile, Group, Login,
    Password, StartScript, User, build_tree,
};
use mote_rootfs::tree::{Content, Inode, Tree, TreePath};

use crate::cache::Shelf;
use crate::digest::Hasher;
use crate::event::{self, Step};
use crate::host::{Host, shown};
use crate::{EngineError, toolchain};

/// The name of a BusyBox that was built, in its folder of the cache.
const BINARY: &str = "busybox";

/// The tree of a recipe's system. Which BusyBox was taken is reported as a note.
pub(crate) fn tree(host: &Host, recipe: &Recipe) -> Result<Tree, EngineError> {
    let Some(system) = &recipe.busybox else {
        return Err(EngineError::EmptyRecipe { name: recipe.name.clone() });
    };
    let busybox = find_busybox(host, &system.binary)?;
    host.note(format!("BusyBox {}: {}", busybox.version, busybox.origin));
    Ok(build_tree(&spec(system, &recipe.files)?, &busybox)?)
}

fn find_busybox(host: &Host, wanted: &manifest::BusyboxBinary) -> Result<Busybox, EngineError> {
    let (origin, path) = match wanted {
        manifest::BusyboxBinary::Auto => {
            let found =
                Program::find("busybox", &host.search_path).map_err(|_| EngineError::NoBusybox)?;
            let path = found.path().to_owned();
            (BusyboxBinary::Host(path.clone()), path)
        }
        manifest::BusyboxBinary::File(path) => (BusyboxBinary::Path(path.clone()), path.clone()),
        manifest::BusyboxBinary::Source(tarball) => {
            (BusyboxBinary::BuiltFrom(tarball.clone()), built_busybox(host, tarball)?)
        }
    };
    Ok(busybox::load_busybox(origin, &path, &host.cancel)?)
}

/// The BusyBox of a source tarball, from the cache or built now.
fn built_busybox(host: &Host, tarball: &Path) -> Result<PathBuf, EngineError> {
    let memo = host.cache.memo()?;
    let digest = digest_tarball(tarball, &memo, &host.cancel, &|_, _| ())?;
    let compiler = toolchain::compiler(host)?;
    let key = busybox_key(&digest, &compiler, &toolchain::static_libc(host)?);
    let log = host.cache.logs()?.join(format!("busybox-{}.log", &key[..16]));
    let make = |partial: &Path| {
        let work = partial.join("work");
        let spec = BuildSpec {
            tarball: tarball.to_owned(),
            work_dir: work.clone(),
            log: log.clone(),
            jobs: host.jobs,
            search: host.search_path.clone(),
        };
        let step = Step::BuildBusybox { log: log.clone() };
        let built = event::step(&*host.sink, step, |progress| {
            busybox::build_busybox(&spec, &host.cancel, &mut |event| {
                if let BuildEvent::Compiled(files) = event {
                    progress(files.into(), None);
                }
            })
        })?;
        let binary = partial.join(BINARY);
        fs::write(&binary, &built.bytes).map_err(EngineError::io("write", &binary))?;
        fs::set_permissions(&binary, PermissionsExt::from_mode(0o755))
            .map_err(EngineError::io("make executable", &binary))?;
        fs::remove_dir_all(&work).map_err(EngineError::io("remove", &work))
    };
    let what = shown(tarball);
    let (dir, _) =
        host.cache.ensure(Shelf::Busybox, &key, &what, &host.cancel, &*host.sink, make)?;
    Ok(dir.join(BINARY))
}

/// The digest of all that goes into a BusyBox.
fn busybox_key(source: &Digest, compiler: &Compiler, libc: &[u8]) -> String {
    let Compiler { cc, ld } = compiler;
    let mut hasher = Hasher::new("busybox");
    for field in [&source.to_string(), cc, ld, busybox::BUILD_CONFIG] {
        hasher.field(field.as_bytes());
    }
    hasher.field(libc);
    hasher.finish()
}

fn spec(system: &manifest::Busybox, files: &[FileEntry]) -> Result<BusyboxSpec, EngineError> {
    Ok(BusyboxSpec {
        hostname: system.hostname.clone(),
        login: match system.login {
            manifest::Login::Auto => Login::Auto,
            manifest::Login::Password => Login::Password,
        },
        motd: system.motd.clone(),
        shells: system.shells.clone(),
        environment: system.environment.clone(),
        users: system.users.iter().map(user).collect(),
        groups: system.groups.iter().map(group).collect(),
        start_scripts: system.start.iter().map(start_script).collect::<Result<_, _>>()?,
        files: files.iter().map(extra_file).collect::<Result<_, _>>()?,
    })
}

fn user(user: &manifest::User) -> User {
    User {
        name: user.name.clone(),
        uid: user.uid,
        gid: user.gid,
        gecos: user.gecos.clone(),
        home: user.home.clone(),
        shell: user.shell.clone(),
        password: match &user.password {
            manifest::Password::Locked => Password::Locked,
            manifest::Password::Empty => Password::Empty,
            manifest::Password::Plain(text) => Password::Plain(text.clone()),
            manifest::Password::Hash(hash) => Password::Hashed(hash.clone()),
        },
    }
}

fn group(group: &manifest::Group) -> Group {
    Group { name: group.name.clone(), gid: group.gid, members: group.members.clone() }
}

fn start_script(script: &manifest::StartScript) -> Result<StartScript, EngineError> {
    let content = match &script.body {
        ScriptBody::Text(text) => Content::from(text.clone()),
        ScriptBody::File(path) => host_file(path)?.0,
    };
    Ok(StartScript { name: script.name.clone(), content })
}

fn extra_file(entry: &FileEntry) -> Result<ExtraFile, EngineError> {
    let mode = |usual: u32| entry.mode.unwrap_or(usual) as u16;
    let inode = match &entry.kind {
        FileKind::Content(text) => Inode::file(text.clone(), mode(0o644)),
        FileKind::Source(path) => {
            let (content, bits) = host_file(path)?;
            Inode::file(content, mode(bits))
        }
        FileKind::Symlink(target) => Inode::symlink(target),
        FileKind::Directory => Inode::directory(mode(0o755)),
    };
    let path = TreePath::parse(&entry.path)?;
    Ok(ExtraFile { path, inode: inode.owned_by(entry.uid, entry.gid) })
}

/// A file of the host's, where it lies, and its permission bits.
fn host_file(path: &Path) -> Result<(Content, u32), EngineError> {
    let metadata = fs::metadata(path).map_err(EngineError::io("read", path))?;
    if !metadata.is_file() {
        return Err(EngineError::NotFile { path: path.to_owned() });
    }
    let content =
        Content::HostFile { path: path.to_owned().into(), offset: 0, len: metadata.len() };
    Ok((content, metadata.permissions().mode() & 0o7777))
}

#[cfg(test)]
mod tests {
    use mote_process::Cancel;
    use mote_rootfs::tree::Node;

    use super::*;

    fn groups(spec: &BusyboxSpec) -> String {
        let search = std::env::var_os("PATH").unwrap();
        let found = Program::find("busybox", &search).expect("apt-get install busybox-static");
        let origin = BusyboxBinary::Host(found.path().to_owned());
        let busybox = busybox::load_busybox(origin, found.path(), &Cancel::default()).unwrap();
        let tree = build_tree(spec, &busybox).unwrap();
        match &tree.get(&TreePath::parse("etc/group").unwrap()).unwrap().node {
            Node::File(Content::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// It is a part of the program.
    #[test]
    fn another_c_library_is_another_busybox() {
        let source = "ab".repeat(32).parse().unwrap();
        let compiler = Compiler { cc: "gcc 1".to_owned(), ld: "ld 1".to_owned() };
        let key = |libc: &[u8]| busybox_key(&source, &compiler, libc);
        assert_eq!(key(b"one"), key(b"one"));
        assert_ne!(key(b"one"), key(b"another"));
    }

    /// A recipe can name the groups of every system, so it knows them as the system does.
    #[test]
    fn a_recipe_that_names_no_groups_has_those_of_the_system() {
        let recipe = Recipe::parse("version = 1\nname = \"x\"\n[busybox]", "x", Path::new(""));
        let system = recipe.unwrap().busybox.unwrap();
        assert_eq!(system.groups.len(), groups(&BusyboxSpec::default()).lines().count());
        assert_eq!(groups(&spec(&system, &[]).unwrap()), groups(&BusyboxSpec::default()));
    }
}
