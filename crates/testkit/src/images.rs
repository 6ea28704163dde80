//! The images that `scripts/images` makes.

use std::path::PathBuf;

/// Names the folder with the images' layouts.
const IMAGES: &str = "MOTE_TEST_IMAGES";

/// The OCI layout of one of the images that `scripts/test-images` describes.
///
/// # Panics
///
/// If it is not there.
#[track_caller]
pub fn image(name: &str) -> PathBuf {
    let folder = std::env::var_os(IMAGES);
    let folder = folder.unwrap_or_else(|| {
        panic!("set {IMAGES} to what `bash scripts/images` prints: it makes the images")
    });
    let layout = PathBuf::from(folder).join(name);
    assert!(layout.join("index.json").is_file(), "no image at {}", layout.display());
    layout
}
