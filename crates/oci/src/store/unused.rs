//! Which blobs are needed, and removing the others.

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::io;

use super::BlobStore;
use crate::document::{Descriptor, Document};
use crate::{Digest, OciError};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many blobs, whole or partly downloaded.
    pub blobs: u64,
    /// Their size.
    pub bytes: u64,
}

impl BlobStore {
    /// The blobs that a manifest or an index keeps, as far as they are here, with their sizes in
    /// bytes: itself, of an index the images that were pulled, their configurations and layers.
    ///
    /// # Errors
    /// When a document that is here cannot be read.
    pub fn blobs(&self, digest: &Digest) -> Result<BTreeMap<Digest, u64>, OciError> {
        let mut found = BTreeMap::new();
        let mut documents = vec![*digest];
        while let Some(digest) = documents.pop() {
            if found.contains_key(&digest) {
                continue;
            }
            let bytes = match self.document(&digest) {
                Err(OciError::MissingBlob { .. } | OciError::WrongDigest { .. }) => continue,
                other => other?,
            };
            found.insert(digest, bytes.len() as u64);
            match Document::parse(&bytes) {
                Ok(Document::Index(index)) => {
                    documents.extend(index.manifests.iter().map(|entry| entry.descriptor.digest));
                }
                Ok(Document::Manifest(manifest)) => {
                    let parts = manifest.layers.iter().chain([&manifest.config]);
                    found.extend(self.present(parts)?);
                }
                // It was pulled, and refused: nothing hangs on it.
                Err(_) => {}
            }
        }
        Ok(found)
    }

    fn present<'a>(
        &self,
        parts: impl Iterator<Item = &'a Descriptor>,
    ) -> Result<Vec<(Digest, u64)>, OciError> {
        let mut present = Vec::new();
        for part in parts {
            if self.locate(part)?.is_some() {
                present.push((part.digest, part.size));
            }
        }
        Ok(present)
    }

    /// Removes the blobs that no pulled image needs, and what interrupted downloads left.
    ///
    /// # Errors
    /// [`OciError::InUse`] while somebody pulls or reads images; when the file system refuses.
    pub fn remove_unused(&self) -> Result<Freed, OciError> {
        let (lock, path) = self.lock_file("in-use.lock")?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OciError::InUse { path: self.root().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(OciError::io("lock", &path)(error)),
        }
        let mut needed = BTreeMap::new();
        for image in self.images()? {
            needed.extend(self.blobs(&image.digest)?);
        }
        let folder = self.folder();
        let listing = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Freed::default()),
            other => other.map_err(OciError::io("list", &folder))?,
        };
        let mut freed = Freed::default();
        for entry in listing {
            let entry = entry.map_err(OciError::io("list", &folder))?;
            let name = entry.file_name();
            let digest = name.to_str().and_then(Digest::from_hex);
            if digest.is_some_and(|digest| needed.contains_key(&digest)) {
                continue;
            }
            let path = entry.path();
            let metadata = entry.metadata().map_err(OciError::io("examine", &path))?;
            super::remove(&path)?;
            freed.blobs += 1;
            freed.bytes += metadata.len();
        }
        Ok(freed)
    }
}
