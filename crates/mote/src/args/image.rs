//! `mote image …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use mote_engine::image::Compression;

use super::Output;

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Write a source as an image
    Build(ImageBuild),
    /// List what an image holds
    Inspect(ImageInspect),
}

#[derive(Debug, Args)]
pub struct ImageBuild {
    /// What becomes the image: recipe:NAME, recipe:FILE or the path of a mote.toml
    pub source: String,

    /// The image's format
    #[arg(long, value_enum, default_value_t = Target::Initramfs)]
    pub format: Target,

    /// How the image is compressed
    #[arg(long, value_name = "none|gzip|zstd|lz4|xz", default_value = "none")]
    pub compress: Compression,

    /// Where it goes [default: the recipe's name and the format's ending, here]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// A cpio archive that the kernel unpacks into memory
    Initramfs,
}

#[derive(Debug, Args)]
pub struct ImageInspect {
    /// The image
    pub file: PathBuf,

    #[command(flatten)]
    pub output: Output,
}
