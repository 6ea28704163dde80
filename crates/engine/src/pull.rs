//! Images from registries: pulled once, and kept by the digests of their parts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mote_manifest::Pull;
use mote_oci::{
    BlobStore, Digest, Freed, Image, ImageSource, OciError, Platform, PullEvent, PullPolicy,
    Reference, StoredImage,
};

use crate::EngineError;
use crate::event::{self, Event, Step};
use crate::host::Host;

/// Pulls an image, even if it is here: what its name stands for may have changed. What is here
/// already is not downloaded again.
///
/// # Errors
/// Whatever the registry or the network refuses; an image that is none.
pub fn pull(host: &Host, reference: Reference, platform: &Platform) -> Result<Image, EngineError> {
    load(host, &ImageSource::Registry(reference), platform, Pull::Always)
}

/// The images that were pulled, by name, each with the bytes that its parts have in the cache.
///
/// # Errors
/// When the cache cannot be read.
pub fn pulled(host: &Host) -> Result<Vec<(StoredImage, u64)>, EngineError> {
    let store = store(host);
    let images = store.images()?.into_iter().map(|image| {
        let bytes = store.blobs(&image.digest)?.values().sum();
        Ok((image, bytes))
    });
    images.collect()
}

/// Forgets images that were pulled, and frees what no other one needs. Each is named, or meant by the
/// beginning of its digest, and then goes with all of its names. Gives what is gone.
///
/// # Errors
/// [`EngineError::NotPulled`] or [`EngineError::AmbiguousDigest`], and nothing is forgotten; when the
/// cache cannot be changed.
pub fn remove(host: &Host, named: &[String]) -> Result<(Vec<Reference>, Freed), EngineError> {
    let store = store(host);
    let images = store.images()?;
    let mut gone: Vec<Reference> = Vec::new();
    for name in named {
        for reference in meant(&images, name)? {
            if !gone.contains(&reference) {
                gone.push(reference);
            }
        }
    }
    for reference in &gone {
        store.forget(reference)?;
    }
    match store.remove_unused() {
        // Somebody reads images just now: the next one who removes any takes these along.
        Err(OciError::InUse { .. }) => Ok((gone, Freed::default())),
        other => Ok((gone, other?)),
    }
}

/// The fewest digits of a digest that mean an image: fewer are too often a name.
const DIGEST_DIGITS_MIN: usize = 4;

/// The names of the image that is meant.
fn meant(images: &[StoredImage], name: &str) -> Result<Vec<Reference>, EngineError> {
    let not_pulled = || EngineError::NotPulled { name: name.to_owned() };
    if let Ok(ImageSource::Registry(reference)) = ImageSource::parse(name.as_ref())
        && images.iter().any(|image| image.reference == reference)
    {
        return Ok(vec![reference]);
    }
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    if digits.len() < DIGEST_DIGITS_MIN {
        return Err(not_pulled());
    }
    let found = images.iter().filter(|image| image.digest.hex().starts_with(digits));
    let found: Vec<&StoredImage> = found.collect();
    match found.first() {
        None => Err(not_pulled()),
        Some(first) if found.iter().any(|image| image.digest != first.digest) => {
            Err(EngineError::AmbiguousDigest { digits: digits.to_owned() })
        }
        Some(_) => Ok(found.iter().map(|image| image.reference.clone()).collect()),
    }
}

/// What is known of an image that is here.
///
/// # Errors
/// An image that is not here, or is none.
pub fn describe(host: &Host, source: &ImageSource) -> Result<Image, EngineError> {
    load(host, source, &Platform::default(), Pull::Never)
}

/// The image that `source` names.
pub(crate) fn load(
    host: &Host,
    source: &ImageSource,
    platform: &Platform,
    policy: Pull,
) -> Result<Image, EngineError> {
    let policy = match policy {
        Pull::Missing => PullPolicy::Missing,
        Pull::Always => PullPolicy::Always,
        Pull::Never => PullPolicy::Never,
    };
    let (store, access, cancel) = (store(host), &host.access, &host.cancel);
    let quiet = |_: PullEvent| ();
    let ImageSource::Registry(reference) = source else {
        return Ok(mote_oci::load(source, platform, &store, access, policy, cancel, &quiet)?);
    };
    let here =
        || mote_oci::load(source, platform, &store, access, PullPolicy::Never, cancel, &quiet);
    match policy {
        PullPolicy::Never => return Ok(here()?),
        PullPolicy::Missing => {
            if let Ok(image) = here() {
                return Ok(image);
            }
        }
        PullPolicy::Always => {}
    }
    let step = Step::Pull { image: reference.familiar() };
    Ok(event::step(&*host.sink, step, |progress| {
        let layers = Layers::default();
        mote_oci::load(source, platform, &store, access, policy, cancel, &|event| {
            layers.note(host, event, progress);
        })
    })?)
}

/// Where blobs are kept.
pub(crate) fn store(host: &Host) -> BlobStore {
    let root = host.cache.root();
    BlobStore::new(root.to_owned(), root.join("work")).with_spool_limit(host.limits.bytes)
}

/// How much of each layer has come, of how much.
#[derive(Default)]
struct Layers(Mutex<HashMap<Digest, (u64, u64)>>);

impl Layers {
    fn note(&self, host: &Host, event: PullEvent, progress: &dyn Fn(u64, Option<u64>)) {
        let mut layers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match event {
            PullEvent::Planned { layers: planned } => {
                layers.extend(planned.iter().map(|blob| {
                    let received = if blob.present { blob.size } else { 0 };
                    (blob.digest, (received, blob.size))
                }));
                None
            }
            PullEvent::Progress { digest, received } => {
                if let Some(layer) = layers.get_mut(&digest) {
                    layer.0 = received;
                }
                Some(digest)
            }
            PullEvent::Verified { digest } => {
                if let Some(layer) = layers.get_mut(&digest) {
                    layer.0 = layer.1;
                }
                Some(digest)
            }
            PullEvent::Asking { .. } => return,
            PullEvent::Waiting { digest } => {
                return host.note(format!("another mote downloads {digest}"));
            }
            PullEvent::Retrying { host: server, reason, .. } => {
                return host.warn(format!("{server}: {reason}; trying again"));
            }
        };
        if let Some((digest, (done, total))) =
            changed.and_then(|digest| Some((digest, *layers.get(&digest)?)))
        {
            (host.sink)(Event::Part { name: digest.hex()[..12].to_owned(), done, total });
        }
        let (done, total) =
            layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        progress(done, Some(total));
    }
}
