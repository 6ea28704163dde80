//! Tar archives of OCI image layouts.

use std::io::Read;
use std::path::Path;

use super::layout::{Layout, load_from};
use super::spool;
use super::tar::TarIndex;
use crate::document::DOCUMENT_MAX_BYTES;
use crate::image::{BlobRef, Image};
use crate::stop::Stop;
use crate::store::BlobStore;
use crate::{OciError, Platform};

/// An archive, and where its files are in it.
pub(super) struct Archive<'a> {
    path: &'a Path,
    index: TarIndex,
}

/// The image of that tag and platform in an archive of a layout.
pub(crate) fn load_archive(
    origin: &str,
    path: &Path,
    tag: Option<&str>,
    wanted: &Platform,
    store: &BlobStore,
    stop: &Stop<'_>,
) -> Result<Image, OciError> {
    load_from(origin, &Archive::open(path, store, stop)?, tag, wanted)
}

impl<'a> Archive<'a> {
    pub(super) fn open(
        path: &'a Path,
        store: &BlobStore,
        stop: &Stop<'_>,
    ) -> Result<Self, OciError> {
        Ok(Self { path, index: spool::open(path, store, stop)? })
    }
}

impl Layout for Archive<'_> {
    fn find(&self, path: &str) -> Result<Option<BlobRef>, OciError> {
        Ok(self.index.find(path))
    }

    fn read(&self, blob: &BlobRef, _path: &str) -> Result<Vec<u8>, OciError> {
        let read = |blob: &BlobRef| {
            let mut bytes = Vec::new();
            blob.open()?.take(DOCUMENT_MAX_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read(blob).map_err(OciError::io("read", self.path))
    }

    fn path(&self) -> &Path {
        self.path
    }
}
