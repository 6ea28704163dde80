//! A file that is being downloaded.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mote_process::Cancel;

use super::Release;
use super::http::{Client, Head, Reply, Resume, Trouble};
use crate::source::digest::{CHUNK, digest_reader};
use crate::source::{Progress, SourceError, TransferError};

/// What is there of a file: `NAME.part`, and beside it `NAME.part.from`, which says from which
/// address it came and what the server called the file there.
pub(super) struct Part {
    /// Where the file will be.
    path: PathBuf,
    part: PathBuf,
    note: PathBuf,
}

impl Part {
    /// What is there of the release in `dir`. What came from another address is removed.
    pub(super) fn open(dir: &Path, release: &Release) -> Result<Self, SourceError> {
        let name = &release.file_name;
        let part = Self {
            path: dir.join(name),
            part: dir.join(format!("{name}.part")),
            note: dir.join(format!("{name}.part.from")),
        };
        if part.read_note().is_none_or(|(url, _)| url != release.url) {
            part.remove()?;
        }
        Ok(part)
    }

    /// Downloads what is missing.
    pub(super) fn complete(
        &self,
        client: &Client,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<(), SourceError> {
        client.persist(cancel, &mut || self.length(), &mut || {
            let there = self.length();
            let validator = self.read_note().and_then(|(_, validator)| validator);
            let resume = (there > 0).then_some(Resume { from: there, validator });
            let (head, reply) = client.get(resume.as_ref(), cancel)?;
            let range = head.range;
            match head.status {
                200 => {
                    self.start(client.url(), &head)?;
                    self.append(reply, 0, head.length, cancel, progress)
                }
                206 if range.and_then(|range| range.start) == Some(there) => {
                    let total = range.and_then(|range| range.total);
                    self.append(reply, there, total, cancel, progress)
                }
                // There is nothing after the end: everything was there already.
                416 if there > 0 && range.and_then(|range| range.total) == Some(there) => Ok(()),
                206 | 416 => {
                    self.remove()?;
                    Err(Trouble::Passing(TransferError::Busy { status: head.status }))
                }
                status => Err(client.status(status)),
            }
        })
    }

    /// Gives the file its name if it is the release, and removes it otherwise.
    pub(super) fn accept(self, release: &Release, cancel: &Cancel) -> Result<PathBuf, SourceError> {
        let file = File::open(&self.part).map_err(SourceError::io("read", &self.part))?;
        let got = digest_reader(&file, &mut vec![0; CHUNK], cancel, &|_| ())
            .map_err(SourceError::reading(&self.part))?;
        if got != release.sha256 {
            self.remove()?;
            return Err(SourceError::WrongDigest {
                url: release.url.clone(),
                wanted: release.sha256.to_string(),
                got: got.to_string(),
            });
        }
        // A file that is there under its name is trusted, even after a power cut.
        file.sync_all().map_err(SourceError::io("write", &self.part))?;
        fs::rename(&self.part, &self.path).map_err(SourceError::io("rename to", &self.path))?;
        remove(&self.note)?;
        Ok(self.path)
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |metadata| metadata.len())
    }

    /// The address, and the server's name for the file.
    fn read_note(&self) -> Option<(String, Option<String>)> {
        let note = fs::read_to_string(&self.note).ok()?;
        let (url, validator) = note.split_once('\n')?;
        let validator = validator.trim_end();
        Some((url.to_owned(), (!validator.is_empty()).then(|| validator.to_owned())))
    }

    /// Begins at the beginning. The note is there before the first byte is.
    fn start(&self, url: &str, head: &Head) -> Result<(), SourceError> {
        self.remove()?;
        let validator = head.validator.as_deref().unwrap_or_default();
        fs::write(&self.note, format!("{url}\n{validator}\n"))
            .map_err(SourceError::io("write", &self.note))
    }

    fn append(
        &self,
        mut reply: Reply,
        mut there: u64,
        total: Option<u64>,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<(), Trouble> {
        let file = File::options().append(true).create(true).open(&self.part);
        let mut file = file.map_err(SourceError::io("write", &self.part))?;
        progress(there, total);
        let before = there;
        while let Some(data) = reply.next(cancel, there - before)? {
            file.write_all(&data).map_err(SourceError::io("write", &self.part))?;
            there += data.len() as u64;
            progress(there, total);
        }
        match total {
            Some(announced) if there < announced => {
                Err(Trouble::Passing(TransferError::Short { received: there, announced }))
            }
            _ => Ok(()),
        }
    }

    fn remove(&self) -> Result<(), SourceError> {
        remove(&self.part)?;
        remove(&self.note)
    }
}

fn remove(path: &Path) -> Result<(), SourceError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(SourceError::io("remove", path)),
    }
}
