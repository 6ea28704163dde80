//! What was pulled: `blobs/sha256/<digest>` and `images.json` below one folder.
//!
//! The contract:
//!
//! - A blob is in the file of its digest, where it appeared by a rename after it was verified.
//! - One that is being downloaded is `<digest>.partial`, locked by who downloads it (an advisory
//!   lock of the kernel's, gone with the process). Others wait for the lock and then find the
//!   blob; what an interrupted download left is gone on with.
//! - `images.json` says which manifest was pulled under which name, and when. It is replaced by a
//!   rename, under the lock of `images.lock`.
//! - Who pulls or reads an image holds `in-use.lock` shared; who removes blobs holds it alone.
//! - Everything may be deleted at any time when no mote runs.

mod names;
mod partial;
mod unused;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use names::StoredImage;
pub(crate) use partial::Partial;
pub use unused::Freed;

use crate::document::{DOCUMENT_MAX_BYTES, Descriptor};
use crate::image::BlobRef;
use crate::resolve::{Documents, verify_digest};
use crate::{Digest, OciError, Reference};

/// What an archive that is compressed as a whole may grow to, unless the caller says otherwise.
const SPOOL_LIMIT_BYTES: u64 = 64 << 30;

/// Blobs by their digests, shared by all images, and the names under which images were pulled.
#[derive(Debug, Clone)]
pub struct BlobStore {
    root: PathBuf,
    work: PathBuf,
    spool_limit_bytes: u64,
}

/// Keeps blobs from being removed.
#[derive(Debug)]
pub(crate) struct Lease {
    _lock: File,
}

impl BlobStore {
    /// The store below `root`, which is made when something is put there. Temporary files without
    /// names are made in `work`.
    pub fn new(root: PathBuf, work: PathBuf) -> Self {
        Self { root, work, spool_limit_bytes: SPOOL_LIMIT_BYTES }
    }

    /// Sets to how many bytes an archive that is compressed as a whole may grow.
    #[must_use]
    pub fn with_spool_limit(mut self, bytes: u64) -> Self {
        self.spool_limit_bytes = bytes;
        self
    }

    /// Where all of it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    pub(crate) fn spool_limit_bytes(&self) -> u64 {
        self.spool_limit_bytes
    }

    /// Removes a blob that turned out to be damaged, so that the next pull gets it again.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn discard(&self, digest: &Digest) -> Result<(), OciError> {
        remove(&self.blob_path(digest))
    }

    /// From now on until the value is dropped, nothing is removed.
    pub(crate) fn lease(&self) -> Result<Lease, OciError> {
        let (lock, path) = self.lock_file("in-use.lock")?;
        lock.lock_shared().map_err(OciError::io("lock", &path))?;
        Ok(Lease { _lock: lock })
    }

    /// Where a blob is, if it is there and as long as it should be.
    pub(crate) fn locate(&self, descriptor: &Descriptor) -> Result<Option<BlobRef>, OciError> {
        let path = self.blob_path(&descriptor.digest);
        match BlobRef::whole(path.clone()) {
            Ok(blob) if blob.len == descriptor.size => Ok(Some(blob)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OciError::io("open", &path)(error)),
        }
    }

    /// A document, verified.
    pub(crate) fn document(&self, digest: &Digest) -> Result<Vec<u8>, OciError> {
        let path = self.blob_path(digest);
        let bytes = match read_document(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OciError::MissingBlob { digest: *digest, origin: self.origin() });
            }
            other => other.map_err(OciError::io("read", &path))?,
        };
        verify_digest(digest, &bytes, || path.display().to_string())?;
        Ok(bytes)
    }

    /// Keeps a document, which was verified.
    pub(crate) fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), OciError> {
        self.make_folder()?;
        write_new(&self.blob_path(digest), bytes)
    }

    /// The digest of what was pulled under that name, or is meant by its digest and there.
    pub(crate) fn find(&self, reference: &Reference) -> Result<Option<Digest>, OciError> {
        if let Some(digest) = reference.digest() {
            return Ok(self.blob_path(digest).is_file().then_some(*digest));
        }
        let images = self.images()?;
        let named = images.into_iter().find(|image| image.reference == *reference);
        Ok(named.map(|image| image.digest))
    }

    fn folder(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    fn make_folder(&self) -> Result<(), OciError> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(OciError::io("make the directory", &folder))
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder().join(digest.hex())
    }

    fn lock_file(&self, name: &str) -> Result<(File, PathBuf), OciError> {
        fs::create_dir_all(&self.root).map_err(OciError::io("make the directory", &self.root))?;
        let path = self.root.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        Ok((file.map_err(OciError::io("open", &path))?, path))
    }
}

impl Documents for BlobStore {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        self.document(&descriptor.digest)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        self.document(&descriptor.digest)
    }

    fn origin(&self) -> String {
        self.root.display().to_string()
    }
}

/// Reads a file, but not more than any document has: one byte more tells that it is longer.
pub(crate) fn read_document(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let blob = BlobRef::whole(path.to_owned())?;
    blob.open()?.take(DOCUMENT_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file that appears by a rename.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), OciError> {
    let folder = path.parent().unwrap_or(path);
    let mut file =
        tempfile::NamedTempFile::new_in(folder).map_err(OciError::io("make a file in", folder))?;
    io::Write::write_all(&mut file, bytes).map_err(OciError::io("write", file.path()))?;
    file.as_file().sync_all().map_err(OciError::io("write to the disk", file.path()))?;
    file.persist(path).map_err(|error| OciError::io("rename to", path)(error.error))?;
    Ok(())
}

fn remove(path: &Path) -> Result<(), OciError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(OciError::io("remove", path)),
    }
}

#[cfg(test)]
mod tests;
