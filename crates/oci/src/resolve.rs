//! From what names an image to its manifest and configuration.

use crate::document::{DOCUMENT_MAX_BYTES, Descriptor, Document, Index, IndexEntry, Manifest};
use crate::{Digest, DocumentError, ImageConfig, OciError, Platform};

/// How deep indexes may be nested; in use is one.
const DEPTH_MAX: usize = 4;

/// Where the documents of images are. What is given is not verified yet.
pub(crate) trait Documents {
    /// The bytes of a manifest or an index, of at most [`DOCUMENT_MAX_BYTES`].
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError>;

    /// The bytes of a configuration, of at most [`DOCUMENT_MAX_BYTES`].
    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError>;

    /// Where they are, for messages.
    fn origin(&self) -> String;
}

/// The image that was meant.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) manifest_digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) config: ImageConfig,
}

/// Goes from a document, which was verified, to the image for the platform. `image` is its name
/// for messages.
pub(crate) fn resolve(
    image: &str,
    documents: &dyn Documents,
    digest: Digest,
    bytes: &[u8],
    wanted: &Platform,
) -> Result<Resolved, OciError> {
    let mut digest = digest;
    let mut document = parse(image, &digest, bytes)?;
    for _ in 0..=DEPTH_MAX {
        match document {
            Document::Manifest(manifest) => {
                let config = read_config(image, documents, &manifest, wanted)?;
                return Ok(Resolved { manifest_digest: digest, manifest, config });
            }
            Document::Index(index) => {
                let chosen = choose(image, &index, wanted)?.descriptor;
                check_size(image, || format!("the manifest {}", chosen.digest), chosen.size)?;
                let bytes = documents.manifest(&chosen)?;
                verify(&chosen, &bytes, documents)?;
                digest = chosen.digest;
                document = parse(image, &digest, &bytes)?;
            }
        }
    }
    Err(OciError::Nested { image: image.to_owned(), limit: DEPTH_MAX })
}

fn parse(image: &str, digest: &Digest, bytes: &[u8]) -> Result<Document, OciError> {
    Document::parse(bytes).map_err(|source| OciError::Document {
        what: format!("the manifest {digest}"),
        image: image.to_owned(),
        source,
    })
}

/// The entry that fits best; of equals the first. One that does not say what it runs on is taken
/// only where nothing else fits: its configuration says it.
fn choose<'a>(
    image: &str,
    index: &'a Index,
    wanted: &Platform,
) -> Result<&'a IndexEntry, OciError> {
    let fitness = |entry: &IndexEntry| match &entry.platform {
        Some(platform) => platform.fitness(wanted).map(|fitness| fitness + 1),
        None => Some(0),
    };
    let fitting = index.manifests.iter().filter_map(|entry| Some((fitness(entry)?, entry)));
    let best = fitting.reduce(|best, other| if other.0 > best.0 { other } else { best });
    best.map(|(_, entry)| entry).ok_or_else(|| OciError::WrongPlatform {
        image: image.to_owned(),
        wanted: wanted.clone(),
        found: index.manifests.iter().filter_map(|entry| entry.platform.clone()).collect(),
    })
}

fn read_config(
    image: &str,
    documents: &dyn Documents,
    manifest: &Manifest,
    wanted: &Platform,
) -> Result<ImageConfig, OciError> {
    let descriptor = &manifest.config;
    let what = || format!("the configuration {}", descriptor.digest);
    check_size(image, what, descriptor.size)?;
    let bytes = documents.config(descriptor)?;
    verify(descriptor, &bytes, documents)?;
    check_config(image, &descriptor.digest, &bytes, manifest.layers.len(), wanted)
}

/// Reads a configuration, and compares it with the platform and the number of layers.
pub(crate) fn check_config(
    image: &str,
    digest: &Digest,
    bytes: &[u8],
    layers: usize,
    wanted: &Platform,
) -> Result<ImageConfig, OciError> {
    let unusable = |source| OciError::Document {
        what: format!("the configuration {digest}"),
        image: image.to_owned(),
        source,
    };
    let config = ImageConfig::parse(bytes).map_err(unusable)?;
    if config.platform.fitness(wanted).is_none() {
        return Err(OciError::WrongPlatform {
            image: image.to_owned(),
            wanted: wanted.clone(),
            found: vec![config.platform],
        });
    }
    let diff_ids = config.diff_ids.len();
    if diff_ids != layers {
        return Err(unusable(DocumentError::LayerCount { layers, diff_ids }));
    }
    Ok(config)
}

/// A document of `size` bytes may be read.
pub(crate) fn check_size(
    image: &str,
    what: impl FnOnce() -> String,
    size: u64,
) -> Result<(), OciError> {
    if size <= DOCUMENT_MAX_BYTES {
        return Ok(());
    }
    let limit = DOCUMENT_MAX_BYTES;
    Err(OciError::DocumentTooLarge { what: what(), image: image.to_owned(), size, limit })
}

fn verify(
    descriptor: &Descriptor,
    bytes: &[u8],
    documents: &dyn Documents,
) -> Result<(), OciError> {
    let digest = descriptor.digest;
    if bytes.len() as u64 != descriptor.size {
        let (wanted, got) = (descriptor.size, bytes.len() as u64);
        return Err(OciError::WrongSize { digest, wanted, got, origin: documents.origin() });
    }
    verify_digest(&digest, bytes, || documents.origin())
}

pub(crate) fn verify_digest(
    wanted: &Digest,
    bytes: &[u8],
    origin: impl FnOnce() -> String,
) -> Result<(), OciError> {
    let got = Digest::of(bytes);
    if got == *wanted {
        return Ok(());
    }
    Err(OciError::WrongDigest { wanted: *wanted, got, origin: origin() })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Documents in memory, by their digests.
    #[derive(Default)]
    struct Shelf(HashMap<Digest, Vec<u8>>);

    impl Shelf {
        fn put(&mut self, text: &str) -> String {
            let digest = Digest::of(text.as_bytes());
            self.0.insert(digest, text.as_bytes().to_vec());
            format!(r#""digest":"{digest}","size":{}"#, text.len())
        }

        fn image(&mut self, platform: &str) -> String {
            let (os, architecture) = platform.split_once('/').unwrap();
            let config = self.put(&format!(r#"{{"os":"{os}","architecture":"{architecture}"}}"#));
            let media_type = "application/vnd.oci.image.config.v1+json";
            self.put(&format!(
                r#"{{"config":{{"mediaType":"{media_type}",{config}}},"layers":[]}}"#
            ))
        }

        fn index(entries: &[(&str, Option<&str>)]) -> String {
            let entry = |(descriptor, platform): &(&str, Option<&str>)| match platform {
                None => format!("{{{descriptor}}}"),
                Some(platform) => {
                    let (os, architecture) = platform.split_once('/').unwrap();
                    format!(
                        r#"{{{descriptor},"platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#
                    )
                }
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!(r#"{{"manifests":[{}]}}"#, entries.join(","))
        }

        fn resolve(&self, text: &str) -> Result<Resolved, OciError> {
            let digest = Digest::of(text.as_bytes());
            resolve("x", self, digest, text.as_bytes(), &Platform::default())
        }
    }

    impl Documents for Shelf {
        fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
            Ok(self.0[&descriptor.digest].clone())
        }

        fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
            self.manifest(descriptor)
        }

        fn origin(&self) -> String {
            "memory".to_owned()
        }
    }

    #[test]
    fn the_platform_is_chosen_through_indexes() {
        let mut shelf = Shelf::default();
        let [arm, amd] = ["linux/arm64", "linux/amd64"].map(|platform| shelf.image(platform));
        let inner = Shelf::index(&[(&arm, Some("linux/arm64")), (&amd, Some("linux/amd64"))]);
        let inner_entry = shelf.put(&inner);
        for text in [
            inner,
            Shelf::index(&[(&arm, Some("linux/arm64")), (&inner_entry, None)]),
            Shelf::index(&[(&amd, None)]),
        ] {
            let resolved = shelf.resolve(&text).unwrap();
            assert_eq!(resolved.config.platform, Platform::default());
            assert!(amd.contains(&resolved.manifest_digest.to_string()));
        }
    }

    #[test]
    fn a_missing_platform_says_what_there_is() {
        let mut shelf = Shelf::default();
        let [arm, s390] = ["linux/arm64", "linux/s390x"].map(|platform| shelf.image(platform));
        let both = Shelf::index(&[(&s390, Some("linux/s390x")), (&arm, Some("linux/arm64"))]);
        let lying = Shelf::index(&[(&arm, Some("linux/amd64"))]);
        for (text, found) in [
            (both, "linux/arm64, linux/s390x"),
            (lying, "linux/arm64"),
            (Shelf::index(&[]), "nothing"),
        ] {
            let error = shelf.resolve(&text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("x is not available for linux/amd64, only for {found}")
            );
        }
    }

    #[test]
    fn indexes_do_not_go_on_for_ever() {
        let mut shelf = Shelf::default();
        let mut text = Shelf::index(&[]);
        for _ in 0..6 {
            let entry = shelf.put(&text);
            text = Shelf::index(&[(&entry, None)]);
        }
        let error = shelf.resolve(&text).unwrap_err();
        assert_eq!(error.to_string(), "the indexes of x are nested more than 4 deep");
    }

    #[test]
    fn documents_are_verified() {
        let mut shelf = Shelf::default();
        let image = shelf.image("linux/amd64");
        let text = Shelf::index(&[(&image, None)]);
        let longer = text.replace("\"size\":", "\"size\":1");
        assert!(matches!(shelf.resolve(&longer), Err(OciError::WrongSize { .. })));
        for bytes in shelf.0.values_mut() {
            bytes[0] = b' ';
        }
        assert!(matches!(shelf.resolve(&text), Err(OciError::WrongDigest { .. })));
    }
}
