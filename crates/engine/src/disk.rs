//! Root disks of runs: written once from what a program consists of, and kept in the cache.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mote_image::erofs;
use mote_image::ext4::{self, Ext4Options, Journal};
use mote_rootfs::layer;
use mote_rootfs::tree::{Content, Stretch, Tree};
use rustix::fs::{FlockOperation, SeekFrom, flock, seek};
use rustix::io::Errno;

use crate::EngineError;
use crate::cache::{Held, Shelf};
use crate::contents::Contents;
use crate::digest::Hasher;
use crate::export;
use crate::host::Host;
use crate::image::{self, ImageError};

/// The name of a disk in its folder of the cache.
pub(crate) const DISK: &str = "disk";

/// The most bytes that all formats have blocks for.
const DISK_BYTES_MAX: u64 = (16 << 40) - 4096;

/// Whose disk it is, beside the disk.
pub(crate) const ABOUT: &str = "name";

/// What is on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// EROFS, which is read-only.
    Erofs,
    /// ext4.
    Ext4 {
        /// Its size in bytes; what its contents take and some room, if nothing is said.
        size_bytes: Option<u64>,
        /// The journal.
        journal: Journal,
    },
}

impl DiskFormat {
    /// The format and the revision of its writer: another one may write another disk of the same tree.
    fn writer(self) -> String {
        match self {
            Self::Erofs => format!("erofs {}", erofs::REVISION),
            Self::Ext4 { .. } => format!("ext4 {}", ext4::REVISION),
        }
    }
}

/// A disk that is ready for a machine.
pub(crate) struct Disk {
    /// Its bytes. While it is open, they stay in the cache.
    pub file: Arc<File>,
    /// Where it is in the cache, if runs share it.
    path: Option<PathBuf>,
}

/// The disk of one run: EROFS, which any number of runs share, or a copy of an ext4 disk that this
/// run alone writes to, and that has no name.
pub(crate) fn of_run(
    host: &Host,
    contents: &Contents,
    format: DiskFormat,
) -> Result<Disk, EngineError> {
    let Some(digest) = contents.digest() else {
        let file = Arc::new(nameless(host)?);
        make(host, contents, format, &file)?;
        return Ok(Disk { file, path: None });
    };
    let shared = cached(host, contents, &digest, format)?;
    match format {
        DiskFormat::Erofs => Ok(shared),
        DiskFormat::Ext4 { .. } => {
            let file = nameless(host)?;
            copy_sparse(&shared.file, &file).map_err(EngineError::CopyDisk)?;
            Ok(Disk { file: file.into(), path: None })
        }
    }
}

impl Disk {
    /// Its path in the cache, where one that has no name is put for those who start the machine by
    /// hand.
    pub(crate) fn keep(&self, host: &Host) -> Result<PathBuf, EngineError> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let len = self.file.metadata().map_err(EngineError::CopyDisk)?.len();
        let whole = Content::Stretch(Stretch { file: self.file.clone(), offset: 0, len });
        let mut hasher = Hasher::new("disk of a machine that is started by hand");
        whole.open().and_then(|bytes| hasher.read(bytes)).map_err(EngineError::CopyDisk)?;
        let make = |partial: &Path| {
            let disk = create(&partial.join(DISK))?;
            copy_sparse(&self.file, &disk).map_err(EngineError::CopyDisk)
        };
        let (key, what) = (hasher.finish(), "a disk");
        let (dir, _) =
            host.cache.ensure(Shelf::Images, &key, what, &host.cancel, &*host.sink, make)?;
        Ok(dir.join(DISK))
    }
}

/// The disk in the cache, locked against those who would remove it for as long as it is open.
fn cached(
    host: &Host,
    contents: &Contents,
    digest: &str,
    format: DiskFormat,
) -> Result<Disk, EngineError> {
    let mut hasher = Hasher::new("disk of a run");
    for field in [digest, &layer::REVISION.to_string(), &format.writer()] {
        hasher.field(field.as_bytes());
    }
    let make = |partial: &Path| {
        export::replace_file(&partial.join(DISK), |out| {
            let disk = out.get_ref().try_clone().map_err(EngineError::Descriptor)?;
            make(host, contents, format, &Arc::new(disk))
        })?;
        let about = partial.join(ABOUT);
        fs::write(&about, &contents.name).map_err(EngineError::io("write", &about))
    };
    let (cancel, sink) = (&host.cancel, &*host.sink);
    let key = hasher.finish();
    loop {
        let (dir, _) =
            host.cache.ensure(Shelf::Images, &key, &contents.name, cancel, sink, make)?;
        let path = dir.join(DISK);
        let disk = match File::open(&path) {
            // Between being found and being opened,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && (!dir.exists() || path.exists()) =>
            {
                continue;
            }
            other => other.map_err(EngineError::io("open", &path))?,
        };
        flock(&disk, FlockOperation::LockShared)
            .map_err(|error| EngineError::io("lock", &path)(error.into()))?;
        // or locked, it may have been removed, and made again.
        if is_at(&path, &disk) {
            if let Err(damage) = check(format, &disk) {
                host.warn(format!("{} is damaged: {damage}; it is made again", path.display()));
                remove_damaged(&dir, &path, &disk)?;
                continue;
            }
            let now = File::open(&dir).and_then(|dir| dir.set_modified(SystemTime::now()));
            now.map_err(EngineError::io("note the use of", &dir))?;
            return Ok(Disk { file: disk.into(), path: Some(path) });
        }
    }
}

/// Looks whether a disk is one, as far as its superblock tells. Its length is known to be right.
fn check(format: DiskFormat, disk: &File) -> Result<(), String> {
    match format {
        DiskFormat::Erofs => erofs::check_erofs(disk).map_err(|error| chain(&error)),
        DiskFormat::Ext4 { .. } => ext4::check_ext4(disk).map_err(|error| chain(&error)),
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Removes an entry, unless another mote has made it anew in the meantime. Whoever has the disk open
/// keeps it.
fn remove_damaged(dir: &Path, path: &Path, disk: &File) -> Result<(), EngineError> {
    if let Some(entry) = Held::new(dir.to_owned())?
        && is_at(path, disk)
    {
        entry.remove()?;
    }
    Ok(())
}

/// Whether a file is still the one at a path.
fn is_at(path: &Path, file: &File) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let ids = file.metadata().and_then(|file| Ok((id(file), id(fs::metadata(path)?))));
    ids.is_ok_and(|(file, there)| file == there)
}

fn make(
    host: &Host,
    contents: &Contents,
    format: DiskFormat,
    disk: &Arc<File>,
) -> Result<(), EngineError> {
    let tree = contents.tree(host, Some(&in_the_making(format, disk)))?;
    write(host, &contents.name, &tree, format, disk)
}

/// An empty file, on which contents may lie before all of it is known.
pub(crate) fn in_the_making(format: DiskFormat, file: &Arc<File>) -> layer::Disk {
    let (reserved, end, tail_max) = match format {
        DiskFormat::Erofs => (erofs::reserved(), None, erofs::TAIL_MAX),
        // All that has to lie in one piece finds room in the other half.
        DiskFormat::Ext4 { size_bytes, .. } => {
            (ext4::reserved(), size_bytes.map(|size_bytes| size_bytes / 2), 0)
        }
    };
    let end = end.unwrap_or(u64::MAX).min(DISK_BYTES_MAX);
    layer::Disk { file: file.clone(), reserved, end, tail_max }
}

/// Writes a tree to a file that is empty or holds [contents](in_the_making) of it.
pub(crate) fn write(
    host: &Host,
    name: &str,
    tree: &Tree,
    format: DiskFormat,
    disk: &File,
) -> Result<(), EngineError> {
    image::write(host, name, tree, |on_progress| match format {
        DiskFormat::Erofs => {
            erofs::write_erofs(tree, disk, on_progress).map(drop).map_err(ImageError::Erofs)
        }
        DiskFormat::Ext4 { size_bytes, journal } => {
            let options = Ext4Options { size_bytes, journal, ..Ext4Options::default() };
            ext4::write_ext4(tree, disk, &options, on_progress).map(drop).map_err(ImageError::Ext4)
        }
    })
}

fn create(path: &Path) -> Result<File, EngineError> {
    let new = File::options().read(true).write(true).create_new(true).open(path);
    new.map_err(EngineError::io("create", path))
}

/// A file without a name, where there is room for disks.
fn nameless(host: &Host) -> Result<File, EngineError> {
    let work = host.cache.work()?;
    tempfile::tempfile_in(work.path()).map_err(EngineError::io("make a file in", work.path()))
}

/// Copies what is not a hole.
fn copy_sparse(from: &Arc<File>, to: &File) -> io::Result<()> {
    to.set_len(from.metadata()?.len())?;
    let mut at = 0;
    loop {
        let begin = match seek(from, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => return Ok(()),
            other => other?,
        };
        at = seek(from, SeekFrom::Hole(begin))?;
        let data = Content::Stretch(Stretch { file: from.clone(), offset: begin, len: at - begin });
        data.copy_to(to, begin)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::{Mode, PruneWanted, prune};
    use crate::testing;

    #[test]
    fn runs_and_prunes_do_not_harm_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        let path = dir.path().join("root.tar");
        fs::write(&path, [0; 1024]).unwrap();
        let mut pruned = 0;
        std::thread::scope(|scope| {
            let run = || {
                let contents = testing::contents_of_tar(&host, &path);
                (0..500).for_each(|_| drop(of_run(&host, &contents, DiskFormat::Erofs).unwrap()));
            };
            let runs = [scope.spawn(run), scope.spawn(run)];
            while !runs.iter().all(|run| run.is_finished()) {
                pruned += prune(&host, &PruneWanted::default(), Mode::Remove).unwrap().len();
            }
        });
        assert!(pruned > 0);
    }
}
