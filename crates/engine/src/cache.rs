//! Things that are made once and kept: `<cache>/<shelf>/<key>/`.
//!
//! The contract:
//!
//! - A key is the digest of everything that went into an entry, so an entry never changes.
//! - An entry is made in `<key>.partial` and appears by one rename, after it was validated.
//! - All of it is on the disk before it has its name, so that a power cut leaves it whole or not at
//!   all; beside it stands how long each file is. An entry that is not so any more is made again.
//! - Whoever makes an entry holds `<key>.lock` (an advisory lock of the kernel's, gone with the
//!   process). Others wait for it and then find the entry. A `.partial` that is found while the
//!   lock is held was left by a process that was killed: it is removed, never trusted, by the next
//!   who makes this entry or by `mote prune`.
//! - What takes minutes to make can be made in several goes, in `<key>.work` beside it, which a
//!   maker that fails or is killed leaves to the next one, and `mote prune` removes.
//! - Whoever removes an entry holds that lock too, and makes it a `.partial` first.
//! - Everything may be deleted at any time when no mote runs.

mod whole;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mote_process::{Cancel, Cancelled};
use tempfile::TempDir;

use crate::error::full_disk_hint;
use crate::event::{self, Event, Sink, Step};

/// One kind of entry, and the folder that holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Unpacked Linux sources, by the digest of their tarball.
    Sources,
    /// Built kernels.
    Kernels,
    /// BusyBox binaries that were built from source.
    Busybox,
    /// Images.
    Images,
}

impl Shelf {
    const ALL: [Self; 4] = [Self::Sources, Self::Kernels, Self::Busybox, Self::Images];

    fn folder(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Kernels => "kernels",
            Self::Busybox => "busybox",
            Self::Images => "images",
        }
    }
}

/// How the folder of an entry in the making ends, after its key.
const PARTIAL: &str = "partial";

/// How the folder ends in which an entry is made in several goes.
const WORK: &str = "work";

/// How the file ends that its maker has locked.
const LOCK: &str = "lock";

/// Why an entry could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: a verb and, where needed, a preposition.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl CacheError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => full_disk_hint(source),
            Self::Cancelled(_) => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The cache of one user.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// How an entry came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was there.
    Found,
    /// It was made now.
    Made,
}

impl Cache {
    /// The cache under `root`, which is made when something is put there.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where all of it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a shelf; it may not exist yet.
    pub fn shelf(&self, shelf: Shelf) -> PathBuf {
        self.root.join(shelf.folder())
    }

    /// A folder for small notes that save work, such as digests of files that did not change.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn memo(&self) -> Result<PathBuf, CacheError> {
        self.folder("memo")
    }

    /// A folder for what external programs print.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn logs(&self) -> Result<PathBuf, CacheError> {
        self.folder("logs")
    }

    /// An empty folder for work that leaves nothing behind, removed when the value is dropped.
    /// What a killed mote left there is removed now.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn work(&self) -> Result<Work, CacheError> {
        let folder = self.folder("work")?;
        remove_abandoned(&folder, "")?;
        Work::begin(&folder)
    }

    fn folder(&self, name: &str) -> Result<PathBuf, CacheError> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(CacheError::io("make the directory", &path))?;
        Ok(path)
    }

    /// The entry's folder, if it is there.
    pub fn get(&self, shelf: Shelf, key: &str) -> Option<PathBuf> {
        let path = self.shelf(shelf).join(key);
        path.is_dir().then_some(path)
    }

    /// A folder for the making of an entry that outlives its maker: who makes the entry goes on there,
    /// and removes it in the end. It may not exist yet.
    pub fn unfinished(&self, shelf: Shelf, key: &str) -> PathBuf {
        self.shelf(shelf).join(format!("{key}.{WORK}"))
    }

    /// The keys on a shelf with their folders, sorted by key.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn entries(&self, shelf: Shelf) -> Result<Vec<(String, PathBuf)>, CacheError> {
        let mut entries = Vec::new();
        for path in list(&self.shelf(shelf))? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if !name.contains('.') && path.is_dir() {
                entries.push((name.to_owned(), path));
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// The folders in which something was left half made.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(crate) fn abandoned(&self) -> Result<Vec<Held>, CacheError> {
        let mut abandoned = Vec::new();
        for folder in Shelf::ALL.map(|shelf| self.shelf(shelf)) {
            for path in list(&folder)? {
                if path.extension().is_some_and(|ending| ending == PARTIAL || ending == WORK) {
                    abandoned.extend(Held::new(path)?);
                }
            }
        }
        Ok(abandoned)
    }

    /// The entry of `key`, made by `make` in an empty folder if it is not there yet.
    ///
    /// `make` fills the folder and validates what it made; if it fails, the folder is removed.
    /// `what` names the entry for one who waits.
    ///
    /// # Errors
    /// Those of the file system and of `make`, and the user's interruption.
    pub fn ensure<E: From<CacheError>>(
        &self,
        shelf: Shelf,
        key: &str,
        what: &str,
        cancel: &Cancel,
        sink: &Sink,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(PathBuf, Origin), E> {
        let found = || self.get(shelf, key).filter(|entry| whole::check(entry).is_ok());
        if let Some(found) = found() {
            return Ok((found, Origin::Found));
        }
        self.with_lock(shelf, key, what, cancel, sink, || {
            if let Some(found) = found() {
                return Ok((found, Origin::Found));
            }
            let folder = self.shelf(shelf);
            let entry = folder.join(key);
            if let Err(damage) = whole::check(&entry) {
                sink(Event::Warning(format!("{damage}; it is made again")));
                discard(&entry)?;
            }
            let partial = Partial::new(folder.join(format!("{key}.{PARTIAL}")))?;
            make(&partial.path)?;
            cancel.check().map_err(CacheError::from)?;
            whole::note(&partial.path)?;
            fs::rename(&partial.path, &entry).map_err(CacheError::io("rename to", &entry))?;
            whole::sync(&folder)?;
            Ok((entry, Origin::Made))
        })
    }

    /// Does `work` while no other mote does the work of that name for the same shelf.
    ///
    /// # Errors
    /// Those of the file system and of `work`, and the user's interruption while waiting.
    pub fn with_lock<T, E: From<CacheError>>(
        &self,
        shelf: Shelf,
        name: &str,
        what: &str,
        cancel: &Cancel,
        sink: &Sink,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let folder = self.shelf(shelf);
        fs::create_dir_all(&folder).map_err(CacheError::io("make the directory", &folder))?;
        let _lock = Lock::acquire(folder.join(format!("{name}.{LOCK}")), what, cancel, sink)?;
        work()
    }
}

/// An entry, or what is half made of one, with the lock of its maker: nobody makes it, or removes
/// it, while this lives.
pub(crate) struct Held {
    /// Its folder.
    pub(crate) path: PathBuf,
    _lock: Lock,
}

impl Held {
    /// Takes hold of a folder on a shelf; nothing if somebody is at it, or it is gone.
    ///
    /// # Errors
    /// When it cannot be locked.
    pub(crate) fn new(path: PathBuf) -> Result<Option<Self>, CacheError> {
        let lock = Lock::try_acquire(&path.with_extension(LOCK))?;
        Ok(lock.filter(|_| path.is_dir()).map(|lock| Self { path, _lock: lock }))
    }

    /// Removes it. To others it is gone at once: what is left of it, also by a mote that is killed
    /// now, is half made.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(self) -> Result<(), CacheError> {
        discard(&self.path)
    }
}

/// Removes a folder whose maker's lock is held.
fn discard(path: &Path) -> Result<(), CacheError> {
    let partial = path.with_extension(PARTIAL);
    if partial != path {
        remove_tree(&partial).map_err(CacheError::io("remove the left-over", &partial))?;
    }
    fs::rename(path, &partial).map_err(CacheError::io("rename", path))?;
    remove_tree(&partial).map_err(CacheError::io("remove", &partial))
}

/// What is in a folder that may not be there.
fn list(folder: &Path) -> Result<Vec<PathBuf>, CacheError> {
    let failed = CacheError::io("list", folder);
    let listed = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>());
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(failed),
    }
}

/// A folder to work in. Whoever works there holds a lock on the folder itself.
#[derive(Debug)]
pub struct Work {
    dir: TempDir,
    _lock: File,
}

impl Work {
    fn begin(folder: &Path) -> Result<Self, CacheError> {
        let (dir, lock) = locked_folder(folder, ".tmp")?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Makes a folder with a name of its own, and a lock on it that says that somebody has it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn locked_folder(within: &Path, prefix: &str) -> Result<(TempDir, File), CacheError> {
    loop {
        let dir = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(within)
            .map_err(CacheError::io("make a directory in", within))?;
        // Between making it and locking it, another mote may have taken it for abandoned.
        let lock = match File::open(dir.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(CacheError::io("open", dir.path()))?,
        };
        if lock.try_lock().is_ok() && dir.path().exists() {
            return Ok((dir, lock));
        }
    }
}

/// Removes the folders that [`locked_folder`] made with this prefix and whose motes are gone.
///
/// # Errors
/// When one cannot be removed.
pub(crate) fn remove_abandoned(within: &Path, prefix: &str) -> Result<(), CacheError> {
    for path in list(within)? {
        let name = path.file_name().unwrap_or_default();
        // One that has just gone was somebody's who has finished.
        if name.as_encoded_bytes().starts_with(prefix.as_bytes())
            && let Ok(lock) = File::open(&path)
            && lock.try_lock().is_ok()
        {
            remove_tree(&path).map_err(CacheError::io("remove the left-over", &path))?;
        }
    }
    Ok(())
}

/// A folder in the making, removed when dropped: after a rename there is nothing to remove.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn new(path: PathBuf) -> Result<Self, CacheError> {
        remove_tree(&path).map_err(CacheError::io("remove the left-over", &path))?;
        fs::create_dir(&path).map_err(CacheError::io("make the directory", &path))?;
        Ok(Self { path })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // A failure here is found, and reported, by the next one who makes this entry.
        let _ = remove_tree(&self.path);
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// An exclusive lock that removes its file when it is let go.
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// How often a waiter looks whether the lock is free or the user interrupted.
    const RETRY: Duration = Duration::from_millis(100);

    fn acquire(
        path: PathBuf,
        what: &str,
        cancel: &Cancel,
        sink: &Sink,
    ) -> Result<Self, CacheError> {
        if let Some(lock) = Self::try_acquire(&path)? {
            return Ok(lock);
        }
        event::step(sink, Step::Wait { what: what.to_owned() }, |_| {
            loop {
                cancel.check()?;
                std::thread::sleep(Self::RETRY);
                if let Some(lock) = Self::try_acquire(&path)? {
                    return Ok(lock);
                }
            }
        })
    }

    /// Takes the lock if it is free. The file that was locked must still be the one at the path:
    /// its last holder may have removed it in between.
    fn try_acquire(path: &Path) -> Result<Option<Self>, CacheError> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(CacheError::io("open the lock", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => {
                return Err(CacheError::Io { action: "lock", path: path.to_owned(), source });
            }
        }
        let held = file.metadata().map_err(CacheError::io("examine the lock", path))?;
        let current = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(CacheError::io("examine the lock", path))?,
        };
        let same = (held.dev(), held.ino()) == (current.dev(), current.ino());
        Ok(same.then(|| Self { path: path.to_owned(), _file: file }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed before it is unlocked: whoever locks the removed file notices and tries again.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};

    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"));
        (dir, cache)
    }

    fn ensure(
        cache: &Cache,
        cancel: &Cancel,
        make: impl FnOnce(&Path) -> Result<(), CacheError>,
    ) -> Result<(PathBuf, Origin), CacheError> {
        cache.ensure(Shelf::Images, "key", "it", cancel, &|_| (), make)
    }

    fn names(cache: &Cache) -> Vec<String> {
        let listing = fs::read_dir(cache.shelf(Shelf::Images)).unwrap();
        listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn write(text: &'static str) -> impl FnOnce(&Path) -> Result<(), CacheError> {
        move |dir| fs::write(dir.join("file"), text).map_err(CacheError::io("write", dir))
    }

    #[test]
    fn an_entry_is_made_once() {
        let (_dir, cache) = cache();
        let cancel = Cancel::default();
        let (path, origin) = ensure(&cache, &cancel, write("first")).unwrap();
        assert_eq!(origin, Origin::Made);
        let (again, origin) = ensure(&cache, &cancel, |_| panic!("it is there")).unwrap();
        assert_eq!((again, origin), (path.clone(), Origin::Found));
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "first");
        assert_eq!(names(&cache), ["key"]);
    }

    #[test]
    fn what_failed_leaves_nothing() {
        let (_dir, cache) = cache();
        let result = ensure(&cache, &Cancel::default(), |dir| {
            fs::write(dir.join("half"), "").unwrap();
            Err(CacheError::io("write", dir)(io::ErrorKind::StorageFull.into()))
        });
        assert!(result.unwrap_err().to_string().starts_with("cannot write "));
        assert_eq!(names(&cache), [""; 0]);
    }

    #[test]
    fn what_a_killed_process_left_is_not_trusted() {
        let (_dir, cache) = cache();
        let partial = cache.shelf(Shelf::Images).join("key.partial");
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join("half"), "").unwrap();
        let (path, _) = ensure(&cache, &Cancel::default(), write("whole")).unwrap();
        assert!(!path.join("half").exists());
        assert_eq!(names(&cache), ["key"]);
    }

    #[test]
    fn what_is_half_made_is_found_unless_somebody_is_at_it() {
        let (_dir, cache) = cache();
        let shelf = cache.shelf(Shelf::Images);
        let partial = shelf.join("gone.partial");
        fs::create_dir_all(&partial).unwrap();
        fs::create_dir(shelf.join("whole")).unwrap();
        ensure(&cache, &Cancel::default(), |dir| {
            assert!(dir.is_dir());
            let found = cache.abandoned().unwrap();
            assert_eq!(found.iter().map(|found| &found.path).collect::<Vec<_>>(), [&partial]);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_damaged_entry_is_made_again() {
        let (_dir, cache) = cache();
        let cancel = Cancel::default();
        let (path, _) = ensure(&cache, &cancel, write("whole")).unwrap();
        let file = path.join("file");
        for damage in
            [&(|| fs::write(&file, "").unwrap()) as &dyn Fn(), &|| fs::remove_file(&file).unwrap()]
        {
            damage();
            let warned = Arc::new(std::sync::Mutex::new(Vec::new()));
            let told = warned.clone();
            let sink = move |event| told.lock().unwrap().push(format!("{event:?}"));
            let made = cache.ensure(Shelf::Images, "key", "it", &cancel, &sink, write("whole"));
            assert_eq!(made.unwrap().1, Origin::Made);
            assert!(warned.lock().unwrap()[0].contains("; it is made again"));
            assert_eq!(fs::read_to_string(&file).unwrap(), "whole");
        }
        assert_eq!(ensure(&cache, &cancel, |_| panic!("it is there")).unwrap().1, Origin::Found);
        assert_eq!(names(&cache), ["key"]);
    }

    #[test]
    fn unfinished_work_outlives_its_maker() {
        let (_dir, cache) = cache();
        let work = cache.unfinished(Shelf::Images, "key");
        let begin = |_: &Path| {
            fs::create_dir(&work).unwrap();
            Err(CacheError::io("write", &work)(io::ErrorKind::StorageFull.into()))
        };
        ensure(&cache, &Cancel::default(), begin).unwrap_err();
        assert_eq!(names(&cache), ["key.work"]);
        assert_eq!(cache.entries(Shelf::Images).unwrap(), []);
        ensure(&cache, &Cancel::default(), |_| {
            assert!(work.is_dir() && cache.abandoned().unwrap().is_empty());
            Ok(())
        })
        .unwrap();
        for left in cache.abandoned().unwrap() {
            left.remove().unwrap();
        }
        assert_eq!(names(&cache), ["key"]);
    }

    #[test]
    fn an_interrupted_entry_does_not_appear() {
        let (_dir, cache) = cache();
        let cancel = Cancel::default();
        let result = ensure(&cache, &cancel, |dir| {
            cancel.cancel(2);
            write("whole")(dir)
        });
        assert!(matches!(result, Err(CacheError::Cancelled(_))));
        assert_eq!(names(&cache), [""; 0]);
    }

    #[test]
    fn of_many_at_once_one_makes_it() {
        let (_dir, cache) = cache();
        let made = Arc::new(AtomicUsize::new(0));
        let start = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (cache, made, start) = (cache.clone(), made.clone(), start.clone());
                std::thread::spawn(move || {
                    start.wait();
                    ensure(&cache, &Cancel::default(), |dir| {
                        made.fetch_add(1, Ordering::SeqCst);
                        write("whole")(dir)
                    })
                    .unwrap()
                })
            })
            .collect();
        let mut origins: Vec<_> =
            threads.into_iter().map(|thread| thread.join().unwrap().1).collect();
        origins.retain(|origin| *origin == Origin::Made);
        assert_eq!((origins.len(), made.load(Ordering::SeqCst)), (1, 1));
        assert_eq!(names(&cache), ["key"]);
    }

    #[test]
    fn abandoned_work_is_removed_and_nobodys_else() {
        let (_dir, cache) = cache();
        let mine = cache.work().unwrap();
        let abandoned = mine.path().with_file_name("abandoned");
        fs::create_dir(&abandoned).unwrap();
        let other = cache.work().unwrap();
        assert!(mine.path().is_dir() && other.path().is_dir() && !abandoned.exists());
        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }

    #[test]
    fn work_begins_while_others_look_for_what_was_abandoned() {
        let (_dir, cache) = cache();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| drop(cache.work().unwrap())));
            }
        });
    }

    #[test]
    fn what_is_removed_is_made_again() {
        let (_dir, cache) = cache();
        let cancel = Cancel::default();
        let (path, _) = ensure(&cache, &cancel, write("first")).unwrap();
        let held = Held::new(path.clone()).unwrap().unwrap();
        assert!(Held::new(path.clone()).unwrap().is_none());
        held.remove().unwrap();
        assert!(Held::new(path).unwrap().is_none());
        assert_eq!(names(&cache), [""; 0]);
        assert_eq!(ensure(&cache, &cancel, write("again")).unwrap().1, Origin::Made);
    }

    #[test]
    fn who_waits_can_be_interrupted() {
        let (_dir, cache) = cache();
        let cancel = Cancel::default();
        let result = ensure(&cache, &Cancel::default(), |_| {
            let waiting = cancel.clone();
            let sink = move |_| waiting.cancel(15);
            cache.ensure(Shelf::Images, "key", "it", &cancel, &sink, |_| Ok(())).map(|_| ())
        });
        assert!(matches!(result, Err(CacheError::Cancelled(_))));
    }
}
