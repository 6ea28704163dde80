//! What a program consists of: found from its name, and made into a tree when one is needed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mote_kernel::source::{Digest, digest_tarball};
use mote_manifest::{Pull, Recipe};
use mote_oci::{BlobFile, BlobRef, Image, ImageConfig, Platform};
use mote_rootfs::directory::{Owners, read_directory};
use mote_rootfs::layer::{
    Compression, Disk, LayerError, LayerSource, Progress, Spool, read_layers,
};
use mote_rootfs::tree::{Content, Stretch, Tree};

use crate::event::{self, Step};
use crate::host::{Host, shown};
use crate::program::Program;
use crate::{EngineError, pull, system};

/// A program that was found. Nothing of it is removed from the cache while this lives.
pub(crate) struct Contents {
    /// What it is called in messages and, without its folders, in the names of files.
    pub name: String,
    parts: Parts,
}

enum Parts {
    System(Box<Recipe>),
    Image(Box<Image>),
    Tar { path: PathBuf, digest: Digest },
    Directory(PathBuf),
}

impl Contents {
    /// Finds a program; an image is pulled if it has to be.
    pub(crate) fn find(
        host: &Host,
        program: Program,
        platform: &Platform,
        policy: Pull,
    ) -> Result<Self, EngineError> {
        let (name, parts) = match program {
            Program::Recipe(recipe) => (recipe.name.clone(), Parts::System(recipe)),
            Program::Image(source) => {
                let image = pull::load(host, &source, platform, policy)?;
                (source.to_string(), Parts::Image(Box::new(image)))
            }
            Program::Tar(path) => {
                let memo = host.cache.memo()?;
                let digest = digest_tarball(&path, &memo, &host.cancel, &|_, _| ())?;
                (shown(&path), Parts::Tar { path, digest })
            }
            Program::Directory(path) => (shown(&path), Parts::Directory(path)),
        };
        Ok(Self { name, parts })
    }

    /// How an image wants to be run.
    pub(crate) fn config(&self) -> Option<&ImageConfig> {
        match &self.parts {
            Parts::Image(image) => Some(&image.config),
            _ => None,
        }
    }

    /// The recipe, if it is one.
    pub(crate) fn recipe(&self) -> Option<&Recipe> {
        match &self.parts {
            Parts::System(recipe) => Some(recipe),
            _ => None,
        }
    }

    /// What stands for all of it, where that is known without reading all of it.
    pub(crate) fn digest(&self) -> Option<String> {
        match &self.parts {
            // It names the layers by their digests.
            Parts::Image(image) => Some(image.config_digest.to_string()),
            Parts::Tar { digest, .. } => Some(digest.to_string()),
            Parts::System(_) | Parts::Directory(_) => None,
        }
    }

    /// Its tree. If it is to become a disk, some of it may lie there already.
    pub(crate) fn tree(&self, host: &Host, disk: Option<&Disk>) -> Result<Tree, EngineError> {
        match &self.parts {
            Parts::System(recipe) => system::tree(host, recipe),
            Parts::Image(image) => {
                let layers: Vec<_> = image.layers.iter().map(layer).collect();
                let tree = layered(host, &self.name, &layers, disk);
                if let Err(EngineError::Layer(LayerError::Digest { layer, .. })) = &tree {
                    discard(host, image, layer)?;
                }
                tree
            }
            Parts::Tar { path, digest } => {
                match archive(host, path, Some(*digest.as_bytes()), disk) {
                    Err(EngineError::Layer(LayerError::Digest { .. })) => {
                        Err(EngineError::Changed { path: path.clone() })
                    }
                    tree => tree,
                }
            }
            Parts::Directory(path) => directory(path),
        }
    }
}

/// Removes a pulled layer that is damaged: the next pull gets it again.
fn discard(host: &Host, image: &Image, name: &str) -> Result<(), EngineError> {
    let store = pull::store(host);
    let is_pulled = |blob: &BlobRef| blob.path().is_some_and(|path| path.starts_with(store.root()));
    let mut damaged = image.layers.iter().filter(|layer| layer.digest.to_string() == name);
    match damaged.find(|layer| is_pulled(&layer.blob)) {
        Some(layer) => Ok(store.discard(&layer.digest)?),
        None => Ok(()),
    }
}

/// The tree of a tar archive, which has this digest if it is to be verified.
pub(crate) fn archive(
    host: &Host,
    path: &Path,
    digest: Option<[u8; 32]>,
    disk: Option<&Disk>,
) -> Result<Tree, EngineError> {
    let len = path.metadata().map_err(EngineError::io("read", path))?.len();
    let whole = LayerSource {
        name: shown(path),
        blob: Content::HostFile { path: path.to_owned().into(), offset: 0, len },
        compression: Compression::Auto,
        digest,
        diff_id: None,
    };
    layered(host, &shown(path), &[whole], disk)
}

/// The tree of a directory. Unless root reads it, its files are the user's own: in the guest they
/// are root's.
pub(crate) fn directory(path: &Path) -> Result<Tree, EngineError> {
    let owners = if rustix::process::geteuid().is_root() { Owners::Host } else { Owners::Root };
    Ok(read_directory(path, owners)?)
}

fn layered(
    host: &Host,
    name: &str,
    layers: &[LayerSource],
    disk: Option<&Disk>,
) -> Result<Tree, EngineError> {
    let work = host.cache.work()?;
    let step = Step::ReadLayers { name: name.to_owned() };
    Ok(event::step(&*host.sink, step, |progress| {
        let total = layers.iter().map(|layer| layer.blob.len()).sum();
        let read: Vec<_> = layers.iter().map(|_| AtomicU64::new(0)).collect();
        let on_progress = |now: Progress| {
            read[now.layer].store(now.read, Ordering::Relaxed);
            progress(read.iter().map(|read| read.load(Ordering::Relaxed)).sum(), Some(total));
        };
        let (limits, threads) = (&host.limits, host.jobs.get());
        let spool = Spool { dir: work.path(), disk };
        read_layers(layers, spool, limits, threads, &host.cancel, &on_progress)
    })?)
}

fn layer(layer: &mote_oci::Layer) -> LayerSource {
    let BlobRef { file, offset, len } = layer.blob.clone();
    LayerSource {
        name: layer.digest.to_string(),
        blob: match file {
            BlobFile::Path(path) => Content::HostFile { path: path.into(), offset, len },
            BlobFile::Unnamed(file) => Content::Stretch(Stretch { file, offset, len }),
        },
        compression: match layer.compression {
            mote_oci::Compression::None => Compression::None,
            mote_oci::Compression::Gzip => Compression::Gzip,
            mote_oci::Compression::Zstd => Compression::Zstd,
        },
        digest: Some(*layer.digest.as_bytes()),
        diff_id: Some(*layer.diff_id.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;

    #[test]
    fn an_archive_that_changed_since_it_was_digested_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let host = testing::host(dir.path());
        let path = dir.path().join("root.tar");
        std::fs::write(&path, [0; 1024]).unwrap();
        let contents = testing::contents_of_tar(&host, &path);
        assert!(contents.tree(&host, None).is_ok());
        std::fs::write(&path, [0; 2048]).unwrap();
        let error = contents.tree(&host, None).unwrap_err();
        assert_eq!(error.to_string(), format!("{} changed while it was read", path.display()));
        assert_eq!(error.hint().unwrap(), "try again when nobody writes to it");
    }
}
