//! Images of the tests' own, and a place to load them into.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use mote_oci::{
    Access, BlobStore, Compression, Digest, Image, ImageSource, Layer, OciError, Platform,
    PullEvent, PullPolicy, load,
};
use mote_process::Cancel;
use tempfile::TempDir;

/// An image in memory: documents and layers by digest.
pub struct Fixture {
    pub blobs: BTreeMap<Digest, Vec<u8>>,
    /// The manifest's digest.
    pub manifest: Digest,
    /// The layers' digests.
    pub layers: Vec<Digest>,
    diff_ids: Vec<Digest>,
}

impl Fixture {
    /// An image for `linux/ARCHITECTURE` whose layers are gzip of bytes that do not compress.
    pub fn new(architecture: &str, layer_sizes: &[usize]) -> Self {
        let mut blobs = BTreeMap::new();
        let (mut layers, mut diff_ids, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for (number, size) in layer_sizes.iter().enumerate() {
            let content = noise(*size, number as u64 + 1);
            let packed = gzip(&content);
            diff_ids.push(Digest::of(&content));
            layers.push(Digest::of(&packed));
            entries.push(descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &packed, ""));
            blobs.insert(Digest::of(&packed), packed);
        }
        let texts: Vec<String> =
            diff_ids.iter().map(|digest| format!("{:?}", digest.to_string())).collect();
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"linux","config":{{"Entrypoint":["/bin/server"],"Cmd":["--run"],"Env":["PATH=/bin"],"User":"daemon","WorkingDir":"/data","ExposedPorts":{{"6379/tcp":{{}}}}}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            texts.join(",")
        )
        .into_bytes();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
            descriptor("application/vnd.oci.image.config.v1+json", &config, ""),
            entries.join(",")
        )
        .into_bytes();
        let digest = Digest::of(&manifest);
        blobs.insert(Digest::of(&config), config);
        blobs.insert(digest, manifest);
        Self { blobs, manifest: digest, layers, diff_ids }
    }

    /// Checks that this is what was loaded, down to the contents of the layers.
    pub fn assert_is(&self, image: &Image) {
        let config = &image.config;
        assert_eq!(config.entrypoint, ["/bin/server"]);
        assert_eq!(config.cmd, ["--run"]);
        assert_eq!(config.env, ["PATH=/bin"]);
        assert_eq!(config.user.as_deref(), Some("daemon"));
        assert_eq!(config.working_dir.as_deref(), Some("/data"));
        assert!(config.exposed_ports.contains("6379/tcp"));
        assert_eq!(config.diff_ids, self.diff_ids);
        assert_eq!(image.layers.len(), self.layers.len());
        for (layer, diff_id) in image.layers.iter().zip(&self.diff_ids) {
            assert_eq!(layer.diff_id, *diff_id);
            assert_eq!(Digest::of(&inflated(layer)), *diff_id);
        }
    }
}

fn inflated(layer: &Layer) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = layer.blob.open().unwrap();
    match layer.compression {
        Compression::None => reader.read_to_end(&mut bytes),
        Compression::Gzip => flate2::read::GzDecoder::new(reader).read_to_end(&mut bytes),
        Compression::Zstd => zstd::Decoder::new(reader).unwrap().read_to_end(&mut bytes),
    }
    .unwrap();
    bytes
}

/// Bytes that do not compress (xorshift64).
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = (0..size.div_ceil(8)).flat_map(|_| next().to_le_bytes());
    words.take(size).collect()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A descriptor in JSON; `more` begins with a comma.
pub fn descriptor(media_type: &str, bytes: &[u8], more: &str) -> String {
    let digest = Digest::of(bytes);
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}{more}}}"#, bytes.len())
}

/// Writes a layout with an index of the images, by architecture, tagged `v1`.
pub fn write_layout(dir: &Path, images: &[(&str, &Fixture)]) {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| fs::write(blobs.join(Digest::of(bytes).hex()), bytes).unwrap();
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let index_type = "application/vnd.oci.image.index.v1+json";
    let mut entries = Vec::new();
    for (architecture, image) in images {
        image.blobs.values().for_each(|bytes| put(bytes));
        let platform = format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}"#);
        entries.push(descriptor(manifest_type, &image.blobs[&image.manifest], &platform));
    }
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{index_type}","manifests":[{}]}}"#,
        entries.join(",")
    );
    put(index.as_bytes());
    let tag = r#","annotations":{"org.opencontainers.image.ref.name":"v1"}"#;
    let entry = descriptor(index_type, index.as_bytes(), tag);
    fs::write(dir.join("index.json"), format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#))
        .unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

/// A folder with a store, and the events of what is loaded into it.
pub struct Place {
    sandbox: TempDir,
    pub store: BlobStore,
    pub access: Access,
    pub cancel: Cancel,
    events: Mutex<Vec<PullEvent>>,
}

impl Place {
    pub fn new() -> Self {
        let sandbox = tempfile::tempdir().unwrap();
        let store = BlobStore::new(sandbox.path().join("store"), sandbox.path().join("work"));
        let (access, cancel) = (Access::default(), Cancel::default());
        Self { sandbox, store, access, cancel, events: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        self.sandbox.path()
    }

    pub fn load(&self, source: &str, policy: PullPolicy) -> Result<Image, OciError> {
        self.load_for(source, "linux/amd64", policy)
    }

    pub fn load_for(
        &self,
        source: &str,
        platform: &str,
        policy: PullPolicy,
    ) -> Result<Image, OciError> {
        let source = ImageSource::parse(source.as_ref()).unwrap();
        let platform: Platform = platform.parse().unwrap();
        let on_event = |event| self.events.lock().unwrap().push(event);
        load(&source, &platform, &self.store, &self.access, policy, &self.cancel, &on_event)
    }

    /// Loads what cannot be loaded.
    pub fn refusal(&self, source: &str) -> OciError {
        self.load(source, PullPolicy::Missing)
            .err()
            .unwrap_or_else(|| panic!("{source} was loaded"))
    }

    /// What was reported since it was asked last.
    pub fn events(&self) -> Vec<PullEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    /// The files of the store, by name.
    pub fn stored(&self) -> Vec<String> {
        let Ok(listing) = fs::read_dir(self.blobs()) else { return Vec::new() };
        let mut names: Vec<String> =
            listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn blobs(&self) -> PathBuf {
        self.store.root().join("blobs/sha256")
    }

    /// Writes docker's `config.json` and uses it.
    pub fn log_in(&mut self, text: &str) {
        let path = self.path().join("config.json");
        fs::write(&path, text).unwrap();
        self.access.credential_files = vec![path];
    }
}
