//! `mote image …`

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mote_engine::image::Compression;
use mote_manifest::{Memory, MemoryError, Pull, UnknownWord};
use mote_oci::Platform;

use super::{Images, Output, Prune, PullArgs, Remove, hinted};

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Write a source as an image
    Build(ImageBuild),
    /// Say what an image is: its configuration and layers, or the entries of an image file
    Inspect(ImageInspect),
    /// List the images that were pulled
    #[command(visible_alias = "list")]
    Ls(Images),
    /// Fetch an image from a registry
    Pull(PullArgs),
    /// Remove images that were pulled, and what nothing else needs of them
    #[command(visible_alias = "remove")]
    Rm(Remove),
    /// Remove what runs and builds have left in the cache
    Prune(Prune),
}

#[derive(Debug, Args)]
pub struct ImageBuild {
    /// What becomes the image: an image's NAME[:TAG], or what follows oci:, oci-archive:,
    /// docker-archive:, tar:, dir: or recipe:; or the path of a mote.toml
    pub source: OsString,

    /// The image's format
    #[arg(long, value_enum, default_value_t = Target::Initramfs)]
    pub format: Target,

    /// A directory or tar archive that goes on top; several go on top of each other
    #[arg(long, value_name = "DIR|TAR")]
    pub overlay: Vec<PathBuf>,

    /// The size of an ext4 image, with b, k, m or g [default: its contents and room to work]
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| hinted(text.parse::<Memory>(), MemoryError::hint))]
    pub size: Option<Memory>,

    /// Give an ext4 image a journal, which guards it when the machine is cut off
    #[arg(long)]
    pub journal: bool,

    /// Refuse an image that unpacks to more than this, with b, k, m or g [default: 64g]
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| hinted(text.parse::<Memory>(), MemoryError::hint))]
    pub unpack_limit: Option<Memory>,

    /// When to ask the registry for the image
    #[arg(long, value_name = "missing|always|never", default_value_t, value_parser = |text: &str| hinted(text.parse::<Pull>(), UnknownWord::hint))]
    pub pull: Pull,

    /// What the image must run on
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value_t)]
    pub platform: Platform,

    /// How the image is compressed: an initramfs by mote, EROFS with lz4 or zstd by mkfs.erofs
    #[arg(long, value_name = "none|gzip|zstd|lz4|xz", default_value = "none")]
    pub compress: Compression,

    /// Where it goes [default: the program's name and the format's ending, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// A cpio archive that the kernel unpacks into memory
    Initramfs,
    /// A read-only disk
    Erofs,
    /// A writable disk
    Ext4,
}

#[derive(Debug, Args)]
pub struct ImageInspect {
    /// A file that is an initramfs or a disk; or an image's NAME[:TAG], or what follows oci:,
    /// oci-archive: or docker-archive:
    #[arg(value_name = "FILE|SOURCE")]
    pub image: OsString,

    #[command(flatten)]
    pub output: Output,
}
