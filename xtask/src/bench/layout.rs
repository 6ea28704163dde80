//! What a layout's only image consists of.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// A layer in a file.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub len: u64,
    /// How it is compressed.
    pub media_type: String,
    /// Of the file: `sha256:…`.
    pub digest: String,
    /// Of the archive in it.
    pub diff_id: String,
}

/// The layers of the first image in the layout at `folder`.
///
/// # Errors
///
/// A layout that is not there or not as the specification has it.
pub fn layers(folder: &Path) -> Result<Vec<Layer>> {
    let blob = |digest: &Value| {
        let digest = digest.as_str().context("a digest is missing")?;
        Ok::<_, anyhow::Error>(folder.join("blobs").join(digest.replace(':', "/")))
    };
    let index = read(&folder.join("index.json"))?;
    let manifest = read(&blob(&index["manifests"][0]["digest"])?)?;
    let config = read(&blob(&manifest["config"]["digest"])?)?;
    let layers = manifest["layers"].as_array().context("the image has no layers")?;
    let layers = layers.iter().enumerate().map(|(index, layer)| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Layer {
            path: blob(&layer["digest"])?,
            len: layer["size"].as_u64().context("a size is missing")?,
            media_type: text(&layer["mediaType"]),
            digest: text(&layer["digest"]),
            diff_id: text(&config["rootfs"]["diff_ids"][index]),
        })
    });
    layers.collect()
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}
