//! What registries and archives say of images: manifests, indexes and configurations, and whole
//! archives as `docker save` writes them.
#![no_main]

use std::io::Read;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mote_oci::{
    Access, BlobStore, Document, ImageConfig, ImageSource, LAYERS_MAX, Platform, PullPolicy, load,
};
use mote_process::Cancel;

/// How much a compressed archive may unpack to.
const SPOOL_BYTES: u64 = 8 << 20;

fuzz_target!(|input: &[u8]| {
    if let Ok(Document::Manifest(manifest)) = Document::parse(input) {
        assert!(manifest.layers.len() <= LAYERS_MAX);
    }
    if let Ok(config) = ImageConfig::parse(input) {
        let texts = config.entrypoint.iter().chain(&config.cmd).chain(&config.env);
        assert!(texts.chain(&config.user).all(|text| !text.contains('\0')));
    }
    let file = PathBuf::from(format!("/dev/shm/mote-fuzz-{}", std::process::id()));
    std::fs::write(&file, input).expect("/dev/shm has room");
    for source in [
        ImageSource::Archive { file: file.clone(), tag: None },
        ImageSource::DockerArchive { file: file.clone(), tag: None },
    ] {
        read(&source);
    }
});

/// All that a run would read of an image, but for what is in its layers.
fn read(source: &ImageSource) {
    let store = PathBuf::from("/dev/shm");
    let store = BlobStore::new(store.join("mote-fuzz-store"), store).with_spool_limit(SPOOL_BYTES);
    let (access, cancel) = (Access::default(), Cancel::default());
    let loaded = load(
        source,
        &Platform::default(),
        &store,
        &access,
        PullPolicy::Never,
        &cancel,
        &|_| panic!("an archive is not pulled"),
    );
    let Ok(image) = loaded else { return };
    assert_eq!(image.layers.len(), image.config.diff_ids.len());
    for layer in &image.layers {
        let mut bytes = Vec::new();
        let mut blob = layer.blob.open().expect("the archive is there");
        blob.read_to_end(&mut bytes).expect("a layer lies in its archive");
        assert_eq!(bytes.len() as u64, layer.blob.len);
    }
}
