//! Manifests and indexes: JSON that anyone may have written.
//!
//! Follows the OCI image specification 1.1 (manifest.md, image-index.md, descriptor.md) and
//! docker's Image Manifest Version 2, Schema 2.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Digest, DigestError, Platform};

/// The longest manifest, index or configuration that is read, in bytes; what registries take, too.
pub const DOCUMENT_MAX_BYTES: u64 = 4 << 20;

/// The most layers that an image may have; docker itself stops at 127.
pub const LAYERS_MAX: usize = 1000;

/// What a registry is told that we read.
pub(crate) const ACCEPT: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// What old manifests of docker's say instead (distribution issue 1621); moby takes it for images
/// (`defaultImageTypes`).
const OLD_CONFIGS: [&str; 4] = ["application/octet-stream", "application/json", "text/html", ""];
const LAYERS: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];
/// What these begin with is kept elsewhere than in the registry.
const FOREIGN_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.nondistributable.",
    "application/vnd.docker.image.rootfs.foreign.",
];

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or not of the form that the specification says.
    #[error("not a manifest or an index of images")]
    Malformed(#[source] serde_json::Error),
    /// The same of a configuration.
    #[error("not the configuration of an image")]
    MalformedConfig(#[source] serde_json::Error),
    /// The list of a docker archive's images.
    #[error("not a list of images as docker save writes it")]
    MalformedList(#[source] serde_json::Error),
    /// The archive does not have it.
    #[error("it is not there")]
    Absent,
    /// Neither a manifest nor an index, or both at once.
    #[error("neither a manifest nor an index of images{}", described(media_type))]
    Unknown {
        /// What it calls itself, or nothing.
        media_type: String,
    },
    /// Docker's form before 2016, which is without digests of the contents.
    #[error("a manifest of schema version 1, which docker gave up")]
    Schema1,
    /// A manifest of something else, such as a chart.
    #[error("not the manifest of an image but of an artifact{}", described(media_type))]
    Artifact {
        /// What its configuration is called.
        media_type: String,
    },
    /// A layer that the registry does not have.
    #[error("layer {layer} is not distributed with the image: {digest}")]
    ForeignLayer {
        /// Its number, from 0.
        layer: usize,
        /// Its digest.
        digest: Digest,
    },
    /// A layer in a form that is not known, such as an encrypted one.
    #[error("layer {layer} is of a kind that is not known{}", described(media_type))]
    UnknownLayer {
        /// Its number, from 0.
        layer: usize,
        /// What it is called.
        media_type: String,
    },
    /// More layers than any image has.
    #[error("{count} layers, at most {LAYERS_MAX} are accepted")]
    TooManyLayers {
        /// How many.
        count: usize,
    },
    /// A digest that is none.
    #[error("a digest in it cannot be used")]
    Digest(#[from] DigestError),
    /// The configuration says nothing, or something else, of the layers.
    #[error("the configuration names {diff_ids} layers, there are {layers}")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// The configuration holds what no program can be started with.
    #[error("the configuration has a zero byte in {field}")]
    ZeroByte {
        /// The key.
        field: &'static str,
    },
}

fn described(media_type: &str) -> String {
    match media_type {
        "" => String::new(),
        // Hostile, and shown: short, and without what steers terminals.
        text => format!(": {}", mote_process::printable(&text.as_bytes()[..text.len().min(200)])),
    }
}

/// What a document turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Images for several platforms.
    Index(Index),
}

/// The parts of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The configuration.
    pub config: Descriptor,
    /// The layers, from the lowest.
    pub layers: Vec<Descriptor>,
}

/// A list of manifests and further indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// In the order in which they are preferred.
    pub manifests: Vec<IndexEntry>,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where its document is.
    pub descriptor: Descriptor,
    /// What it runs on, if that is said.
    pub platform: Option<Platform>,
    /// `org.opencontainers.image.ref.name`: its tag in a layout.
    pub tag: Option<String>,
    /// `io.containerd.image.name`: its full name in a layout of docker's or containerd's.
    pub name: Option<String>,
}

/// A blob by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// What it must be.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: String,
    size: u64,
    platform: Option<RawPlatform>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Document {
    /// Reads a manifest or an index.
    ///
    /// # Errors
    /// When it is neither, or of a kind that cannot be run.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let raw: RawDocument = serde_json::from_slice(bytes).map_err(DocumentError::Malformed)?;
        let media_type = raw.media_type.as_deref().unwrap_or_default();
        if raw.schema_version == Some(1) {
            return Err(DocumentError::Schema1);
        }
        // One text must not mean two things (OCI image specification, manifest.md, on mediaType).
        match (raw.config, raw.layers, raw.manifests, media_type) {
            (None, None, Some(manifests), "" | OCI_INDEX | DOCKER_INDEX) => {
                Ok(Self::Index(Index::new(manifests)?))
            }
            (Some(config), layers, None, "" | OCI_MANIFEST | DOCKER_MANIFEST) => {
                Ok(Self::Manifest(Manifest::new(media_type, &config, &layers.unwrap_or_default())?))
            }
            _ => Err(DocumentError::Unknown { media_type: media_type.to_owned() }),
        }
    }
}

impl Manifest {
    fn new(
        media_type: &str,
        config: &RawDescriptor,
        layers: &[RawDescriptor],
    ) -> Result<Self, DocumentError> {
        if layers.len() > LAYERS_MAX {
            return Err(DocumentError::TooManyLayers { count: layers.len() });
        }
        let old_configs = if media_type == DOCKER_MANIFEST { &OLD_CONFIGS[..] } else { &[] };
        let config_type = config.media_type();
        if !CONFIGS.contains(&config_type) && !old_configs.contains(&config_type) {
            return Err(DocumentError::Artifact { media_type: config_type.to_owned() });
        }
        let layers = layers.iter().enumerate().map(|(layer, raw)| raw.as_layer(layer));
        Ok(Self { config: config.checked()?, layers: layers.collect::<Result<_, _>>()? })
    }
}

impl Index {
    fn new(manifests: Vec<RawDescriptor>) -> Result<Self, DocumentError> {
        let wanted = manifests.into_iter().filter(RawDescriptor::may_be_image);
        Ok(Self { manifests: wanted.map(RawDescriptor::into_entry).collect::<Result<_, _>>()? })
    }
}

impl RawDescriptor {
    fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or_default()
    }

    fn checked(&self) -> Result<Descriptor, DigestError> {
        Ok(Descriptor { digest: self.digest.parse()?, size: self.size })
    }

    fn as_layer(&self, layer: usize) -> Result<Descriptor, DocumentError> {
        let descriptor = self.checked()?;
        let media_type = self.media_type();
        if FOREIGN_LAYERS.iter().any(|foreign| media_type.starts_with(foreign)) {
            return Err(DocumentError::ForeignLayer { layer, digest: descriptor.digest });
        }
        if !LAYERS.contains(&media_type) {
            return Err(DocumentError::UnknownLayer { layer, media_type: media_type.to_owned() });
        }
        Ok(descriptor)
    }

    /// Whether it is no attestation (a signed statement of `BuildKit`'s about an image) and no
    /// other artifact.
    fn may_be_image(&self) -> bool {
        let known = ["", OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];
        let annotations = self.annotations.as_ref();
        let attests = annotations.is_some_and(|all| all.contains_key("vnd.docker.reference.type"));
        let unknown = self.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
        known.contains(&self.media_type()) && !attests && !unknown
    }

    fn into_entry(mut self) -> Result<IndexEntry, DocumentError> {
        let descriptor = self.checked()?;
        let platform = self.platform.take().map(|raw| Platform {
            os: raw.os,
            architecture: raw.architecture,
            variant: raw.variant.filter(|variant| !variant.is_empty()),
        });
        let mut annotations = self.annotations.unwrap_or_default();
        let tag = annotations.remove("org.opencontainers.image.ref.name");
        let name = annotations.remove("io.containerd.image.name");
        Ok(IndexEntry { descriptor, platform, tag, name })
    }
}

impl DocumentError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Schema1 => "pull it with an old docker and push it again, or build it anew",
            Self::ForeignLayer { .. } => "such layers are those of Windows images",
            Self::UnknownLayer { .. } => {
                "tar, gzip and zstd are read; an encrypted image must be decrypted first"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn blob(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{DIGEST}","size":5}}"#)
    }

    fn manifest(config: &str, layers: &[&str]) -> String {
        let layers: Vec<String> = layers.iter().map(|media_type| blob(media_type)).collect();
        format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
            blob(config),
            layers.join(",")
        )
    }

    #[test]
    fn manifests_of_both_kinds() {
        for (config, layers) in [(CONFIGS[0], &LAYERS[..3]), (CONFIGS[1], &LAYERS[3..])] {
            let document = Document::parse(manifest(config, layers).as_bytes()).unwrap();
            let part = Descriptor { digest: DIGEST.parse().unwrap(), size: 5 };
            assert_eq!(
                document,
                Document::Manifest(Manifest { config: part, layers: vec![part; 3] })
            );
        }
        // Go writes an empty list as null.
        let empty = format!(r#"{{"config":{},"layers":null}}"#, blob(CONFIGS[0]));
        assert!(matches!(Document::parse(empty.as_bytes()), Ok(Document::Manifest(_))));
    }

    #[test]
    fn old_manifests_of_docker_say_anything_of_their_configuration() {
        for config in OLD_CONFIGS {
            let manifest = manifest(config, &LAYERS[3..]);
            let docker =
                manifest.replacen('{', &format!(r#"{{"mediaType":"{DOCKER_MANIFEST}","#), 1);
            assert!(matches!(Document::parse(docker.as_bytes()), Ok(Document::Manifest(_))));
            let error = Document::parse(manifest.as_bytes()).unwrap_err();
            assert!(matches!(error, DocumentError::Artifact { .. }), "{error}");
        }
    }

    #[test]
    fn indexes_without_what_is_no_image() {
        let entry = |media_type: &str, more: &str| {
            format!(r#"{{"mediaType":"{media_type}","digest":"{DIGEST}","size":5{more}}}"#)
        };
        let entries = [
            entry(
                OCI_MANIFEST,
                r#","platform":{"os":"linux","architecture":"arm64","variant":"v8"}"#,
            ),
            entry(OCI_INDEX, r#","annotations":{"org.opencontainers.image.ref.name":"v1"}"#),
            entry(OCI_MANIFEST, r#","platform":{"os":"unknown","architecture":"unknown"}"#),
            entry(
                OCI_MANIFEST,
                r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#,
            ),
            entry("application/vnd.example", ""),
        ];
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        let Document::Index(index) = Document::parse(text.as_bytes()).unwrap() else { panic!() };
        let [first, second] = &index.manifests[..] else { panic!("{index:?}") };
        assert_eq!(first.platform.as_ref().unwrap().to_string(), "linux/arm64/v8");
        assert_eq!(second.tag.as_deref(), Some("v1"));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let many = manifest(CONFIGS[0], &[LAYERS[0]; 1001]);
        let hostile =
            manifest(CONFIGS[0], &[LAYERS[0]]).replace(&DIGEST[7..], "../../../etc/passwd");
        let negative = manifest(CONFIGS[0], &[LAYERS[0]]).replace(r#""size":5"#, r#""size":-1"#);
        let sha512 = manifest(CONFIGS[0], &[]).replace("sha256:", "sha512:");
        let both = format!(r#"{{"config":{},"manifests":[]}}"#, blob(CONFIGS[0]));
        for (text, message) in [
            ("", "not a manifest or an index of images"),
            ("[]", "not a manifest or an index of images"),
            (&"[".repeat(100_000), "not a manifest or an index of images"),
            (&negative, "not a manifest or an index of images"),
            ("{}", "neither a manifest nor an index of images"),
            (&both, "neither a manifest nor an index of images"),
            (r#"{"mediaType":"a/\u001bb"}"#, r"neither a manifest nor an index of images: a/\x1bb"),
            (
                r#"{"schemaVersion":1,"fsLayers":[]}"#,
                "a manifest of schema version 1, which docker gave up",
            ),
            (
                &manifest("application/vnd.example", &[]),
                "not the manifest of an image but of an artifact: application/vnd.example",
            ),
            (
                &manifest(
                    CONFIGS[0],
                    &["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
                ),
                &format!("layer 0 is not distributed with the image: {DIGEST}"),
            ),
            (
                &manifest(CONFIGS[0], &[LAYERS[0], "x+encrypted"]),
                "layer 1 is of a kind that is not known: x+encrypted",
            ),
            (&many, "1001 layers, at most 1000 are accepted"),
            (&hostile, "a digest in it cannot be used"),
            (&sha512, "a digest in it cannot be used"),
        ] {
            let error = Document::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn damaged_documents_never_panic() {
        let text = manifest(CONFIGS[0], &LAYERS).into_bytes();
        for position in 0..text.len() {
            for byte in [0, b'"', b'{', b'9', 0xff] {
                let mut damaged = text.clone();
                damaged[position] = byte;
                let _ = Document::parse(&damaged);
            }
            let _ = Document::parse(&text[..position]);
        }
    }
}
