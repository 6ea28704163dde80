//! Making room: disks and pulled images that nobody uses.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mote_oci::{Digest, Freed, OciError, Reference};
use rustix::fs::{FlockOperation, flock};

use crate::cache::{Held, Shelf};
use crate::disk::{ABOUT, DISK};
use crate::host::{Host, shown};
use crate::{EngineError, pull};

/// What is to be removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneWanted {
    /// What was not used for this long; a pulled image counts as used when it was pulled.
    pub older_than: Option<Duration>,
    /// The oldest, until the rest has no more bytes than this.
    pub keep_bytes: Option<u64>,
}

/// Something that was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// What it was.
    pub what: PrunedKind,
    /// Its name.
    pub name: String,
    /// How much room it took on the disk, in bytes; of a pulled image what no other one needs that
    /// stays.
    pub bytes: u64,
}

/// What can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrunedKind {
    /// A root disk, or an initramfs, that is made again when it is needed.
    Disk,
    /// A pulled image.
    Image,
    /// The console's log of a machine that failed.
    Log,
    /// Parts of images that no name stands for, interrupted downloads, and what was half made.
    Unused,
}

/// Whether it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is only said what would be done.
    DryRun,
    /// It is done.
    Remove,
}

/// Removes what is wanted, but nothing that a running machine uses: if no age and no size is given,
/// all disks and logs, and what no pulled image needs.
///
/// # Errors
/// When the cache cannot be read, or something cannot be removed.
pub fn prune(host: &Host, wanted: &PruneWanted, mode: Mode) -> Result<Vec<Pruned>, EngineError> {
    let mut found = disks(host)?;
    found.extend(logs(host)?);
    if *wanted != PruneWanted::default() {
        found.extend(images(host)?);
    }
    found.sort_by_key(|item| item.used);
    let mut needed = Needed::default();
    let mut rest: u64 = found.iter().map(|item| needed.add(&item.room)).sum();
    let old = |used: SystemTime, age: Duration| used.elapsed().is_ok_and(|since| since >= age);
    let mut pruned = Vec::new();
    for item in found {
        let goes = match wanted {
            PruneWanted { older_than: None, keep_bytes: None } => true,
            PruneWanted { older_than, keep_bytes } => {
                older_than.is_some_and(|age| old(item.used, age))
                    || keep_bytes.is_some_and(|keep| rest > keep)
            }
        };
        if goes && item.remove(host, mode)? {
            let bytes = needed.remove(&item.room);
            rest -= bytes;
            pruned.push(item.pruned(bytes));
        }
    }
    pruned.extend(abandoned(host, mode)?);
    if mode == Mode::Remove {
        pruned.extend(unused(host, needed.freed())?);
    }
    Ok(pruned)
}

/// Removes what killed motes have left half made.
fn abandoned(host: &Host, mode: Mode) -> Result<Option<Pruned>, EngineError> {
    let found = host.cache.abandoned()?;
    let count = found.len();
    let mut bytes = 0;
    for half_made in found {
        let folder = &half_made.path;
        bytes += bytes_on_disk(folder).map_err(EngineError::io("examine", folder))?;
        if mode == Mode::Remove {
            half_made.remove()?;
        }
    }
    let name = format!("{count} half-made entries");
    Ok((count > 0).then_some(Pruned { what: PrunedKind::Unused, name, bytes }))
}

/// Something that can go.
struct Item {
    used: SystemTime,
    room: Room,
    place: Place,
}

/// What something takes on the disk.
enum Room {
    /// Bytes of its own.
    Own(u64),
    /// Blobs, with their sizes in bytes, that other images may need too.
    Blobs(BTreeMap<Digest, u64>),
}

enum Place {
    Disk { dir: PathBuf, name: String },
    Image(Reference),
    Log(PathBuf),
}

/// The blobs of pulled images, those too that were needed by images that are gone.
#[derive(Default)]
struct Needed(BTreeMap<Digest, Blob>);

struct Blob {
    bytes: u64,
    /// How many of the images that stay need it.
    images: u32,
}

impl Needed {
    /// Counts something in, and gives how many bytes it takes besides all that is counted already.
    fn add(&mut self, room: &Room) -> u64 {
        self.count(room, |images| {
            *images += 1;
            *images == 1
        })
    }

    /// Counts it out, and gives how many bytes that frees.
    fn remove(&mut self, room: &Room) -> u64 {
        self.count(room, |images| {
            *images -= 1;
            *images == 0
        })
    }

    /// The bytes of its own, and of the blobs for which `change` says that they count.
    fn count(&mut self, room: &Room, change: impl Fn(&mut u32) -> bool) -> u64 {
        match room {
            Room::Own(bytes) => *bytes,
            Room::Blobs(blobs) => blobs
                .iter()
                .filter(|&(&digest, &bytes)| {
                    let blob = self.0.entry(digest).or_insert(Blob { bytes, images: 0 });
                    change(&mut blob.images)
                })
                .map(|(_, bytes)| bytes)
                .sum(),
        }
    }

    /// The blobs that no image needs any more.
    fn freed(&self) -> Freed {
        let gone = self.0.values().filter(|blob| blob.images == 0);
        Freed { blobs: gone.clone().count() as u64, bytes: gone.map(|blob| blob.bytes).sum() }
    }
}

impl Item {
    /// Whether it is gone; what is in use stays.
    fn remove(&self, host: &Host, mode: Mode) -> Result<bool, EngineError> {
        match &self.place {
            Place::Image(reference) => {
                if mode == Mode::Remove {
                    pull::store(host).forget(reference)?;
                }
                Ok(true)
            }
            Place::Disk { dir, .. } => {
                let Some(entry) = Held::new(dir.clone())? else { return Ok(!dir.exists()) };
                let Some(_lock) = lock(&dir.join(DISK))? else { return Ok(false) };
                if mode == Mode::Remove {
                    entry.remove()?;
                }
                Ok(true)
            }
            Place::Log(dir) => {
                let Some(_lock) = lock(dir)? else { return Ok(false) };
                if mode == Mode::Remove {
                    match fs::remove_dir_all(dir) {
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                        other => other.map_err(EngineError::io("remove", dir))?,
                    }
                }
                Ok(true)
            }
        }
    }

    fn pruned(self, bytes: u64) -> Pruned {
        let (what, name) = match self.place {
            Place::Disk { name, .. } => (PrunedKind::Disk, name),
            Place::Image(reference) => (PrunedKind::Image, reference.familiar()),
            Place::Log(dir) => (PrunedKind::Log, shown(&dir)),
        };
        Pruned { what, name, bytes }
    }
}

/// Locks what runs lock: a disk in the cache, or the folder of an instance. Nothing if a run has it.
fn lock(path: &Path) -> Result<Option<Option<File>>, EngineError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some(None)),
        other => other.map_err(EngineError::io("open", path))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Some(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(EngineError::io("lock", path)(error.into())),
    }
}

/// The disks in the cache.
fn disks(host: &Host) -> Result<Vec<Item>, EngineError> {
    let mut items = Vec::new();
    for (key, dir) in host.cache.entries(Shelf::Images)? {
        let about = |_: std::io::Error| key[..12].to_owned();
        let name = fs::read_to_string(dir.join(ABOUT)).unwrap_or_else(about);
        items.extend(item(&dir, Place::Disk { dir: dir.clone(), name })?);
    }
    Ok(items)
}

/// What machines have left that failed, or whose mote was killed.
fn logs(host: &Host) -> Result<Vec<Item>, EngineError> {
    let instances = host.instances();
    let failed = EngineError::io("list", &instances);
    let dirs: std::io::Result<Vec<PathBuf>> = match fs::read_dir(&instances) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.and_then(|dirs| dirs.map(|dir| Ok(dir?.path())).collect()),
    };
    let mut items = Vec::new();
    for dir in dirs.map_err(failed)? {
        items.extend(item(&dir, Place::Log(dir.clone()))?);
    }
    Ok(items)
}

/// A folder as something that can go; nothing if another mote removes it just now.
fn item(dir: &Path, place: Place) -> Result<Option<Item>, EngineError> {
    let measured =
        fs::metadata(dir).and_then(|metadata| Ok((metadata.modified()?, bytes_on_disk(dir)?)));
    match measured {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => {
            let (used, bytes) = other.map_err(EngineError::io("examine", dir))?;
            Ok(Some(Item { used, room: Room::Own(bytes), place }))
        }
    }
}

/// The pulled images.
fn images(host: &Host) -> Result<Vec<Item>, EngineError> {
    let store = pull::store(host);
    let items = store.images()?.into_iter().map(|image| {
        Ok(Item {
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(image.pulled_unix_s),
            room: Room::Blobs(store.blobs(&image.digest)?),
            place: Place::Image(image.reference),
        })
    });
    items.collect()
}

/// Removes what no name stands for, unless somebody reads or pulls an image just now. Gives what
/// that was besides the blobs of `images`, which were forgotten before.
fn unused(host: &Host, images: Freed) -> Result<Option<Pruned>, EngineError> {
    match pull::store(host).remove_unused() {
        Ok(freed) if freed.blobs <= images.blobs => Ok(None),
        Ok(freed) => Ok(Some(Pruned {
            what: PrunedKind::Unused,
            name: format!("{} blobs", freed.blobs - images.blobs),
            bytes: freed.bytes.saturating_sub(images.bytes),
        })),
        Err(OciError::InUse { .. }) => {
            host.note("somebody reads or pulls an image: its parts stay".to_owned());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// How much room the files in a folder and below it take.
pub(crate) fn bytes_on_disk(dir: &Path) -> std::io::Result<u64> {
    const BLOCK_BYTES: u64 = 512;
    let size = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let below = if metadata.is_dir() { bytes_on_disk(&entry.path())? } else { 0 };
        Ok(metadata.blocks() * BLOCK_BYTES + below)
    };
    fs::read_dir(dir)?.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Sink;
    use crate::testing;

    fn names(host: &Host) -> Vec<PathBuf> {
        let listing = fs::read_dir(host.cache.shelf(Shelf::Images)).unwrap();
        listing.map(|entry| entry.unwrap().file_name().into()).collect()
    }

    /// An entry with a disk.
    fn entry(host: &Host) -> PathBuf {
        let sink: &Sink = &*host.sink;
        let make = |dir: &Path| {
            fs::write(dir.join(DISK), "disk").unwrap();
            Ok::<_, EngineError>(())
        };
        let made =
            host.cache.ensure(Shelf::Images, &"0".repeat(64), "it", &host.cancel, sink, make);
        made.unwrap().0
    }

    #[test]
    fn what_somebody_uses_or_makes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        let entry = entry(&host);
        let prune = || prune(&host, &PruneWanted::default(), Mode::Remove).unwrap();
        let held = Held::new(entry.clone()).unwrap().unwrap();
        assert_eq!(prune(), []);
        drop(held);
        let disk = File::open(entry.join(DISK)).unwrap();
        flock(&disk, FlockOperation::LockShared).unwrap();
        assert_eq!(prune(), []);
        drop(disk);
        assert_eq!(prune().len(), 1);
        assert_eq!(names(&host), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn the_oldest_go_until_the_rest_is_small_enough() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        let logs = ["run-1", "run-2", "run-3"].map(|name| host.instances().join(name));
        for (dir, age) in logs.iter().zip([20, 30, 10]) {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("console.log"), [1; 4096]).unwrap();
            let made = SystemTime::now() - Duration::from_secs(age);
            File::open(dir).unwrap().set_modified(made).unwrap();
        }
        let keep_bytes = bytes_on_disk(&logs[0]).unwrap();
        let wanted = PruneWanted { older_than: None, keep_bytes: Some(keep_bytes) };
        let pruned = prune(&host, &wanted, Mode::Remove).unwrap();
        let names: Vec<_> = pruned.into_iter().map(|pruned| pruned.name).collect();
        assert_eq!(names, [shown(&logs[1]), shown(&logs[0])]);
    }

    /// Bytes of a layer that images share, of one that an image has alone, and more than all
    /// documents of two images have.
    const SHARED: u64 = 1 << 20;
    const ALONE: u64 = 1 << 16;
    const DOCUMENTS: u64 = 1 << 12;

    /// Puts a blob there as a pull does, and gives the words that name it in a manifest.
    fn blob(host: &Host, kind: &str, bytes: &[u8]) -> (Digest, String) {
        let (digest, size) = (Digest::of(bytes), bytes.len());
        let folder = host.cache.root().join("blobs/sha256");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(digest.hex()), bytes).unwrap();
        let media_type = format!("application/vnd.oci.image.{kind}");
        let words = format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#);
        (digest, words)
    }

    /// The images `one`, `two` and so on, the earlier the older, as if they were pulled. Each has a
    /// layer of its own, and one that all have.
    fn images_that_share_a_layer(host: &Host, names: &[&str]) {
        let (_, config) = blob(host, "config.v1+json", b"{}");
        let (_, shared) = blob(host, "layer.v1.tar", &[0; SHARED as usize]);
        let pulled = names.iter().zip(1u8..).map(|(name, number)| {
            let (_, alone) = blob(host, "layer.v1.tar", &[number; ALONE as usize]);
            let manifest = format!(r#"{{"config":{config},"layers":[{shared},{alone}]}}"#);
            let (digest, _) = blob(host, "manifest.v1+json", manifest.as_bytes());
            let name = format!("docker.io/library/{name}:latest");
            format!(r#"{{"name":"{name}","digest":"{digest}","pulled_unix_s":{number}}}"#)
        });
        let pulled: Vec<_> = pulled.collect();
        let list = format!(r#"{{"schema":1,"images":[{}]}}"#, pulled.join(","));
        fs::write(host.cache.root().join("images.json"), list).unwrap();
    }

    /// The pulled images that go if so many bytes may stay, and how much each frees, without its
    /// documents.
    fn images_that_go(host: &Host, keep_bytes: u64, mode: Mode) -> Vec<(String, u64)> {
        let wanted = PruneWanted { older_than: None, keep_bytes: Some(keep_bytes) };
        let pruned = prune(host, &wanted, mode).unwrap();
        let images = pruned.into_iter().filter(|pruned| pruned.what == PrunedKind::Image);
        images.map(|image| (image.name, image.bytes / DOCUMENTS * DOCUMENTS)).collect()
    }

    #[test]
    fn a_layer_that_images_share_counts_once_and_goes_with_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        images_that_share_a_layer(&host, &["one", "two"]);
        let all = SHARED + 2 * ALONE + DOCUMENTS;
        let one = ("one:latest".to_owned(), ALONE);
        let two = ("two:latest".to_owned(), SHARED + ALONE);
        for (keep_bytes, gone) in [
            (all, vec![]),
            (all - DOCUMENTS, vec![one.clone()]),
            (SHARED + ALONE + DOCUMENTS, vec![one.clone()]),
            (SHARED, vec![one.clone(), two.clone()]),
            (0, vec![one.clone(), two.clone()]),
        ] {
            assert_eq!(images_that_go(&host, keep_bytes, Mode::DryRun), gone, "{keep_bytes}");
        }
        assert_eq!(images_that_go(&host, SHARED + ALONE + DOCUMENTS, Mode::Remove), [one]);
        let blobs = || fs::read_dir(host.cache.root().join("blobs/sha256")).unwrap().count();
        assert_eq!(blobs(), 4);
        assert_eq!(images_that_go(&host, SHARED, Mode::Remove), [two]);
        assert_eq!(blobs(), 0);
    }

    #[test]
    fn what_an_image_frees_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        images_that_share_a_layer(&host, &["one", "two"]);
        let blobs = || -> u64 {
            let listing = fs::read_dir(host.cache.root().join("blobs/sha256")).unwrap();
            listing.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
        };
        for keep_bytes in [SHARED + ALONE + DOCUMENTS, 0] {
            blob(&host, "layer.v1.tar", b"no image needs this");
            let before = blobs();
            let wanted = PruneWanted { older_than: None, keep_bytes: Some(keep_bytes) };
            let pruned = prune(&host, &wanted, Mode::Remove).unwrap();
            assert_eq!(pruned.iter().map(|item| item.bytes).sum::<u64>(), before - blobs());
            assert_eq!(pruned.last().unwrap().name, "1 blobs");
        }
    }

    #[test]
    fn logs_of_machines_that_run_stay() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        let (running, failed) = (host.instances().join("run-1"), host.instances().join("run-2"));
        for dir in [&running, &failed] {
            fs::create_dir_all(dir).unwrap();
            fs::write(dir.join("console.log"), "log").unwrap();
        }
        let lock = File::open(&running).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let prune = |older_than| {
            let wanted = PruneWanted { older_than, keep_bytes: None };
            let pruned = prune(&host, &wanted, Mode::Remove).unwrap();
            pruned.into_iter().map(|pruned| (pruned.what, pruned.name)).collect::<Vec<_>>()
        };
        assert_eq!(prune(Some(Duration::from_secs(1000))), []);
        assert_eq!(prune(None), [(PrunedKind::Log, shown(&failed))]);
        drop(lock);
        assert_eq!(prune(None), [(PrunedKind::Log, shown(&running))]);
    }

    #[test]
    fn what_another_mote_removed_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        entry(&host);
        let item = || disks(&host).unwrap().remove(0);
        let (one, other) = (item(), item());
        assert!(one.remove(&host, Mode::Remove).unwrap());
        assert!(other.remove(&host, Mode::Remove).unwrap());
    }
}
