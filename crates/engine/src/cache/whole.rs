//! Whether all of an entry is there: on the disk before it has its name, and as long as it was.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::CacheError;

/// Beside the files of an entry: a line for each, with its length and its name.
const NOTE: &str = ".whole";

/// Up to how many files are written to the disk one by one. An unpacked source has 80,000: for those,
/// the whole file system is.
const FEW: usize = 64;

/// What of an entry is not as it was made.
#[derive(Debug, thiserror::Error)]
#[error("{} is damaged: it has {} bytes instead of {}", path.display(), is.map_or_else(|| "no".to_owned(), |is| is.to_string()), was)]
pub(super) struct Damage {
    path: PathBuf,
    was: u64,
    is: Option<u64>,
}

/// Notes how long the files of an entry are, and writes all of it to the disk.
pub(super) fn note(entry: &Path) -> Result<(), CacheError> {
    let mut lines = String::new();
    for file in fs::read_dir(entry).map_err(CacheError::io("list", entry))? {
        let file = file.map_err(CacheError::io("list", entry))?;
        let metadata = file.metadata().map_err(CacheError::io("examine", &file.path()))?;
        if let (true, Some(name)) = (metadata.is_file(), file.file_name().to_str()) {
            let _ = writeln!(lines, "{} {name}", metadata.len());
        }
    }
    let path = entry.join(NOTE);
    fs::write(&path, lines).map_err(CacheError::io("write", &path))?;
    let mut all = Vec::new();
    if collect(entry, &mut all).map_err(CacheError::io("list", entry))? {
        all.iter().try_for_each(|path| sync(path))
    } else {
        let folder = File::open(entry).map_err(CacheError::io("open", entry))?;
        let synced = rustix::fs::syncfs(&folder).map_err(io::Error::from);
        synced.map_err(CacheError::io("write to the disk what is in", entry))
    }
}

/// The files and folders of an entry, itself last; gives up when they are not [`FEW`].
fn collect(folder: &Path, all: &mut Vec<PathBuf>) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !collect(&entry.path(), all)? {
                return Ok(false);
            }
        } else if kind.is_file() {
            all.push(entry.path());
        }
        if all.len() > FEW {
            return Ok(false);
        }
    }
    all.push(folder.to_owned());
    Ok(true)
}

/// Writes a file or a folder to the disk.
pub(super) fn sync(path: &Path) -> Result<(), CacheError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(CacheError::io("write to the disk", path))
}

/// Looks whether the files of an entry are as long as they were. One that is not there, or was made
/// before this was noted, is whole.
pub(super) fn check(entry: &Path) -> Result<(), Damage> {
    let note = fs::read_to_string(entry.join(NOTE)).unwrap_or_default();
    for (was, name) in note.lines().filter_map(|line| line.split_once(' ')) {
        let Ok(was) = was.parse() else { continue };
        let path = entry.join(name);
        let is = fs::metadata(&path).ok().map(|metadata| metadata.len());
        if is != Some(was) {
            return Err(Damage { path, was, is });
        }
    }
    Ok(())
}
