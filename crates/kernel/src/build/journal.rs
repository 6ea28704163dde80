//! Which files of a build's output directory are whole, so that an interrupted build can go on.
//!
//! `make` takes a file that exists and is newer than what it is made from for whole. After a kill,
//! a power cut or a full disk it may not be: it may be cut off, or another program may have changed
//! it since. So a journal lies beside the files: while the build goes on, each file that nobody
//! writes to any more is noted with its size, modification time and digest. A build that goes on
//! first removes every file that is not as it was noted, and `make` makes that one again.
//!
//! The journal need not be written safely itself: a line that is missing or wrong only costs the
//! file that it is about.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::BuildError;
use crate::artefact::sha256_hex;

/// The journal's name in the output directory. The makefiles have none that begins so.
const NAME: &str = ".mote-journal";

/// For how long nobody must have written to a file before it counts as whole.
const SETTLED: Duration = Duration::from_secs(2);

/// How often the directory is looked through.
const EVERY: Duration = Duration::from_secs(2);

/// What is known of a file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Noted {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified_ns: i128,
    sha256: String,
}

/// The journal of one output directory.
#[derive(Debug)]
pub(super) struct Journal {
    out: PathBuf,
    file: File,
    /// By path below the output directory.
    noted: BTreeMap<PathBuf, Noted>,
    looked: Instant,
}

impl Journal {
    /// Opens the journal of a directory in which a build was interrupted, or starts one. Files that
    /// are not as they were noted are removed.
    ///
    /// # Errors
    ///
    /// A file or directory that cannot be read, removed or written.
    pub(super) fn resume(out: &Path) -> Result<Self, BuildError> {
        Self::begin(out, read(&out.join(NAME))?)
    }

    /// Removes all files, and starts a journal.
    ///
    /// # Errors
    ///
    /// A file or directory that cannot be listed, removed or written.
    pub(super) fn start(out: &Path) -> Result<Self, BuildError> {
        Self::begin(out, BTreeMap::new())
    }

    fn begin(out: &Path, as_noted: BTreeMap<PathBuf, Noted>) -> Result<Self, BuildError> {
        let mut noted = BTreeMap::new();
        for file in files(out)? {
            let name = file.strip_prefix(out).expect("it lies below").to_owned();
            match as_noted.get(&name) {
                Some(as_noted) if note(&file)?.as_ref() == Some(as_noted) => {
                    noted.insert(name, as_noted.clone());
                }
                _ => fs::remove_file(&file).map_err(BuildError::io("remove", &file))?,
            }
        }
        let path = out.join(NAME);
        let file = File::create(&path).map_err(BuildError::io("write", &path))?;
        let lines: String = noted.iter().map(|(name, noted)| line(name, noted)).collect();
        let mut journal = Self { out: out.to_owned(), file, noted, looked: Instant::now() };
        journal.append(&lines)?;
        Ok(journal)
    }

    /// How many object files are there already, which need not be compiled again.
    pub(super) fn objects(&self) -> u32 {
        let is_object = |name: &&PathBuf| {
            let host = ["scripts", "tools"].iter().any(|folder| name.starts_with(folder));
            !host && name.extension().is_some_and(|ending| ending == "o")
        };
        u32::try_from(self.noted.keys().filter(is_object).count()).unwrap_or(u32::MAX)
    }

    /// Looks through the directory if that is due, and notes the files that have become whole.
    ///
    /// # Errors
    ///
    /// A file or directory that cannot be read or written.
    pub(super) fn keep_up(&mut self) -> Result<(), BuildError> {
        if self.looked.elapsed() < EVERY {
            return Ok(());
        }
        self.note_settled(SETTLED)?;
        self.looked = Instant::now();
        Ok(())
    }

    /// Notes the files that nobody has written to for so long.
    pub(super) fn note_settled(&mut self, settled: Duration) -> Result<(), BuildError> {
        let now = SystemTime::now();
        let mut lines = String::new();
        for file in files(&self.out)? {
            // The compiler removes files of its own at any time.
            let Some(metadata) = metadata(&file)? else { continue };
            let name = file.strip_prefix(&self.out).expect("it lies below").to_owned();
            let is_noted = self.noted.get(&name).is_some_and(|noted| {
                (noted.bytes, noted.modified_ns) == (metadata.len(), modified_ns(&metadata))
            });
            let modified = metadata.modified().map_err(BuildError::io("examine", &file))?;
            let is_settled = now.duration_since(modified).is_ok_and(|since| since >= settled);
            if !is_noted
                && is_settled
                && let Some(noted) = note(&file)?
            {
                lines += &line(&name, &noted);
                self.noted.insert(name, noted);
            }
        }
        self.append(&lines)
    }

    fn append(&mut self, lines: &str) -> Result<(), BuildError> {
        self.file.write_all(lines.as_bytes()).map_err(BuildError::io("write", &self.out.join(NAME)))
    }
}

/// `SHA256 BYTES MODIFIED_NS NAME`. The makefiles make no name with a line feed; of one that has, the
/// line says nothing and the file is made again.
fn line(name: &Path, Noted { bytes, modified_ns, sha256 }: &Noted) -> String {
    format!("{sha256} {bytes} {modified_ns} {}\n", name.display())
}

/// What the journal says; the later of two lines about a file counts. What cannot be read says
/// nothing.
fn read(path: &Path) -> Result<BTreeMap<PathBuf, Noted>, BuildError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(BuildError::io("read", path))?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let parse = |line: &str| {
        let mut words = line.splitn(4, ' ');
        let sha256 = words.next()?.to_owned();
        let bytes = words.next()?.parse().ok()?;
        let modified_ns = words.next()?.parse().ok()?;
        Some((PathBuf::from(words.next()?), Noted { bytes, modified_ns, sha256 }))
    };
    Ok(text.lines().filter_map(parse).collect())
}

/// The regular files below a directory, but the journal. Links and empty directories cannot be
/// damaged.
fn files(out: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut files = Vec::new();
    let mut folders = vec![out.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(BuildError::io("list", &folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(BuildError::io("list", &folder))?;
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() && entry.file_name() != NAME => files.push(path),
                _ => {}
            }
        }
    }
    Ok(files)
}

/// A file as it is now; nothing if it has gone.
fn note(path: &Path) -> Result<Option<Noted>, BuildError> {
    let Some(metadata) = metadata(path)? else { return Ok(None) };
    let content = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(BuildError::io("read", path))?,
    };
    Ok(Some(Noted {
        bytes: metadata.len(),
        modified_ns: modified_ns(&metadata),
        sha256: sha256_hex(content),
    }))
}

fn metadata(path: &Path) -> Result<Option<fs::Metadata>, BuildError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(BuildError::io("examine", path)),
    }
}

fn modified_ns(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::testing::names_in;

    /// A directory with these files, all of them noted.
    fn noted(names: &[&str]) -> (TempDir, Journal) {
        let out = tempfile::tempdir().unwrap();
        let mut journal = Journal::resume(out.path()).unwrap();
        for name in names {
            let path = out.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("the content of {name}")).unwrap();
        }
        journal.note_settled(Duration::ZERO).unwrap();
        (out, journal)
    }

    /// The files that are left when the build goes on.
    fn left(out: &TempDir) -> Vec<String> {
        drop(Journal::resume(out.path()).unwrap());
        let mut names = names_in(out.path());
        names.retain(|name| name != NAME);
        names
    }

    #[test]
    fn whole_files_stay_and_objects_are_counted() {
        let (out, _) = noted(&["main.o", "init/a.o", "scripts/b.o", "tools/c.o", ".main.o.cmd"]);
        let journal = Journal::resume(out.path()).unwrap();
        assert_eq!((journal.noted.len(), journal.objects()), (5, 2));
        let again = Journal::resume(out.path()).unwrap();
        assert_eq!(again.noted, journal.noted);
    }

    #[test]
    fn every_damage_is_noticed() {
        let (out, _) = noted(&["cut", "emptied", "flipped", "older", "whole"]);
        let path = |name: &str| out.path().join(name);
        let time = fs::metadata(path("whole")).unwrap().modified().unwrap();
        let change = |name: &str, content: &str| {
            fs::write(path(name), content).unwrap();
            File::options().append(true).open(path(name)).unwrap().set_modified(time).unwrap();
        };
        change("cut", "the content");
        change("emptied", "");
        let flipped = fs::read_to_string(path("flipped")).unwrap().replace('c', "b");
        fs::write(path("flipped"), flipped).unwrap();
        let times = fs::File::open(path("older")).unwrap();
        times.set_modified(time - Duration::from_secs(9)).unwrap();
        assert_eq!(left(&out), ["whole"]);
    }

    /// The same size and time, and other bytes: only the digest tells.
    #[test]
    fn bytes_that_changed_under_the_same_time_are_noticed() {
        let (out, journal) = noted(&["flipped"]);
        let path = out.path().join("flipped");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "the CONTENT of flipped").unwrap();
        File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        let now = note(&path).unwrap().unwrap();
        let before = &journal.noted[Path::new("flipped")];
        assert_eq!((now.bytes, now.modified_ns), (before.bytes, before.modified_ns));
        assert_eq!(left(&out), [""; 0]);
    }

    #[test]
    fn a_file_that_may_still_be_written_to_is_not_noted() {
        let (out, mut journal) = noted(&["whole"]);
        fs::write(out.path().join("growing"), "half").unwrap();
        journal.note_settled(Duration::from_secs(3600)).unwrap();
        assert_eq!(left(&out), ["whole"]);
    }

    #[test]
    fn a_file_that_changes_is_noted_anew() {
        let (out, mut journal) = noted(&["file"]);
        fs::write(out.path().join("file"), "another content").unwrap();
        journal.note_settled(Duration::ZERO).unwrap();
        assert_eq!(left(&out), ["file"]);
    }

    #[test]
    fn a_damaged_journal_vouches_for_nothing() {
        let (out, mut journal) = noted(&["a"]);
        fs::write(out.path().join("b"), "").unwrap();
        journal.note_settled(Duration::ZERO).unwrap();
        let path = out.path().join(NAME);
        let journal = fs::read(&path).unwrap();
        // Cut off in the second line, and bytes that are no text.
        fs::write(&path, [&journal[..journal.len() - 2], b"\xff\xff\n1 2\n"].concat()).unwrap();
        assert_eq!(left(&out), ["a"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(left(&out), [""; 0]);
    }

    #[test]
    fn links_are_neither_followed_nor_removed() {
        let (out, _) = noted(&["file"]);
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("precious"), "").unwrap();
        symlink(elsewhere.path(), out.path().join("source")).unwrap();
        assert_eq!(left(&out), ["file", "source"]);
        assert!(elsewhere.path().join("precious").exists());
    }

    #[test]
    fn starting_anew_leaves_no_file() {
        let (out, _) = noted(&["a", "init/b.o"]);
        assert_eq!(Journal::start(out.path()).unwrap().objects(), 0);
        assert_eq!(left(&out), ["init"]);
    }
}
