//! OCI image layouts: `index.json` and `blobs/sha256/<digest>`.
//!
//! Follows the OCI image specification 1.1, image-layout.md.

use std::io;
use std::path::Path;

use super::names::{self, Named};
use crate::document::{Descriptor, Document, Index, IndexEntry};
use crate::image::{BlobRef, Image};
use crate::load::image;
use crate::resolve::{Documents, check_size, resolve, verify_digest};
use crate::store::read_document;
use crate::{Digest, DocumentError, OciError, Platform};

const INDEX: &str = "index.json";

/// What a layout consists of, wherever that is.
pub(super) trait Layout {
    /// The stretch of a file that has that path in the layout.
    fn find(&self, path: &str) -> Result<Option<BlobRef>, OciError>;

    /// Reads a document, as much of it as is accepted and one byte more.
    fn read(&self, blob: &BlobRef, path: &str) -> Result<Vec<u8>, OciError>;

    /// Its path on this host.
    fn path(&self) -> &Path;
}

/// A layout in a directory.
struct Directory<'a> {
    dir: &'a Path,
}

/// The image of that tag and platform in a layout's directory.
pub(crate) fn load_layout(
    origin: &str,
    dir: &Path,
    tag: Option<&str>,
    wanted: &Platform,
) -> Result<Image, OciError> {
    if let Err(error) = std::fs::metadata(dir) {
        return Err(OciError::open(dir, error));
    }
    load_from(origin, &Directory { dir }, tag, wanted)
}

/// The image of that tag and platform in a layout.
pub(super) fn load_from(
    origin: &str,
    layout: &dyn Layout,
    tag: Option<&str>,
    wanted: &Platform,
) -> Result<Image, OciError> {
    let path = layout.path();
    let missing = || OciError::WrongKind {
        wanted: "an OCI image layout",
        missing: INDEX,
        path: path.to_owned(),
    };
    let blob = layout.find(INDEX)?.ok_or_else(missing)?;
    check_size(origin, || INDEX.to_owned(), blob.len)?;
    let unusable =
        |source| OciError::Document { what: INDEX.to_owned(), image: origin.to_owned(), source };
    let bytes = layout.read(&blob, INDEX)?;
    let index = match Document::parse(&bytes).map_err(unusable)? {
        Document::Index(index) => index,
        Document::Manifest(_) => {
            return Err(unusable(DocumentError::Unknown { media_type: String::new() }));
        }
    };
    let blobs = Blobs { layout, origin };
    let (digest, bytes) = match choose(origin, index, tag)? {
        Choice::Entry(descriptor) => {
            check_size(origin, || format!("the manifest {}", descriptor.digest), descriptor.size)?;
            let bytes = blobs.manifest(&descriptor)?;
            verify_digest(&descriptor.digest, &bytes, || origin.to_owned())?;
            (descriptor.digest, bytes)
        }
        Choice::ByPlatform => (Digest::of(&bytes), bytes),
    };
    let resolved = resolve(origin, &blobs, digest, &bytes, wanted)?;
    image(origin.to_owned(), resolved, |part| blobs.locate(part).map(Some))
}

enum Choice {
    /// This document.
    Entry(Descriptor),
    /// The layout's index is that of one image for several platforms.
    ByPlatform,
}

fn choose(origin: &str, index: Index, tag: Option<&str>) -> Result<Choice, OciError> {
    let named = |entry: &IndexEntry| Named {
        names: [entry.name.clone(), entry.tag.clone()].into_iter().flatten().collect(),
        tag: entry.tag.clone(),
    };
    let several = index.manifests.len() > 1;
    let nameless = index.manifests.iter().all(|entry| entry.tag.is_none() && entry.name.is_none());
    if tag.is_none() && several && nameless {
        return Ok(Choice::ByPlatform);
    }
    let entries: Vec<(Named, Descriptor)> =
        index.manifests.iter().map(|entry| (named(entry), entry.descriptor)).collect();
    names::choose(origin, &entries, tag).map(|descriptor| Choice::Entry(*descriptor))
}

/// The blobs of a layout as the documents of its images.
struct Blobs<'a> {
    layout: &'a dyn Layout,
    origin: &'a str,
}

impl Blobs<'_> {
    /// Where a blob is; its size is compared, its digest is not.
    fn locate(&self, descriptor: &Descriptor) -> Result<BlobRef, OciError> {
        let Descriptor { digest, size: wanted } = *descriptor;
        let origin = || self.origin.to_owned();
        let found = self.layout.find(&blob_path(&digest))?;
        let blob = found.ok_or_else(|| OciError::MissingBlob { digest, origin: origin() })?;
        match blob.len == wanted {
            true => Ok(blob),
            false => Err(OciError::WrongSize { digest, wanted, got: blob.len, origin: origin() }),
        }
    }
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Documents for Blobs<'_> {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        let blob = self.locate(descriptor)?;
        self.layout.read(&blob, &blob_path(&descriptor.digest))
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        self.manifest(descriptor)
    }

    fn origin(&self) -> String {
        self.origin.to_owned()
    }
}

impl Layout for Directory<'_> {
    fn find(&self, path: &str) -> Result<Option<BlobRef>, OciError> {
        let path = self.dir.join(path);
        match BlobRef::whole(path.clone()) {
            Ok(blob) => Ok(Some(blob)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(OciError::io("open", &path)(error)),
        }
    }

    fn read(&self, _blob: &BlobRef, path: &str) -> Result<Vec<u8>, OciError> {
        let path = self.dir.join(path);
        read_document(&path).map_err(OciError::io("read", &path))
    }

    fn path(&self) -> &Path {
        self.dir
    }
}
