//! `images.json`: what was pulled under which name.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{BlobStore, write_new};
use crate::{Digest, OciError, Reference};

const FILE: &str = "images.json";

/// Raised when an older mote could not read it.
const SCHEMA: u32 = 1;

/// An image that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its name.
    pub reference: Reference,
    /// Of the manifest or the index that had that name.
    pub digest: Digest,
    /// When it was pulled last, in seconds since 1970.
    pub pulled_unix_s: u64,
}

#[derive(Serialize, Deserialize)]
struct RawNames {
    schema: u32,
    images: Vec<RawImage>,
}

#[derive(Serialize, Deserialize)]
struct RawImage {
    name: String,
    digest: String,
    pulled_unix_s: u64,
}

impl BlobStore {
    /// All that was pulled, by name.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn images(&self) -> Result<Vec<StoredImage>, OciError> {
        let path = self.root().join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(OciError::io("read", &path))?,
        };
        let damaged = |source| OciError::DamagedNames { path: path.clone(), source };
        let raw: RawNames = serde_json::from_slice(&text).map_err(damaged)?;
        if raw.schema != SCHEMA {
            let source = serde::de::Error::custom(format!("schema {} is not known", raw.schema));
            return Err(damaged(source));
        }
        let mut images = Vec::new();
        for image in raw.images {
            let custom = |error: String| damaged(serde::de::Error::custom(error));
            images.push(StoredImage {
                reference: image
                    .name
                    .parse()
                    .map_err(|e: crate::ReferenceError| custom(e.to_string()))?,
                digest: image
                    .digest
                    .parse()
                    .map_err(|e: crate::DigestError| custom(e.to_string()))?,
                pulled_unix_s: image.pulled_unix_s,
            });
        }
        Ok(images)
    }

    /// Forgets a name; its blobs stay until [`BlobStore::remove_unused`]. Gives whether there was
    /// one.
    ///
    /// # Errors
    /// When the list cannot be read or written.
    pub fn forget(&self, reference: &Reference) -> Result<bool, OciError> {
        let mut known = false;
        self.change(|images| {
            known = images.iter().any(|image| image.reference == *reference);
            images.retain(|image| image.reference != *reference);
        })?;
        Ok(known)
    }

    /// Notes that this is what the name means now.
    pub(crate) fn record(&self, reference: &Reference, digest: Digest) -> Result<(), OciError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let reference = reference.clone();
        self.change(|images| {
            images.retain(|image| image.reference != reference);
            images.push(StoredImage { reference, digest, pulled_unix_s: now });
            images.sort_by(|one, other| one.reference.cmp(&other.reference));
        })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<StoredImage>)) -> Result<(), OciError> {
        let (lock, path) = self.lock_file("images.lock")?;
        lock.lock().map_err(OciError::io("lock", &path))?;
        let before = self.images()?;
        let mut images = before.clone();
        change(&mut images);
        if images == before {
            return Ok(());
        }
        let images = images.into_iter().map(|image| RawImage {
            name: image.reference.to_string(),
            digest: image.digest.to_string(),
            pulled_unix_s: image.pulled_unix_s,
        });
        let raw = RawNames { schema: SCHEMA, images: images.collect() };
        let path = self.root().join(FILE);
        let text = serde_json::to_vec_pretty(&raw)
            .map_err(|error| OciError::io("write", &path)(error.into()))?;
        write_new(&path, &text)
    }
}
