//! From what the user named to an image whose layers can be read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mote_process::Cancel;

use crate::document::Descriptor;
use crate::event::{PlannedBlob, PullEvent};
use crate::image::{BlobRef, Compression, Image, Layer};
use crate::registry::Registry;
use crate::resolve::{Documents, Resolved, resolve, verify_digest};
use crate::stop::Stop;
use crate::store::BlobStore;
use crate::{Access, Digest, ImageSource, OciError, Platform, Reference, local};

/// How many layers are downloaded at once.
const PARALLEL: usize = 4;

/// When a registry is asked. Layouts and archives are read in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the image was not pulled before, or a part of it is missing.
    #[default]
    Missing,
    /// Always; what is there already is not downloaded again.
    Always,
    /// Never.
    Never,
}

/// Gives the image that `source` names for the platform `wanted`. Events come from several
/// threads.
///
/// # Errors
/// When there is no such image, it cannot be had or used, or the user interrupts.
pub fn load(
    source: &ImageSource,
    wanted: &Platform,
    store: &BlobStore,
    access: &Access,
    policy: PullPolicy,
    cancel: &Cancel,
    on_event: &(dyn Fn(PullEvent) + Sync),
) -> Result<Image, OciError> {
    let stop = Stop::new(cancel);
    let origin = source.to_string();
    match source {
        ImageSource::Layout { dir, tag } => {
            local::load_layout(&origin, dir, tag.as_deref(), wanted)
        }
        ImageSource::Archive { file, tag } => {
            local::load_archive(&origin, file, tag.as_deref(), wanted, store, &stop)
        }
        ImageSource::DockerArchive { file, tag } => {
            local::load_docker_archive(&origin, file, tag.as_deref(), wanted, store, &stop)
        }
        ImageSource::Registry(reference) => {
            let lease = store.lease()?;
            let found = match policy {
                PullPolicy::Always => None,
                PullPolicy::Missing | PullPolicy::Never => find(reference, wanted, store)?,
            };
            let mut image = match found {
                Some(image) => image,
                None if policy == PullPolicy::Never => {
                    return Err(OciError::NotPulled { image: reference.familiar() });
                }
                None => pull(reference, wanted, store, access, &stop, on_event)?,
            };
            image.lease = Some(lease);
            Ok(image)
        }
    }
}

/// The image as it was pulled, if all of it is there.
fn find(
    reference: &Reference,
    wanted: &Platform,
    store: &BlobStore,
) -> Result<Option<Image>, OciError> {
    let Some(digest) = store.find(reference)? else { return Ok(None) };
    let name = reference.familiar();
    let resolved = store
        .document(&digest)
        .and_then(|bytes| resolve(&name, store, digest, &bytes, wanted))
        .and_then(|resolved| image(reference.to_string(), resolved, |part| store.locate(part)));
    match resolved {
        // Pulled for another platform, or damaged since.
        Err(
            OciError::MissingBlob { .. }
            | OciError::WrongDigest { .. }
            | OciError::WrongSize { .. },
        ) => Ok(None),
        other => other.map(Some),
    }
}

fn pull(
    reference: &Reference,
    wanted: &Platform,
    store: &BlobStore,
    access: &Access,
    stop: &Stop<'_>,
    on_event: &(dyn Fn(PullEvent) + Sync),
) -> Result<Image, OciError> {
    on_event(PullEvent::Asking { image: reference.to_string() });
    let registry = Registry::connect(access, reference, stop, on_event)?;
    let (digest, bytes) = registry.root()?;
    let keeping = Keeping { registry: &registry, store };
    let resolved = resolve(&reference.familiar(), &keeping, digest, &bytes, wanted)?;
    store.put(&digest, &bytes)?;
    download(&registry, &resolved.manifest.layers, store, stop, on_event)?;
    store.record(reference, digest)?;
    image(reference.to_string(), resolved, |part| store.locate(part))
}

/// The documents of a registry; each is kept, and asked for only if it is not there yet.
struct Keeping<'a> {
    registry: &'a Registry<'a>,
    store: &'a BlobStore,
}

impl Keeping<'_> {
    fn get(
        &self,
        descriptor: &Descriptor,
        fetch: impl FnOnce() -> Result<Vec<u8>, OciError>,
    ) -> Result<Vec<u8>, OciError> {
        let digest = descriptor.digest;
        if let Ok(bytes) = self.store.document(&digest) {
            return Ok(bytes);
        }
        let bytes = fetch()?;
        verify_digest(&digest, &bytes, || self.origin())?;
        self.store.put(&digest, &bytes)?;
        Ok(bytes)
    }
}

impl Documents for Keeping<'_> {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        self.get(descriptor, || self.registry.manifest(&descriptor.digest))
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        self.get(descriptor, || self.registry.small_blob(descriptor))
    }

    fn origin(&self) -> String {
        self.registry.origin()
    }
}

/// Downloads the layers, several at once, and gives the first failure.
fn download(
    registry: &Registry<'_>,
    layers: &[Descriptor],
    store: &BlobStore,
    stop: &Stop<'_>,
    on_event: &(dyn Fn(PullEvent) + Sync),
) -> Result<(), OciError> {
    let mut planned = Vec::new();
    let mut seen = BTreeSet::new();
    for layer in layers.iter().filter(|layer| seen.insert(layer.digest)) {
        let present = store.locate(layer)?.is_some();
        planned.push(PlannedBlob { digest: layer.digest, size: layer.size, present });
    }
    let missing: Vec<Descriptor> = planned
        .iter()
        .filter(|blob| !blob.present)
        .map(|blob| Descriptor { digest: blob.digest, size: blob.size })
        .collect();
    on_event(PullEvent::Planned { layers: planned });
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(layer) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            registry.ensure(layer, store).inspect_err(|_| stop.fail())?;
        }
        Ok(())
    };
    let outcomes: Vec<Result<(), OciError>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..PARALLEL.min(missing.len())).map(|_| scope.spawn(work)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    });
    let failures: Vec<OciError> = outcomes.into_iter().filter_map(Result::err).collect();
    let telling = |error: &OciError| !matches!(error, OciError::Useless);
    let (mut telling, useless): (Vec<_>, Vec<_>) = failures.into_iter().partition(telling);
    telling.extend(useless);
    telling.into_iter().next().map_or(Ok(()), Err)
}

/// The image, once each layer is where `locate` says.
pub(crate) fn image(
    origin: String,
    resolved: Resolved,
    locate: impl Fn(&Descriptor) -> Result<Option<BlobRef>, OciError>,
) -> Result<Image, OciError> {
    let Resolved { manifest_digest, manifest, config } = resolved;
    let mut layers = Vec::new();
    for (descriptor, diff_id) in manifest.layers.iter().zip(&config.diff_ids) {
        let digest = descriptor.digest;
        let missing = || OciError::MissingBlob { digest, origin: origin.clone() };
        let blob = locate(descriptor)?.ok_or_else(missing)?;
        layers.push(layer(digest, *diff_id, blob)?);
    }
    Ok(Image {
        origin,
        manifest_digest: Some(manifest_digest),
        config_digest: manifest.config.digest,
        config,
        layers,
        lease: None,
    })
}

/// A layer, compressed as its first bytes say: what manifests call it is not always true.
pub(crate) fn layer(digest: Digest, diff_id: Digest, blob: BlobRef) -> Result<Layer, OciError> {
    let compression = match digest == diff_id {
        true => Compression::None,
        false => {
            let path = blob.path().unwrap_or("a temporary file".as_ref());
            blob.compression().map_err(OciError::io("read", path))?
        }
    };
    Ok(Layer { digest, diff_id, compression, blob })
}
