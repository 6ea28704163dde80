//! Digests that are remembered for as long as what they are of looks unchanged.
//!
//! A memo is a small file: a fingerprint made of what `lstat` tells, and the digest of the contents.
//! It only saves work, so a memo that cannot be read or written is no error.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::Digest;

/// File systems stamp with a clock of coarse ticks (2 s on FAT): what was touched as recently as
/// this may be touched again without another stamp.
const TICK: Duration = Duration::from_secs(2);

/// Gathers what `lstat` tells of one or more files.
pub(super) struct Fingerprint {
    hash: Sha256,
    newest: i64,
}

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self { hash: Sha256::new(), newest: 0 }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, path: &Path, metadata: &Metadata) {
        let path = path.as_os_str().as_bytes();
        self.hash.update((path.len() as u64).to_le_bytes());
        self.hash.update(path);
        self.hash.update(metadata.mode().to_le_bytes());
        for number in [metadata.dev(), metadata.ino(), metadata.size()] {
            self.hash.update(number.to_le_bytes());
        }
        let stamps =
            [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        for stamp in stamps {
            self.hash.update(stamp.to_le_bytes());
        }
        self.newest = self.newest.max(metadata.mtime()).max(metadata.ctime());
    }

    /// Whether a change from now on is sure to change the fingerprint.
    fn is_settled(&self) -> bool {
        let newest = Duration::from_secs(u64::try_from(self.newest).unwrap_or(0));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + newest);
        since.is_ok_and(|since| since > TICK)
    }
}

/// The place of one memo, with the fingerprint that holds now.
pub(super) struct Memo {
    path: PathBuf,
    fingerprint: Digest,
    settled: bool,
}

impl Memo {
    /// The memo of `subject`, an absolute path. Taken before the contents are read.
    pub(super) fn new(memo_dir: &Path, subject: &Path, fingerprint: Fingerprint) -> Self {
        let name = Digest::of_bytes(subject.as_os_str().as_bytes());
        let settled = fingerprint.is_settled();
        Self {
            path: memo_dir.join(format!("digest-{name}")),
            fingerprint: Digest::finish(fingerprint.hash),
            settled,
        }
    }

    /// The digest, if the fingerprint is still the same.
    pub(super) fn recall(&self) -> Option<Digest> {
        let text = fs::read_to_string(&self.path).ok()?;
        let (fingerprint, digest) = text.trim_end().split_once(' ')?;
        (fingerprint.parse() == Ok(self.fingerprint.clone())).then(|| digest.parse().ok())?
    }

    /// Keeps the digest for the next time.
    pub(super) fn remember(&self, digest: &Digest) {
        if !self.settled {
            return;
        }
        let partial = self.path.with_extension(format!("{}.partial", std::process::id()));
        let written = fs::write(&partial, format!("{} {digest}\n", self.fingerprint));
        let _ = written.and_then(|()| fs::rename(&partial, &self.path));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    fn memo(dir: &Path, file: &Path) -> Memo {
        let mut fingerprint = Fingerprint::new();
        fingerprint.add(file, &fs::symlink_metadata(file).unwrap());
        Memo::new(dir, file, fingerprint)
    }

    /// Waits until `file` is old enough for its stamps to be trusted.
    fn settle(dir: &Path, file: &Path) -> Memo {
        let until = SystemTime::now() + 2 * TICK;
        loop {
            let memo = memo(dir, file);
            if memo.settled {
                return memo;
            }
            assert!(SystemTime::now() < until, "the clock of the file system stands still");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    #[test]
    fn a_memo_holds_until_the_file_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "1").unwrap();
        let digest = Digest::of_bytes(b"1");

        let fresh = memo(dir.path(), &file);
        fresh.remember(&digest);
        assert_eq!(fresh.recall(), None, "remembered what may still change unseen");

        let settled = settle(dir.path(), &file);
        settled.remember(&digest);
        assert_eq!(settled.recall(), Some(digest.clone()));
        assert_eq!(memo(dir.path(), &file).recall(), Some(digest));

        // The same size and the same mtime: ctime tells.
        let mtime = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "2").unwrap();
        let times = FileTimes::new().set_modified(mtime);
        File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
        assert_eq!(memo(dir.path(), &file).recall(), None);
    }

    #[test]
    fn a_damaged_memo_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "1").unwrap();
        let memo = memo(dir.path(), &file);
        for text in
            ["", "x", "x y", &format!("{} ", memo.fingerprint), &format!("{} 12", memo.fingerprint)]
        {
            fs::write(&memo.path, text).unwrap();
            assert_eq!(memo.recall(), None, "{text}");
        }
    }
}
