//! A blob that is being downloaded.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{BlobStore, remove};
use crate::document::Descriptor;
use crate::image::BlobRef;
use crate::stop::{LOOK, Stop};
use crate::{Digest, OciError};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// What is there of a blob, and the lock on it.
pub(crate) struct Partial {
    descriptor: Descriptor,
    path: PathBuf,
    blob_path: PathBuf,
    file: File,
    hash: Sha256,
    there: u64,
    /// Whether its pieces came from more than one reply.
    pieced: bool,
}

impl BlobStore {
    /// Waits until the blob is there, which gives nothing, or is ours to download. `on_wait` is
    /// called once if somebody else downloads it.
    pub(crate) fn claim(
        &self,
        descriptor: &Descriptor,
        stop: &Stop<'_>,
        on_wait: &dyn Fn(),
    ) -> Result<Option<Partial>, OciError> {
        self.make_folder()?;
        let blob_path = self.blob_path(&descriptor.digest);
        let path = blob_path.with_extension("partial");
        let mut waiting = false;
        loop {
            if self.locate(descriptor)?.is_some() {
                return Ok(None);
            }
            if let Some(file) = try_lock(&path)? {
                // Its last holder may have finished in between.
                if self.locate(descriptor)?.is_none() {
                    let partial = Partial::new(*descriptor, path, blob_path, file);
                    return Ok(Some(partial));
                }
                remove(&path)?;
                continue;
            }
            if !waiting {
                on_wait();
                waiting = true;
            }
            stop.sleep(LOOK)?;
        }
    }
}

/// Takes the lock if it is free. The file that was locked must still be the one at the path: its
/// last holder may have renamed or removed it in between.
fn try_lock(path: &Path) -> Result<Option<File>, OciError> {
    let file = File::options().create(true).truncate(false).read(true).append(true).open(path);
    let file = file.map_err(OciError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(OciError::io("lock", path)(error)),
    }
    let held = file.metadata().map_err(OciError::io("examine", path))?;
    let same = fs::metadata(path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()));
    Ok(same.then_some(file))
}

impl Partial {
    fn new(descriptor: Descriptor, path: PathBuf, blob_path: PathBuf, file: File) -> Self {
        let hash = Sha256::new();
        Self { descriptor, path, blob_path, file, hash, there: 0, pieced: false }
    }

    /// What it must become.
    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// How many bytes are there.
    pub(crate) fn there(&self) -> u64 {
        self.there
    }

    /// Whether all bytes are there.
    pub(crate) fn is_complete(&self) -> bool {
        self.there == self.descriptor.size
    }

    /// Whether its pieces came from more than one reply, so that one of them may not fit.
    pub(crate) fn is_pieced(&self) -> bool {
        self.pieced
    }

    /// Digests what an interrupted download left.
    pub(crate) fn take_up(&mut self, stop: &Stop<'_>) -> Result<(), OciError> {
        let blob = BlobRef::whole(self.path.clone()).map_err(OciError::io("read", &self.path))?;
        if blob.len == 0 {
            return Ok(());
        }
        if blob.len > self.descriptor.size {
            return self.restart();
        }
        let mut reader = blob.open().map_err(OciError::io("read", &self.path))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            stop.check()?;
            let length = reader.read(&mut buffer).map_err(OciError::io("read", &self.path))?;
            if length == 0 {
                break;
            }
            self.hash.update(&buffer[..length]);
        }
        self.there = blob.len;
        self.pieced = true;
        Ok(())
    }

    /// Begins at the beginning.
    pub(crate) fn restart(&mut self) -> Result<(), OciError> {
        self.file.set_len(0).map_err(OciError::io("write", &self.path))?;
        self.hash = Sha256::new();
        (self.there, self.pieced) = (0, false);
        Ok(())
    }

    /// Says that what comes now is from another reply than what is there.
    pub(crate) fn go_on(&mut self) {
        self.pieced |= self.there > 0;
    }

    /// Adds what came from `origin`.
    pub(crate) fn append(&mut self, data: &[u8], origin: &str) -> Result<(), OciError> {
        let Descriptor { digest, size: wanted } = self.descriptor;
        let got = self.there.saturating_add(data.len() as u64);
        if got > wanted {
            self.restart()?;
            return Err(OciError::WrongSize { digest, wanted, got, origin: origin.to_owned() });
        }
        self.file.write_all(data).map_err(OciError::io("write", &self.path))?;
        self.hash.update(data);
        self.there = got;
        Ok(())
    }

    /// The digest of all that is there.
    pub(crate) fn digest(&self) -> Digest {
        Digest::finish(self.hash.clone())
    }

    /// Gives the file its name, once it is complete, its digest is right, and all of it is on the
    /// disk.
    pub(crate) fn accept(self) -> Result<(), OciError> {
        self.file.sync_all().map_err(OciError::io("write to the disk", &self.path))?;
        fs::rename(&self.path, &self.blob_path).map_err(OciError::io("rename to", &self.blob_path))
    }

    /// Removes what is there.
    pub(crate) fn discard(self) -> Result<(), OciError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(OciError::io("remove", &self.path)(error))
            }
            _ => Ok(()),
        }
    }
}
