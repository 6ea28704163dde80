//! The digest of everything in a directory.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

use mote_process::Cancel;
use sha2::{Digest as _, Sha256};

use super::digest::{CHUNK, digest_reader};
use super::memo::{Fingerprint, Memo};
use super::{Digest, Progress, SourceError};

/// The one thing that is not part of a source: git's own.
const LEFT_OUT: &str = ".git";

/// Something in the directory.
struct Entry {
    /// Relative to the directory.
    path: PathBuf,
    metadata: Metadata,
}

/// The digest of the tree under `dir`, an absolute path: of the sorted relative paths, of what is a
/// directory, a file (and whether it is executable) or a link, and of contents and targets. Owners,
/// times and `.git` do not count. It is remembered in `memo_dir` for as long as nothing changes.
pub(super) fn digest_directory(
    dir: &Path,
    memo_dir: &Path,
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<Digest, SourceError> {
    let entries = list(dir, cancel)?;
    let mut fingerprint = Fingerprint::new();
    for entry in &entries {
        fingerprint.add(&entry.path, &entry.metadata);
    }
    let memo = Memo::new(memo_dir, dir, fingerprint);
    if let Some(digest) = memo.recall() {
        return Ok(digest);
    }
    let contents = digest_contents(dir, &entries, cancel, progress)?;
    let digest = combine(&entries, &contents);
    memo.remember(&digest);
    Ok(digest)
}

/// Everything under `dir`, sorted by the bytes of its path.
fn list(dir: &Path, cancel: &Cancel) -> Result<Vec<Entry>, SourceError> {
    let mut entries = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        cancel.check()?;
        let absolute = dir.join(&folder);
        for found in fs::read_dir(&absolute).map_err(SourceError::io("list", &absolute))? {
            let found = found.map_err(SourceError::io("list", &absolute))?;
            if found.file_name() == OsStr::new(LEFT_OUT) {
                continue;
            }
            let path = folder.join(found.file_name());
            let metadata = found.metadata().map_err(SourceError::io("examine", &found.path()))?;
            if metadata.is_dir() {
                waiting.push(path.clone());
            }
            entries.push(Entry { path, metadata });
        }
    }
    entries.sort_unstable_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    Ok(entries)
}

/// The digest of each entry's content, in the order of the entries, taken by as many threads as
/// there are processors.
fn digest_contents(
    dir: &Path,
    entries: &[Entry],
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<Vec<Digest>, SourceError> {
    let total = entries.iter().map(|entry| entry.metadata.len()).sum();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || work(dir, entries, next, cancel, &sender));
        }
        drop(sender);
        let mut contents = Vec::with_capacity(entries.len());
        let mut done = 0;
        for (index, digest) in receiver {
            contents.push((index, digest?));
            done += entries[index].metadata.len();
            progress(done, Some(total));
        }
        contents.sort_unstable_by_key(|(index, _)| *index);
        Ok(contents.into_iter().map(|(_, digest)| digest).collect())
    })
}

/// What a worker sends: which entry, and its content's digest.
type Done = (usize, Result<Digest, SourceError>);

/// Takes entries until there are none left, or the receiver has seen an error and is gone.
fn work(dir: &Path, entries: &[Entry], next: &AtomicUsize, cancel: &Cancel, sender: &Sender<Done>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(entry) = entries.get(index) else { return };
        let path = dir.join(&entry.path);
        let digest = digest_content(&path, &entry.metadata, &mut chunk, cancel);
        let digest = digest.map_err(SourceError::reading(&path));
        if sender.send((index, digest)).is_err() {
            return;
        }
    }
}

fn digest_content(
    path: &Path,
    metadata: &Metadata,
    chunk: &mut [u8],
    cancel: &Cancel,
) -> io::Result<Digest> {
    if metadata.is_file() {
        return digest_reader(File::open(path)?, chunk, cancel, &|_| ());
    }
    if metadata.is_symlink() {
        return Ok(Digest::of_bytes(fs::read_link(path)?.as_os_str().as_bytes()));
    }
    Ok(Digest::of_bytes(b""))
}

/// One digest of them all.
fn combine(entries: &[Entry], contents: &[Digest]) -> Digest {
    let mut hash = Sha256::new();
    for (entry, content) in entries.iter().zip(contents) {
        let path = entry.path.as_os_str().as_bytes();
        hash.update([kind(&entry.metadata)]);
        hash.update((path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update(content.as_bytes());
    }
    Digest::finish(hash)
}

fn kind(metadata: &Metadata) -> u8 {
    if metadata.is_dir() {
        b'd'
    } else if metadata.is_symlink() {
        b'l'
    } else if !metadata.is_file() {
        b'?'
    } else if metadata.mode() & 0o111 != 0 {
        b'x'
    } else {
        b'f'
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A small tree, changed by `change` before it is digested.
    fn digest(change: impl FnOnce(&Path)) -> Digest {
        let dir = tempfile::tempdir().unwrap();
        let memo = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/c"), "1").unwrap();
        fs::write(dir.path().join("a.d"), "2").unwrap();
        symlink("a.d", dir.path().join("l")).unwrap();
        change(dir.path());
        digest_directory(dir.path(), memo.path(), &Cancel::default(), &|_, _| ()).unwrap()
    }

    #[test]
    fn it_is_the_same_everywhere() {
        let pinned = "96f695433b79efc99b875fb895da98441e981f79b73d2585ed112663de2aa73c";
        assert_eq!(digest(|_| ()).to_string(), pinned);
    }

    #[test]
    fn git_does_not_count() {
        let same = digest(|dir| {
            fs::create_dir(dir.join(".git")).unwrap();
            fs::write(dir.join(".git/HEAD"), "x").unwrap();
            fs::write(dir.join("a/.git"), "gitdir: x").unwrap();
        });
        assert_eq!(same, digest(|_| ()));
    }

    #[test]
    fn all_else_counts() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 9] = [
            ("nothing", |_| ()),
            ("content", |dir| fs::write(dir.join("a/b/c"), "3").unwrap()),
            ("a new file", |dir| fs::write(dir.join("a/b/.config"), "").unwrap()),
            ("a new directory", |dir| fs::create_dir(dir.join("e")).unwrap()),
            ("a name", |dir| fs::rename(dir.join("a.d"), dir.join("a.e")).unwrap()),
            ("a place", |dir| fs::rename(dir.join("a/b/c"), dir.join("a/c")).unwrap()),
            ("the executable bit", |dir| {
                fs::set_permissions(dir.join("a.d"), PermissionsExt::from_mode(0o755)).unwrap();
            }),
            ("a link's target", |dir| {
                fs::remove_file(dir.join("l")).unwrap();
                symlink("a", dir.join("l")).unwrap();
            }),
            ("a file instead of a link", |dir| {
                fs::remove_file(dir.join("l")).unwrap();
                fs::write(dir.join("l"), "a.d").unwrap();
            }),
        ];
        let digests: Vec<_> = changes.iter().map(|(_, change)| digest(change)).collect();
        for (index, digest) in digests.iter().enumerate() {
            let twin = digests[..index].iter().position(|other| other == digest);
            assert_eq!(twin.map(|twin| changes[twin].0), None, "{}", changes[index].0);
        }
    }

    #[test]
    fn an_interruption_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "1").unwrap();
        let cancel = Cancel::default();
        cancel.cancel(15);
        let result = digest_directory(dir.path(), dir.path(), &cancel, &|_, _| ());
        assert!(matches!(result, Err(SourceError::Cancelled(_))));
        let entries = list(dir.path(), &Cancel::default()).unwrap();
        let result = digest_contents(dir.path(), &entries, &cancel, &|_, _| ());
        assert!(matches!(result, Err(SourceError::Cancelled(_))));
    }
}
