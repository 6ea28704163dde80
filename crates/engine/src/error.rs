//! What can go wrong in an operation.

use std::io;
use std::path::{Path, PathBuf};

use mote_kernel::source::{DigestError, SourceError};
use mote_kernel::{
    ArtefactError, BuildError, ConfigError, ExplainError, FeatureError, MenuconfigError, ToolsError,
};
use mote_manifest::SettingError;
use mote_oci::OciError;
use mote_process::{Cancelled, ProcessError};
use mote_rootfs::busybox::{self, LoadError, SpecError};
use mote_rootfs::directory::DirectoryError;
use mote_rootfs::layer::{LayerError, Limit};
use mote_rootfs::tree::{PathError, TreeError};
use mote_vmm::VmmError;

use crate::cache::CacheError;
use crate::image::ImageError;
use crate::program::ProgramError;
use crate::run::{GuestFailure, InitrdError, Lack};

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The kernel's source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The kernel's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A feature.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// The programs that build a kernel.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The kernel's build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A built kernel.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The kernel's editor.
    #[error(transparent)]
    Menuconfig(#[from] MenuconfigError),
    /// An explanation.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// A digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A flag.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// What is to be run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A BusyBox binary.
    #[error(transparent)]
    Busybox(#[from] LoadError),
    /// A BusyBox build.
    #[error(transparent)]
    BusyboxBuild(#[from] busybox::BuildError),
    /// A BusyBox system.
    #[error(transparent)]
    System(#[from] SpecError),
    /// A path in the guest.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The initramfs of a run.
    #[error(transparent)]
    Initrd(#[from] InitrdError),
    /// A machine.
    #[error(transparent)]
    Vmm(#[from] VmmError),
    /// A guest.
    #[error(transparent)]
    Guest(#[from] GuestFailure),
    /// A path that the tree of a system cannot hold.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// No disk for the probes of a kernel.
    #[error("cannot make a scratch disk")]
    Scratch(#[source] io::Error),
    /// A program.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An image, or where it was to come from.
    #[error(transparent)]
    Oci(#[from] OciError),
    /// The layers of an image.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// An archive that is not any more what it was when its digest was taken.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// The archive.
        path: PathBuf,
    },
    /// A directory that was to become a root file system.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A disk of one run.
    #[error("cannot copy the root disk for this run")]
    CopyDisk(#[source] io::Error),
    /// The host gives no further descriptor.
    #[error("cannot hand the root disk to the machine")]
    Descriptor(#[source] io::Error),
    /// An image that does not say what to run.
    #[error("{name} does not say what to run")]
    NoCommand {
        /// What was named.
        name: String,
    },
    /// A root file system in memory cannot be kept from being written.
    #[error("a root file system in the initramfs cannot be read-only")]
    ReadOnlyInitramfs,
    /// There is no kernel in the cache.
    #[error("no kernel was built yet")]
    NoKernels,
    /// No image has that name here.
    #[error("no such image was pulled: {name}")]
    NotPulled {
        /// What was given.
        name: String,
    },
    /// The digests of several images begin so.
    #[error("several images have a digest that begins with {digits}")]
    AmbiguousDigest {
        /// What was given.
        digits: String,
    },
    /// No kernel in the cache has such a key.
    #[error("no kernel in the cache has a key that begins with {name}")]
    NoSuchKernel {
        /// What was given.
        name: String,
    },
    /// Several kernels in the cache have such a key.
    #[error("several kernels in the cache have a key that begins with {name}")]
    AmbiguousKernel {
        /// What was given.
        name: String,
    },
    /// The source that a kernel was built from is not here any more.
    #[error("the source that the kernel was built from is not on this machine: sha256 {digest}")]
    SourceGone {
        /// Its digest.
        digest: String,
        /// The directory that it lay in, if it did.
        seen: Option<PathBuf>,
    },
    /// A kernel was built from files of which its key knows nothing.
    #[error("the source was changed while it was built: {}", path.display())]
    SourceChanged {
        /// Its directory.
        path: PathBuf,
    },
    /// A kernel cannot do what a run needs.
    #[error("this kernel cannot run it: {}{}", kernel.display(), lines(lacks))]
    KernelLacks {
        /// The kernel's folder.
        kernel: PathBuf,
        /// The features that it has.
        has: Vec<String>,
        /// What it lacks.
        lacks: Vec<Lack>,
    },
    /// There is no program that compresses EROFS on the host.
    #[error("mkfs.erofs is not installed")]
    NoMkfsErofs,
    /// There is no BusyBox on the host.
    #[error("busybox is not installed")]
    NoBusybox,
    /// A recipe that describes no system.
    #[error("the recipe {name} describes no system")]
    EmptyRecipe {
        /// Its name.
        name: String,
    },
    /// Something else than a file where a file is to be copied.
    #[error("not a regular file: {}", path.display())]
    NotFile {
        /// The path.
        path: PathBuf,
    },
    /// Ports are to be published and there is no network.
    #[error("without a network, no port can be published")]
    PublishWithoutNetwork,
    /// The host has no port left, or not that address.
    #[error("cannot find a free port on {address}")]
    NoFreePort {
        /// The address.
        address: std::net::Ipv4Addr,
        /// Why not.
        source: io::Error,
    },
    /// The host gives no random bytes.
    #[error("cannot read random bytes for the guest")]
    Entropy(#[source] io::Error),
    /// The source is not the one that was asked for.
    #[error("{source_name} has the sha256 {found}, not {pinned}")]
    WrongSource {
        /// The source as it was named.
        source_name: String,
        /// The digest that was asked for.
        pinned: String,
        /// The digest that it has.
        found: String,
    },
    /// A folder where a file is to be written.
    #[error("cannot write a file to {}: it is a directory", path.display())]
    OutputIsDirectory {
        /// What was given.
        path: PathBuf,
    },
    /// A file that is not to be replaced.
    #[error("there is a file already: {}", path.display())]
    OutputExists {
        /// What was given.
        path: PathBuf,
    },
    /// A folder that is to be written holds what is not mote's.
    #[error("the folder holds something else than a kernel: {}", path.display())]
    FolderInUse {
        /// What is in it.
        path: PathBuf,
    },
}

impl EngineError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Cache(error) => return error.hint(),
            Self::Source(error) => return error.hint(),
            Self::Config(error) => return error.hint(),
            Self::Feature(error) => return error.hint(),
            Self::Tools(error) => return error.hint(),
            Self::Build(error) => return error.hint(),
            Self::Artefact(error) => return error.hint(),
            Self::Menuconfig(error) => return error.hint(),
            Self::Explain(error) => return error.hint(),
            Self::Program(error) => return error.hint(),
            Self::Busybox(error) => return error.hint(),
            Self::BusyboxBuild(error) => return error.hint(),
            Self::System(error) => return error.hint(),
            Self::Vmm(error) => return error.hint(),
            Self::Guest(error) => return error.hint(),
            Self::Image(error) => return error.hint(),
            Self::Process(error) => return error.hint(),
            Self::Oci(OciError::ArchiveTooLarge { .. }) => RAISE_THE_LIMIT,
            Self::Oci(error) => return error.hint(),
            Self::Layer(error) => return layer_hint(error),
            Self::Digest(_)
            | Self::Cancelled(_)
            | Self::Path(_)
            | Self::Tree(_)
            | Self::Initrd(_)
            | Self::Descriptor(_)
            | Self::Directory(_)
            | Self::Entropy(_)
            | Self::NotFile { .. }
            | Self::WrongSource { .. }
            | Self::Setting(_)
            | Self::NoFreePort { .. } => return None,
            Self::KernelLacks { has, lacks, .. } => return Some(features_hint(has, lacks)),
            Self::NoMkfsErofs => "on Debian: apt install erofs-utils; or leave out --compress",
            Self::NoBusybox => "on Debian: apt install busybox-static",
            Self::EmptyRecipe { .. } => "a system is described by a [busybox] table",
            Self::PublishWithoutNetwork => "leave out --network none, or --publish",
            Self::NoCommand { .. } => "give a command after it",
            Self::ReadOnlyInitramfs => "leave out --read-only, or choose --rootfs erofs",
            Self::Io { source, .. } | Self::Scratch(source) | Self::CopyDisk(source) => {
                return full_disk_hint(source);
            }
            Self::Changed { .. } => "try again when nobody writes to it",
            Self::NoKernels => "build one: mote kernel build",
            Self::NotPulled { .. } => "list them: mote images",
            Self::AmbiguousDigest { .. } => "give more of its digits: mote images --no-trunc",
            Self::NoSuchKernel { .. } | Self::AmbiguousKernel { .. } => "list them: mote kernel ls",
            Self::SourceGone { seen: Some(path), .. } => {
                let path = path.display();
                return Some(format!(
                    "it was {path}, which is gone or has changed; give another one with --source"
                ));
            }
            Self::SourceGone { seen: None, .. } => "give it with --source",
            Self::SourceChanged { .. } => "build it again, while nobody writes there",
            Self::OutputIsDirectory { .. } => "name a file in it",
            Self::OutputExists { .. } => "name another one with -o",
            Self::FolderInUse { .. } => "give a new folder, or an empty one",
        };
        Some(hint.to_owned())
    }
}

/// What to do when the file system refuses, if it is full.
pub(crate) fn full_disk_hint(error: &io::Error) -> Option<String> {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    full.then(|| "free some space on that file system".to_owned())
}

const RAISE_THE_LIMIT: &str = "if you trust the image, raise the limit: --unpack-limit";

fn layer_hint(error: &LayerError) -> Option<String> {
    match error {
        LayerError::Spool { source, .. } | LayerError::Disk { source, .. } => {
            full_disk_hint(source)
        }
        LayerError::Limit { limit: Limit::Bytes, .. } => Some(RAISE_THE_LIMIT.to_owned()),
        LayerError::Digest { .. } | LayerError::DiffId { .. } => {
            Some("the image is damaged: get it again".to_owned())
        }
        _ => None,
    }
}

fn lines(lacks: &[Lack]) -> String {
    let line = |lack: &Lack| format!("\n  it lacks CONFIG_{}: {}", lack.symbol, lack.purpose);
    lacks.iter().map(line).collect()
}

fn features_hint(has: &[String], lacks: &[Lack]) -> String {
    let mut features: Vec<_> = has.iter().map(String::as_str).collect();
    features.extend(lacks.iter().map(|lack| lack.feature));
    features.dedup();
    format!("build one that has them: mote kernel build --feature {}", features.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--unpack-limit` raises no other one.
    #[test]
    fn only_who_met_the_limit_of_bytes_is_told_to_raise_it() {
        let hint = |limit| {
            EngineError::from(LayerError::Limit { layer: "it".to_owned(), limit, most: 1 }).hint()
        };
        assert_eq!(hint(Limit::Bytes).unwrap(), RAISE_THE_LIMIT);
        assert_eq!([Limit::Entries, Limit::MetadataBytes].map(hint), [None, None]);
    }
}
