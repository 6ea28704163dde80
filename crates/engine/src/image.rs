//! Images: a program's tree written as bytes, and what an image holds.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mote_image::cpio::WriteError;
use mote_image::{OnProgress, contents_bytes, cpio, erofs, ext4, read_initramfs, write_initramfs};
use mote_manifest::Pull;
use mote_oci::Platform;
use mote_process::Program as Executable;
use mote_rootfs::layer::Disk;
use mote_rootfs::tree::Tree;

pub use mote_image::erofs::Compressor;
pub use mote_image::ext4::Journal;
pub use mote_image::{Compression, Entry, Summary};

use crate::contents::{self, Contents};
use crate::disk::{self, DiskFormat};
use crate::error::full_disk_hint;
use crate::event::{self, Step};
use crate::host::Host;
use crate::program::Program;
use crate::{EngineError, export};

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
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An EROFS disk could not be written.
    #[error("cannot write an EROFS image")]
    Erofs(#[source] erofs::WriteError),
    /// A compressed EROFS disk could not be written.
    #[error("cannot write a compressed EROFS image")]
    CompressedErofs(#[source] erofs::CompressError),
    /// An ext4 disk could not be written.
    #[error("cannot write an ext4 image")]
    Ext4(#[source] ext4::WriteError),
}

impl ImageError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Write { source: WriteError::Output(error), .. } => full_disk_hint(error),
            Self::Erofs(erofs::WriteError::Output(error))
            | Self::Erofs(erofs::WriteError::Content { source: error, .. })
            | Self::Ext4(ext4::WriteError::Output(error))
            | Self::Ext4(ext4::WriteError::Content { source: error, .. }) => full_disk_hint(error),
            Self::CompressedErofs(error) => error.hint(),
            Self::Ext4(ext4::WriteError::TooSmall { .. }) => {
                Some("give a larger --size".to_owned())
            }
            _ => None,
        }
    }
}

/// An image as it was asked for.
#[derive(Debug, Clone)]
pub struct ImageWanted {
    /// What becomes the image.
    pub program: Program,
    /// Which of the images that a registry has under one name.
    pub platform: Platform,
    /// When a registry is asked.
    pub pull: Pull,
    /// What goes on top, in this order: directories and tar archives.
    pub overlays: Vec<PathBuf>,
    /// What it is written as.
    pub format: ImageFormat,
}

/// What an image is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// A cpio archive that the kernel unpacks into memory.
    Initramfs(Compression),
    /// A disk.
    Disk(DiskFormat),
    /// A disk with EROFS, compressed by `mkfs.erofs`.
    CompressedErofs(Compressor),
}

/// Writes an image to `to`: the whole image, or nothing. Gives its size in bytes.
///
/// # Errors
/// When the program cannot be had or the image cannot be written.
pub fn build(host: &Host, wanted: ImageWanted, to: &Path) -> Result<u64, EngineError> {
    // What is missing is told before anything is pulled or unpacked.
    export::check_file(to)?;
    for overlay in &wanted.overlays {
        fs::metadata(overlay).map_err(EngineError::io("read", overlay))?;
    }
    let mkfs = match wanted.format {
        ImageFormat::CompressedErofs(compressor) => Some(mkfs(host, compressor)?),
        _ => None,
    };
    let contents = Contents::find(host, wanted.program, &wanted.platform, wanted.pull)?;
    let tree = |disk: Option<&Disk>| {
        let mut tree = contents.tree(host, disk)?;
        for path in &wanted.overlays {
            tree.overlay(&match path.is_dir() {
                true => contents::directory(path)?,
                false => contents::archive(host, path, None, None)?,
            })?;
        }
        Ok::<_, EngineError>(tree)
    };
    export::replace_file(to, |file| match wanted.format {
        ImageFormat::CompressedErofs(compressor) => {
            let mkfs = mkfs.as_ref().ok_or(EngineError::NoMkfsErofs)?;
            let tree = tree(None)?;
            let step = Step::WriteImage { name: contents.name.clone() };
            event::step(&*host.sink, step, |_| {
                let out = file.get_ref();
                erofs::write_compressed_erofs(&tree, compressor, mkfs, out, &host.cancel)
                    .map_err(ImageError::CompressedErofs)?;
                Ok(())
            })
        }
        ImageFormat::Disk(format) => {
            let file = file.get_ref().try_clone().map_err(EngineError::Descriptor)?;
            let file = Arc::new(file);
            let is_file = file.metadata().map_err(EngineError::io("examine", to))?.is_file();
            let disk = disk::in_the_making(format, &file);
            let tree = tree(Some(&disk).filter(|_| is_file))?;
            disk::write(host, &contents.name, &tree, format, &file)
        }
        ImageFormat::Initramfs(compression) => {
            let tree = tree(None)?;
            write(host, &contents.name, &tree, |on_progress| {
                write_initramfs(&tree, compression, file, on_progress)
                    .map(drop)
                    .map_err(|source| ImageError::Write { path: to.to_owned(), source })
            })
        }
    })?;
    let metadata = to.metadata().map_err(EngineError::io("examine", to))?;
    Ok(metadata.len())
}

/// A `mkfs.erofs` that can compress so.
fn mkfs(host: &Host, compressor: Compressor) -> Result<Executable, EngineError> {
    let mkfs = Executable::find("mkfs.erofs", &host.search_path);
    let mkfs = mkfs.map_err(|_| EngineError::NoMkfsErofs)?;
    erofs::check_mkfs(&mkfs, compressor, &host.cancel).map_err(ImageError::CompressedErofs)?;
    Ok(mkfs)
}

/// Has an image of a tree written, with progress, until the user interrupts.
pub(crate) fn write(
    host: &Host,
    name: &str,
    tree: &Tree,
    write: impl FnOnce(OnProgress<'_>) -> Result<(), ImageError>,
) -> Result<(), EngineError> {
    event::step(&*host.sink, Step::WriteImage { name: name.to_owned() }, |progress| {
        let total = contents_bytes(tree);
        let written = write(&mut |done| {
            progress(done, Some(total));
            host.cancel.check()
        });
        // An interruption is no fault of the image.
        host.cancel.check()?;
        Ok(written?)
    })
}

/// What an image is, all in all.
#[derive(Debug)]
pub enum Inspected {
    /// An initramfs.
    Initramfs(Summary),
    /// A disk with EROFS.
    Erofs(erofs::Summary),
    /// A disk with ext4.
    Ext4(ext4::Summary),
}

/// Reads an image and calls `on_entry` for each thing that it holds. Its format is told by its
/// bytes.
///
/// # Errors
/// When it cannot be opened, is no image, or is damaged.
pub fn inspect(path: &Path, on_entry: &mut dyn FnMut(&Entry)) -> Result<Inspected, EngineError> {
    let open = |source| ImageError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    if file.metadata().map_err(open)?.is_dir() {
        return Err(open(io::ErrorKind::IsADirectory.into()).into());
    }
    let read = |source| ImageError::Read { path: path.to_owned(), source };
    Ok(match Magic::of(&file).map_err(open)? {
        Magic::Erofs => {
            let found = erofs::list_erofs(&file, on_entry);
            Inspected::Erofs(found.map_err(|error| read(Box::new(error)))?)
        }
        Magic::Ext4 => {
            let found = ext4::list_ext4(&file, on_entry);
            Inspected::Ext4(found.map_err(|error| read(Box::new(error)))?)
        }
        Magic::Other => {
            let mut visit = |entry: &cpio::Entry, _: &mut dyn Read| {
                on_entry(&Entry::from(entry));
                Ok(())
            };
            let found = read_initramfs(BufReader::new(file), &mut visit);
            Inspected::Initramfs(found.map_err(|error| read(Box::new(error)))?)
        }
    })
}

/// What a file says that it is.
enum Magic {
    Erofs,
    Ext4,
    Other,
}

impl Magic {
    /// Both have their superblock at byte 1,024: EROFS with its magic number first
    /// (`fs/erofs/erofs_fs.h`), ext4 with its own at byte 56 (`fs/ext4/ext4.h`).
    fn of(file: &File) -> io::Result<Self> {
        let mut superblock = [0; 58];
        match file.read_exact_at(&mut superblock, 1024) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Self::Other),
            other => other?,
        }
        Ok(match superblock {
            [0xe2, 0xe1, 0xf5, 0xe0, ..] => Self::Erofs,
            [.., 0x53, 0xef] => Self::Ext4,
            _ => Self::Other,
        })
    }
}
