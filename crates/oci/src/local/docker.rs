//! What `docker save` and `podman save` write: a tar archive with `manifest.json`, which names the
//! files that hold the configuration and the layers.
//!
//! Follows docker's "Image JSON" specification 1.2, "Combined Image JSON + Filesystem Changeset
//! Format". Docker since 25 puts an OCI image layout into the same archive; its `manifest.json`
//! then names blobs of that.

use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::archive::Archive;
use super::layout::Layout;
use super::names::{self, Named};
use crate::document::LAYERS_MAX;
use crate::image::{BlobRef, Compression, Image, Layer};
use crate::load::layer;
use crate::resolve::{check_config, check_size, verify_digest};
use crate::stop::Stop;
use crate::store::BlobStore;
use crate::{Digest, DocumentError, OciError, Platform};

const LIST: &str = "manifest.json";

/// How much of a layer is digested at once.
const CHUNK: usize = 256 << 10;

/// One image of the list.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// The image of that name in what `docker save` wrote.
pub(crate) fn load_docker_archive(
    origin: &str,
    path: &Path,
    tag: Option<&str>,
    wanted: &Platform,
    store: &BlobStore,
    stop: &Stop<'_>,
) -> Result<Image, OciError> {
    let archive = Archive::open(path, store, stop)?;
    let missing = || OciError::WrongKind {
        wanted: "an archive that docker save wrote",
        missing: LIST,
        path: path.to_owned(),
    };
    let list = archive.find(LIST)?.ok_or_else(missing)?;
    check_size(origin, || LIST.to_owned(), list.len)?;
    let unusable =
        |source| OciError::Document { what: LIST.to_owned(), image: origin.to_owned(), source };
    let saved: Vec<Saved> = serde_json::from_slice(&archive.read(&list, LIST)?)
        .map_err(|error| unusable(DocumentError::MalformedList(error)))?;
    let images: Vec<(Named, Saved)> = saved.into_iter().map(with_names).collect();
    let chosen = names::choose(origin, &images, tag)?;
    let layers = chosen.layers.as_deref().unwrap_or_default();
    if layers.len() > LAYERS_MAX {
        return Err(unusable(DocumentError::TooManyLayers { count: layers.len() }));
    }

    let bytes = document(origin, &archive, &chosen.config)?;
    let config_digest = Digest::of(&bytes);
    if let Some(wanted) = digest_in(&chosen.config) {
        verify_digest(&wanted, &bytes, || origin.to_owned())?;
    }
    let config = check_config(origin, &config_digest, &bytes, layers.len(), wanted)?;
    let found = layers.iter().zip(&config.diff_ids).map(|(name, diff_id)| {
        let blob = find(origin, &archive, name, *diff_id)?;
        saved_layer(name, *diff_id, blob, stop).map_err(|failure| match failure {
            LayerFailure::Oci(error) => error,
            LayerFailure::Read(error) => OciError::io("read", path)(error),
        })
    });
    let layers = found.collect::<Result<_, _>>()?;
    let origin = origin.to_owned();
    Ok(Image { origin, manifest_digest: None, config_digest, config, layers, lease: None })
}

fn with_names(saved: Saved) -> (Named, Saved) {
    let names = saved.repo_tags.clone().unwrap_or_default();
    (Named { names, tag: None }, saved)
}

fn find(
    origin: &str,
    archive: &Archive<'_>,
    name: &str,
    digest: Digest,
) -> Result<BlobRef, OciError> {
    let missing = || OciError::MissingBlob { digest, origin: origin.to_owned() };
    archive.find(name)?.ok_or_else(missing)
}

fn document(origin: &str, archive: &Archive<'_>, name: &str) -> Result<Vec<u8>, OciError> {
    let what = || format!("the configuration {}", mote_process::printable(name.as_bytes()));
    let missing = || OciError::Document {
        what: what(),
        image: origin.to_owned(),
        source: DocumentError::Absent,
    };
    let blob = archive.find(name)?.ok_or_else(missing)?;
    check_size(origin, what, blob.len)?;
    archive.read(&blob, name)
}

/// The digest that a file is named by: `<digits>.json`, `<digits>.tar`, `blobs/sha256/<digits>`.
fn digest_in(name: &str) -> Option<Digest> {
    let file = name.rsplit('/').next().unwrap_or_default();
    Digest::from_hex(file.split('.').next().unwrap_or_default())
}

enum LayerFailure {
    Oci(OciError),
    Read(io::Error),
}

impl<E: Into<OciError>> From<E> for LayerFailure {
    fn from(error: E) -> Self {
        Self::Oci(error.into())
    }
}

/// A layer of the list. Mostly it is not compressed; a compressed one has its digest as its name,
/// or it is digested.
fn saved_layer(
    name: &str,
    diff_id: Digest,
    blob: BlobRef,
    stop: &Stop<'_>,
) -> Result<Layer, LayerFailure> {
    if blob.compression().map_err(LayerFailure::Read)? == Compression::None {
        return Ok(layer(diff_id, diff_id, blob)?);
    }
    let digest = match digest_in(name).filter(|digest| *digest != diff_id) {
        Some(digest) => digest,
        None => digest_of(&blob, stop)?,
    };
    Ok(layer(digest, diff_id, blob)?)
}

fn digest_of(blob: &BlobRef, stop: &Stop<'_>) -> Result<Digest, LayerFailure> {
    let mut reader = blob.open().map_err(LayerFailure::Read)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        stop.check()?;
        let length = reader.read(&mut buffer).map_err(LayerFailure::Read)?;
        if length == 0 {
            return Ok(Digest::finish(hash));
        }
        hash.update(&buffer[..length]);
    }
}
