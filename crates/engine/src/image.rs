//! Images: a recipe's tree written as bytes, and what an image holds.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use mote_image::cpio::WriteError;
use mote_image::{ReadError, read_initramfs, write_initramfs};
use mote_manifest::Recipe;

pub use mote_image::cpio::Entry;
pub use mote_image::{Compression, Summary};

use crate::error::full_disk_hint;
use crate::event::{self, Step};
use crate::host::Host;
use crate::{EngineError, export, system};

/// Why there is no image, or what is wrong with one.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It could not be written.
    #[error("cannot write the image {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: WriteError,
    },
    /// It could not be opened.
    #[error("cannot open the image {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is none, or is damaged.
    #[error("cannot read the image {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ReadError,
    },
}

impl ImageError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Write { source: WriteError::Output(error), .. } => full_disk_hint(error),
            Self::Write { .. } | Self::Open { .. } | Self::Read { .. } => None,
        }
    }
}

/// Writes the system of a recipe as an initramfs to `to`: the whole image, or nothing. Gives its
/// size in bytes.
///
/// # Errors
/// When the system cannot be had or the image cannot be written.
pub fn build(
    host: &Host,
    recipe: &Recipe,
    compression: Compression,
    to: &Path,
) -> Result<u64, EngineError> {
    export::check_file(to)?;
    let tree = system::tree(host, recipe)?;
    event::step(&*host.sink, Step::WriteImage { name: recipe.name.clone() }, |_| {
        export::replace_file(to, |file| {
            write_initramfs(&tree, compression, file)
                .map_err(|source| ImageError::Write { path: to.to_owned(), source })?;
            host.cancel.check()?;
            Ok(())
        })
    })?;
    let metadata = to.metadata().map_err(EngineError::io("examine", to))?;
    Ok(metadata.len())
}

/// Reads an image and calls `on_entry` for each thing that it holds.
///
/// # Errors
/// When it cannot be opened, is no initramfs, or is damaged.
pub fn inspect(path: &Path, on_entry: &mut dyn FnMut(&Entry)) -> Result<Summary, EngineError> {
    let open = |source| ImageError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    if file.metadata().map_err(open)?.is_dir() {
        return Err(open(io::ErrorKind::IsADirectory.into()).into());
    }
    let read = |source| ImageError::Read { path: path.to_owned(), source };
    let mut visit = |entry: &Entry, _: &mut dyn Read| {
        on_entry(entry);
        Ok(())
    };
    Ok(read_initramfs(BufReader::new(file), &mut visit).map_err(read)?)
}
